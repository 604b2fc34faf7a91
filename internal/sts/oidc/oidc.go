// Package oidc proves OpenID Connect ID tokens: it finds an issuer's keys by discovery, remembers them,
// and checks a token's signature, issuer, audience and times. Which issuers are trusted is the caller's
// business. Start at Verifier.
//
// Sources: https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation,
// https://openid.net/specs/openid-connect-discovery-1_0.html, RFC 7515 to 7519, RFC 8725.
package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/dictum/dictum/internal/bounded"
)

// The errors of this package; compare with errors.Is.
var (
	// ErrMalformed means that it is no signed token, or that none of Algorithms signed it.
	ErrMalformed = errors.New("not a signed ID token")
	// ErrUnreachable means that the issuer did not answer, or not in time. It may pass.
	ErrUnreachable = errors.New("issuer can't be reached")
	// ErrNoKey means that the issuer answered and does not publish the token's key.
	ErrNoKey = errors.New("issuer does not publish the token's key")
	// ErrSignature means that the issuer's key did not sign the token.
	ErrSignature = errors.New("token is not signed by its issuer's key")
	// ErrExpired means that the token is past its end; the Token that comes with it says when that was.
	ErrExpired = errors.New("token expired")
	// ErrAudience means that the token was issued for somebody else.
	ErrAudience = errors.New("token has another audience")
	// ErrClaim means that a claim is missing, of a wrong type, or not valid yet.
	ErrClaim = errors.New("claim not acceptable")
)

// Algorithms are those that may sign, as AWS has them: asymmetric ones only, so that no published key
// can be taken for a shared secret (RFC 8725 §2.1).
var Algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}

const (
	// keysLife is how long an issuer's keys are believed: how late a withdrawn key stops working.
	keysLife = time.Hour
	// keysPause is the least time between two fetches of one issuer's keys, whatever tokens ask for: unsigned
	// requests must not make us flood an issuer.
	keysPause = 10 * time.Second
	// clockLeeway is how far ahead of ours an issuer's clock may be.
	clockLeeway = time.Minute
	// issuers is how many issuers are remembered, at most twice this.
	issuers = 256
	// fetches is how many fetches may be under way or waited for at a time.
	fetches = 32
	// minRSABits is the smallest modulus that is believed (RFC 7518 §3.3).
	minRSABits = 2048
)

// Issuer is one that a customer trusts.
type Issuer struct {
	// URL is what the tokens' iss claim must be: https://host/path, or http:// on a loopback address.
	URL string
	// ClientIDs are the audiences that a token may be for.
	ClientIDs []string
	// Thumbprints are hex SHA-1 digests of certificates that are trusted for this issuer besides the
	// system's authorities.
	Thumbprints []string
}

// Token is what a proved token says.
type Token struct {
	Issuer, Subject string
	// Audience is the client id that matched.
	Audience string
	Expires  time.Time
	// Methods is the amr claim: how the user was authenticated.
	Methods []string
	// Claims are all of them.
	Claims map[string]json.RawMessage
}

// Verifier proves tokens. It is safe for concurrent use.
type Verifier struct {
	roots *x509.CertPool
	now   func() time.Time
	keys  *bounded.Cache[string, *keyring]
	slots chan struct{}
}

// New makes a Verifier that trusts these authorities (nil means the system's) by this clock (nil
// means time.Now).
func New(roots *x509.CertPool, now func() time.Time) *Verifier {
	if now == nil {
		now = time.Now
	}
	return &Verifier{roots: roots, now: now, keys: bounded.NewCache[string, *keyring](issuers), slots: make(chan struct{}, fetches)}
}

// IssuerOf returns the issuer that a token claims, unproved, to find out whether anyone trusts it.
func IssuerOf(token string) (string, error) {
	parsed, err := jwt.ParseSigned(token, Algorithms)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if claims.Issuer == "" {
		return "", fmt.Errorf("%w: iss is missing", ErrClaim)
	}
	return claims.Issuer, nil
}

// Verify proves a token of the issuer. With ErrExpired it returns the token all the same.
func (v *Verifier) Verify(ctx context.Context, token string, issuer Issuer) (Token, error) {
	parsed, err := jwt.ParseSigned(token, Algorithms)
	if err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	header := parsed.Headers[0] // a compact token has one signature
	keys, err := v.find(ctx, issuer, header.KeyID, header.Algorithm)
	if err != nil {
		return Token{}, err
	}
	var payload json.RawMessage
	for _, k := range keys {
		if err = parsed.Claims(k.Key, &payload); err == nil {
			break
		}
	}
	if err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return v.read(payload, issuer)
}

// numericDate is seconds since 1970, whole or not (RFC 7519 §2).
type numericDate float64

func (n numericDate) time() time.Time {
	whole, part := math.Modf(float64(n))
	return time.Unix(int64(whole), int64(part*1e9)).UTC()
}

// read checks the claims of a payload whose signature was verified.
func (v *Verifier) read(payload json.RawMessage, issuer Issuer) (Token, error) {
	var claims struct {
		Issuer    string       `json:"iss"`
		Subject   string       `json:"sub"`
		Audience  oneOrMany    `json:"aud"`
		Methods   oneOrMany    `json:"amr"`
		Expires   *numericDate `json:"exp"`
		Issued    *numericDate `json:"iat"`
		NotBefore *numericDate `json:"nbf"`
	}
	t := Token{}
	if err := errors.Join(json.Unmarshal(payload, &claims), json.Unmarshal(payload, &t.Claims)); err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrClaim, err)
	}
	for _, required := range []struct {
		name    string
		missing bool
	}{
		{"sub", claims.Subject == ""}, {"aud", len(claims.Audience) == 0}, {"exp", claims.Expires == nil}, {"iat", claims.Issued == nil},
	} {
		if required.missing {
			return Token{}, fmt.Errorf("%w: %s is missing", ErrClaim, required.name)
		}
	}
	if claims.Issuer != issuer.URL {
		return Token{}, fmt.Errorf("%w: iss is not the issuer's", ErrClaim)
	}
	i := slices.IndexFunc(claims.Audience, func(a string) bool { return slices.Contains(issuer.ClientIDs, a) })
	if i < 0 {
		return Token{}, ErrAudience
	}
	t.Issuer, t.Subject, t.Audience, t.Methods = claims.Issuer, claims.Subject, claims.Audience[i], claims.Methods
	for _, n := range []*numericDate{claims.Expires, claims.Issued, claims.NotBefore} {
		if n != nil && (*n < 0 || *n > 1<<40) { // beyond it a time can't be printed, or computed with
			return Token{}, fmt.Errorf("%w: a time is out of range", ErrClaim)
		}
	}
	now := v.now()
	t.Expires = claims.Expires.time()
	if !now.Before(t.Expires) {
		return t, ErrExpired
	}
	latest := now.Add(clockLeeway)
	if claims.Issued.time().After(latest) || claims.NotBefore != nil && claims.NotBefore.time().After(latest) {
		return Token{}, fmt.Errorf("%w: the token is not valid yet", ErrClaim)
	}
	return t, nil
}

// oneOrMany is a string or a list of strings, as aud is (RFC 7519 §4.1.3).
type oneOrMany []string

// UnmarshalJSON implements json.Unmarshaler.
func (o *oneOrMany) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*o = oneOrMany{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return errors.New("neither a string nor a list of strings")
	}
	*o = many
	return nil
}

// usable tells whether a published key may verify signatures.
func usable(k jose.JSONWebKey) bool {
	if !k.Valid() || !k.IsPublic() || k.Use == "enc" {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSABits
	case *ecdsa.PublicKey:
		return true
	default:
		return false
	}
}
