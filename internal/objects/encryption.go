package objects

import (
	"errors"
	"fmt"
	"maps"

	"github.com/dictum/dictum/internal/kms"
)

// Encryption is which key the data keys of an object are wrapped under. The zero value means Dictum's own
// (SSE-S3); with a key ARN it is a customer's (SSE-KMS).
type Encryption struct {
	// KeyARN is arn:aws:kms:region:account:key/id.
	KeyARN string `json:",omitempty"`
	// Context are the client's own pairs of the encryption context.
	Context kms.Context `json:",omitempty"`
	// BucketKey binds the data keys to the bucket instead of to the object (S3 Bucket Keys).
	BucketKey bool `json:",omitempty"`
}

// ContextKey is the pair that S3 adds to every encryption context.
const ContextKey = "aws:s3:arn"

// Bind returns the encryption context of an object's data keys: the client's pairs, and the ARN of the
// object, or of its bucket when the bucket's key is used.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#encryption-context
func (e Encryption) Bind(bucket, key string) kms.Context {
	bound := kms.Context{}
	maps.Copy(bound, e.Context)
	bound[ContextKey] = ARN(bucket, key)
	if e.BucketKey {
		bound[ContextKey] = ARN(bucket, "")
	}
	return bound
}

// Customer tells whether a customer's key is used.
func (e Encryption) Customer() bool { return e.KeyARN != "" }

// Same tells whether two encryptions are one.
func (e Encryption) Same(other Encryption) bool {
	return e.KeyARN == other.KeyARN && e.BucketKey == other.BucketKey && maps.Equal(e.Context, other.Context)
}

// KeyError is a failure of a key, not of the store: it is disabled, gone, or not the caller's to use.
type KeyError struct {
	// Err is the error of KMS.
	Err error
}

// Error implements error.
func (e *KeyError) Error() string { return fmt.Sprintf("key: %v", e.Err) }

// Unwrap returns the error of KMS.
func (e *KeyError) Unwrap() error { return e.Err }

// FailKey returns err as a KeyError, and nil for nil.
func FailKey(err error) error {
	var already *KeyError
	if err == nil || errors.As(err, &already) {
		return err
	}
	return &KeyError{err}
}

// ARN is the name of an object in policies, or of its bucket when the key is empty.
func ARN(bucket, key string) string {
	if key == "" {
		return "arn:aws:s3:::" + bucket
	}
	return "arn:aws:s3:::" + bucket + "/" + key
}
