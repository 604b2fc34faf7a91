package oidc

import (
	"context"
	"crypto/sha1" // AWS's thumbprints are SHA-1; forging one takes a second preimage, not a collision.
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// fetchTime is how long an issuer may take for discovery and keys together: AWS gives it five seconds.
	fetchTime = 5 * time.Second
	// maxDocument bounds each document of an issuer, in bytes.
	maxDocument = 1 << 20
	// maxKeys bounds the keys of an issuer: AWS takes 100 RSA and 100 EC keys.
	maxKeys = 200
)

// keyring is what is known of one issuer's keys. Whoever holds turn may use the rest.
type keyring struct {
	turn chan struct{}

	keys []jose.JSONWebKey
	// fetched is when keys were asked for last; err is what came of it.
	fetched time.Time
	err     error
}

// find returns the issuer's keys that may have signed, at least one.
func (v *Verifier) find(ctx context.Context, issuer Issuer, keyID, algorithm string) ([]jose.JSONWebKey, error) {
	select {
	case v.slots <- struct{}{}:
		defer func() { <-v.slots }()
	default:
		return nil, fmt.Errorf("%w: too many wait for issuers", ErrUnreachable)
	}
	ring := v.ring(issuer)
	select {
	case <-ring.turn:
		defer func() { ring.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
	}
	age := v.now().Sub(ring.fetched)
	if ring.err == nil && age < keysLife {
		if keys := matching(ring.keys, keyID, algorithm); len(keys) > 0 {
			return keys, nil
		}
	}
	// The issuer has new keys, or somebody makes key ids up.
	if age >= keysPause {
		keys, err := v.fetch(ctx, issuer)
		if err != nil && ctx.Err() != nil {
			return nil, err // the client went away, which says nothing of the issuer
		}
		ring.keys, ring.err, ring.fetched = keys, err, v.now()
	}
	if ring.err != nil {
		return nil, ring.err
	}
	if keys := matching(ring.keys, keyID, algorithm); len(keys) > 0 {
		return keys, nil
	}
	return nil, ErrNoKey
}

// ring returns what is known of the issuer. What one customer trusts it by does not count for another.
func (v *Verifier) ring(issuer Issuer) *keyring {
	id := issuer.URL + " " + strings.ToLower(strings.Join(issuer.Thumbprints, " "))
	if ring, ok := v.keys.Get(id); ok {
		return ring
	}
	ring := &keyring{turn: make(chan struct{}, 1)}
	ring.turn <- struct{}{}
	v.keys.Put(id, ring) // two at once: one of them is forgotten, and asks once more than it needed to
	return ring
}

// matching returns the keys with this id, or all for a token that names none, which the algorithm suits.
func matching(keys []jose.JSONWebKey, keyID, algorithm string) []jose.JSONWebKey {
	var found []jose.JSONWebKey
	for _, k := range keys {
		if (keyID == "" || k.KeyID == keyID) && (k.Algorithm == "" || k.Algorithm == algorithm) {
			found = append(found, k)
		}
	}
	return found
}

// fetch asks the issuer for its keys.
func (v *Verifier) fetch(ctx context.Context, issuer Issuer) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	var discovery struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	at := strings.TrimSuffix(issuer.URL, "/") + "/.well-known/openid-configuration"
	if err := v.get(ctx, at, issuer, &discovery); err != nil {
		return nil, fmt.Errorf("discover issuer: %w", err)
	}
	if discovery.Issuer != issuer.URL { // OpenID Connect Discovery §4.3
		return nil, fmt.Errorf("discover issuer: %w: it calls itself otherwise", ErrNoKey)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := v.get(ctx, discovery.Keys, issuer, &set); err != nil {
		return nil, fmt.Errorf("fetch issuer's keys: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var k jose.JSONWebKey
		// A set may hold keys of kinds that we do not know (RFC 7517 §5).
		if err := json.Unmarshal(raw, &k); err == nil && usable(k) {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// get reads a JSON document of the issuer. Redirects are not followed: they would lead where nobody
// said the issuer is.
func (v *Verifier) get(ctx context.Context, at string, issuer Issuer, into any) error {
	u, err := url.Parse(at)
	if err != nil || !allowed(u) {
		return fmt.Errorf("%w: not an https URL", ErrNoKey)
	}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: fetchTime, Control: refuseLinkLocal}).DialContext,
		TLSClientConfig:        v.tlsConfig(u.Hostname(), issuer.Thumbprints),
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoKey, err)
	}
	r.Header.Set("Accept", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%w: HTTP status %d", ErrUnreachable, answer.StatusCode)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: HTTP status %d", ErrNoKey, answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if len(body) > maxDocument {
		return fmt.Errorf("%w: the document is larger than %d bytes", ErrNoKey, maxDocument)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%w: %w", ErrNoKey, err)
	}
	return nil
}

// allowed tells URLs that keys may come from: HTTPS, and HTTP on this machine alone.
func allowed(u *url.URL) bool {
	if u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	switch u.Scheme {
	case "https":
		return true
	case "http":
		ip, err := netip.ParseAddr(u.Hostname())
		return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	default:
		return false
	}
}

// refuseLinkLocal keeps us from addresses that no issuer has and where clouds serve their machines'
// credentials (169.254.169.254).
func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip == awsMetadata6 {
		return fmt.Errorf("refuse to connect to %s", ip)
	}
	return nil
}

// awsMetadata6 is where EC2 serves credentials over IPv6.
var awsMetadata6 = netip.MustParseAddr("fd00:ec2::254")

// tlsConfig trusts the authorities, and for this issuer what has one of the thumbprints
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html).
func (v *Verifier) tlsConfig(host string, thumbprints []string) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: v.roots, Time: v.now}
	if len(thumbprints) == 0 {
		return config
	}
	config.InsecureSkipVerify = true // VerifyConnection does it
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the issuer shows no certificate")
		}
		leaf := state.PeerCertificates[0]
		options := x509.VerifyOptions{DNSName: host, Roots: v.roots, Intermediates: x509.NewCertPool(), CurrentTime: v.now()}
		for _, c := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(c)
		}
		_, err := leaf.Verify(options)
		if err == nil {
			return nil
		}
		options.Roots = x509.NewCertPool()
		for _, c := range state.PeerCertificates {
			sum := sha1.Sum(c.Raw)
			if slices.ContainsFunc(thumbprints, func(t string) bool { return strings.EqualFold(t, hex.EncodeToString(sum[:])) }) {
				options.Roots.AddCert(c)
			}
		}
		if _, pinned := leaf.Verify(options); pinned != nil {
			return err
		}
		return nil
	}
	return config
}
