package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dictum/dictum/internal/certs"
)

// What an HTTP/2 client may hold open. The limits before a request's header are gateway.NewServer's.
const (
	maxStreams = 128
	// A client that is silent this long is asked whether it lives, and has pingTimeout to answer.
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second
	// writeStall is how long a connection may take none of what is written to it.
	writeStall = 60 * time.Second
)

// hstsAge is a year, in the form of the header's max-age.
const hstsAge = "max-age=31536000"

// transport is the TLS side of the listeners; a nil source means plain HTTP.
type transport struct{ api, console, ops *certs.Source }

// openTransport loads the configured certificate, or the one dictum tls init made, or none.
func (c *Config) openTransport(log *slog.Logger) (transport, error) {
	var t transport
	options := certs.Options{Certificate: c.TLSCert, Key: c.TLSKey, Log: log}
	if files := certs.In(TLSDir(c.Data)); options.Certificate == "" && files.Exist() {
		options.Certificate, options.Key = files.Certificate, files.Key
	}
	if options.Certificate == "" {
		if c.APIClientCA != "" || c.ConsoleClientCA != "" {
			return t, fmt.Errorf("--api-client-ca and --console-client-ca need TLS: run `dictum tls init`, or give --tls-cert and --tls-key")
		}
		return t, nil
	}
	var err error
	open := func(authorities string) *certs.Source {
		if err != nil {
			return nil
		}
		var s *certs.Source
		options.ClientAuthorities = authorities
		s, err = certs.Open(options)
		return s
	}
	t.api, t.console = open(c.APIClientCA), open(c.ConsoleClientCA)
	if !loopback(c.Ops) { // probes and scrapers on this machine should not need our authority
		t.ops = open("")
	}
	return t, err
}

// reload loads the certificates of all listeners. What cannot be used is logged and left as it was.
func (t transport) reload() {
	for _, s := range []*certs.Source{t.api, t.console, t.ops} {
		if s != nil {
			_ = s.Reload() // it logs
		}
	}
}

// reloadOnHangup loads the certificates anew on each SIGHUP until stop is called, which waits for its end.
func (t transport) reloadOnHangup() (stop func()) {
	hangups, done, ended := make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(ended)
		for {
			select {
			case <-hangups:
				t.reload()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(done)
		<-ended
	}
}

// strict has browsers come back by TLS only (RFC 6797). It is for the console: SDKs keep no such promise, and
// the API's host may be anyone's.
func strict(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", hstsAge)
		h.ServeHTTP(w, r)
	})
}

// closeAfterChunks ends an HTTP/1 connection with a request whose body came in chunks. When such a request also
// names a length, somebody on the way may go by that instead, and take for a request of its own what stands behind:
// RFC 9112 §6.1 has the server close then. net/http does not, and does not tell that there was a length.
func closeAfterChunks(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor < 2 && len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

var (
	refusedDesc = prometheus.NewDesc("dictum_connections_refused_total",
		"Connections closed unread because their source network is not allowed.", []string{"listener"}, nil)
	expiryDesc = prometheus.NewDesc("dictum_certificate_not_after_seconds",
		"When the server certificate in use expires, as Unix time.", []string{"listener"}, nil)
)

var _ prometheus.Collector = (*sites)(nil)

// Describe implements prometheus.Collector.
func (s *sites) Describe(ch chan<- *prometheus.Desc) {
	ch <- refusedDesc
	ch <- expiryDesc
}

// Collect implements prometheus.Collector.
func (s *sites) Collect(ch chan<- prometheus.Metric) {
	for _, site := range s.all() {
		ch <- prometheus.MustNewConstMetric(refusedDesc, prometheus.CounterValue, float64(site.gate.refused.Load()), site.name)
		if site.source != nil {
			ch <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, float64(site.source.Leaf().NotAfter.Unix()), site.name)
		}
	}
}
