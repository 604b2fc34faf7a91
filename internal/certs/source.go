package certs

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// CheckInterval is how old the last look at the files may be before a handshake looks again.
const CheckInterval = 2 * time.Second

// minRSA is the shortest RSA key that is served, in bits (NIST SP 800-57 Part 1 §5.6.3).
const minRSA = 2048

// ErrWeakKey means that a certificate's key is too short to be served.
var ErrWeakKey = errors.New("RSA keys need 2048 bits or more")

// Options say where a Source's files are.
type Options struct {
	// Certificate (with its chain) and Key are PEM files.
	Certificate, Key string
	// ClientAuthorities is a PEM file. When it is named, clients must show a certificate that one of its
	// authorities signed for client authentication.
	ClientAuthorities string
	// Log is told of new certificates and of files that cannot be used; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Source serves TLS from files and follows their changes: a handshake looks at the files when the last look is
// older than CheckInterval. Files that cannot be used leave the certificate as it was. It is safe for concurrent use.
type Source struct {
	options Options
	current atomic.Pointer[loaded]

	mu      sync.Mutex // guards the rest
	looked  time.Time
	seen    []os.FileInfo // of the files that were last loaded; nil after a failure
	failure string        // the last failure's text, so that each is logged once
}

// loaded is what the files say.
type loaded struct {
	config *tls.Config
	leaf   *x509.Certificate
}

// Open loads the files. It returns an error when they cannot be used.
func Open(o Options) (*Source, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Source{options: o}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return nil, err
	}
	return s, nil
}

// Config is for a listener: TLS 1.3 and 1.2 with forward secrecy and authenticated encryption, HTTP/2 and HTTP/1.1.
func (s *Source) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			s.follow()
			return s.current.Load().config, nil
		},
	}
}

// Leaf is the server certificate in use.
func (s *Source) Leaf() *x509.Certificate { return s.current.Load().leaf }

// Reload loads the files, changed or not. When they cannot be used it returns why, and what was in use stays so.
func (s *Source) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reload()
}

// follow loads files that have changed. Handshakes do not wait for each other here.
func (s *Source) follow() {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	now := s.options.Now()
	// A clock that was set back must not end the looking.
	if since := now.Sub(s.looked); since >= 0 && since < CheckInterval {
		return
	}
	s.looked = now
	if s.seen != nil && s.unchanged() {
		return
	}
	_ = s.reload() // it is logged
}

// reload is load with a word in the log.
func (s *Source) reload() error {
	if err := s.load(); err != nil {
		if text := err.Error(); text != s.failure {
			s.failure = text
			s.options.Log.Error("the TLS certificate stays as it was: the new files cannot be used", "err", err)
		}
		return err
	}
	s.failure = ""
	leaf := s.Leaf()
	s.options.Log.Info("loaded TLS certificate", "file", s.options.Certificate, "subject", leaf.Subject.String(), "not_after", leaf.NotAfter)
	return nil
}

// load reads the files and puts them to use. After a failure the next look reads them again even if they have not
// changed since: they may have been half written when they were read, within one tick of the file system's clock.
func (s *Source) load() error {
	s.seen = nil
	seen, err := s.stat()
	if err != nil {
		return fmt.Errorf("load TLS certificate: %w", err)
	}
	l, err := read(s.options)
	if err != nil {
		return err
	}
	s.current.Store(l)
	s.seen = seen
	return nil
}

func (s *Source) stat() ([]os.FileInfo, error) {
	var infos []os.FileInfo
	for _, name := range []string{s.options.Certificate, s.options.Key, s.options.ClientAuthorities} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func (s *Source) unchanged() bool {
	infos, err := s.stat()
	if err != nil || len(infos) != len(s.seen) {
		return false
	}
	for i, info := range infos {
		if old := s.seen[i]; !os.SameFile(old, info) || !old.ModTime().Equal(info.ModTime()) || old.Size() != info.Size() {
			return false
		}
	}
	return true
}

// read makes the configuration of one handshake from the files.
func read(o Options) (*loaded, error) {
	pair, err := tls.LoadX509KeyPair(o.Certificate, o.Key)
	if err != nil {
		return nil, fmt.Errorf("load TLS certificate: %w", err)
	}
	if key, ok := pair.Leaf.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < minRSA {
		return nil, fmt.Errorf("load TLS certificate %s: %w", o.Certificate, ErrWeakKey)
	}
	c := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		NextProtos:   []string{"h2", "http/1.1"},
		// For TLS 1.2; all of TLS 1.3's are good, and Go has them always (RFC 9325 §4.2).
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		// What is recorded today should stay closed to tomorrow's quantum computers where the client can help it.
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384},
	}
	if o.ClientAuthorities != "" {
		if err := requireClients(c, o); err != nil {
			return nil, err
		}
	}
	return &loaded{config: c, leaf: pair.Leaf}, nil
}

// requireClients makes a handshake need a certificate of the client.
func requireClients(c *tls.Config, o Options) error {
	pem, err := os.ReadFile(o.ClientAuthorities)
	if err != nil {
		return fmt.Errorf("load client authorities: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !bytes.Contains(pem, []byte("-----BEGIN CERTIFICATE-----")) || !c.ClientCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("load client authorities: %s has no certificate", o.ClientAuthorities)
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	// A resumed session would go by the authorities of the day it began.
	c.SessionTicketsDisabled = true
	c.VerifyConnection = func(state tls.ConnectionState) error {
		o.Log.LogAttrs(context.Background(), slog.LevelDebug, "client certificate", slog.String("subject", state.PeerCertificates[0].Subject.String()))
		return nil
	}
	return nil
}
