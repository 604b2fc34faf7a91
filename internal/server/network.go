package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/dictum/dictum/internal/peer"
)

// networks are the configured sets of addresses.
type networks struct{ api, console, ops, proxies peer.Networks }

// networks reads the configuration's networks; the error names the flag.
func (c *Config) networks() (networks, error) {
	var n networks
	for _, list := range []struct {
		to    *peer.Networks
		flag  string
		texts []string
	}{
		{&n.api, "--api-allow", c.APIAllow},
		{&n.console, "--console-allow", c.ConsoleAllow},
		{&n.ops, "--ops-allow", c.OpsAllow},
		{&n.proxies, "--trusted-proxy", c.TrustedProxy},
	} {
		var err error
		if *list.to, err = peer.ParseNetworks(list.texts); err != nil {
			return n, fmt.Errorf("%s: %w", list.flag, err)
		}
	}
	return n, nil
}

// gate is a listener that takes connections from its networks only and closes others unread: before TLS, and
// without an answer that would tell what is here.
type gate struct {
	net.Listener
	allowed peer.Networks // empty allows all
	refused atomic.Uint64
	log     *slog.Logger
}

// Accept implements net.Listener.
func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil || len(g.allowed) == 0 || g.allowed.Contain(remote(conn)) {
			return conn, err
		}
		g.refused.Add(1)
		// At debug: a scanner must not fill the disk.
		g.log.Debug("refused connection from a network that is not allowed", "peer", conn.RemoteAddr().String())
		if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			g.log.Debug("close refused connection", "err", err)
		}
	}
}

// remote is the other end's address; one that is none is in no network.
func remote(conn net.Conn) netip.Addr {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr()
	}
	return netip.Addr{}
}

// loopback tells whether an address host:port is reachable from this machine only.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
