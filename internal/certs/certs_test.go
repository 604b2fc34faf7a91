package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/certs"
)

func TestInitMakesCertificatesThatClientsTrust(t *testing.T) {
	files, err := certs.Init(t.TempDir(), []string{"localhost", "127.0.0.1", "::1"}, false, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	source, err := certs.Open(certs.Options{Certificate: files.Certificate, Key: files.Key})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = source.Config()
	server.StartTLS()
	defer server.Close()

	pem, err := os.ReadFile(files.Authority)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	for _, tc := range []struct {
		name   string
		config *tls.Config
		ok     bool
	}{
		{"a client that trusts the authority", &tls.Config{RootCAs: pool}, true},
		{"a client that does not", &tls.Config{RootCAs: x509.NewCertPool()}, false},
		{"another host's name", &tls.Config{RootCAs: pool, ServerName: "other.example"}, false},
		{"TLS 1.1", &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: tc.config}}
			resp, err := client.Get(server.URL)
			if err == nil {
				resp.Body.Close()
			}
			if got := err == nil; got != tc.ok {
				t.Errorf("connected: %v (%v), want %v", got, err, tc.ok)
			}
		})
	}
}

func TestInitKeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	files, err := certs.Init(dir, []string{"localhost"}, false, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := certs.Init(dir, []string{"localhost"}, false, time.Now()); !errors.Is(err, certs.ErrExists) {
		t.Errorf("second Init: got %v, want ErrExists", err)
	}
	after, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Error("the key was replaced without being asked to")
	}
	info, err := os.Stat(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
		t.Errorf("key file mode: got %v, want %v", got, want)
	}
}
