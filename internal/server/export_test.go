package server

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// Listeners are a process's listeners, for tests.
type Listeners struct {
	prometheus.Collector
	// API, Console and Ops are their origins.
	API, Console, Ops string
	// Also is the API's further one, empty for none.
	Also string
	// SourceIP tells where a request came from.
	SourceIP func(*http.Request) string
	sites    *sites
}

// Complete is Config.complete.
func (c *Config) Complete() error { return c.complete() }

// Listen opens the configuration's listeners with one handler for all.
func Listen(ctx context.Context, c *Config, h http.Handler) (*Listeners, error) {
	s, err := openSites(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	for _, site := range s.all() {
		site.server.Handler = h
	}
	l := &Listeners{Collector: s, API: s.api.origin(), Console: s.console.origin(), Ops: s.ops.origin(), SourceIP: s.sourceIP, sites: s}
	if s.also != nil {
		l.Also = s.also.origin()
	}
	return l, nil
}

// Serve serves until ctx ends.
func (l *Listeners) Serve(ctx context.Context) error { return l.sites.serve(ctx, 0) }

// Close closes listeners that were not served.
func (l *Listeners) Close() { l.sites.close() }
