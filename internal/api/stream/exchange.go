package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/eventstream"
	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/transcribe/stream"
)

// Limits are how long things may take. A zero member is as the constants say.
type Limits struct {
	// Idle is how long a client may send no audio, Stalled how long it may take none of what is sent, and Length how
	// long a stream may be.
	Idle, Stalled, Length time.Duration
}

// The limits of AWS; how long it waits for a client that does not read is not known.
const (
	DefaultIdle    = 15 * time.Second
	DefaultStalled = 20 * time.Second
)

func (l *Limits) complete() {
	if l.Idle == 0 {
		l.Idle = DefaultIdle
	}
	if l.Stalled == 0 {
		l.Stalled = DefaultStalled
	}
	if l.Length == 0 {
		l.Length = stream.MaxLength
	}
}

var (
	errIdle     = awserr.BadRequest("Your request timed out because no new audio was received for 15 seconds.")
	errTooLarge = awserr.BadRequest("Your stream is too big. Reduce the frame size and try your request again.")
	errUnended  = awserr.BadRequest("A complete signal was sent without the preceding empty frame.")
	errUnsigned = awserr.BadRequest("An event of a signed stream isn't signed. Sign each event and try your request again.")
	errStalled  = awserr.BadRequest("Your request timed out because results were not read. Read results while you send audio.")
	errSignedBy = &awserr.Error{Code: "InvalidSignatureException", Status: 403, Message: "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}
)

// errGone is the end of a stream whose client has hung up. Nobody is left to be told.
var errGone = errors.New("the client is gone")

// gone is errGone with what tells of it, which must not be taken for an end of the audio.
func gone(err error) error { return fmt.Errorf("%w: %v", errGone, err) } //nolint:errorlint // as said

// wire is a connection on which messages go both ways. Receive and send are called from one goroutine each.
type wire interface {
	// receive waits for the next message. It returns io.EOF when the client has half-closed, errors of package
	// eventstream for what is no message, and errGone.
	receive() (eventstream.Message, error)
	// send gives the client a message. It returns errStalled or errGone.
	send(message []byte) error
	// hangUp has receive return.
	hangUp()
}

// exchange is one stream and its connection.
type exchange struct {
	wire    wire
	session *stream.Session
	chain   *sigv4.EventChain
	limits  Limits
	// stopping is done when the server stops.
	stopping context.Context
	// signed says that events must be signed: always over HTTP/2, and over WebSockets once one was.
	signed bool
	// done is called when recognition has ended, before the client hears of it: a client that comes back at once, with
	// the same session id, is not to meet itself.
	done func()
	// halfCloses says that a client can end its side and still read.
	halfCloses bool
}

// run takes audio and gives results until the audio has ended, and then tells the client what went wrong, if anything
// did. It returns that.
func (x *exchange) run(ctx context.Context) error {
	inner, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	silence := time.AfterFunc(x.limits.Idle, func() { fail(errIdle) })
	defer silence.Stop()
	length := time.AfterFunc(x.limits.Length, func() { fail(stream.ErrTooLong) })
	defer length.Stop()
	defer context.AfterFunc(x.stopping, func() { fail(stream.ErrStopping) })()
	var hearing sync.WaitGroup
	hearing.Go(func() {
		if err := x.hear(inner, silence); err != nil {
			fail(err)
		}
	})
	stalled := false
	err := x.session.Run(inner, func(event any) error { // from one goroutine at a time
		err := x.emit(event)
		stalled = stalled || errors.Is(err, errStalled)
		return err
	})
	// What made recognition fail has the reader of audio fail as well, with the same error; what came first from
	// outside, recognition only knows as the end of its context.
	if cause := context.Cause(inner); err != nil && cause != nil {
		err = cause
	}
	if ctx.Err() != nil {
		err = errGone
	}
	if stalled { // who is cut for not reading is gone as well
		err = errStalled
	}
	x.done()
	if err != nil && !errors.Is(err, errGone) && !errors.Is(err, errStalled) {
		if exception, encodeErr := exception(shown(err)); encodeErr == nil {
			_ = x.wire.send(exception) // a client that is gone has no use for it
		}
	}
	x.wire.hangUp()
	hearing.Wait()
	return err
}

// emit sends an event.
func (x *exchange) emit(event any) error {
	body, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	m, err := eventstream.Event("TranscriptEvent", "application/json", body)
	if err != nil {
		return err
	}
	return x.wire.send(m)
}

// exception encodes an error as a stream ends with it.
func exception(e *awserr.Error) ([]byte, error) {
	return eventstream.Exception(e.Code, "application/json", message(e))
}

// hear takes events until the end of the audio, and then waits for the client to close its side.
func (x *exchange) hear(ctx context.Context, silence *time.Timer) error {
	for {
		audio, err := x.next()
		if err != nil {
			return err
		}
		// While recognition has enough to do, it is not the client who is silent.
		silence.Stop()
		if len(audio) == 0 {
			break
		}
		if err := x.session.Write(ctx, audio); err != nil {
			return err
		}
		silence.Reset(x.limits.Idle)
	}
	if err := x.session.Finish(); err != nil {
		return err
	}
	for {
		_, err := x.wire.receive()
		switch {
		case err == nil: // what comes after the end is nothing to us
		case errors.Is(err, io.EOF) && x.halfCloses:
			return nil
		default:
			return errGone
		}
	}
}

// next returns the audio of the next event; none ends the audio.
func (x *exchange) next() ([]byte, error) {
	m, err := x.wire.receive()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errUnended
	case errors.Is(err, eventstream.ErrTooLarge):
		return nil, errTooLarge
	case errors.Is(err, eventstream.ErrMalformed), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: %w", stream.ErrAudio, err)
	case err != nil:
		return nil, err
	}
	if date, signature, ok := m.Signature(); ok {
		x.signed = true
		if err := x.chain.Verify(date, m.Payload, signature); err != nil {
			return nil, errSignedBy
		}
		if len(m.Payload) == 0 {
			return nil, nil
		}
		inner, err := eventstream.Parse(m.Payload)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", stream.ErrAudio, err)
		}
		m = inner
	} else if x.signed {
		return nil, errUnsigned
	}
	if kind := m.Text(":event-type"); kind != "AudioEvent" {
		return nil, awserr.BadRequest("The stream has an event of type %q; only AudioEvent is taken.", clip(kind))
	}
	return m.Payload, nil
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
