package kms

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	// DefaultVaultTimeout is how long one request to Vault may take.
	DefaultVaultTimeout = 10 * time.Second
	// maxVaultAnswer bounds an answer; a wrapped key takes some 120 bytes.
	maxVaultAnswer = 64 << 10
)

// VaultConfig says where the key of a Vault transit engine is
// (https://developer.hashicorp.com/vault/api-docs/secret/transit); OpenBao speaks the same.
type VaultConfig struct {
	// URL is the server's: https://vault.example:8200. Plain http is taken on loopback only.
	URL string
	// Mount is where the engine is; empty means "transit". Key is the key's name.
	Mount, Key string
	// Namespace is optional.
	Namespace string
	// TokenVariable names an environment variable, TokenFile a file (mode 0600) that holds the token; one of
	// them must be given. Both are read anew for each request, as agents renew tokens.
	TokenVariable, TokenFile string
	// Authority is a PEM file of the server's certificate authority; empty means the system's.
	Authority string
	// Timeout is for one request; zero means DefaultVaultTimeout.
	Timeout time.Duration
}

// Vault is the root of trust in a Vault transit engine. It asks for the keyring's key at each start, and when
// the keyring is changed.
func Vault(c VaultConfig) (Source, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.User != nil:
		return nil, fmt.Errorf("vault: %q is not a URL such as https://vault.example:8200", c.URL)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, fmt.Errorf("vault: %q: the key of the keyring must not travel without TLS", c.URL)
	case c.Key == "":
		return nil, errors.New("vault: the name of the transit key is missing")
	case (c.TokenVariable == "") == (c.TokenFile == ""):
		return nil, errors.New("vault: give either the environment variable or the file that holds the token")
	}
	if c.Mount == "" {
		c.Mount = "transit"
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultVaultTimeout
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.Authority != "" {
		pem, err := os.ReadFile(c.Authority)
		if err != nil {
			return nil, fmt.Errorf("vault: read authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("vault: %s holds no PEM certificate", c.Authority)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &vaultSource{config: c, base: u, client: &http.Client{
		Timeout: c.Timeout, Transport: transport,
		// The token must not follow to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

type vaultSource struct {
	config VaultConfig
	base   *url.URL
	client *http.Client
}

// name is the same wherever the server moves: what counts is the engine and the key.
func (v *vaultSource) name() string { return "vault:" + v.config.Mount + "/" + v.config.Key }

// Wrap implements Source.
func (v *vaultSource) Wrap(ctx context.Context, key []byte) (string, []byte, error) {
	answer, err := v.ask(ctx, "encrypt", vaultPayload{Plaintext: base64.StdEncoding.EncodeToString(key)})
	if err != nil {
		return "", nil, err
	}
	if answer.Ciphertext == "" {
		return "", nil, fmt.Errorf("vault: encrypt: %w: no ciphertext", ErrBadVaultAnswer)
	}
	return v.name(), []byte(answer.Ciphertext), nil
}

// Unwrap implements Source.
func (v *vaultSource) Unwrap(ctx context.Context, name string, wrapped []byte) ([]byte, error) {
	if name != v.name() {
		return nil, fmt.Errorf("%w: it is %s, the keyring needs %s", ErrWrongRoot, v.name(), name)
	}
	answer, err := v.ask(ctx, "decrypt", vaultPayload{Ciphertext: string(wrapped)})
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(answer.Plaintext)
	if err != nil {
		return nil, fmt.Errorf("vault: decrypt: %w: plaintext is not base64", ErrBadVaultAnswer)
	}
	return key, nil
}

// vaultPayload is what transit is asked, and the data it answers with.
type vaultPayload struct {
	Plaintext  string `json:"plaintext,omitempty"`
	Ciphertext string `json:"ciphertext,omitempty"`
}

func (v *vaultSource) ask(ctx context.Context, verb string, payload vaultPayload) (vaultPayload, error) {
	token, err := v.token()
	if err != nil {
		return vaultPayload{}, fmt.Errorf("vault: %w", err)
	}
	body, err := json.Marshal(payload)
	if err != nil {
		return vaultPayload{}, err
	}
	u := v.base.JoinPath("v1", v.config.Mount, verb, v.config.Key)
	ctx, cancel := context.WithTimeout(ctx, v.config.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return vaultPayload{}, fmt.Errorf("vault: %w", err)
	}
	r.Header.Set("X-Vault-Token", token)
	r.Header.Set("X-Vault-Request", "true")
	r.Header.Set("Content-Type", "application/json")
	if v.config.Namespace != "" {
		r.Header.Set("X-Vault-Namespace", v.config.Namespace)
	}
	answer, err := v.client.Do(r)
	if err != nil {
		return vaultPayload{}, fmt.Errorf("%w: vault: %w", ErrSourceUnavailable, err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxVaultAnswer+1))
	if err != nil {
		return vaultPayload{}, fmt.Errorf("%w: vault: read answer: %w", ErrSourceUnavailable, err)
	}
	out, err := parseVaultAnswer(answer.StatusCode, content)
	if err != nil {
		return vaultPayload{}, fmt.Errorf("vault: %s with %s at %s: %w", verb, v.name(), v.base.Host, err)
	}
	return out, nil
}

func (v *vaultSource) token() (string, error) {
	if v.config.TokenVariable != "" {
		if token := strings.TrimSpace(os.Getenv(v.config.TokenVariable)); token != "" {
			return token, nil
		}
		return "", fmt.Errorf("environment variable %s holds no token", v.config.TokenVariable)
	}
	f, err := os.Open(v.config.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	defer f.Close()
	if err := refuseShared(f); err != nil {
		return "", err
	}
	content, err := io.ReadAll(io.LimitReader(f, 4<<10))
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	if token := strings.TrimSpace(string(content)); token != "" {
		return token, nil
	}
	return "", fmt.Errorf("%s holds no token", v.config.TokenFile)
}

// parseVaultAnswer reads transit's answer: {"data":{…}} or {"errors":["…"]}.
func parseVaultAnswer(status int, content []byte) (vaultPayload, error) {
	if len(content) > maxVaultAnswer {
		return vaultPayload{}, fmt.Errorf("%w: more than %d bytes", ErrBadVaultAnswer, maxVaultAnswer)
	}
	var answer struct {
		Data   vaultPayload `json:"data"`
		Errors []string     `json:"errors"`
	}
	err := json.Unmarshal(content, &answer)
	if status != http.StatusOK {
		reason := http.StatusText(status)
		if err == nil && len(answer.Errors) > 0 {
			reason = strings.Join(answer.Errors, "; ")
		}
		switch status {
		case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			// 503 is also what a sealed Vault says.
			return vaultPayload{}, fmt.Errorf("%w: status %d: %s", ErrSourceUnavailable, status, reason)
		}
		return vaultPayload{}, fmt.Errorf("%w: status %d: %s", ErrRefusedByVault, status, reason)
	}
	if err != nil {
		return vaultPayload{}, fmt.Errorf("%w: not JSON", ErrBadVaultAnswer) // The cause could quote the key.
	}
	return answer.Data, nil
}
