package kms

import (
	"context"

	"github.com/dictum/dictum/internal/iam"
)

// Wrapper makes and opens data keys for what is stored. It does not ask who wants it: a Gate does.
type Wrapper interface {
	// NewDataKey returns a random data key, plain and wrapped by the key with this id: RootKeyID or the
	// ARN of a customer's key. The context must be given again to Unwrap.
	NewDataKey(ctx context.Context, keyID string, context Context) (plain []byte, wrapped WrappedKey, err error)
	// Unwrap returns the plain data key: ErrUnknownKey, ErrSealed, or an error of the key's state.
	Unwrap(ctx context.Context, wrapped WrappedKey, context Context) ([]byte, error)
}

// Gate lets another service use a customer's key on a caller's behalf.
type Gate interface {
	// Use resolves a key in any of the four forms (id, alias/name, key ARN, alias ARN), checks that it
	// exists, is enabled and of a kind that can do the operation ("GenerateDataKey", "Decrypt", "Encrypt",
	// "DescribeKey"), that the caller may do it in this encryption context, and records it.
	// Its errors are KMS's.
	Use(ctx context.Context, c iam.Caller, operation, key string, context Context) (Key, error)
}

// Key is what other services need to know of a customer's key.
type Key struct {
	// ARN is arn:aws:kms:region:account:key/uuid.
	ARN       string
	ID        string
	AccountID string
	Region    string
	// Symmetric keys encrypt and decrypt; others (RSA, HMAC) can't wrap data keys.
	Symmetric bool
}
