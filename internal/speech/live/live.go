// Package live recognises speech while it is spoken. It finds utterances in the audio, has the open one recognised again
// and again while it grows, and gives partial results whose first items settle, and a final one after each pause.
//
// What recognises an utterance is given: see Recognizer. Start reading at Listen and then at session.run.
package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/vad"
)

// Recognizer makes text of an utterance. It is safe for concurrent use.
type Recognizer interface {
	Recognize(ctx context.Context, u Utterance) (Hypothesis, error)
}

// Utterance is a stretch of speech, or the part of it that has been heard.
type Utterance struct {
	// Samples are mono, at speech.SampleRate.
	Samples []float32
	// Speech are the parts of Samples that voice activity detection takes for speech, in order.
	Speech []vad.Span
	// Language is a code, or empty when it is to be identified among Candidates (all, when these are empty).
	Language   string
	Candidates []string
	// Draft is the Draft of the last hypothesis of this utterance.
	Draft []int
	// Final tells that the speaker has paused: the text is to be as good as can be. Otherwise it is to be quick.
	Final bool
}

// Hypothesis is the text of an utterance.
type Hypothesis struct {
	// Items have times from the beginning of Samples.
	Items []speech.Item
	// Credible tells whether they are likely to have been said.
	Credible bool
	// Draft is whatever saves the recogniser time with more of the same utterance.
	Draft []int
	// Best tells that a final would have the same text.
	Best bool
	// Languages are the scores when the language was identified, in descending order.
	Languages []speech.LanguageScore
}

// Options are what a session is made of.
type Options struct {
	Settings speech.LiveSettings
	// VAD finds speech.
	VAD *vad.Detector
	// Recognizer gives texts.
	Recognizer Recognizer
	// Labeler tells speakers apart; nil when that is not asked for.
	Labeler Labeler
	// Ended is called once, when the session needs nothing of these any more; nil is not.
	Ended func()
}

// Labeler tells who speaks.
type Labeler interface {
	// Label hears a finished utterance that begins at a place in the audio, and gives each item its speaker, from 1.
	Label(ctx context.Context, at int, u Utterance, items []speech.Item) ([]int, error)
}

const (
	// chunk is how much audio is taken at once, in samples, and backlog how many of such wait at most: a sender that is
	// faster than recognition waits after 3 s.
	chunk   = speech.SampleRate / 10
	backlog = 30
	// results is how many results wait for the reader at most, before recognition waits for him.
	results = 64
)

// session is one run of audio.
type session struct {
	options Options
	ctx     context.Context
	cancel  context.CancelFunc
	audio   chan []float32
	results chan speech.LiveResult
	done    chan struct{}
	err     error // valid when done is closed

	mu       sync.Mutex // guards finished and what is sent to audio
	finished bool
}

var _ speech.Listener = (*session)(nil)

// Listen starts a session. Its goroutine ends with ctx, or when the session is closed or has given its last result.
func Listen(ctx context.Context, options Options) (speech.Listener, error) {
	stream, err := options.VAD.NewStream()
	if err != nil {
		return nil, err
	}
	s := &session{options: options, audio: make(chan []float32, backlog), results: make(chan speech.LiveResult, results), done: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(ctx)
	go func() {
		defer close(s.done)
		if options.Ended != nil {
			defer options.Ended()
		}
		defer close(s.results)
		s.err = errors.Join(s.run(&hearing{stream: stream, options: options, emit: s.emit}), stream.Close())
	}()
	return s, nil
}

// Write implements speech.Listener.
func (s *session) Write(ctx context.Context, samples []float32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished {
		return errors.New("write audio: its end was told")
	}
	for len(samples) > 0 {
		n := min(chunk, len(samples))
		part := make([]float32, n)
		copy(part, samples)
		select {
		case s.audio <- part:
		case <-s.done:
			return fmt.Errorf("write audio: %w", s.ended())
		case <-ctx.Done():
			return ctx.Err()
		}
		samples = samples[n:]
	}
	return nil
}

func (s *session) ended() error {
	if s.err != nil {
		return s.err
	}
	return io.ErrClosedPipe
}

// Finish implements speech.Listener.
func (s *session) Finish() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.finished {
		s.finished = true
		close(s.audio)
	}
	return nil
}

// Next implements speech.Listener.
func (s *session) Next(ctx context.Context) (speech.LiveResult, error) {
	select {
	case r, ok := <-s.results:
		if ok {
			return r, nil
		}
		<-s.done
		if s.err != nil {
			return speech.LiveResult{}, s.err
		}
		return speech.LiveResult{}, io.EOF
	case <-ctx.Done():
		return speech.LiveResult{}, ctx.Err()
	}
}

// Close implements speech.Listener.
func (s *session) Close() error {
	s.cancel()
	<-s.done
	return nil
}

func (s *session) emit(r speech.LiveResult) error {
	select {
	case s.results <- r:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// run hears all audio. It takes what has come in the meantime at once, so that recognition which falls behind is asked
// less often.
func (s *session) run(h *hearing) error {
	for {
		select {
		case part, ok := <-s.audio:
			if !ok {
				return h.end(s.ctx)
			}
			if err := h.hear(s.ctx, part); err != nil {
				return err
			}
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
		for waiting := true; waiting; {
			select {
			case part, ok := <-s.audio:
				if !ok {
					return h.end(s.ctx)
				}
				if err := h.hear(s.ctx, part); err != nil {
					return err
				}
			default:
				waiting = false
			}
		}
		if err := h.recognise(s.ctx); err != nil {
			return err
		}
	}
}

// at is the time of a place in the audio.
func at(samples int) time.Duration {
	return time.Duration(samples) * time.Second / speech.SampleRate
}
