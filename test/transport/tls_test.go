package transport_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dictum/dictum/test/harness"
)

// certificates are a folder with what `dictum tls init` makes: ca.pem, server.pem, server.key.
type certificates struct{ authority, certificate, key string }

func initTLS(t *testing.T, data, host string) certificates {
	t.Helper()
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	harness.Tool(t, binary, "tls", "init", "--data", data, "--host", host, "--host", "127.0.0.1", "--replace")
	dir := filepath.Join(data, "tls")
	return certificates{filepath.Join(dir, "ca.pem"), filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")}
}

// runTLS runs a server with certificates in its data folder.
func runTLS(t *testing.T, flags ...string) (*harness.Server, certificates) {
	t.Helper()
	data := t.TempDir()
	c := initTLS(t, data, "first.example")
	return harness.RunIn(t, data, append([]string{"--client-timeout", clientTimeout.String()}, flags...)...), c
}

// shake does a handshake with an origin and returns its state. A refused client certificate shows only when something is
// read, so a request is made too.
func shake(ctx context.Context, origin string, config *tls.Config) (tls.ConnectionState, error) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", hostPort(origin))
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	state := conn.(*tls.Conn).ConnectionState()
	if state.NegotiatedProtocol == "h2" {
		return state, nil
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		return state, err
	}
	_, err = conn.Read(make([]byte, 1))
	return state, err
}

func TestWeakTLSIsRefused(t *testing.T) {
	t.Parallel()
	server, _ := runTLS(t)
	at := func(least, most uint16, suites ...uint16) *tls.Config {
		return &tls.Config{InsecureSkipVerify: true, MinVersion: least, MaxVersion: most, CipherSuites: suites}
	}
	for _, c := range []struct {
		name   string
		config *tls.Config
		ok     bool
	}{
		{"TLS 1.0", at(tls.VersionTLS10, tls.VersionTLS10), false},
		{"TLS 1.1", at(tls.VersionTLS11, tls.VersionTLS11), false},
		{"TLS 1.2", at(tls.VersionTLS12, tls.VersionTLS12), true},
		{"TLS 1.3", at(tls.VersionTLS13, tls.VersionTLS13), true},
		{"CBC", at(tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA), false},
		{"CBC with SHA-256", at(tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256), false},
		{"RC4", at(tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA), false},
		{"no forward secrecy", at(tls.VersionTLS12, tls.VersionTLS12, tls.TLS_RSA_WITH_AES_256_GCM_SHA384), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := shake(t.Context(), server.API, c.config); (err == nil) != c.ok {
				t.Errorf("connected: %v (%v), want %v", err == nil, err, c.ok)
			}
		})
	}
	t.Run("what is preferred is TLS 1.3 with post-quantum key exchange", func(t *testing.T) {
		state, err := shake(t.Context(), server.API, &tls.Config{InsecureSkipVerify: true})
		if err != nil || state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
			t.Errorf("got %s, %s, %v", tls.VersionName(state.Version), state.CurveID, err)
		}
	})
	t.Run("plain HTTP at a TLS port learns nothing", func(t *testing.T) {
		conn := dial(t, server.API, "")
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		got := answers(t, conn)
		if len(got) != 1 || got[0].status != http.StatusBadRequest || strings.Contains(got[0].body, "<") {
			t.Errorf("answered %v", got)
		}
	})
	t.Run("a handshake that does not go on", func(t *testing.T) {
		conn := dial(t, server.API, "")
		io.WriteString(conn, "\x16\x03\x01\x02\x00")
		if _, err := io.Copy(io.Discard, conn); err != nil && !closed(err) {
			t.Error(err)
		}
	})
}

func TestHTTP2AndCertificateAreGood(t *testing.T) {
	t.Parallel()
	server, c := runTLS(t)
	pool := x509.NewCertPool()
	authority, err := os.ReadFile(c.authority)
	if err != nil {
		t.Fatal(err)
	}
	pool.AppendCertsFromPEM(authority)
	client := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	for _, origin := range []string{server.API, server.Console} {
		resp, err := client.Get(origin)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Errorf("%s speaks %s", origin, resp.Proto)
		}
		if origin == server.API && resp.Header.Get("Strict-Transport-Security") != "" {
			t.Error("the API has a header for browsers")
		}
	}
	clients := server.Clients("us-east-1") // which trust the authority of dictum env
	clients.Put(t, clients.Bucket(t, "secure"), "key", []byte("content"))
}

// serves waits until a server shows the certificate of a host.
func serves(t *testing.T, server *harness.Server, host string) {
	t.Helper()
	harness.Until(t, patience, "the certificate of "+host+" is served", func() bool { return shown(t, server) == host })
}

// shown is the host in the certificate that a server shows.
func shown(t *testing.T, server *harness.Server) string {
	t.Helper()
	state, err := shake(t.Context(), server.API, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	return state.PeerCertificates[0].Subject.CommonName
}

func TestCertificateReloadWithoutRestart(t *testing.T) {
	t.Parallel()
	server, c := runTLS(t)
	data := filepath.Dir(filepath.Dir(c.certificate))
	serves(t, server, "first.example")
	t.Run("new files are served", func(t *testing.T) {
		initTLS(t, data, "second.example")
		serves(t, server, "second.example")
	})
	t.Run("new files are served at once after SIGHUP", func(t *testing.T) {
		initTLS(t, data, "third.example")
		hangup(t, server)
		harness.Until(t, patience, "the log says so", func() bool { return strings.Contains(server.Output(), "CN=third.example") })
		if got := shown(t, server); got != "third.example" {
			t.Errorf("served %s", got)
		}
	})
	t.Run("broken files are not, and the log says why", func(t *testing.T) {
		if err := os.WriteFile(c.key, []byte("no key"), 0o600); err != nil {
			t.Fatal(err)
		}
		hangup(t, server)
		harness.Until(t, patience, "the log says so", func() bool { return strings.Contains(server.Output(), "stays as it was") })
		if got := shown(t, server); got != "third.example" {
			t.Errorf("served %s", got)
		}
		initTLS(t, data, "fourth.example")
		serves(t, server, "fourth.example")
	})
}

func hangup(t *testing.T, server *harness.Server) {
	t.Helper()
	if err := syscall.Kill(server.Pid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// clientAuthority writes an authority's certificate and returns its file and a client's pair that it signed.
func clientAuthority(t *testing.T) (file string, pair tls.Certificate) {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	authorityKey, clientKey := key(), key()
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		}
	}
	authority := template("clients")
	authority.IsCA, authority.BasicConstraintsValid, authority.KeyUsage = true, true, x509.KeyUsageCertSign
	client := template("alice")
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		t.Fatal(err)
	}
	clientDER, err := x509.CreateCertificate(rand.Reader, client, authority, clientKey.Public(), authorityKey)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "clients.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, tls.Certificate{Certificate: [][]byte{clientDER}, PrivateKey: clientKey}
}

func TestStrangersWithoutAClientCertificate(t *testing.T) {
	t.Parallel()
	file, ours := clientAuthority(t)
	_, theirs := clientAuthority(t)
	server, _ := runTLS(t, "--api-client-ca", file)
	show := func(pair *tls.Certificate) *tls.Config {
		c := &tls.Config{InsecureSkipVerify: true}
		if pair != nil {
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
		}
		return c
	}
	for _, c := range []struct {
		name, origin string
		pair         *tls.Certificate
		ok           bool
	}{
		{"the API without one", server.API, nil, false},
		{"the API with another authority's", server.API, &theirs, false},
		{"the API with one", server.API, &ours, true},
		{"the console, which asks for none", server.Console, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := shake(t.Context(), c.origin, show(c.pair)); (err == nil) != c.ok {
				t.Errorf("connected: %v (%v), want %v", err == nil, err, c.ok)
			}
		})
	}
	if !strings.Contains(server.Output(), "CN=alice") {
		t.Error("the log does not name the client")
	}
}

func TestPlaintextBeyondLoopback(t *testing.T) {
	t.Parallel()
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--api", "--console", "--ops"} {
		t.Run("refused at "+flag, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			args := []string{"serve", "--data", t.TempDir(), "--api", "127.0.0.1:0", "--console", "127.0.0.1:0", "--ops", "127.0.0.1:0", flag, "0.0.0.0:0"}
			out, err := exec.CommandContext(ctx, binary, args...).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "beyond loopback") {
				t.Errorf("ended with %v: %s", err, out)
			}
		})
	}
	t.Run("unless told in so many words", func(t *testing.T) {
		server := run(t, "--api", "0.0.0.0:0", "--allow-plaintext")
		stillServes(t, server)
		if !strings.Contains(server.Output(), "without TLS") {
			t.Error("the log does not warn")
		}
	})
}

// TestHTTP2WithoutALPN is what the AWS SDK for Java does over TLS: it speaks HTTP/2 without asking first.
func TestHTTP2WithoutALPN(t *testing.T) {
	t.Parallel()
	server, _ := runTLS(t)
	var dials atomic.Int32
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		Protocols: protocols,
		// The transport takes it for a plain connection.
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			dials.Add(1)
			dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
			conn, err := dialer.DialContext(ctx, "tcp", address)
			return struct{ net.Conn }{conn}, err
		},
	}}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		t.Run(method, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), method, strings.Replace(server.API, "https", "http", 1)+"/stream-transcription", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Amzn-Transcribe-Language-Code", "en-US")
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := resp.Header.Get("X-Amzn-Errortype"); resp.ProtoMajor != 2 || got != "MissingAuthenticationTokenException" {
				t.Errorf("%s: %s, %s", resp.Proto, resp.Status, got)
			}
		})
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("%d connections for requests one after the other", n)
	}
	for name, sent := range map[string]string{
		"a preface that is none":              "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
		"a preface that does not go on":       "PRI * HTTP/2.0\r\n\r\n",
		"a preface with a header":             "PRI * HTTP/2.0\r\nHost: x\r\n\r\nSM\r\n\r\n",
		"a preface behind a request":          "GET / HTTP/1.1\r\nHost: x\r\n\r\nPRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
		"a preface, and then another request": "PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: &tls.Config{InsecureSkipVerify: true}}
			conn, err := dialer.DialContext(t.Context(), "tcp", hostPort(server.API))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			io.WriteString(conn, sent)
			if got, err := io.ReadAll(conn); err != nil && !closed(err) || strings.Contains(string(got), " 200 ") {
				t.Errorf("%q, %v: the connection is not closed", got, err)
			}
		})
	}
}
