package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
)

// prefaced serves TLS clients that speak HTTP/2 without having asked for it by ALPN: the AWS SDK for Java does, since AWS's
// streaming endpoints take it. net/http reads what such a client says first (RFC 9113 §3.4) as a request of HTTP/1, and
// gives it to the handler; the connection then goes to a server of its own, which is told nothing of TLS and so takes
// HTTP/2 with prior knowledge, as it does on plain listeners.
type prefaced struct {
	server *http.Server
	conns  *handover
}

// preface is the part of the client's preface that looks like a request; what follows has not been read.
const preface = "PRI * HTTP/2.0\r\n\r\n"

// newPrefaced makes the server, with the limits of another.
func newPrefaced(like *http.Server, address net.Addr) *prefaced {
	server := &http.Server{
		ReadHeaderTimeout: like.ReadHeaderTimeout, IdleTimeout: like.IdleTimeout, MaxHeaderBytes: like.MaxHeaderBytes,
		HTTP2: like.HTTP2, ErrorLog: like.ErrorLog, Protocols: new(http.Protocols),
	}
	server.Protocols.SetUnencryptedHTTP2(true)
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, secured{}, c.(*resumed).state)
	}
	return &prefaced{server, &handover{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}}
}

// secured is the key of a connection's *tls.ConnectionState in its context.
type secured struct{}

// handle sets the handler. It must be called before the server serves.
func (p *prefaced) handle(next http.Handler) {
	p.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.TLS, _ = r.Context().Value(secured{}).(*tls.ConnectionState)
		next.ServeHTTP(w, r)
	})
}

// take gives connections that begin with the preface away, and all else to the handler.
func (p *prefaced) take(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "PRI" || r.ProtoMajor != 2 || r.RequestURI != "*" || len(r.Header) > 0 || r.TLS == nil {
			next.ServeHTTP(w, r)
			return
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			next.ServeHTTP(w, r) // it is HTTP/2 already, where this is no more than an odd request
			return
		}
		early, _ := buffered.Reader.Peek(buffered.Reader.Buffered()) // what is buffered can be peeked at
		begun := append([]byte(preface), early...)
		p.conns.give(&resumed{Conn: conn, in: io.MultiReader(bytes.NewReader(begun), conn), state: r.TLS})
	})
}

// resumed is a connection whose first bytes are read again. It does not show that it is TLS's.
type resumed struct {
	net.Conn
	in    io.Reader
	state *tls.ConnectionState
}

// Read implements net.Conn.
func (c *resumed) Read(b []byte) (int, error) { return c.in.Read(b) }

// handover is a listener to whom connections are given.
type handover struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// give closes the connection when nobody takes it any more.
func (h *handover) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.closed:
		_ = c.Close() // the server stops
	}
}

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr implements net.Listener.
func (h *handover) Addr() net.Addr { return h.address }
