package sigv4

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
)

// streamingEvents is the x-amz-content-sha256 of a request whose body is a stream of signed events.
const streamingEvents = "STREAMING-AWS4-HMAC-SHA256-EVENTS"

// EventChain holds the events of a stream against their signatures, each of which covers the one before it (Transcribe
// developer guide, "Setting up a streaming transcription"). It belongs to one goroutine.
type EventChain struct {
	secret, region, service string
	prior                   string
	// begun is when the request was signed.
	begun time.Time
	skew  time.Duration
	now   func() time.Time
	// scope and key are those of the last event: they change at midnight.
	scope Scope
	key   [32]byte
}

// ErrEventSignature means that an event is not signed by who signed the request, not in its place, or not of this time.
var ErrEventSignature = errors.New("the event's signature does not match")

// Events starts the chain with the request's own signature.
func (v *Verified) Events(now func() time.Time) *EventChain {
	if now == nil {
		now = time.Now
	}
	return &EventChain{
		secret: v.Credential.SecretAccessKey, region: v.Claim.Scope.Region, service: v.Claim.Scope.Service,
		prior: v.Claim.Signature, begun: v.Claim.Time, skew: DefaultSkew, now: now,
	}
}

// Verify checks the next event: its date, its payload and its signature. It returns ErrEventSignature.
//
// The date may be ahead of ours as far as a request's. It may be behind by any time since the request was signed: a
// client that sends an hour of audio at once is slowed, and what it signed at once is read late. The chain alone shows
// that nothing is repeated.
func (c *EventChain) Verify(date time.Time, payload, signature []byte) error {
	date = date.UTC()
	if date.After(c.now().Add(c.skew)) || date.Before(c.begun.Add(-c.skew)) {
		return ErrEventSignature
	}
	header := append([]byte("\x05:date\x08"), make([]byte, 8)...)
	binary.BigEndian.PutUint64(header[len(header)-8:], uint64(date.UnixMilli()))
	headers, content := sha256.Sum256(header), sha256.Sum256(payload)
	// The scope follows the event's own day.
	scope := Scope{Date: date.Format(dateLayout), Region: c.region, Service: c.service}
	toSign := algorithm + "-PAYLOAD\n" + date.Format(timeLayout) + "\n" + scope.String() + "\n" + c.prior + "\n" +
		hex.EncodeToString(headers[:]) + "\n" + hex.EncodeToString(content[:])
	if scope != c.scope {
		c.scope, c.key = scope, deriveKey(c.secret, scope)
	}
	expected := sign(c.key, toSign)
	if !equal(expected, hex.EncodeToString(signature)) {
		return ErrEventSignature
	}
	c.prior = expected
	return nil
}
