package kms

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

// Context is bound to what is encrypted and must be given again to decrypt it: KMS's encryption
// context. Order does not matter, case does.
type Context map[string]string

// WrappedKey is a data key as it is stored beside what it encrypts.
type WrappedKey struct {
	// KeyID says which key wraps it: RootKeyID with its version ("dictum/root/v1"), or the ARN of a customer's key.
	KeyID string
	// Blob is the wrapped key.
	Blob []byte
}

// What is sealed begins with how it was: under the first version of a key, or under the version that the next
// four bytes name. Associated data begins with sealFirst in both.
const (
	sealFirst     = 1
	sealVersion   = 2
	versionHeader = 1 + 4
)

func seal(aead *subtle.AESGCM, plaintext []byte, context Context) ([]byte, error) {
	sealed, err := aead.Encrypt(plaintext, associatedData(context))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return append([]byte{sealFirst}, sealed...), nil
}

func open(aead *subtle.AESGCM, sealed []byte, context Context) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealFirst {
		return nil, ErrSealed
	}
	return decrypt(aead, sealed[1:], associatedData(context))
}

func decrypt(aead *subtle.AESGCM, ciphertext, associated []byte) ([]byte, error) {
	plaintext, err := aead.Decrypt(ciphertext, associated)
	if err != nil {
		return nil, ErrSealed // The cause says no more, and callers must not tell more.
	}
	return plaintext, nil
}

func sealVersioned(aead *subtle.AESGCM, version uint32, plaintext []byte, context Context) ([]byte, error) {
	if version == 1 {
		return seal(aead, plaintext, context)
	}
	header := binary.BigEndian.AppendUint32([]byte{sealVersion}, version)
	sealed, err := aead.Encrypt(plaintext, append(slices.Clone(header), associatedData(context)...))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return append(header, sealed...), nil
}

func openVersioned(aeads map[uint32]*subtle.AESGCM, sealed []byte, context Context) ([]byte, error) {
	if len(sealed) > 0 && sealed[0] == sealFirst {
		return open(aeads[1], sealed, context)
	}
	if len(sealed) < versionHeader || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	header := sealed[:versionHeader:versionHeader]
	aead := aeads[binary.BigEndian.Uint32(header[1:])]
	if aead == nil {
		return nil, ErrSealed
	}
	return decrypt(aead, sealed[versionHeader:], append(header, associatedData(context)...))
}

// associatedData writes a context so that no two contexts have the same bytes: pairs by key, each
// string after its length.
func associatedData(c Context) []byte {
	data := []byte{sealFirst}
	for _, key := range slices.Sorted(maps.Keys(c)) {
		for _, s := range [2]string{key, c[key]} {
			data = binary.BigEndian.AppendUint32(data, uint32(len(s)))
			data = append(data, s...)
		}
	}
	return data
}
