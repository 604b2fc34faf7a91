package kms_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/kms"
)

// transit is a server with the semantics of Vault's transit engine: named keys with versions, AES-256-GCM,
// "vault:v1:…" ciphertexts, tokens, and Vault's errors.
type transit struct {
	token string

	mu   sync.Mutex
	keys map[string][]cipher.AEAD // guarded by mu: by name, the versions
	// status is answered instead, when not zero; guarded by mu.
	status int
}

func newTransit(t *testing.T, names ...string) (*transit, *httptest.Server) {
	t.Helper()
	v := &transit{token: "hvs.test", keys: map[string][]cipher.AEAD{}}
	for _, name := range names {
		v.rotate(t, name)
	}
	server := httptest.NewTLSServer(v)
	t.Cleanup(server.Close)
	return v, server
}

func (v *transit) rotate(t *testing.T, name string) {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys[name] = append(v.keys[name], aead)
}

func (v *transit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fail := func(status int, reason string) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string][]string{"errors": {reason}})
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // v1, mount, verb, key
	var in struct{ Plaintext, Ciphertext string }
	switch {
	case v.status != 0:
		fail(v.status, "told to")
		return
	case r.Header.Get("X-Vault-Token") != v.token:
		fail(http.StatusForbidden, "permission denied")
		return
	case r.Method != http.MethodPost || len(parts) != 4 || parts[0] != "v1" || parts[1] != "transit":
		fail(http.StatusNotFound, "no handler for route")
		return
	case json.NewDecoder(r.Body).Decode(&in) != nil:
		fail(http.StatusBadRequest, "failed to parse JSON input")
		return
	}
	versions := v.keys[parts[3]]
	if len(versions) == 0 {
		fail(http.StatusBadRequest, "encryption key not found")
		return
	}
	out := map[string]string{}
	if parts[2] == "encrypt" {
		plain, err := base64.StdEncoding.DecodeString(in.Plaintext)
		if err != nil {
			fail(http.StatusBadRequest, "failed to base64-decode plaintext")
			return
		}
		sealed := versions[len(versions)-1].Seal(nil, nil, plain, nil)
		out["ciphertext"] = fmt.Sprintf("vault:v%d:%s", len(versions), base64.StdEncoding.EncodeToString(sealed))
	} else {
		var n int
		var text string
		if _, err := fmt.Sscanf(strings.ReplaceAll(in.Ciphertext, ":", " "), "vault v%d %s", &n, &text); err != nil || n < 1 || n > len(versions) {
			fail(http.StatusBadRequest, "invalid ciphertext: no prefix")
			return
		}
		sealed, _ := base64.StdEncoding.DecodeString(text)
		plain, err := versions[n-1].Open(nil, nil, sealed, nil)
		if err != nil {
			fail(http.StatusBadRequest, "cipher: message authentication failed")
			return
		}
		out["plaintext"] = base64.StdEncoding.EncodeToString(plain)
	}
	json.NewEncoder(w).Encode(map[string]any{"request_id": "x", "data": out})
}

// authority writes the server's certificate to a file.
func authority(t *testing.T, s *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	write(t, path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	return path
}

func vault(t *testing.T, c kms.VaultConfig) kms.Source {
	t.Helper()
	s, err := kms.Vault(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVault(t *testing.T) {
	v, server := newTransit(t, "dictum", "second")
	const variable = "DICTUM_TEST_VAULT_TOKEN"
	t.Setenv(variable, "hvs.test\n")
	config := kms.VaultConfig{URL: server.URL, Key: "dictum", TokenVariable: variable, Authority: authority(t, server), Timeout: 5 * time.Second}
	dir, in := t.TempDir(), kms.Context{"a": "b"}
	r, err := kms.Open(t.Context(), dir, vault(t, config))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := r.Seal([]byte("secret"), in)
	if err != nil {
		t.Fatal(err)
	}
	opens := func(t *testing.T, c kms.VaultConfig) {
		t.Helper()
		again, err := kms.Open(t.Context(), dir, vault(t, c))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again.Open(sealed, in); err != nil || string(got) != "secret" || !bytes.Equal(again.Derive("x", 32), r.Derive("x", 32)) {
			t.Errorf("%q, %v", got, err)
		}
	}
	t.Run("opens the keyring again, with a token from a file too", func(t *testing.T) {
		opens(t, config)
		c := config
		c.TokenVariable, c.TokenFile = "", filepath.Join(t.TempDir(), "token")
		write(t, c.TokenFile, []byte("hvs.test\n"))
		opens(t, c)
		if err := os.Chmod(c.TokenFile, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := kms.Open(t.Context(), dir, vault(t, c)); !errors.Is(err, kms.ErrUnsafeMode) {
			t.Errorf("a token others can read: %v", err)
		}
	})
	t.Run("after the key was rotated in Vault", func(t *testing.T) {
		v.rotate(t, "dictum")
		opens(t, config)
		if err := r.RotateWrappingKey(t.Context()); err != nil {
			t.Fatal(err)
		}
		opens(t, config)
	})
	t.Run("another key is told from damage", func(t *testing.T) {
		c := config
		c.Key = "second"
		if _, err := kms.Open(t.Context(), dir, vault(t, c)); !errors.Is(err, kms.ErrWrongRoot) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the root moves to a file and back", func(t *testing.T) {
		file := kms.File(filepath.Join(t.TempDir(), "root.key"))
		if err := r.RotateRoot(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		if _, err := kms.Open(t.Context(), dir, vault(t, config)); !errors.Is(err, kms.ErrWrongRoot) {
			t.Errorf("got %v", err)
		}
		if err := r.RotateRoot(t.Context(), vault(t, config)); err != nil {
			t.Fatal(err)
		}
		opens(t, config)
	})
	t.Run("errors say what to do, and hold no secret", func(t *testing.T) {
		for name, test := range map[string]struct {
			change func(*kms.VaultConfig)
			status int
			want   error
			text   string
		}{
			"wrong token":  {func(*kms.VaultConfig) { t.Setenv(variable, "hvs.wrong") }, 0, kms.ErrRefusedByVault, "permission denied"},
			"no token":     {func(*kms.VaultConfig) { t.Setenv(variable, "") }, 0, nil, variable},
			"no such key":  {func(c *kms.VaultConfig) { c.Key = "none" }, 0, kms.ErrRefusedByVault, "encryption key not found"},
			"sealed":       {func(*kms.VaultConfig) {}, http.StatusServiceUnavailable, kms.ErrSourceUnavailable, "503"},
			"not there":    {func(c *kms.VaultConfig) { c.URL = "https://127.0.0.1:1" }, 0, kms.ErrSourceUnavailable, "127.0.0.1:1"},
			"no authority": {func(c *kms.VaultConfig) { c.Authority = "" }, 0, kms.ErrSourceUnavailable, "certificate"},
			"redirected":   {func(*kms.VaultConfig) {}, http.StatusTemporaryRedirect, kms.ErrRefusedByVault, "307"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Setenv(variable, "hvs.test")
				c := config
				test.change(&c)
				v.mu.Lock()
				v.status = test.status
				v.mu.Unlock()
				_, err := kms.Open(t.Context(), t.TempDir(), vault(t, c))
				if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "hvs.") {
					t.Errorf("got %v", err)
				}
			})
		}
	})
	t.Run("a server that does not answer is given up", func(t *testing.T) {
		release := make(chan struct{})
		slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		t.Cleanup(slow.Close)
		t.Cleanup(func() { close(release) })
		t.Setenv(variable, "hvs.test")
		_, err := kms.Open(t.Context(), t.TempDir(), vault(t, kms.VaultConfig{URL: slow.URL, Key: "dictum", TokenVariable: variable, Timeout: 50 * time.Millisecond}))
		if !errors.Is(err, kms.ErrSourceUnavailable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("configurations that can't be right", func(t *testing.T) {
		for name, c := range map[string]kms.VaultConfig{
			"no URL":           {Key: "k", TokenVariable: "T"},
			"clear text":       {URL: "http://vault.example:8200", Key: "k", TokenVariable: "T"},
			"no key":           {URL: "https://vault.example", TokenVariable: "T"},
			"no token":         {URL: "https://vault.example", Key: "k"},
			"two tokens":       {URL: "https://vault.example", Key: "k", TokenVariable: "T", TokenFile: "f"},
			"password in URL":  {URL: "https://u:p@vault.example", Key: "k", TokenVariable: "T"},
			"loopback in name": {URL: "http://127.evil.example", Key: "k", TokenVariable: "T"},
		} {
			if _, err := kms.Vault(c); err == nil {
				t.Errorf("%s: taken", name)
			}
		}
	})
}
