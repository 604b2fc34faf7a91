package certs_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/certs"
)

// bench is a Source over files of its own, with a clock that the test moves.
type bench struct {
	files  certs.Files
	source *certs.Source
	now    time.Time
	log    bytes.Buffer
}

func newBench(t *testing.T) *bench {
	b := &bench{now: time.Now()}
	b.files = b.issue(t, t.TempDir(), "first.example")
	var err error
	b.source, err = certs.Open(certs.Options{
		Certificate: b.files.Certificate, Key: b.files.Key,
		Log: slog.New(slog.NewTextHandler(&b.log, nil)), Now: func() time.Time { return b.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) issue(t *testing.T, dir, host string) certs.Files {
	t.Helper()
	files, err := certs.Init(dir, []string{host}, true, b.now)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// served is the name in the certificate that a handshake gets.
func (b *bench) served(t *testing.T) string {
	t.Helper()
	state, err := handshake(b.source.Config(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	return state.PeerCertificates[0].Subject.CommonName
}

// handshake has a server and a client shake hands over a pipe.
func handshake(server, client *tls.Config) (tls.ConnectionState, error) {
	c, s := net.Pipe()
	defer c.Close()
	ended := make(chan error, 1)
	go func() {
		defer s.Close()
		at := tls.Server(s, server)
		err := at.Handshake()
		if err == nil {
			_, err = at.Write([]byte{0}) // TLS 1.3's client learns of a refused certificate after the handshake
		}
		ended <- err
	}()
	at := tls.Client(c, client)
	err := at.HandshakeContext(context.Background())
	if err == nil {
		_, err = at.Read(make([]byte, 1))
	}
	c.Close()
	return at.ConnectionState(), errors.Join(err, <-ended)
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSourceTakesUpNewFiles(t *testing.T) {
	b := newBench(t)
	other := b.issue(t, t.TempDir(), "second.example")
	copyFile(t, b.files.Certificate, other.Certificate)
	copyFile(t, b.files.Key, other.Key)

	if got := b.served(t); got != "second.example" { // the first handshake looks
		t.Errorf("a handshake after the change gets %s", got)
	}
	b.issue(t, b.dir(), "third.example")
	b.now = b.now.Add(certs.CheckInterval - time.Millisecond)
	if got := b.served(t); got != "second.example" {
		t.Errorf("a handshake within the interval looks at the files and gets %s", got)
	}
	b.now = b.now.Add(time.Millisecond)
	if got := b.served(t); got != "third.example" {
		t.Errorf("a handshake after the interval gets %s", got)
	}
}

// dir is the folder of the source's files.
func (b *bench) dir() string {
	return strings.TrimSuffix(b.files.Certificate, "/server.pem")
}

func TestSourceReloadsOnDemand(t *testing.T) {
	b := newBench(t)
	b.served(t)
	b.issue(t, b.dir(), "second.example")
	if err := b.source.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := b.served(t); got != "second.example" {
		t.Errorf("after Reload a handshake gets %s", got)
	}
}

func TestSourceKeepsWhatItHasWhenNewFilesAreBroken(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(t *testing.T, b *bench)
		says string
	}{
		{"a key of another certificate", func(t *testing.T, b *bench) {
			copyFile(t, b.files.Key, b.issue(t, t.TempDir(), "other.example").Key)
		}, "private key does not match"},
		{"half a certificate", func(t *testing.T, b *bench) {
			pem, err := os.ReadFile(b.files.Certificate)
			if err == nil {
				err = os.WriteFile(b.files.Certificate, pem[:len(pem)/2], 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "failed to find any PEM data"},
		{"a missing key", func(t *testing.T, b *bench) {
			if err := os.Remove(b.files.Key); err != nil {
				t.Fatal(err)
			}
		}, "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			whole := b.issue(t, t.TempDir(), "second.example")
			c.harm(t, b)
			for range 3 {
				b.now = b.now.Add(certs.CheckInterval)
				if got := b.served(t); got != "first.example" {
					t.Errorf("a handshake gets %s", got)
				}
			}
			if err := b.source.Reload(); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Reload: got %v, want an error that says %q", err, c.says)
			}
			if got := strings.Count(b.log.String(), "level=ERROR"); got != 1 {
				t.Errorf("%d errors in the log for one cause, want 1:\n%s", got, b.log.String())
			}
			copyFile(t, b.files.Certificate, whole.Certificate)
			copyFile(t, b.files.Key, whole.Key)
			b.now = b.now.Add(certs.CheckInterval)
			if got := b.served(t); got != "second.example" {
				t.Errorf("when the files are whole again a handshake gets %s", got)
			}
		})
	}
}

func TestProtocolsAndSuites(t *testing.T) {
	b := newBench(t)
	client := func(change func(*tls.Config)) *tls.Config {
		c := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS10}
		change(c)
		return c
	}
	at12 := func(suite uint16) *tls.Config {
		return client(func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{suite} })
	}
	for _, c := range []struct {
		name   string
		client *tls.Config
		ok     bool
	}{
		{"TLS 1.0", client(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS10 }), false},
		{"TLS 1.1", client(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 }), false},
		{"TLS 1.2", client(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), true},
		{"TLS 1.3", client(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }), true},
		{"ECDHE with AES-GCM", at12(tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384), true},
		{"ECDHE with ChaCha20-Poly1305", at12(tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256), true},
		{"ECDHE with CBC", at12(tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA), false},
		{"ECDHE with CBC and SHA-256", at12(tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256), false},
		{"ECDHE with RC4", at12(tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA), false},
		{"no forward secrecy", at12(tls.TLS_RSA_WITH_AES_128_GCM_SHA256), false},
		{"post-quantum key exchange only", client(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768} }), true},
		{"P-521 only", client(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP521} }), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			state, err := handshake(b.source.Config(), c.client)
			if got := err == nil; got != c.ok {
				t.Errorf("connected: %v (%v), want %v", got, err, c.ok)
			}
			if err == nil && state.NegotiatedProtocol != "h2" {
				t.Errorf("protocol %q, want HTTP/2", state.NegotiatedProtocol)
			}
		})
	}
	t.Run("without a wish TLS 1.3 and post-quantum key exchange are taken", func(t *testing.T) {
		state, err := handshake(b.source.Config(), client(func(*tls.Config) {}))
		if err != nil {
			t.Fatal(err)
		}
		if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
			t.Errorf("got %s with %s", tls.VersionName(state.Version), state.CurveID)
		}
	})
}

// authority signs client certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{file: t.TempDir() + "/clients.pem"}
	der, key := sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "clients"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, authority{})
	a.key = key
	var err error
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func sign(t *testing.T, template *x509.Certificate, by authority) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if by.certificate == nil {
		by = authority{certificate: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// client is a client with a certificate of this authority.
func (a authority) client(t *testing.T, usage x509.ExtKeyUsage, until time.Time) *tls.Config {
	t.Helper()
	der, key := sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "alice"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}, a)
	pair := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return &tls.Config{
		InsecureSkipVerify: true,
		// Shown even where the server's hint does not name its authority.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
	}
}

func TestClientCertificates(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	b := newBench(t)
	source, err := certs.Open(certs.Options{Certificate: b.files.Certificate, Key: b.files.Key, ClientAuthorities: ours.file, Now: func() time.Time { return b.now }})
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	for _, c := range []struct {
		name   string
		client *tls.Config
		ok     bool
	}{
		{"of the authority", ours.client(t, x509.ExtKeyUsageClientAuth, later), true},
		{"none", &tls.Config{InsecureSkipVerify: true}, false},
		{"of another authority", theirs.client(t, x509.ExtKeyUsageClientAuth, later), false},
		{"a server's", ours.client(t, x509.ExtKeyUsageServerAuth, later), false},
		{"expired", ours.client(t, x509.ExtKeyUsageClientAuth, time.Now().Add(-time.Hour)), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := handshake(source.Config(), c.client); (err == nil) != c.ok {
				t.Errorf("connected: %v (%v), want %v", err == nil, err, c.ok)
			}
		})
	}
	t.Run("an authority that is no longer named has no more clients, even with a session begun before", func(t *testing.T) {
		config, client := source.Config(), ours.client(t, x509.ExtKeyUsageClientAuth, later)
		client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		if _, err := handshake(config, client); err != nil {
			t.Fatal(err)
		}
		copyFile(t, ours.file, theirs.file)
		b.now = b.now.Add(certs.CheckInterval)
		if _, err := handshake(config, client); err == nil {
			t.Error("it is still let in")
		}
	})
	t.Run("a file without certificates is refused", func(t *testing.T) {
		if _, err := certs.Open(certs.Options{Certificate: b.files.Certificate, Key: b.files.Key, ClientAuthorities: b.files.Key}); err == nil {
			t.Error("it is taken")
		}
	})
}

func TestShortRSAKeysAreRefused(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	name := t.TempDir() + "/weak.pem"
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})...)
	if err := os.WriteFile(name, both, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.Open(certs.Options{Certificate: name, Key: name}); !errors.Is(err, certs.ErrWeakKey) {
		t.Errorf("got %v, want ErrWeakKey", err)
	}
}
