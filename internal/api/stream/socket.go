package stream

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/dictum/dictum/internal/aws/eventstream"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/transcribe/stream"
)

// accept upgrades a request. Any page may open a socket, since its URL is presigned.
func accept(w http.ResponseWriter, r *http.Request) (*websocket.Conn, error) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(-1) // socket.receive has a limit of its own, which leaves the socket open for the exception
	return conn, nil
}

// socket is a stream over a WebSocket: a message each way is one of the event stream.
func (s *Service) socket(op *stream.Operation) gateway.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *gateway.Call) error {
		// The request's context ends with the handler only: the connection is taken over.
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		o, err := s.open(ctx, r, c, op, stream.WebSocket)
		if err != nil {
			return err
		}
		defer o.entry.HungUp()
		defer o.close()
		conn, err := accept(w, r)
		if err != nil {
			return nil // it has answered
		}
		defer func() { _ = conn.CloseNow() }() // it is closed by then, or the client is gone
		o.run(ctx, &exchange{wire: &socket{conn: conn, stalled: s.config.Limits.Stalled}})
		return nil
	}
}

// socket is a WebSocket.
type socket struct {
	conn    *websocket.Conn
	stalled time.Duration
}

// receive implements wire.
func (s *socket) receive() (eventstream.Message, error) {
	// No context: when it ended while a message is awaited, the socket would be closed before the exception is sent.
	kind, r, err := s.conn.Reader(context.Background())
	if err != nil {
		return eventstream.Message{}, closed(err)
	}
	raw, err := io.ReadAll(io.LimitReader(r, eventstream.MaxMessage+1))
	switch {
	case err != nil:
		return eventstream.Message{}, closed(err)
	case len(raw) > eventstream.MaxMessage:
		return eventstream.Message{}, eventstream.ErrTooLarge
	case kind != websocket.MessageBinary:
		return eventstream.Message{}, eventstream.ErrMalformed
	}
	return eventstream.Parse(raw)
}

// closed is io.EOF for a socket that the client has closed as it should.
func closed(err error) error {
	if s := websocket.CloseStatus(err); s == websocket.StatusNormalClosure || s == websocket.StatusNoStatusRcvd {
		return io.EOF
	}
	return gone(err)
}

// send implements wire.
func (s *socket) send(message []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.stalled)
	defer cancel()
	err := s.conn.Write(ctx, websocket.MessageBinary, message)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errStalled
	}
	return gone(err)
}

// hangUp implements wire: it closes the socket. Close waits for the other side's closing frame for some seconds at most.
func (s *socket) hangUp() { _ = s.conn.Close(websocket.StatusNormalClosure, "") }
