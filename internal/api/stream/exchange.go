package stream

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/eventstream"
	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/stream"
)

const (
	// idle is how long a client may send no audio.
	idle = 15 * time.Second
	// stalled is how long a client may take none of what is sent.
	stalled = 20 * time.Second
)

var (
	errIdle     = awserr.BadRequest("Your request timed out because no new audio was received for 15 seconds.")
	errTooLarge = awserr.BadRequest("Your stream is too big. Reduce the frame size and try your request again.")
	errFrame    = awserr.BadRequest("Could not decode the audio stream that you provided. Check that the audio stream is valid and try your request again.")
	errUnended  = awserr.BadRequest("A complete signal was sent without the preceding empty frame.")
	errUnsigned = awserr.BadRequest("An event of a signed stream isn't signed. Sign each event and try your request again.")
	errSignedBy = &awserr.Error{Code: "InvalidSignatureException", Status: 403, Message: "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}
)

// shown is an error as a client of a stream sees it.
func shown(err error) *awserr.Error {
	if errors.Is(err, speech.ErrInterrupted) {
		return &awserr.Error{Code: "ServiceUnavailableException", Status: 503, Message: "The service is currently unavailable. Try your request later."}
	}
	e := awserr.For(awserr.JSON, err)
	if awserr.IsInternal(err) {
		c := *e
		c.Code = "InternalFailureException"
		return &c
	}
	return e
}

// message is the body of an error.
func message(e *awserr.Error) []byte {
	body, err := json.Marshal(struct{ Message string }{e.Message})
	if err != nil {
		return []byte("{}") // a string is always JSON
	}
	return body
}

// wire is a connection on which messages go both ways. Receive and send are called from one goroutine each.
type wire interface {
	// receive waits for the next message. It returns io.EOF when the client has half-closed, and any other error
	// when it is gone or talks nonsense.
	receive(ctx context.Context) (eventstream.Message, error)
	// send gives the client a message.
	send(ctx context.Context, message []byte) error
	// hangUp has receive return.
	hangUp()
}

// exchange is one stream and its connection.
type exchange struct {
	wire    wire
	session *stream.Session
	chain   *sigv4.EventChain
	// signed says that events must be signed: always over HTTP/2, and over WebSockets once one was.
	signed bool
}

// run takes audio and gives results until the audio has ended, and then tells the client what went wrong, if anything
// did. It returns that, for the audit.
func (x *exchange) run(ctx context.Context) error {
	inner, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	silence := time.AfterFunc(idle, func() { fail(errIdle) })
	defer silence.Stop()
	var hearing sync.WaitGroup
	hearing.Go(func() {
		if err := x.hear(ctx, inner, silence); err != nil {
			fail(err)
		}
	})
	err := x.session.Run(inner, func(e stream.TranscriptEvent) error {
		body, err := json.Marshal(e)
		if err != nil {
			return err
		}
		event, err := eventstream.Event("TranscriptEvent", "application/json", body)
		if err != nil {
			return err
		}
		return x.wire.send(ctx, event)
	})
	if cause := context.Cause(inner); cause != nil && ctx.Err() == nil {
		err = cause
	}
	if err != nil && ctx.Err() == nil {
		e := shown(err)
		if exception, encodeErr := eventstream.Exception(e.Code, "application/json", message(e)); encodeErr == nil {
			_ = x.wire.send(ctx, exception) // a client that is gone has no use for it
		}
	}
	x.wire.hangUp()
	hearing.Wait()
	return err
}

// hear takes events until the end of the audio.
func (x *exchange) hear(ctx, inner context.Context, silence *time.Timer) error {
	for {
		m, err := x.wire.receive(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return errUnended
		case errors.Is(err, eventstream.ErrTooLarge):
			return errTooLarge
		case errors.Is(err, eventstream.ErrMalformed):
			return errFrame
		case err != nil:
			return err
		}
		audio, err := x.open(m)
		if err != nil {
			return err
		}
		if len(audio) == 0 {
			silence.Stop()
			return x.session.Finish(inner)
		}
		silence.Reset(idle)
		if err := x.session.Write(inner, audio); err != nil {
			return err
		}
		silence.Reset(idle) // it may have waited for recognition
	}
}

// open verifies a message and returns its audio; none ends the audio.
func (x *exchange) open(m eventstream.Message) ([]byte, error) {
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
			return nil, errFrame
		}
		m = inner
	} else if x.signed {
		return nil, errUnsigned
	}
	if kind := m.Text(":event-type"); kind != "AudioEvent" {
		return nil, awserr.BadRequest("The stream has an event of type %q; only AudioEvent is taken.", kind)
	}
	return m.Payload, nil
}

// outcome leaves what the audit tells of a stream that has ended.
func outcome(c *gateway.Call, s *stream.Session, began time.Time, err error) {
	octets, length := s.Heard()
	c.Outcome = map[string]any{
		"streamEnded": true, "audioBytes": octets, "audioSeconds": length.Seconds(), "streamSeconds": time.Since(began).Seconds(),
	}
	c.OutcomeErr = err
	if err != nil {
		c.OutcomeErr = shown(err)
	}
}
