package kms

import (
	"encoding/binary"
	"slices"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

// A ciphertext blob names the key and its version, so that Decrypt needs neither: one byte of format, 16 bytes
// of key id, four of version, then nonce, ciphertext and tag of AES-256-GCM. Header and encryption context are
// the associated data.
const (
	blobFormat = 0x44 // unlike the first byte of anything sealed by Root
	blobHeader = 1 + 16 + 4
	// blobOverhead is what encryption adds to the header.
	blobOverhead = subtle.AESGCMIVSize + subtle.AESGCMTagSize
)

// ciphertext is a parsed blob.
type ciphertext struct {
	keyID   string
	version uint32
	sealed  []byte
}

func blobHead(keyID string, version uint32) ([]byte, error) {
	id, err := uuid.Parse(keyID)
	if err != nil {
		return nil, err
	}
	head := append([]byte{blobFormat}, id[:]...)
	return binary.BigEndian.AppendUint32(head, version), nil
}

// parseCiphertext reads a blob; ErrSealed when it is none.
func parseCiphertext(blob []byte) (ciphertext, error) {
	if len(blob) < blobHeader+blobOverhead || blob[0] != blobFormat {
		return ciphertext{}, invalidCiphertext()
	}
	id := uuid.UUID(blob[1:17])
	return ciphertext{keyID: id.String(), version: binary.BigEndian.Uint32(blob[17:blobHeader]), sealed: blob[blobHeader:]}, nil
}

// encryptBlob encrypts under one version of a key's material.
func encryptBlob(material []byte, keyID string, version uint32, plaintext []byte, context Context) ([]byte, error) {
	aead, err := subtle.NewAESGCM(material)
	if err != nil {
		return nil, err
	}
	head, err := blobHead(keyID, version)
	if err != nil {
		return nil, err
	}
	sealed, err := aead.Encrypt(plaintext, append(slices.Clone(head), associatedData(context)...))
	if err != nil {
		return nil, err
	}
	return append(head, sealed...), nil
}

// decryptBlob opens a parsed blob with the material of its version.
func decryptBlob(material []byte, c ciphertext, context Context) ([]byte, error) {
	aead, err := subtle.NewAESGCM(material)
	if err != nil {
		return nil, err
	}
	head, err := blobHead(c.keyID, c.version)
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Decrypt(c.sealed, append(head, associatedData(context)...))
	if err != nil {
		return nil, invalidCiphertext()
	}
	return plaintext, nil
}
