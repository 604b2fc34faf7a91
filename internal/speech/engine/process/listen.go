package process

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"

	"github.com/dictum/dictum/internal/speech"
)

// liveEvent is one line of the child's answer to pathListen: one with Ready, any number with Result, and one with End or
// Error.
type liveEvent struct {
	Ready  bool               `json:",omitempty"`
	Result *speech.LiveResult `json:",omitempty"`
	End    bool               `json:",omitempty"`
	Error  *wireError         `json:",omitempty"`
}

// serveListen is a session: audio comes in the request's body while results go out in the answer.
func serveListen(w http.ResponseWriter, r *http.Request, backend Backend) {
	var settings speech.LiveSettings
	if err := json.Unmarshal([]byte(r.Header.Get(settingsHeader)), &settings); err != nil {
		http.Error(w, "settings: "+err.Error(), http.StatusBadRequest)
		return
	}
	enc, flush := json.NewEncoder(w), http.NewResponseController(w).Flush
	send := func(e liveEvent) bool { return enc.Encode(e) == nil && flush() == nil }
	ctx := r.Context()
	listener, err := backend.Listen(ctx, settings)
	if err != nil {
		send(liveEvent{Error: toWire(err)})
		return
	}
	var feeding sync.WaitGroup
	defer feeding.Wait() // the body must not be read once this has returned
	defer listener.Close()
	if !send(liveEvent{Ready: true}) {
		return
	}
	feeding.Go(func() { feed(ctx, listener, r.Body) })
	for {
		result, err := listener.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			send(liveEvent{End: true})
			return
		case err != nil:
			send(liveEvent{Error: toWire(err)})
			return
		case !send(liveEvent{Result: &result}):
			return
		}
	}
}

// feed writes what comes to the listener, until it has enough. A body that breaks off ends the request's context, and so
// the session.
func feed(ctx context.Context, listener speech.Listener, body io.Reader) {
	samples, in := make([]float32, speech.SampleRate/10), make([]byte, 4*speech.SampleRate/10)
	filled := 0
	for {
		n, err := body.Read(in[filled:])
		filled += n
		whole := filled / 4
		for i := range whole {
			samples[i] = math.Float32frombits(binary.LittleEndian.Uint32(in[4*i:]))
		}
		if whole > 0 && listener.Write(ctx, samples[:whole]) != nil {
			return
		}
		filled = copy(in, in[4*whole:filled])
		if errors.Is(err, io.EOF) {
			_ = listener.Finish() // always nil
			return
		}
		if err != nil {
			return
		}
	}
}

var _ speech.LiveRecognizer = (*Supervisor)(nil)

// Listen implements speech.LiveRecognizer in the child. When the child dies the session ends with speech.ErrInterrupted.
func (s *Supervisor) Listen(ctx context.Context, settings speech.LiveSettings) (speech.Listener, error) {
	client, err := s.client(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for the engine process: %w", err)
	}
	header, err := encodeSettings(settings)
	if err != nil {
		return nil, fmt.Errorf("encode settings: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	body, audio := io.Pipe()
	l := &listener{ctx: ctx, cancel: cancel, audio: audio}
	// The transport does not notice the end of a context while it waits for more of the body.
	context.AfterFunc(ctx, func() { audio.CloseWithError(context.Canceled) })
	resp, err := roundTrip(ctx, client, http.MethodPost, pathListen, http.Header{settingsHeader: {header}}, body) //nolint:bodyclose // listener.Close does
	if err != nil {
		err = interruption(ctx, err)
		cancel()
		return nil, err
	}
	l.body, l.events = resp.Body, json.NewDecoder(bufio.NewReader(resp.Body))
	first, err := l.next()
	if err == nil && !first.Ready {
		err = errors.New("engine process did not begin with a session")
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// listener is the parent's side of a session.
type listener struct {
	ctx    context.Context
	cancel context.CancelFunc
	body   io.ReadCloser
	events *json.Decoder

	mu    sync.Mutex // guards buf and writes
	audio *io.PipeWriter
	buf   []byte
}

// Write implements speech.Listener. HTTP/2's flow control makes it wait when the child is behind.
func (l *listener) Write(ctx context.Context, samples []float32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = l.buf[:0]
	for _, v := range samples {
		l.buf = binary.LittleEndian.AppendUint32(l.buf, math.Float32bits(v))
	}
	// A pipe knows no context: whoever gives up ends the session.
	stop := context.AfterFunc(ctx, func() { l.audio.CloseWithError(ctx.Err()) })
	defer stop()
	if _, err := l.audio.Write(l.buf); err != nil {
		if l.ctx.Err() != nil {
			return l.ctx.Err()
		}
		return fmt.Errorf("write audio: %w", err)
	}
	return nil
}

// Finish implements speech.Listener.
func (l *listener) Finish() error { return l.audio.Close() }

// Next implements speech.Listener. The context ends the session.
func (l *listener) Next(ctx context.Context) (speech.LiveResult, error) {
	stop := context.AfterFunc(ctx, l.cancel)
	defer stop()
	e, err := l.next()
	switch {
	case err != nil:
		return speech.LiveResult{}, err
	case e.End:
		return speech.LiveResult{}, io.EOF
	case e.Result == nil:
		return speech.LiveResult{}, errors.New("engine process sent an empty event")
	}
	return *e.Result, nil
}

func (l *listener) next() (liveEvent, error) {
	var e liveEvent
	if err := l.events.Decode(&e); err != nil {
		return e, interruption(l.ctx, err)
	}
	if e.Error != nil {
		return e, e.Error.err()
	}
	return e, nil
}

// Close implements speech.Listener.
func (l *listener) Close() error {
	l.cancel()
	l.audio.CloseWithError(io.ErrClosedPipe)
	return l.body.Close()
}
