// Package iam holds identities: accounts, users, access keys and the principal that a
// verified request acts as. Policy evaluation will live here too. Start at Principal.
package iam

import (
	"context"
	"time"
)

// Principal is who a request acts as, once its signature was verified.
type Principal struct {
	// AccountID is the 12-digit account.
	AccountID string
	// ARN is arn:aws:iam::111122223333:user/admin, …:root, or a service's own session.
	ARN string
	// UserID is the unique id: AIDA… for a user, the account id for the root.
	UserID string
	// UserName is empty for the root and for services.
	UserName string
	// AccessKeyID is the key that signed the request.
	AccessKeyID string
	// Service is "transcribe.amazonaws.com" when Dictum itself signed the request (presigned
	// links to service-managed output); such a principal may do nothing but read that output.
	Service string
}

// Credential is an access key with its secret, as the verifier of signatures needs it.
type Credential struct {
	AccessKeyID     string
	SecretAccessKey string
	// SessionToken must accompany the key when not empty (temporary credentials, ASIA…).
	SessionToken string
	// Expires is the end of a temporary credential; zero for a long-term key.
	Expires   time.Time
	Principal Principal
}

// Credentials finds access keys.
type Credentials interface {
	// Lookup returns the active credential with this access key id, or ErrNoSuchKey.
	Lookup(ctx context.Context, accessKeyID string) (Credential, error)
}
