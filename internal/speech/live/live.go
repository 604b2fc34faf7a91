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

// Recognizer makes text of the utterances of one session, one after the other.
type Recognizer interface {
	// Recognize is called again with more of the same utterance until that ends.
	Recognize(ctx context.Context, u Utterance) (Hypothesis, error)
}

// Utterance is a stretch of speech, or the part of it that has been heard.
type Utterance struct {
	// Start is the place of Samples in the audio, by which utterances are told apart.
	Start int
	// Samples are mono, at speech.SampleRate. They are valid until Recognize returns.
	Samples []float32
	// Speech are the parts of Samples that voice activity detection takes for speech, in order.
	Speech []vad.Span
	// Draft is that of the last hypothesis of this utterance; a final is recognised without it.
	Draft Draft
	// Since is when the last text was made of the session.
	Since time.Time
	// Before is what was said just before: short utterances are recognised better with it. It is empty when there is none.
	Before Context
	// Final tells that the speaker has paused: the text is to be as good as can be. Otherwise it is to be quick.
	Final bool
}

// Spoken is how much speech there is in an utterance, in samples.
func (u *Utterance) Spoken() int {
	n := 0
	for _, s := range u.Speech {
		n += s.Len()
	}
	return n
}

// Context is speech and what was recognised in it, in the recogniser's tokens.
type Context struct {
	Samples []float32
	Tokens  []int
}

// Draft is what a recogniser made of less of an utterance, which saves it time with more.
type Draft struct {
	// Items are the beginning of the text. A quick text takes them over.
	Items []speech.Item
	// From is where the utterance goes on after Items, in samples from its start, and Before what was said just before that.
	From   int
	Before Context
	// Tokens are what came from there on.
	Tokens []int
}

// Hypothesis is the text of an utterance.
type Hypothesis struct {
	// Items have times from the beginning of Samples.
	Items []speech.Item
	// Credible tells whether they are likely to have been said.
	Credible bool
	// Draft is what more of the same utterance may be recognised with.
	Draft Draft
	// Context is, of a final, what the next utterance may be recognised with.
	Context Context
	// Best tells that a final would have the same text.
	Best bool
	// Costly tells that it took much of the machine: partials then come less often.
	Costly bool
	// Better, when not nil, has a text made that takes longer and is likely to be better. It may be called once, from any
	// goroutine; what comes later than BetterWithin is not waited for.
	Better func(ctx context.Context) (Hypothesis, error)
	// Language is the code of the language that the text is in. Unsure tells that it may turn out to be another.
	Language string
	Unsure   bool
	// Languages are the scores when the language was identified, in descending order.
	Languages []speech.LanguageScore
	// LeftOut tells that nothing was tried, after some time, since there was too much to do. Only a quick text may be.
	LeftOut bool
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
	// Told is called with each result, from the session's goroutine; nil is not.
	Told func(Report)
	// Ended is called once, when the session needs nothing of these any more; nil is not.
	Ended func()
}

// Report is what is known of a result besides it.
type Report struct {
	// Partial is that of the result, and Speech the length of its utterance.
	Partial bool
	Speech  time.Duration
	// Refined tells that the text of a final came from Hypothesis.Better.
	Refined bool
	// Delay is the time from when the end of the speech came to when the result was given.
	Delay time.Duration
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

// piece is some audio and when it came.
type piece struct {
	samples []float32
	came    time.Time
}

// session is one run of audio.
type session struct {
	options Options
	ctx     context.Context
	cancel  context.CancelFunc
	audio   chan piece
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
	s := &session{options: options, audio: make(chan piece, backlog), results: make(chan speech.LiveResult, results), done: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(ctx)
	go func() {
		defer close(s.done)
		if options.Ended != nil {
			defer options.Ended()
		}
		defer close(s.results)
		h := &hearing{stream: stream, options: options, emit: s.emit}
		err := s.run(h)
		h.abandon()
		s.err = errors.Join(err, stream.Close())
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
		case s.audio <- piece{part, time.Now()}:
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
		// A partial that was left out is tried again, whether more is said or not.
		if !h.leftOut {
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
