package sts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/sts/oidc"
)

// The claims that carry session tags and the source identity
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_adding-assume-role-idp).
const (
	claimTags       = "https://aws.amazon.com/tags"
	claimTag        = claimTags + "/principal_tags/"
	claimTransitive = claimTags + "/transitive_tag_keys"
	claimSource     = "https://aws.amazon.com/source_identity"
)

// KindWebIdentity is the kind of a caller that another issuer's token speaks for.
const KindWebIdentity iam.Kind = "WebIdentityUser"

// WebIdentity is who an issuer's token speaks for, proved.
type WebIdentity struct {
	// Provider is the trusted issuer in the role's account.
	Provider iam.OIDCProvider
	Token    oidc.Token
}

// WebIdentity proves a token for use with a role: the role's account must trust its issuer.
func (s *Service) WebIdentity(ctx context.Context, roleARN, token string) (WebIdentity, error) {
	a, err := parseRole(roleARN)
	if err != nil {
		return WebIdentity{}, err
	}
	issuer, err := oidc.IssuerOf(token)
	if err != nil {
		return WebIdentity{}, tokenError(err, oidc.Token{}, s)
	}
	provider, err := s.config.Directory.OIDCProvider(ctx, a.AccountID, issuer)
	if errors.Is(err, iam.ErrNoSuchEntity) {
		return WebIdentity{}, identityToken("No OpenIDConnect provider found in your account for " + clip(issuer))
	}
	if err != nil {
		return WebIdentity{}, fmt.Errorf("find identity provider: %w", err)
	}
	proved, err := s.config.Tokens.Verify(ctx, token, oidc.Issuer{
		URL: issuer, ClientIDs: provider.ClientIDs, Thumbprints: provider.Thumbprints,
	})
	if err != nil {
		s.config.Log.InfoContext(ctx, "web identity refused", "provider", provider.ARN(), "err", err)
		return WebIdentity{}, tokenError(err, proved, s)
	}
	return WebIdentity{Provider: provider, Token: proved}, nil
}

// Principal is the caller that the identity is in trust policies and in the audit, where it belongs to the
// account that trusts its issuer.
func (w WebIdentity) Principal() iam.Principal {
	return iam.Principal{
		Kind:      KindWebIdentity,
		AccountID: w.Provider.AccountID,
		UserID:    w.Provider.ARN() + ":" + w.Token.Audience + ":" + w.Token.Subject,
		UserName:  w.Token.Subject,
		Session:   &iam.Session{Provider: w.Provider.URL, Subject: w.Token.Subject},
	}
}

// AssumeRoleWithWebIdentity begins a session of a role for a proved identity
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html).
func (s *Service) AssumeRoleWithWebIdentity(ctx context.Context, c iam.Caller, w WebIdentity, in RoleRequest) (RoleSession, error) {
	session, err := w.session()
	if err != nil {
		return RoleSession{}, err
	}
	role, err := s.role(ctx, in.RoleARN)
	if errors.Is(err, iam.ErrNoSuchEntity) {
		return RoleSession{}, errWebIdentity
	}
	if err != nil {
		return RoleSession{}, err
	}
	c.Principal = w.Principal()
	keys := requestKeys(in, session)
	w.addKeys(keys)
	err = s.trust(ctx, c, role, actions(actionWebIdentity, session), keys)
	var refused *awserr.Error
	if errors.As(err, &refused) {
		return RoleSession{}, errWebIdentity // AWS tells no more to a stranger
	}
	if err != nil {
		return RoleSession{}, err
	}
	return s.begin(ctx, role, in, session)
}

// addKeys adds the provider's condition keys: host/path:aud, host/path:sub, host/path:amr.
func (w WebIdentity) addKeys(keys map[string][]string) {
	_, name, _ := strings.Cut(w.Provider.ARN(), ":oidc-provider/")
	name = strings.ToLower(name)
	keys[name+":aud"] = []string{w.Token.Audience}
	keys[name+":sub"] = []string{w.Token.Subject}
	if len(w.Token.Methods) > 0 {
		keys[name+":amr"] = w.Token.Methods
	}
}

// session reads what the token says of the session: tags, in the nested or the flat form, and source identity.
func (w WebIdentity) session() (iam.Session, error) {
	session := iam.Session{Provider: w.Provider.URL, Subject: w.Token.Subject}
	var nested struct {
		Principal  map[string][]string `json:"principal_tags"`
		Transitive []string            `json:"transitive_tag_keys"`
	}
	var asked []Tag
	add := func(key string, values []string) error {
		if len(values) != 1 || !tagFits(key, values[0]) {
			return rejected("the value of session tag " + clip(key) + " is not one string of up to 256 characters")
		}
		asked = append(asked, Tag{Key: key, Value: values[0]})
		return nil
	}
	for name, raw := range w.Token.Claims {
		var err error
		switch {
		case name == claimTags:
			err = decode(name, raw, &nested)
		case name == claimSource:
			if err = decode(name, raw, &session.SourceIdentity); err == nil && !isSessionName(session.SourceIdentity) {
				err = rejected("the source identity is not 2 to 64 characters of [\\w+=,.@-]")
			}
		case name == claimTransitive:
			err = decode(name, raw, &nested.Transitive)
		case strings.HasPrefix(name, claimTag):
			var value string
			if err = decode(name, raw, &value); err == nil {
				err = add(name[len(claimTag):], []string{value})
			}
		}
		if err != nil {
			return iam.Session{}, err
		}
	}
	for key, values := range nested.Principal {
		if err := add(key, values); err != nil {
			return iam.Session{}, err
		}
	}
	var err error
	session.Tags, session.Transitive, err = sessionTags(asked, nested.Transitive, nil)
	return session, err
}

func decode(claim string, raw json.RawMessage, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return rejected("the claim " + clip(claim) + " has another type than AWS defines")
	}
	return nil
}

func rejected(reason string) *awserr.Error {
	return &awserr.Error{Code: "IDPRejectedClaim", Status: http.StatusForbidden, Message: "The ID Token provided can't be accepted: " + reason}
}

// tokenError is what clients see of a token that was not proved.
func tokenError(err error, t oidc.Token, s *Service) error {
	switch {
	case errors.Is(err, oidc.ErrMalformed):
		return errNotJWT
	case errors.Is(err, oidc.ErrUnreachable):
		return &awserr.Error{
			Code: "IDPCommunicationError", Status: http.StatusBadRequest,
			Message: "The identity provider that was asked to verify the incoming identity token could not be reached",
		}
	case errors.Is(err, oidc.ErrNoKey):
		return errNoKey
	case errors.Is(err, oidc.ErrSignature):
		return errSignature
	case errors.Is(err, oidc.ErrAudience):
		return errAudience
	case errors.Is(err, oidc.ErrExpired):
		return &awserr.Error{
			Code: "ExpiredTokenException", Status: http.StatusBadRequest,
			Message: fmt.Sprintf("Token expired: current date/time %d must be before the expiration date/time %d", s.now().Unix(), t.Expires.Unix()),
		}
	case errors.Is(err, oidc.ErrClaim):
		return identityToken("The ID Token provided can't be accepted: " + strings.TrimPrefix(err.Error(), oidc.ErrClaim.Error()+": "))
	default:
		return err
	}
}

func clip(s string) string {
	if len(s) > 256 {
		return strings.ToValidUTF8(s[:256], "") + "…"
	}
	return s
}
