package objectstest

import (
	"context"
	"fmt"

	"github.com/dictum/dictum/internal/kms"
)

// RootOnly returns the root key as a kms.Wrapper that has no customers' keys.
func RootOnly(root *kms.Root) kms.Wrapper { return rootOnly{root} }

type rootOnly struct{ root *kms.Root }

// NewDataKey implements kms.Wrapper.
func (r rootOnly) NewDataKey(ctx context.Context, keyID string, context kms.Context) ([]byte, kms.WrappedKey, error) {
	if keyID != kms.RootKeyID {
		return nil, kms.WrappedKey{}, fmt.Errorf("make data key: %w: %q", kms.ErrUnknownKey, keyID)
	}
	return r.root.NewDataKey(ctx, context)
}

// Unwrap implements kms.Wrapper.
func (r rootOnly) Unwrap(ctx context.Context, wrapped kms.WrappedKey, context kms.Context) ([]byte, error) {
	return r.root.Unwrap(ctx, wrapped, context)
}
