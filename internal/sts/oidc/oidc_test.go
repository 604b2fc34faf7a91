package oidc_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/dictum/dictum/internal/sts/oidc"
	"github.com/dictum/dictum/internal/sts/oidc/oidctest"
)

const (
	client  = "app.example"
	subject = "user-1"
)

// clock is a clock that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) move(by time.Duration) { c.ahead.Add(int64(by)) }

func trusting(i *oidctest.Issuer) oidc.Issuer {
	return oidc.Issuer{URL: i.URL, ClientIDs: []string{"other.example", client}}
}

func TestGoodTokens(t *testing.T) {
	for _, algorithm := range oidc.Algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			i := oidctest.New(t, false)
			i.Rotate(t, algorithm)
			v := oidc.New(nil, nil)
			got, err := v.Verify(t.Context(), i.Sign(t, i.Claims(client, subject, time.Now())), trusting(i))
			if err != nil {
				t.Fatal(err)
			}
			if got.Issuer != i.URL || got.Subject != subject || got.Audience != client || len(got.Methods) != 2 || time.Until(got.Expires) > time.Hour {
				t.Errorf("%+v", got)
			}
		})
	}
	i := oidctest.New(t, false)
	v := oidc.New(nil, nil)
	t.Run("many audiences, one of them ours", func(t *testing.T) {
		claims := i.Claims("", subject, time.Now())
		claims["aud"] = []string{"x", client}
		if got, err := v.Verify(t.Context(), i.Sign(t, claims), trusting(i)); err != nil || got.Audience != client {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("without a key id, any of the keys may be it", func(t *testing.T) {
		k := i.Key()
		k.ID = ""
		if _, err := v.Verify(t.Context(), oidctest.Sign(t, k, i.Claims(client, subject, time.Now())), trusting(i)); err != nil {
			t.Error(err)
		}
	})
	t.Run("the issuer is read without proof", func(t *testing.T) {
		if got, err := oidc.IssuerOf(i.Sign(t, i.Claims(client, subject, time.Now()))); err != nil || got != i.URL {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestBadTokens(t *testing.T) {
	i := oidctest.New(t, false)
	key := i.Key()
	now := time.Now()
	good := i.Claims(client, subject, now)
	with := func(name string, value any) map[string]any {
		claims := i.Claims(client, subject, now)
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
		return claims
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	token := i.Sign(t, good)
	parts := strings.Split(token, ".")
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
	tests := []struct {
		name  string
		token string
		want  error
	}{
		{"nothing", "", oidc.ErrMalformed},
		{"not a token", "atza|abc", oidc.ErrMalformed},
		{"alg none", unsigned, oidc.ErrMalformed},
		{"alg none with the old signature", unsigned + parts[2], oidc.ErrMalformed},
		{"HS256 with the public key as its secret", oidctest.SignWith(t, jose.HS256, publicPEM, good), oidc.ErrMalformed},
		{"HS256 by a published symmetric key", oidctest.SignWith(t, jose.HS256, jose.JSONWebKey{Key: []byte("secret-secret-secret-secret-secret"), KeyID: "secret"}, good), oidc.ErrMalformed},
		{"RSA-PSS, which AWS does not take", oidctest.SignWith(t, jose.PS256, jose.JSONWebKey{Key: key.Private, KeyID: key.ID}, good), oidc.ErrMalformed},
		{"the key under another algorithm", oidctest.SignWith(t, jose.RS512, jose.JSONWebKey{Key: key.Private, KeyID: key.ID}, good), oidc.ErrNoKey},
		{"a key id that nobody published", oidctest.Sign(t, oidctest.Key{ID: "made-up", Algorithm: jose.RS256, Private: key.Private}, good), oidc.ErrNoKey},
		{"another key under a published id", oidctest.Sign(t, oidctest.Key{ID: key.ID, Algorithm: jose.RS256, Private: stranger}, good), oidc.ErrSignature},
		{"a key that the token brings along", oidctest.SignWith(t, jose.RS256, jose.JSONWebKey{Key: stranger, KeyID: key.ID}, good), oidc.ErrSignature},
		{"changed content", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"admin"}`)) + "." + parts[2], oidc.ErrSignature},
		{"a published key that is too short", oidctest.Sign(t, oidctest.Key{ID: "short", Algorithm: jose.RS256, Private: short}, good), oidc.ErrNoKey},
		{"another audience", i.Sign(t, with("aud", "x")), oidc.ErrAudience},
		{"no audience", i.Sign(t, with("aud", nil)), oidc.ErrClaim},
		{"an audience of a wrong type", i.Sign(t, with("aud", 7)), oidc.ErrClaim},
		{"no subject", i.Sign(t, with("sub", nil)), oidc.ErrClaim},
		{"no end", i.Sign(t, with("exp", nil)), oidc.ErrClaim},
		{"no beginning", i.Sign(t, with("iat", nil)), oidc.ErrClaim},
		{"expired", i.Sign(t, with("exp", now.Add(-time.Second).Unix())), oidc.ErrExpired},
		{"an end beyond reckoning", i.Sign(t, with("exp", 1e300)), oidc.ErrClaim},
		{"a negative end", i.Sign(t, with("exp", -1)), oidc.ErrClaim},
		{"issued in the future", i.Sign(t, with("iat", now.Add(time.Hour).Unix())), oidc.ErrClaim},
		{"not valid yet", i.Sign(t, with("nbf", now.Add(time.Hour).Unix())), oidc.ErrClaim},
		{"another issuer", i.Sign(t, with("iss", "https://evil.example")), oidc.ErrClaim},
	}
	i.Publish(oidctest.Key{ID: "short", Algorithm: jose.RS256, Private: short})
	v := oidc.New(nil, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := v.Verify(t.Context(), tt.token, trusting(i)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if n := i.Fetches(); n != 1 {
		t.Errorf("the keys were fetched %d times for all of these, want 1", n)
	}
}

func TestRotation(t *testing.T) {
	i, c := oidctest.New(t, false), &clock{}
	v := oidc.New(nil, c.now)
	verify := func() error {
		_, err := v.Verify(t.Context(), i.Sign(t, i.Claims(client, subject, c.now())), trusting(i))
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	old := i.Key()
	c.move(time.Minute)
	i.Rotate(t, jose.ES256)
	if err := verify(); err != nil {
		t.Errorf("a new key must work at once: %v", err)
	}
	if _, err := v.Verify(t.Context(), oidctest.Sign(t, old, i.Claims(client, subject, c.now())), trusting(i)); !errors.Is(err, oidc.ErrNoKey) {
		t.Errorf("the withdrawn key: %v", err)
	}
	if n := i.Fetches(); n != 2 {
		t.Errorf("fetched %d times, want 2: made-up key ids must not make us ask", n)
	}
	c.move(2 * time.Hour)
	if err := verify(); err != nil || i.Fetches() != 3 {
		t.Errorf("keys are asked for anew after an hour: %v, %d fetches", err, i.Fetches())
	}
}

func TestIssuersThatFail(t *testing.T) {
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   error
	}{
		{"an error of its own", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, oidc.ErrUnreachable},
		{"a cut connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, oidc.ErrUnreachable},
		{"no discovery", http.NotFound, oidc.ErrNoKey},
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, oidc.ErrNoKey},
		{"another issuer's discovery", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"issuer":"https://evil.example","jwks_uri":"https://evil.example/keys"}`))
		}, oidc.ErrNoKey},
		{"a document without end", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"issuer":"`))
			for range 2 << 10 {
				if _, err := w.Write([]byte(strings.Repeat("x", 1<<10))); err != nil {
					return
				}
			}
		}, oidc.ErrNoKey},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/", http.StatusFound)
		}, oidc.ErrNoKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i, c := oidctest.New(t, false), &clock{}
			v := oidc.New(nil, c.now)
			token := i.Sign(t, i.Claims(client, subject, time.Now()))
			i.Answer(tt.answer)
			if _, err := v.Verify(t.Context(), token, trusting(i)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			i.Answer(nil)
			if _, err := v.Verify(t.Context(), token, trusting(i)); !errors.Is(err, tt.want) {
				t.Errorf("asked again at once, got %v", err)
			}
			c.move(time.Minute)
			if _, err := v.Verify(t.Context(), token, trusting(i)); err != nil {
				t.Errorf("a minute later: %v", err)
			}
		})
	}
	t.Run("URLs that are not fetched", func(t *testing.T) {
		i := oidctest.New(t, false)
		token := i.Sign(t, i.Claims(client, subject, time.Now()))
		for url, want := range map[string]error{
			"http://192.0.2.1/realms/test": oidc.ErrNoKey, "file:///etc/passwd": oidc.ErrNoKey, "https://user@host/": oidc.ErrNoKey, "": oidc.ErrNoKey,
			"https://169.254.169.254/x": oidc.ErrUnreachable, "https://[fe80::1]/": oidc.ErrUnreachable,
		} {
			if _, err := oidc.New(nil, nil).Verify(t.Context(), token, oidc.Issuer{URL: url}); !errors.Is(err, want) {
				t.Errorf("%s: %v", url, err)
			}
		}
	})
}

func TestTLS(t *testing.T) {
	i := oidctest.New(t, true)
	token := i.Sign(t, i.Claims(client, subject, time.Now()))
	issuer := trusting(i)
	if _, err := oidc.New(nil, nil).Verify(t.Context(), token, issuer); !errors.Is(err, oidc.ErrUnreachable) {
		t.Errorf("an unknown authority: %v", err)
	}
	issuer.Thumbprints = []string{"0000000000000000000000000000000000000000"}
	if _, err := oidc.New(nil, nil).Verify(t.Context(), token, issuer); !errors.Is(err, oidc.ErrUnreachable) {
		t.Errorf("another thumbprint: %v", err)
	}
	issuer.Thumbprints = []string{strings.ToUpper(i.Thumbprint())}
	if _, err := oidc.New(nil, nil).Verify(t.Context(), token, issuer); err != nil {
		t.Errorf("its thumbprint: %v", err)
	}
	v := oidc.New(nil, nil)
	if _, err := v.Verify(t.Context(), token, issuer); err != nil {
		t.Fatal(err)
	}
	issuer.Thumbprints = nil
	if _, err := v.Verify(t.Context(), token, issuer); !errors.Is(err, oidc.ErrUnreachable) {
		t.Errorf("keys fetched by one customer's thumbprint served another: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	i := oidctest.New(t, false)
	v := oidc.New(nil, nil)
	token := i.Sign(t, i.Claims(client, subject, time.Now()))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), token, trusting(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := i.Fetches(); n > 2 { // two may make the keyring at the same moment
		t.Errorf("fetched %d times", n)
	}
}

func FuzzVerify(f *testing.F) {
	i := oidctest.New(f, false)
	v := oidc.New(nil, nil)
	good := i.Sign(f, i.Claims(client, subject, time.Now()))
	f.Add(good)
	f.Add(strings.Replace(good, ".", "..", 1))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("")
	if _, err := v.Verify(f.Context(), good, trusting(i)); err != nil {
		f.Fatal(err)
	}
	signed := strings.Split(good, ".")[1]
	f.Fuzz(func(t *testing.T, token string) {
		issuer, err := oidc.IssuerOf(token)
		if err == nil && issuer == "" {
			t.Error("no issuer and no error")
		}
		if got, err := v.Verify(t.Context(), token, trusting(i)); err == nil {
			// Whatever the encoding looks like, only what the issuer signed may pass.
			if parts := strings.Split(token, "."); len(parts) != 3 || parts[1] != signed || got.Subject != subject {
				t.Errorf("%q passed", token)
			}
		}
	})
}
