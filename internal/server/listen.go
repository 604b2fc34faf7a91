package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dictum/dictum/internal/certs"
	"github.com/dictum/dictum/internal/gateway"
)

// site is one listener and what it serves.
type site struct {
	name     string
	listener net.Listener
	secure   bool
	server   *http.Server
}

// origin is the URL at which programs on this machine reach the site.
func (s *site) origin() string {
	scheme := "http"
	if s.secure {
		scheme = "https"
	}
	address := s.listener.Addr().(*net.TCPAddr)
	if address.IP.IsUnspecified() { // nobody can call 0.0.0.0 or [::]
		return fmt.Sprintf("%s://127.0.0.1:%d", scheme, address.Port)
	}
	return scheme + "://" + address.String()
}

// openSite listens at address. With a nil config it is plain HTTP, which only loopback may be.
func openSite(ctx context.Context, name, address string, config *tls.Config, log *slog.Logger) (*site, error) {
	if config == nil && !loopback(address) {
		return nil, fmt.Errorf("%s at %s: beyond loopback Dictum speaks TLS only: run `dictum tls init`, or give --tls-cert and --tls-key", name, address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	server := gateway.NewServer(nil)
	server.TLSConfig = config
	server.ErrorLog = slog.NewLogLogger(log.With("listener", name).Handler(), slog.LevelDebug)
	return &site{name: name, listener: listener, secure: config != nil, server: server}, nil
}

func (s *site) serve() error {
	var err error
	if s.secure {
		err = s.server.ServeTLS(s.listener, "", "")
	} else {
		err = s.server.Serve(s.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s: %w", s.name, err)
}

// shutdown lets requests under way end until ctx does, then cuts them.
func (s *site) shutdown(ctx context.Context) {
	if err := s.server.Shutdown(ctx); err != nil {
		s.server.Close()
	}
}

// tlsConfig is the configured certificate, or the one dictum tls init made, or nil for none.
func (c *Config) tlsConfig() (*tls.Config, error) {
	if c.TLSCert != "" {
		return certs.ServerConfig(c.TLSCert, c.TLSKey)
	}
	if files := certs.In(TLSDir(c.Data)); files.Exist() {
		return certs.ServerConfig(files.Certificate, files.Key)
	}
	return nil, nil
}

// sites are the process's listeners.
type sites struct{ api, console, ops *site }

// openSites listens everywhere or nowhere.
func openSites(ctx context.Context, c *Config, log *slog.Logger) (*sites, error) {
	config, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	s := &sites{}
	opsConfig := config
	if loopback(c.Ops) { // probes and scrapers on this machine should not need our authority
		opsConfig = nil
	}
	for _, open := range []struct {
		to            **site
		name, address string
		config        *tls.Config
	}{
		{&s.api, "api", c.API, config},
		{&s.console, "console", c.Console, config},
		{&s.ops, "ops", c.Ops, opsConfig},
	} {
		*open.to, err = openSite(ctx, open.name, open.address, open.config, log)
		if err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *sites) all() []*site { return []*site{s.api, s.console, s.ops} }

func (s *sites) close() {
	for _, site := range s.all() {
		if site != nil {
			site.listener.Close()
		}
	}
}

// serve runs every listener until ctx ends or one fails, then lets requests end within grace.
func (s *sites) serve(ctx context.Context, grace time.Duration) error {
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
