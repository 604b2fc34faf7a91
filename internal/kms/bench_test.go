package kms_test

import (
	"testing"

	"github.com/dictum/dictum/internal/kms"
)

// BenchmarkCustomerKey is what SSE-KMS adds to putting an object, and to getting one, without the audit.
func BenchmarkCustomerKey(b *testing.B) {
	r := newRig(b)
	k, err := r.CreateKey(b.Context(), who("alice"), kms.NewKey{})
	if err != nil {
		b.Fatal(err)
	}
	in := kms.Context{"aws:s3:arn": "arn:aws:s3:::bucket/key"}
	_, wrapped, err := r.keys.NewDataKey(b.Context(), k.ARN, in)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Use", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.Use(b.Context(), who("alice"), "GenerateDataKey", k.ARN, in); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("NewDataKey", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := r.keys.NewDataKey(b.Context(), k.ARN, in); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Unwrap", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.keys.Unwrap(b.Context(), wrapped, in); err != nil {
				b.Fatal(err)
			}
		}
	})
}
