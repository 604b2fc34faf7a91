package stream

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/dictum/dictum/internal/aws/eventstream"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/transcribe/stream"
)

// http2 is a stream whose audio is the request's body and whose results are the answer's.
func (s *Service) http2(op *stream.Operation) gateway.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *gateway.Call) error {
		o, err := s.open(r.Context(), r, c, op, stream.HTTP2)
		if err != nil {
			return err
		}
		defer o.entry.HungUp()
		defer o.close()
		h, get := w.Header(), parameter(r)
		h.Set("Content-Type", eventstream.ContentType)
		h.Set("X-Amzn-Request-Id", c.RequestID)
		for _, name := range op.Names {
			if v := get(name); v != "" {
				h.Set(headerPrefix+name, v)
			}
		}
		h.Set(headerPrefix+"Session-Id", o.parameters.SessionID)
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex() // for HTTP/1; HTTP/2 always is
		d := &duplex{in: bufio.NewReaderSize(r.Body, 32<<10), body: r.Body, out: w, control: control, stalled: s.config.Limits.Stalled}
		w.WriteHeader(http.StatusOK)
		// Clients wait for the headers before they send audio.
		if err := d.flush(); err != nil {
			o.ended(r.Context(), s.config.Now(), err)
			return nil // the client is gone, and the answer has begun
		}
		o.run(r.Context(), &exchange{wire: d, signed: true, halfCloses: true})
		return nil
	}
}

// duplex is a request's body and its answer.
type duplex struct {
	in      *bufio.Reader
	body    io.Closer
	out     io.Writer
	control *http.ResponseController
	stalled time.Duration
}

// receive implements wire.
func (d *duplex) receive() (eventstream.Message, error) {
	m, err := eventstream.Read(d.in)
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, eventstream.ErrMalformed), errors.Is(err, eventstream.ErrTooLarge):
		return m, err
	}
	return m, gone(err)
}

// send implements wire.
func (d *duplex) send(message []byte) error {
	began := time.Now()
	_ = d.control.SetWriteDeadline(began.Add(d.stalled)) // a recorder in tests has none
	_, err := d.out.Write(message)
	if err == nil {
		return d.flush()
	}
	return d.failed(began, err)
}

func (d *duplex) flush() error {
	began := time.Now()
	_ = d.control.SetWriteDeadline(began.Add(d.stalled))
	if err := d.control.Flush(); err != nil {
		return d.failed(began, err)
	}
	// A deadline of HTTP/2 ends the stream when it passes, even when nothing is being written then.
	_ = d.control.SetWriteDeadline(time.Time{})
	return nil
}

// failed tells a client that does not read from one that is gone: HTTP/2 says the same of both.
func (d *duplex) failed(began time.Time, err error) error {
	if time.Since(began) >= d.stalled {
		return errStalled
	}
	return gone(err)
}

// hangUp implements wire.
func (d *duplex) hangUp() {
	_ = d.control.SetReadDeadline(time.Now())
	_ = d.body.Close() // it is read no more
}
