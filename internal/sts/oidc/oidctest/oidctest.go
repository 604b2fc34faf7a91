// Package oidctest runs OpenID Connect issuers for tests: real keys, real discovery, over HTTP on loopback or
// over TLS. Start at New.
package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // AWS's thumbprints are SHA-1.
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Issuer is a running issuer. Its methods are safe for concurrent use.
type Issuer struct {
	// URL is its iss.
	URL    string
	server *httptest.Server

	mu      sync.Mutex // guards what follows
	keys    []Key
	made    int
	fetches int
	answer  http.HandlerFunc
}

// Key is one that an issuer signs with.
type Key struct {
	// ID is the kid; empty for none.
	ID        string
	Algorithm jose.SignatureAlgorithm
	Private   crypto.Signer
}

// New runs an issuer with one RSA key until the test ends, over TLS or not.
func New(t testing.TB, secure bool) *Issuer {
	t.Helper()
	i := &Issuer{}
	handler := http.HandlerFunc(i.serve)
	if secure {
		i.server = httptest.NewUnstartedServer(handler)
		i.server.Config.ErrorLog = log.New(io.Discard, "", 0) // failed handshakes are what some tests want
		i.server.StartTLS()
	} else {
		i.server = httptest.NewServer(handler)
	}
	t.Cleanup(i.server.Close)
	i.URL = i.server.URL + "/realms/test"
	i.Rotate(t, jose.RS256)
	return i
}

// Thumbprint is the hex SHA-1 of the issuer's certificate.
func (i *Issuer) Thumbprint() string {
	sum := sha1.Sum(i.server.Certificate().Raw)
	return hex.EncodeToString(sum[:])
}

// Rotate replaces all published keys by a new one and returns it.
func (i *Issuer) Rotate(t testing.TB, algorithm jose.SignatureAlgorithm) Key {
	t.Helper()
	var private crypto.Signer
	var err error
	switch algorithm {
	case jose.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case jose.ES512:
		private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	k := Key{ID: "key-" + strconv.Itoa(i.made), Algorithm: algorithm, Private: private}
	i.keys = []Key{k}
	return k
}

// Publish adds a key to the published ones.
func (i *Issuer) Publish(k Key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append(i.keys, k)
}

// Key is the first published key.
func (i *Issuer) Key() Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[0]
}

// Answer has all requests answered by h; nil means as an issuer should.
func (i *Issuer) Answer(h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = h
}

// Fetches is how often the keys were asked for.
func (i *Issuer) Fetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// Claims are those of a good token for the audience, as of a time. Tests change them at will.
func (i *Issuer) Claims(audience, subject string, now time.Time) map[string]any {
	return map[string]any{
		"iss": i.URL, "aud": audience, "sub": subject, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "amr": []string{"pwd", "otp"},
	}
}

// Sign returns a token of the claims by the issuer's own key.
func (i *Issuer) Sign(t testing.TB, claims any) string {
	t.Helper()
	return Sign(t, i.Key(), claims)
}

// Sign returns a token of the claims by any key.
func Sign(t testing.TB, k Key, claims any) string {
	t.Helper()
	return SignWith(t, k.Algorithm, jose.JSONWebKey{Key: k.Private, KeyID: k.ID}, claims)
}

// SignWith returns a token of the claims by any algorithm and key, sensible or not.
func SignWith(t testing.TB, algorithm jose.SignatureAlgorithm, key any, claims any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.answer != nil {
		i.answer(w, r)
		return
	}
	var document any
	switch r.URL.Path {
	case "/realms/test/.well-known/openid-configuration":
		document = map[string]any{"issuer": i.URL, "jwks_uri": i.server.URL + "/keys"}
	case "/keys":
		i.fetches++
		// What a set may hold besides: a kind of key that nobody knows, one for encryption, a short one.
		keys := []any{
			map[string]string{"kty": "XYZ", "kid": "strange"},
			map[string]string{"kty": "oct", "kid": "secret", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"},
		}
		for _, k := range i.keys {
			keys = append(keys, jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig"})
		}
		document = map[string]any{"keys": keys}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document)
}
