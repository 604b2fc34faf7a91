// Package sts hands out temporary credentials: sessions of roles, for callers, for holders of another
// issuer's token and for services, and sessions of users. It decides who gets which and what they
// carry; internal/store/sessions keeps them and internal/api/sts speaks the wire protocol. Start at Service.
//
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html.
package sts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
	"github.com/dictum/dictum/internal/sts/oidc"
)

// The lives of credentials.
const (
	// DefaultRoleDuration is the life of a role's session that asks for none.
	DefaultRoleDuration = time.Hour
	// MaxChainedDuration is the longest life of a session that another role's session began.
	MaxChainedDuration = time.Hour
	// DefaultTokenDuration is the life of GetSessionToken's credentials that ask for none.
	DefaultTokenDuration = 12 * time.Hour
	// MaxRootDuration is the longest life of the root's session.
	MaxRootDuration = time.Hour

	// keepEnded is how long a session is kept past its end, for its owner to be told that it
	// expired and not that it is unknown.
	keepEnded = 24 * time.Hour
	// sweepEvery is how often the others are removed.
	sweepEvery = time.Hour
)

// Directory knows identities; iam.Directory is one. Its errors are iam.ErrNoSuchEntity where nothing has the
// name, iam.ErrWrongCode, or its own.
type Directory interface {
	// Role returns a role by its name.
	Role(ctx context.Context, accountID, name string) (iam.Role, error)
	// TrustPolicy returns who may assume the role.
	TrustPolicy(r iam.Role) (*policy.Document, error)
	// OIDCProvider returns the account's provider for tokens with this iss claim.
	OIDCProvider(ctx context.Context, accountID, issuer string) (iam.OIDCProvider, error)
	// ManagedPolicy returns the text in force of a managed policy: one of the account's or of AWS's.
	ManagedPolicy(ctx context.Context, accountID, arn string) (string, error)
	// VerifyTOTP returns nil when the code is what the user's device with this serial number shows now, and was not
	// used before.
	VerifyTOTP(ctx context.Context, userID, serial, code string) error
	// KeyOwner returns a long-term key of any account.
	KeyOwner(ctx context.Context, keyID string) (iam.AccessKey, error)
}

var _ Directory = (*iam.Directory)(nil)

// Sessions keep temporary credentials.
type Sessions interface {
	iam.Credentials
	// Put stores a credential that never was stored before; it is durable when Put returns. owner is
	// what Revoke takes. It returns ErrTooManySessions when the account has no room.
	Put(ctx context.Context, owner string, c iam.Credential) error
	// Revoke removes all sessions of the owner and returns their access key ids. It may be repeated.
	Revoke(ctx context.Context, owner string) ([]string, error)
	// Sweep removes the sessions that ended before a time and tells how many.
	Sweep(ctx context.Context, before time.Time) (int, error)
}

// Config is what a Service is made of. All but Forget, Tokens, Log and Now are required.
type Config struct {
	Directory  Directory
	Sessions   Sessions
	Authorizer iam.Authorizer
	// Tokens proves web identities; nil makes one that trusts the system's authorities.
	Tokens *oidc.Verifier
	// Forget is told the keys of revoked sessions: iam.Resolver's Forget.
	Forget func(accessKeyID string)
	// Log is for what goes wrong in the background; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Service hands out temporary credentials. It is safe for concurrent use. What its methods return as
// errors for clients are *awserr.Error values.
type Service struct {
	config Config
}

// New checks the configuration and makes a Service of it.
func New(config Config) (*Service, error) {
	if config.Directory == nil || config.Sessions == nil || config.Authorizer == nil {
		return nil, errors.New("sts: directory, sessions and authorizer are required")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Tokens == nil {
		config.Tokens = oidc.New(nil, config.Now)
	}
	if config.Forget == nil {
		config.Forget = func(string) {}
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	return &Service{config: config}, nil
}

// Owner returns the unique id that a principal's sessions are kept under: the role's, the user's, or the
// account's for its root.
func Owner(p iam.Principal) string {
	if p.Session != nil && p.Session.RoleID != "" {
		return p.Session.RoleID
	}
	return p.UserID
}

// Revoke ends all sessions of a role, user or root at once, by its unique id (see Owner), and tells
// how many. It may be repeated.
func (s *Service) Revoke(ctx context.Context, owner string) (int, error) {
	ids, err := s.config.Sessions.Revoke(ctx, owner)
	for _, id := range ids {
		s.config.Forget(id)
	}
	return len(ids), err
}

// Run removes sessions that ended long ago, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		if _, err := s.config.Sessions.Sweep(ctx, s.config.Now().Add(-keepEnded)); err != nil && ctx.Err() == nil {
			s.config.Log.ErrorContext(ctx, "sweep sessions", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// AccountOf returns the account that an access key belongs to, active or not.
func (s *Service) AccountOf(ctx context.Context, accessKeyID string) (string, error) {
	k, err := s.config.Directory.KeyOwner(ctx, accessKeyID)
	if err == nil {
		return k.AccountID, nil
	}
	if !errors.Is(err, iam.ErrNoSuchEntity) {
		return "", fmt.Errorf("find access key: %w", err)
	}
	c, err := s.config.Sessions.Lookup(ctx, accessKeyID)
	if errors.Is(err, iam.ErrNoSuchKey) {
		return "", validation("Access key %s is not known.", accessKeyID)
	}
	if err != nil {
		return "", fmt.Errorf("find session: %w", err)
	}
	return c.Principal.AccountID, nil
}
