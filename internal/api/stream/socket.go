package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/dictum/dictum/internal/aws/awserr"
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
	conn.SetReadLimit(2 * eventstream.MaxMessage) // what is larger is closed without an exception
	return conn, nil
}

// socket is a stream over a WebSocket: a message each way is one of the event stream.
func (s *Service) socket(w http.ResponseWriter, r *http.Request, c *gateway.Call) error {
	p, err := stream.Parse(parameter(r), s.config.Languages)
	if err != nil {
		return err
	}
	leave, err := s.config.Sessions.Enter(c.Principal.AccountID, c.Region, stream.WebSocket, p.SessionID)
	if err != nil {
		return err
	}
	defer leave()
	// The request's context ends with the handler only: the connection is taken over.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	session, err := stream.Open(ctx, s.config.Recognizer, p)
	if err != nil {
		return err
	}
	defer session.Close()
	conn, err := accept(w, r)
	if err != nil {
		return nil // it has answered
	}
	defer func() { _ = conn.CloseNow() }() // it is closed by then, or the client is gone
	began := time.Now()
	x := &exchange{wire: &socket{conn: conn}, session: session, chain: c.Events}
	outcome(c, session, began, x.run(ctx))
	return nil
}

// socket is a WebSocket.
type socket struct{ conn *websocket.Conn }

func (s *socket) receive(ctx context.Context) (eventstream.Message, error) {
	kind, raw, err := s.conn.Read(ctx)
	switch {
	case websocket.CloseStatus(err) == websocket.StatusNormalClosure, websocket.CloseStatus(err) == websocket.StatusNoStatusRcvd:
		return eventstream.Message{}, io.EOF
	case errors.Is(err, websocket.ErrMessageTooBig):
		return eventstream.Message{}, eventstream.ErrTooLarge
	case err != nil:
		return eventstream.Message{}, fmt.Errorf("read from the socket: %w", err)
	case kind != websocket.MessageBinary:
		return eventstream.Message{}, eventstream.ErrMalformed
	}
	return eventstream.Parse(raw)
}

func (s *socket) send(ctx context.Context, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, stalled)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageBinary, message)
}

func (s *socket) exception(ctx context.Context, e *awserr.Error) error {
	exception, err := eventstream.Exception(e.Code, "application/json", message(e))
	if err != nil {
		return err
	}
	return s.send(ctx, exception)
}

// hangUp closes the socket; Close waits for the other side's closing frame for some seconds at most.
func (s *socket) hangUp() { _ = s.conn.Close(websocket.StatusNormalClosure, "") }
