package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dictum/dictum/internal/certs"
	"github.com/dictum/dictum/internal/server"
)

func config(t *testing.T) *server.Config {
	const free = "127.0.0.1:0"
	return &server.Config{Data: t.TempDir(), API: free, Console: free, Ops: free, Jobs: 1, ClientTimeout: time.Second}
}

// listen serves a configuration until the test's end.
func listen(t *testing.T, c *server.Config) *server.Listeners {
	t.Helper()
	l, err := server.Listen(t.Context(), c, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l
}

// get asks from a local address and returns the answer's header; the certificate is not looked at.
func get(t *testing.T, url, from string) (http.Header, error) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	transport := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Get(url)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	return resp.Header, nil
}

// metric is the value of one listener's counter or gauge.
func metric(t *testing.T, l *server.Listeners, name, listener string) float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(l)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == name && m.Label[0].GetValue() == listener {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return -1
}

func TestSourceNetworksOfEachListener(t *testing.T) {
	c := config(t)
	c.APIAllow = []string{"127.0.0.2/32", "2001:db8::/32"}
	c.OpsAllow = []string{"127.0.0.3"}
	l := listen(t, c)
	for _, a := range []struct {
		name, url, from string
		ok              bool
	}{
		{"api from an allowed network", l.API, "127.0.0.2", true},
		{"api from another", l.API, "127.0.0.1", false},
		{"ops from an allowed address", l.Ops, "127.0.0.3", true},
		{"ops from a network that only the api allows", l.Ops, "127.0.0.2", false},
		{"console, which has no list", l.Console, "127.0.0.1", true},
	} {
		t.Run(a.name, func(t *testing.T) {
			if _, err := get(t, a.url, a.from); (err == nil) != a.ok {
				t.Errorf("answered: %v (%v), want %v", err == nil, err, a.ok)
			}
		})
	}
	for listener, want := range map[string]float64{"api": 1, "ops": 1, "console": 0} {
		if got := metric(t, l, "dictum_connections_refused_total", listener); got != want {
			t.Errorf("%s has %v refused connections in its metric, want %v", listener, got, want)
		}
	}
}

func TestAnIPv4PeerOfAnIPv6ListenerIsInAnIPv4Network(t *testing.T) {
	c := config(t)
	c.API, c.AllowPlaintext, c.APIAllow = "[::]:0", true, []string{"127.0.0.2"}
	l, err := server.Listen(t.Context(), c, nil)
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	l.Close()
	l = listen(t, c)
	if _, err := get(t, l.API, "127.0.0.2"); err != nil {
		t.Errorf("refused: %v", err)
	}
	if _, err := get(t, l.API, "127.0.0.1"); err == nil {
		t.Error("an address outside is let in")
	}
}

func TestPlaintextBeyondLoopback(t *testing.T) {
	for _, a := range []struct {
		name   string
		change func(*server.Config)
		ok     bool
	}{
		{"loopback", func(*server.Config) {}, true},
		{"all addresses", func(c *server.Config) { c.API = "0.0.0.0:0" }, false},
		{"all addresses, by an empty host", func(c *server.Config) { c.Console = ":0" }, false},
		{"operations", func(c *server.Config) { c.Ops = "[::]:0" }, false},
		{"a host name", func(c *server.Config) { c.API = "dictum.example:0" }, false},
		{"all addresses when allowed", func(c *server.Config) { c.API, c.AllowPlaintext = "0.0.0.0:0", true }, true},
	} {
		t.Run(a.name, func(t *testing.T) {
			c := config(t)
			a.change(c)
			l, err := server.Listen(t.Context(), c, nil)
			if err == nil {
				l.Close()
			}
			if (err == nil) != a.ok {
				t.Fatalf("listens: %v (%v), want %v", err == nil, err, a.ok)
			}
			if err != nil && !strings.Contains(err.Error(), "--allow-plaintext") {
				t.Errorf("the error does not name the way out: %v", err)
			}
		})
	}
}

func TestStrictTransportSecurityIsForTheConsoleBeyondLoopback(t *testing.T) {
	c := config(t)
	if _, err := certs.Init(server.TLSDir(c.Data), []string{"localhost"}, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	c.Console = "0.0.0.0:0"
	l := listen(t, c)
	for url, want := range map[string]bool{l.API: false, l.Console: true, l.Ops: false} {
		header, err := get(t, url, "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		if got := header.Get("Strict-Transport-Security") != ""; got != want {
			t.Errorf("%s has the header: %v, want %v", url, got, want)
		}
	}
	if got := metric(t, l, "dictum_certificate_not_after_seconds", "api"); time.Until(time.Unix(int64(got), 0)) < time.Hour {
		t.Errorf("the certificate's expiry is %v in its metric", got)
	}
	if got := metric(t, l, "dictum_certificate_not_after_seconds", "ops"); got != -1 {
		t.Errorf("plain operations show the expiry %v of a certificate", got)
	}
}

func TestNetworkSettingsThatAreRefused(t *testing.T) {
	for _, a := range []struct {
		says   string
		change func(*server.Config)
	}{
		{`--api-allow: "10.0.0.0/33"`, func(c *server.Config) { c.APIAllow = []string{"10.0.0.0/33"} }},
		{`--console-allow: "x"`, func(c *server.Config) { c.ConsoleAllow = []string{"x"} }},
		{`--ops-allow: "1.2.3"`, func(c *server.Config) { c.OpsAllow = []string{"1.2.3"} }},
		{`--trusted-proxy: "proxy.example"`, func(c *server.Config) { c.TrustedProxy = []string{"proxy.example"} }},
		{"--client-timeout", func(c *server.Config) { c.ClientTimeout = 0 }},
	} {
		t.Run(a.says, func(t *testing.T) {
			c := config(t)
			a.change(c)
			if err := c.Complete(); err == nil || !strings.Contains(err.Error(), a.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("client certificates without TLS", func(t *testing.T) {
		c := config(t)
		c.APIClientCA = "clients.pem"
		if _, err := server.Listen(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "--api-client-ca") {
			t.Errorf("got %v", err)
		}
	})
}

func TestSourceIPIsTheProxysWordOnlyWhenTrusted(t *testing.T) {
	c := config(t)
	c.TrustedProxy = []string{"10.0.0.0/8"}
	l, err := server.Listen(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	for remote, want := range map[string]string{"10.0.0.1:99": "198.51.100.1", "192.0.2.1:99": "192.0.2.1"} {
		r.RemoteAddr = remote
		if got := l.SourceIP(r); got != want {
			t.Errorf("from %s: got %s, want %s", remote, got, want)
		}
	}
}

func TestASilentClientLosesItsConnection(t *testing.T) {
	c := config(t)
	c.ClientTimeout = 100 * time.Millisecond
	l := listen(t, c)
	conn, err := net.Dial("tcp", strings.TrimPrefix(l.API, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end of the connection", err)
	}
}
