package kms

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

const (
	// MaxPlaintext is what Encrypt takes, in bytes.
	MaxPlaintext = 4096
	// maxContext bounds an encryption context, names and values together, in bytes.
	maxContext = 8192
)

// Encrypted is the result of encryption, and of decryption.
type Encrypted struct {
	// Key is the one used, MaterialID its version.
	Key        Key
	MaterialID string
	// Blob is the ciphertext, Plaintext what is in it; one may be missing.
	Blob, Plaintext []byte
}

// Encrypt encrypts up to MaxPlaintext bytes.
func (s *Service) Encrypt(ctx context.Context, t Target, plaintext []byte, context Context) (Encrypted, error) {
	if err := t.ready("Encrypt"); err != nil {
		return Encrypted{}, err
	}
	return s.encrypt(ctx, t.key, plaintext, context)
}

// NewDataKey returns n random bytes, plain and encrypted. Operation is the one asked for.
func (s *Service) NewDataKey(ctx context.Context, t Target, operation string, n int, context Context) (Encrypted, error) {
	if err := t.ready(operation); err != nil {
		return Encrypted{}, err
	}
	return s.newDataKey(ctx, t.key, n, context)
}

func (s *Service) newDataKey(ctx context.Context, k CustomerKey, n int, context Context) (Encrypted, error) {
	plain, err := s.Random(n)
	if err != nil {
		return Encrypted{}, err
	}
	out, err := s.encrypt(ctx, k, plain, context)
	out.Plaintext = plain
	return out, err
}

// Random returns n random bytes.
func (s *Service) Random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		return nil, fmt.Errorf("make random bytes: %w", err)
	}
	return b, nil
}

// Decrypt opens a blob with the key that Blob found for it.
func (s *Service) Decrypt(ctx context.Context, t Target, blob []byte, context Context) (Encrypted, error) {
	return s.open(ctx, t, "Decrypt", blob, context)
}

// ReEncrypt opens a blob and encrypts what is in it under another key, context, or version of the key.
func (s *Service) ReEncrypt(ctx context.Context, from Target, blob []byte, fromContext Context, to Target, toContext Context) (opened, sealed Encrypted, err error) {
	opened, err = s.open(ctx, from, "ReEncryptFrom", blob, fromContext)
	if err != nil {
		return Encrypted{}, Encrypted{}, err
	}
	defer clear(opened.Plaintext)
	if err := to.ready("ReEncryptTo"); err != nil {
		return Encrypted{}, Encrypted{}, err
	}
	sealed, err = s.encrypt(ctx, to.key, opened.Plaintext, toContext)
	opened.Plaintext = nil
	return opened, sealed, err
}

// Ready returns why a key can't carry out an operation now, for requests that only ask.
func (t Target) Ready(operation string) error { return t.ready(operation) }

func (t Target) ready(operation string) error {
	if t.err != nil {
		return t.err
	}
	if err := t.key.usable(); err != nil {
		return err
	}
	return t.key.encrypts(operation)
}

func (s *Service) open(ctx context.Context, t Target, operation string, blob []byte, context Context) (Encrypted, error) {
	if err := t.ready(operation); err != nil {
		return Encrypted{}, err
	}
	c, err := parseCiphertext(blob)
	if err != nil {
		return Encrypted{}, err
	}
	if c.keyID != t.key.ID {
		return Encrypted{}, shown("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
	}
	return s.decrypt(ctx, t.key, c, context)
}

func checkContext(c Context) error {
	size := 0
	for name, value := range c {
		size += len(name) + len(value)
	}
	if size > maxContext {
		return validation(fmt.Sprintf("The encryption context is larger than %d bytes.", maxContext))
	}
	return nil
}

func (s *Service) encrypt(ctx context.Context, k CustomerKey, plaintext []byte, context Context) (Encrypted, error) {
	if err := checkContext(context); err != nil {
		return Encrypted{}, err
	}
	if len(plaintext) > MaxPlaintext {
		return Encrypted{}, validation(fmt.Sprintf("The plaintext is larger than %d bytes.", MaxPlaintext))
	}
	m, plain, err := s.material(ctx, k, k.Version)
	if err != nil {
		return Encrypted{}, err
	}
	defer clear(plain)
	blob, err := encryptBlob(plain, k.ID, k.Version, plaintext, context)
	if err != nil {
		return Encrypted{}, fmt.Errorf("encrypt under %s: %w", k.ARN, err)
	}
	return Encrypted{Key: k.Key, MaterialID: m.ID, Blob: blob}, nil
}

func (s *Service) decrypt(ctx context.Context, k CustomerKey, c ciphertext, context Context) (Encrypted, error) {
	m, plain, err := s.material(ctx, k, c.version)
	if errors.Is(err, ErrKeyGone) {
		// The key may have been destroyed since it was found; a version it never had is a forged blob.
		if _, err := s.config.Store.Key(ctx, k.ID); err != nil {
			return Encrypted{}, s.gone(k.ARN, err)
		}
		return Encrypted{}, invalidCiphertext()
	}
	if err != nil {
		return Encrypted{}, err
	}
	defer clear(plain)
	plaintext, err := decryptBlob(plain, c, context)
	if err != nil {
		return Encrypted{}, err
	}
	return Encrypted{Key: k.Key, MaterialID: m.ID, Plaintext: plaintext}, nil
}

// gone words the store's ErrKeyGone as KMS does.
func (s *Service) gone(arn string, err error) error {
	if errors.Is(err, ErrKeyGone) {
		return noKey(arn)
	}
	return err
}

// material returns a version of a key's secret. The caller clears it.
func (s *Service) material(ctx context.Context, k CustomerKey, version uint32) (Material, []byte, error) {
	m, err := s.config.Store.Material(ctx, k.ID, version)
	if err != nil {
		return m, nil, fmt.Errorf("read material of %s: %w", k.ARN, err)
	}
	plain, err := s.config.Sealer.Open(m.Sealed, materialContext(k.ARN, version))
	if err != nil {
		return m, nil, fmt.Errorf("open material of %s: %w", k.ARN, err)
	}
	return m, plain, nil
}
