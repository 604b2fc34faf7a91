package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

// Deriver gives keys that depend on a root key and a purpose: *kms.Root.
type Deriver interface {
	Derive(purpose string, n int) []byte
}

// Keys are what a log is encrypted and signed with, and those it was before. They are made by DeriveKeys.
type Keys struct {
	current keyPair
	older   []keyPair
}

// keyPair are the two keys that come from one root key.
type keyPair struct {
	// id names the pair in files, so that a later root key leaves the older files readable.
	id      keyID
	secret  []byte
	signing ed25519.PrivateKey
}

// keyID is the beginning of the SHA-256 of a public signing key.
type keyID [8]byte

// DeriveKeys derives the log's keys from the root key, and from older root keys, which still open and
// verify what was written under them.
func DeriveKeys(root Deriver, older ...Deriver) Keys {
	k := Keys{current: derivePair(root)}
	for _, r := range older {
		k.older = append(k.older, derivePair(r))
	}
	return k
}

func derivePair(root Deriver) keyPair {
	p := keyPair{
		secret:  root.Derive("audit/v1", 32),
		signing: ed25519.NewKeyFromSeed(root.Derive("audit/signing/v1", ed25519.SeedSize)),
	}
	sum := sha256.Sum256(p.public())
	copy(p.id[:], sum[:])
	return p
}

func (p keyPair) public() ed25519.PublicKey { return p.signing.Public().(ed25519.PublicKey) }

// pair finds the keys with this id.
func (k Keys) pair(id keyID) (keyPair, bool) {
	for _, p := range append([]keyPair{k.current}, k.older...) {
		if p.id == id && p.signing != nil {
			return p, true
		}
	}
	return keyPair{}, false
}

// errUnknownKey means that a file was written under a root key that was not given.
var errUnknownKey = errors.New("written under another root key")

// signatures are prefixed by what they sign, so that none can stand for another.
const (
	signsDigest = "dictum audit digest v1\x00"
	signsAnchor = "dictum audit anchor v1\x00"
)

func (p keyPair) sign(what string, message []byte) []byte {
	return ed25519.Sign(p.signing, append([]byte(what), message...))
}

func (p keyPair) verify(what string, message, signature []byte) bool {
	return ed25519.Verify(p.public(), append([]byte(what), message...), signature)
}

// cipher is the AEAD of one purpose: a file by its salt, or the tokens of Lookup. Each file has a key
// of its own because AES-GCM with random nonces is good for 2^32 messages under one key (NIST SP 800-38D §8.3).
func (p keyPair) cipher(purpose string, salt []byte) (*subtle.AESGCM, error) {
	key, err := hkdf.Key(sha256.New, p.secret, salt, "dictum/audit/"+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive audit key: %w", err)
	}
	return subtle.NewAESGCM(key)
}

// equal tells keys apart without regard to the older ones.
func (p keyPair) equal(o keyPair) bool { return bytes.Equal(p.id[:], o.id[:]) }
