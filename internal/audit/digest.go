package audit

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// digest signs the chain up to the frame before it, and names the digest before by its signature, as
// CloudTrail's digest files do:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
// Its frame's body is the signature and the JSON.
type digest struct {
	// Sequence is the digest's own number.
	Sequence uint64 `json:"sequence"`
	Reason   string `json:"reason"`
	// StartTime is the digest's before, EndTime its own.
	StartTime time.Time `json:"digestStartTime"`
	EndTime   time.Time `json:"digestEndTime"`
	// Records is how many there are since the digest before.
	Records uint64 `json:"records"`
	// ChainHash is the hash of the frame before.
	ChainHash         string `json:"chainHash"`
	PreviousSequence  uint64 `json:"previousDigestSequence,omitempty"`
	PreviousSignature string `json:"previousDigestSignature,omitempty"`
	// Key is the id of the key that signs.
	Key string `json:"digestPublicKeyFingerprint"`
	// Notice says what was found wrong when the log was opened; Damage tells that more than an
	// unfinished record was lost.
	Notice string `json:"notice,omitempty"`
	Damage bool   `json:"damage,omitempty"`
}

// The reasons for a digest.
const (
	reasonBegin    = "begin"
	reasonOpen     = "open"
	reasonRecords  = "records"
	reasonInterval = "interval"
	reasonRollover = "rollover"
	reasonShutdown = "shutdown"
)

// body signs the digest and returns its frame's body and its signature.
func (d digest) body(keys keyPair) (body, signature []byte, err error) {
	d.Key = hex.EncodeToString(keys.id[:])
	text, err := json.Marshal(d)
	if err != nil {
		return nil, nil, fmt.Errorf("encode digest: %w", err)
	}
	signature = keys.sign(signsDigest, text)
	return append(signature[:len(signature):len(signature)], text...), signature, nil
}

var errDigest = errors.New("malformed digest")

// parseDigest reads a digest's body and checks its signature.
func parseDigest(body []byte, keys keyPair) (d digest, signature []byte, err error) {
	if len(body) < ed25519.SignatureSize {
		return d, nil, errDigest
	}
	signature, text := body[:ed25519.SignatureSize], body[ed25519.SignatureSize:]
	if !keys.verify(signsDigest, text, signature) {
		return d, nil, errors.New("wrong signature")
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, nil, errDigest
	}
	return d, signature, nil
}
