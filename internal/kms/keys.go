package kms

import (
	"context"
	"fmt"
)

// Keys wraps data keys under the root and under customers' keys.
type Keys struct {
	root      *Root
	customers *Service
}

var _ Wrapper = (*Keys)(nil)

// NewKeys returns a Wrapper over both; customers may be nil, then there are none.
func NewKeys(root *Root, customers *Service) *Keys { return &Keys{root: root, customers: customers} }

// NewDataKey implements Wrapper. A customer's key must be symmetric and enabled: ErrKeyGone, ErrKeyDisabled,
// ErrKeyPendingDeletion, ErrKeyUsage.
func (w *Keys) NewDataKey(ctx context.Context, keyID string, context Context) ([]byte, WrappedKey, error) {
	if IsRootKey(keyID) {
		return w.root.NewDataKey(ctx, context)
	}
	k, err := w.customers.usableKey(ctx, keyID, "GenerateDataKey")
	if err != nil {
		return nil, WrappedKey{}, fmt.Errorf("make data key: %w", err)
	}
	out, err := w.customers.newDataKey(ctx, k, DataKeySize, context)
	if err != nil {
		return nil, WrappedKey{}, fmt.Errorf("make data key: %w", err)
	}
	return out.Plaintext, WrappedKey{KeyID: k.ARN, Blob: out.Blob}, nil
}

// Unwrap implements Wrapper, with the errors of NewDataKey.
func (w *Keys) Unwrap(ctx context.Context, wrapped WrappedKey, context Context) ([]byte, error) {
	if IsRootKey(wrapped.KeyID) {
		return w.root.Unwrap(ctx, wrapped, context)
	}
	k, err := w.customers.usableKey(ctx, wrapped.KeyID, "Decrypt")
	if err != nil {
		return nil, fmt.Errorf("unwrap data key: %w", err)
	}
	c, err := parseCiphertext(wrapped.Blob)
	if err != nil || c.keyID != k.ID {
		return nil, fmt.Errorf("unwrap data key: %w", ErrSealed)
	}
	out, err := w.customers.decrypt(ctx, k, c, context)
	if err != nil {
		return nil, fmt.Errorf("unwrap data key: %w", err)
	}
	return out.Plaintext, nil
}

// usableKey returns the key with this ARN when it can carry out an operation now.
func (s *Service) usableKey(ctx context.Context, keyARN, operation string) (CustomerKey, error) {
	id, ok := idOf(keyARN)
	if s == nil || !ok {
		return CustomerKey{}, fmt.Errorf("%w: %q", ErrUnknownKey, keyARN)
	}
	k, err := s.config.Store.Key(ctx, id)
	if err != nil {
		return k, s.gone(keyARN, err)
	}
	if k.ARN != keyARN {
		return CustomerKey{}, noKey(keyARN)
	}
	return k, Target{key: k}.ready(operation)
}
