// Package iam holds identities: accounts, users, groups, roles and their access keys; the
// principal that a verified request acts as; and what policies let it do. Start at Principal,
// Caller and Access.
package iam

import (
	"context"
	"time"
)

// Kind is what sort of identity a principal is, in the spelling of CloudTrail's userIdentity.type.
type Kind string

// The kinds of principal.
const (
	KindRoot Kind = "Root"
	KindUser Kind = "IAMUser"
	// KindRole is a session of a role.
	KindRole Kind = "AssumedRole"
	// KindService is Dictum itself, acting in a service's name.
	KindService Kind = "AWSService"
)

// Principal is who a request acts as, once its signature was verified.
type Principal struct {
	Kind Kind
	// AccountID is the 12-digit account. It is empty for a service that acts for nobody.
	AccountID string
	// ARN is arn:aws:iam::111122223333:user/admin, …:root, or of a role's session
	// arn:aws:sts::111122223333:assumed-role/role/session.
	ARN string
	// UserID is the unique id: AIDA… for a user, AROA…:session for a role, the account id for the root.
	UserID string
	// UserName is the user's name; it is empty for everyone else.
	UserName string
	// AccessKeyID is the key that signed the request.
	AccessKeyID string
	// Service is "transcribe.amazonaws.com" when Dictum itself signed the request (presigned
	// links to service-managed output), or acts as a service.
	Service string
	// Session is what temporary credentials carry; nil for long-term keys.
	Session *Session
}

// Session is what came with temporary credentials. It is never changed once made.
type Session struct {
	// RoleARN, RoleID and RoleName are the role's; empty for GetSessionToken.
	RoleARN, RoleID, RoleName string
	// Name is the session's.
	Name string
	// Issued is when the credentials were made.
	Issued time.Time
	// MFA is when a second factor was shown; zero when none was.
	MFA time.Time
	// Policies are the session policies, JSON. They limit what the identity's policies allow.
	Policies []string
	// Tags are the session's; Transitive names those that go on to the next role in a chain.
	Tags       map[string]string
	Transitive []string
	// SourceIdentity is who stands behind the session; it can't be changed by assuming another role.
	SourceIdentity string
	// Provider and Subject are the issuer and the sub claim of a web identity.
	Provider, Subject string
	// Chained tells that a role's session assumed this role.
	Chained bool
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
