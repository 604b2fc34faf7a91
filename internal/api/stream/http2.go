package stream

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/dictum/dictum/internal/aws/eventstream"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/transcribe/stream"
)

// http2 is a stream whose audio is the request's body and whose results are the answer's.
func (s *Service) http2(w http.ResponseWriter, r *http.Request, c *gateway.Call) error {
	get := parameter(r)
	p, err := stream.Parse(get, s.config.Languages)
	if err != nil {
		return err
	}
	leave, err := s.config.Sessions.Enter(c.Principal.AccountID, c.Region, stream.HTTP2, p.SessionID)
	if err != nil {
		return err
	}
	defer leave()
	session, err := stream.Open(r.Context(), s.config.Recognizer, p)
	if err != nil {
		return err
	}
	defer session.Close()
	h := w.Header()
	h.Set("Content-Type", eventstream.ContentType)
	h.Set("X-Amzn-Request-Id", c.RequestID)
	for _, name := range stream.Names {
		if v := get(name); v != "" {
			h.Set(headerPrefix+name, v)
		}
	}
	h.Set(headerPrefix+"Session-Id", p.SessionID)
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // for HTTP/1; HTTP/2 always is
	w.WriteHeader(http.StatusOK)
	// Clients wait for the headers before they send audio.
	if err := control.Flush(); err != nil {
		return nil // the client is gone, and the answer has begun
	}
	began := time.Now()
	x := &exchange{
		wire:    &duplex{in: bufio.NewReaderSize(r.Body, 32<<10), body: r.Body, out: w, control: control},
		session: session, chain: c.Events, signed: true,
	}
	outcome(c, session, began, x.run(r.Context()))
	return nil
}

// duplex is a request's body and its answer.
type duplex struct {
	in      *bufio.Reader
	body    io.Closer
	out     io.Writer
	control *http.ResponseController
}

func (d *duplex) receive(context.Context) (eventstream.Message, error) { return eventstream.Read(d.in) }

func (d *duplex) send(_ context.Context, message []byte) error {
	if err := d.control.SetWriteDeadline(time.Now().Add(stalled)); err != nil {
		return err
	}
	if _, err := d.out.Write(message); err != nil {
		return err
	}
	return d.control.Flush()
}

func (d *duplex) hangUp() {
	_ = d.control.SetReadDeadline(time.Now()) // HTTP/2 has deadlines
	_ = d.body.Close()
}
