package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dictum/dictum/internal/certs"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/peer"
)

// site is one listener and what it serves.
type site struct {
	name string
	gate *gate
	// source has the certificate; nil is plain HTTP.
	source *certs.Source
	// hsts tells browsers to come back by TLS only.
	hsts   bool
	server *http.Server
	// prefaced is nil without TLS.
	prefaced *prefaced
}

// origin is the URL at which programs on this machine reach the site.
func (s *site) origin() string {
	scheme := "http"
	if s.source != nil {
		scheme = "https"
	}
	address := s.gate.Addr().(*net.TCPAddr)
	if s.anywhere() { // nobody can call 0.0.0.0 or [::]
		return fmt.Sprintf("%s://127.0.0.1:%d", scheme, address.Port)
	}
	return scheme + "://" + address.String()
}

// anywhere tells whether the site listens on all of the machine's addresses.
func (s *site) anywhere() bool { return s.gate.Addr().(*net.TCPAddr).IP.IsUnspecified() }

// place is what a listener is opened by.
type place struct {
	name, address string
	source        *certs.Source
	allowed       peer.Networks
	hsts          bool
}

// open listens. Without a certificate that is plain HTTP, which only loopback may be unless the operator
// allows it.
func (c *Config) open(ctx context.Context, p place, log *slog.Logger) (*site, error) {
	log = log.With("listener", p.name)
	beyond := p.source == nil && !loopback(p.address)
	if beyond && !c.AllowPlaintext {
		return nil, plaintextRefused(p)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", p.address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	// A hosts file may say that localhost is elsewhere.
	if at, ok := listener.Addr().(*net.TCPAddr); p.source == nil && !c.AllowPlaintext && (!ok || !at.IP.IsLoopback()) {
		listener.Close()
		return nil, plaintextRefused(p)
	}
	if beyond {
		log.Warn("listens beyond loopback without TLS, as --allow-plaintext says: everybody on the way can read and change what is sent", "address", p.address)
	}
	server := gateway.NewServer(nil)
	server.ReadHeaderTimeout = c.ClientTimeout
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(p.source == nil) // streams are HTTP/2
	server.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: writeStall}
	server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	if p.source != nil {
		server.TLSConfig = p.source.Config()
	}
	s := &site{
		name: p.name, gate: &gate{Listener: listener, allowed: p.allowed, log: log}, source: p.source,
		hsts: p.hsts && p.source != nil, server: server,
	}
	if p.source != nil {
		s.prefaced = newPrefaced(server, listener.Addr())
	}
	return s, nil
}

func plaintextRefused(p place) error {
	return fmt.Errorf("%s at %s: beyond loopback Dictum speaks TLS only: run `dictum tls init`, or give --tls-cert and --tls-key (--allow-plaintext lifts the rule)", p.name, p.address)
}

func (s *site) serve() error {
	s.server.Handler = closeAfterChunks(s.server.Handler)
	if s.hsts {
		s.server.Handler = strict(s.server.Handler)
	}
	if s.source == nil {
		return s.served(s.server.Serve(s.gate))
	}
	s.prefaced.handle(s.server.Handler)
	s.server.Handler = s.prefaced.take(s.server.Handler)
	var beside errgroup.Group
	beside.Go(func() error { return s.served(s.prefaced.server.Serve(s.prefaced.conns)) })
	err := s.served(s.server.ServeTLS(s.gate, "", ""))
	if err != nil {
		s.prefaced.server.Close()
	}
	return errors.Join(err, beside.Wait())
}

// served is how serving ended, nil when that was by shutdown.
func (s *site) served(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s: %w", s.name, err)
}

// shutdown lets requests under way end until ctx does, then cuts them.
func (s *site) shutdown(ctx context.Context) {
	var group sync.WaitGroup
	for _, server := range s.servers() {
		group.Go(func() {
			if err := server.Shutdown(ctx); err != nil {
				server.Close()
			}
		})
	}
	group.Wait()
}

// servers are the site's one, and with TLS the one for those who begin with HTTP/2's preface.
func (s *site) servers() []*http.Server {
	if s.prefaced == nil {
		return []*http.Server{s.server}
	}
	return []*http.Server{s.server, s.prefaced.server}
}

// sites are the process's listeners.
type sites struct {
	api, console, ops *site
	// also is nil where the API has one address.
	also      *site
	transport transport
	// sourceIP tells where a request came from, past the proxies that the operator trusts.
	sourceIP func(*http.Request) string
}

// openSites listens everywhere or nowhere.
func openSites(ctx context.Context, c *Config, log *slog.Logger) (*sites, error) {
	networks, err := c.networks()
	if err != nil {
		return nil, err
	}
	transport, err := c.openTransport(log)
	if err != nil {
		return nil, err
	}
	s := &sites{transport: transport, sourceIP: peer.Source(networks.proxies)}
	for _, open := range []struct {
		to **site
		place
	}{
		{&s.api, place{name: "api", address: c.API, source: transport.api, allowed: networks.api}},
		{&s.console, place{name: "console", address: c.Console, source: transport.console, allowed: networks.console, hsts: !loopback(c.Console)}},
		{&s.ops, place{name: "ops", address: c.Ops, source: transport.ops, allowed: networks.ops}},
		{&s.also, place{name: "api-also", address: c.APIAlso, source: transport.api, allowed: networks.api}},
	} {
		if open.address == "" && open.to == &s.also {
			continue
		}
		if *open.to, err = c.open(ctx, open.place, log); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// all are those that are open.
func (s *sites) all() []*site {
	return slices.DeleteFunc([]*site{s.api, s.also, s.console, s.ops}, func(one *site) bool { return one == nil })
}

func (s *sites) close() {
	for _, site := range s.all() {
		site.gate.Close()
	}
}

// serve runs every listener until ctx ends or one fails, then lets requests end within grace.
func (s *sites) serve(ctx context.Context, grace time.Duration) error {
	defer s.transport.reloadOnHangup()()
	group, gctx := errgroup.WithContext(ctx)
	for _, site := range s.all() {
		group.Go(site.serve)
		group.Go(func() error {
			<-gctx.Done()
			limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
			defer cancel()
			site.shutdown(limit)
			return nil
		})
	}
	return group.Wait()
}
