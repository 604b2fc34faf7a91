package sts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dictum/dictum/internal/iam"
)

// SessionTokenRequest is GetSessionToken's.
type SessionTokenRequest struct {
	// Duration is zero for the default.
	Duration time.Duration
	// Serial and Code are a second factor, or empty.
	Serial, Code string
	// TokenSize is the least length of the session token, in characters; zero asks for none.
	TokenSize int
}

// SessionToken makes temporary credentials of a user, or the root, that signed with a long-term key. It
// needs no permission (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html).
func (s *Service) SessionToken(ctx context.Context, c iam.Caller, in SessionTokenRequest) (iam.Credential, error) {
	p := c.Principal
	if p.Session != nil || (p.Kind != iam.KindUser && p.Kind != iam.KindRoot) {
		return iam.Credential{}, errSession
	}
	life := in.Duration
	if life == 0 {
		life = DefaultTokenDuration
	}
	if p.Kind == iam.KindRoot {
		life = min(life, MaxRootDuration) // AWS shortens it without a word
	}
	p, err := s.withMFA(ctx, p, in.Serial, in.Code)
	if err != nil {
		return iam.Credential{}, err
	}
	session := iam.Session{Issued: s.now()}
	if p.Session != nil {
		session.MFA = p.Session.MFA
	}
	p.Session = &session
	return s.issue(ctx, p, session.Issued, life, in.TokenSize)
}

// withMFA returns the principal as it is once it has shown the second factor; the principal itself when
// it shows none.
func (s *Service) withMFA(ctx context.Context, p iam.Principal, serial, code string) (iam.Principal, error) {
	switch {
	case serial == "" && code == "":
		return p, nil
	case serial == "" || code == "":
		return p, errMFAPair
	case p.Kind != iam.KindUser && p.Kind != iam.KindRoot:
		return p, errMFADevice // only these have devices
	}
	err := s.config.Directory.VerifyTOTP(ctx, p.UserID, serial, code)
	switch {
	case errors.Is(err, iam.ErrNoSuchEntity):
		return p, errMFADevice
	case errors.Is(err, iam.ErrWrongCode):
		return p, errMFACode
	case err != nil:
		return p, fmt.Errorf("check second factor: %w", err)
	}
	session := iam.Session{}
	if p.Session != nil {
		session = *p.Session // never changed once made
	}
	session.MFA = s.now()
	p.Session = &session
	return p, nil
}
