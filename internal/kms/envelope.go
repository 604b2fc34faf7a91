package kms

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

// DataKeySize is the length of a data key in bytes: AES-256.
const DataKeySize = 32

// RootKeyID is the id of the wrapping key that is derived from the root key. Other ids will be
// ARNs of customer-managed keys.
const RootKeyID = "dictum/root/v1"

// Context is bound to what is encrypted and must be given again to decrypt it: KMS's encryption
// context. Order does not matter, case does.
type Context map[string]string

// WrappedKey is a data key as it is stored beside what it encrypts.
type WrappedKey struct {
	// KeyID says which key wraps it.
	KeyID string
	// Blob is the wrapped key.
	Blob []byte
}

// NewDataKey returns a random data key, plain and wrapped by the root. The context must be
// given again to Unwrap.
func (r *Root) NewDataKey(_ context.Context, context Context) ([]byte, WrappedKey, error) {
	key := make([]byte, DataKeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, WrappedKey{}, fmt.Errorf("make data key: %w", err)
	}
	blob, err := seal(r.wrap, key, context)
	if err != nil {
		return nil, WrappedKey{}, fmt.Errorf("wrap data key: %w", err)
	}
	return key, WrappedKey{KeyID: RootKeyID, Blob: blob}, nil
}

// Unwrap returns the plain data key: ErrUnknownKey when another key wraps it, ErrSealed when the
// context or the blob is not what it was.
func (r *Root) Unwrap(_ context.Context, w WrappedKey, context Context) ([]byte, error) {
	if w.KeyID != RootKeyID {
		return nil, fmt.Errorf("unwrap data key: %w: %q", ErrUnknownKey, w.KeyID)
	}
	key, err := open(r.wrap, w.Blob, context)
	if err != nil {
		return nil, fmt.Errorf("unwrap data key: %w", err)
	}
	return key, nil
}

// sealVersion begins everything sealed, so that the construction can change later.
const sealVersion = 1

func seal(aead *subtle.AESGCM, plaintext []byte, context Context) ([]byte, error) {
	sealed, err := aead.Encrypt(plaintext, associatedData(context))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return append([]byte{sealVersion}, sealed...), nil
}

func open(aead *subtle.AESGCM, sealed []byte, context Context) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	plaintext, err := aead.Decrypt(sealed[1:], associatedData(context))
	if err != nil {
		return nil, ErrSealed // The cause says no more, and callers must not tell more.
	}
	return plaintext, nil
}

// associatedData writes a context so that no two contexts have the same bytes: pairs by key, each
// string after its length.
func associatedData(c Context) []byte {
	data := []byte{sealVersion}
	for _, key := range slices.Sorted(maps.Keys(c)) {
		for _, s := range [2]string{key, c[key]} {
			data = binary.BigEndian.AppendUint32(data, uint32(len(s)))
			data = append(data, s...)
		}
	}
	return data
}
