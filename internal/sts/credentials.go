package sts

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
)

const (
	// tokenSize is how many characters a session token has that no one wants longer.
	tokenSize = 128
	// MaxTokenSize is the most that it can have.
	MaxTokenSize = 4096
)

// issue makes a credential of the principal that lives for a while from now, and stores it. Its token is random
// and has at least size characters.
func (s *Service) issue(ctx context.Context, p iam.Principal, now time.Time, life time.Duration, size int) (iam.Credential, error) {
	// The key's id and secret are like a user's, but for the prefix.
	key, err := iam.NewAccessKey(p.AccountID, "", now)
	if err != nil {
		return iam.Credential{}, fmt.Errorf("make session key: %w", err)
	}
	token := make([]byte, (min(max(size, tokenSize), MaxTokenSize)+3)/4*3) // base64 makes four characters of three bytes
	if _, err := rand.Read(token); err != nil {
		return iam.Credential{}, fmt.Errorf("make session token: %w", err)
	}
	c := iam.Credential{
		AccessKeyID:     "ASIA" + key.ID[len("AKIA"):],
		SecretAccessKey: key.Secret,
		SessionToken:    base64.StdEncoding.EncodeToString(token),
		Expires:         now.Add(life).UTC().Truncate(time.Second), // clients see whole seconds
		Principal:       p,
	}
	c.Principal.AccessKeyID = c.AccessKeyID
	err = s.config.Sessions.Put(ctx, Owner(c.Principal), c)
	if errors.Is(err, ErrTooManySessions) {
		return iam.Credential{}, &awserr.Error{
			Code: "LimitExceeded", Status: http.StatusConflict,
			Message: "The account has as many active sessions as this server allows. Wait for some to expire, or revoke them.",
		}
	}
	if err != nil {
		return iam.Credential{}, err
	}
	return c, nil
}

// roleSession is the principal of a role's session.
func roleSession(r iam.Role, name string, session iam.Session) iam.Principal {
	session.RoleARN, session.RoleID, session.RoleName, session.Name = r.ARN(), r.ID, r.Name, name
	return iam.Principal{
		Kind:      iam.KindRole,
		AccountID: r.AccountID,
		ARN:       "arn:aws:sts::" + r.AccountID + ":assumed-role/" + r.Name + "/" + name,
		UserID:    r.ID + ":" + name,
		Session:   &session,
	}
}
