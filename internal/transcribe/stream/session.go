package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/language"
)

// MaxLength is the longest stream, in audio and by the clock.
const MaxLength = 4 * time.Hour

// maxSpeakers is how many speakers a stream tells apart at most.
const maxSpeakers = 10

// decodedAtOnce is how many samples of a channel are given to recognition at once: the 20th part of a second.
const decodedAtOnce = speech.SampleRate / 20

var (
	// ErrTooLong is AWS's answer to a stream that goes on for longer than MaxLength; its text is ours.
	ErrTooLong = &awserr.Error{Code: "LimitExceededException", Status: 429, Message: "Your stream has reached the longest time that is allowed, 4 hours. Start a new one."}
	// ErrAudio is AWS's answer to audio, or frames of it, that can't be read.
	ErrAudio = awserr.BadRequest("Could not decode the audio stream that you provided. Check that the audio stream is valid and try your request again.")
)

// Session is one stream. One goroutine writes audio while Run gives events.
type Session struct {
	parameters Parameters
	namespace  uuid.UUID // of the ids of results
	channels   []channel
	// Bytes wait in the pipe until they are decoded: there is no other buffer before recognition's own.
	in      *io.PipeReader
	out     *io.PipeWriter
	bytes   atomic.Int64
	samples atomic.Int64 // of one channel, as recognised
}

// channel is what is recognised of one channel, and what is done to it before it is shown.
type channel struct {
	speech.Listener
	personal Editor
	filter   filters
}

// Open starts recognition. Its errors are *awserr.Error values, or failures of our own.
func Open(ctx context.Context, recognizer speech.LiveRecognizer, p Parameters, edits Edits) (*Session, error) {
	s := &Session{parameters: p, namespace: uuid.New()}
	s.in, s.out = io.Pipe()
	settings := speech.LiveSettings{Stability: p.Stability, MultipleLanguages: p.IdentifyMultiple}
	if p.LanguageCode != "" {
		settings.Language = language.Of(p.LanguageCode)
	} else {
		for _, option := range p.LanguageOptions {
			settings.LanguageCandidates = append(settings.LanguageCandidates, language.Of(option))
		}
		if p.PreferredLanguage != "" {
			settings.PreferredLanguage = language.Of(p.PreferredLanguage)
		}
	}
	if p.ShowSpeakerLabel {
		settings.MaxSpeakers = maxSpeakers
	}
	for range p.Channels {
		l, err := recognizer.Listen(ctx, settings)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open stream: %w", err), s.Close())
		}
		c := channel{Listener: l, filter: edits.filters}
		if edits.Personal != nil && p.Personal() {
			c.personal = edits.Personal(p)
		}
		s.channels = append(s.channels, c)
	}
	return s, nil
}

// Write takes the next bytes of audio, cut anywhere. It waits until they were decoded, and so while recognition is
// behind. When it fails because of the audio or of recognition, Run says why.
func (s *Session) Write(ctx context.Context, octets []byte) error {
	s.bytes.Add(int64(len(octets)))
	// A pipe knows no context.
	stop := context.AfterFunc(ctx, func() { s.out.CloseWithError(context.Cause(ctx)) })
	defer stop()
	if _, err := s.out.Write(octets); err != nil {
		return fmt.Errorf("write audio: %w", err)
	}
	return nil
}

// Finish says that there is no more audio.
func (s *Session) Finish() error { return s.out.Close() }

// Run decodes, and gives each event to emit, from one goroutine at a time, until the audio has ended and all finals are
// out.
func (s *Session) Run(ctx context.Context, emit func(event any) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := s.decode(ctx)
		s.in.CloseWithError(err) // who writes must not wait for it any more
		return err
	})
	var one sync.Mutex
	for c := range s.channels {
		results := make(chan speech.LiveResult)
		group.Go(func() error { // a Listener is not asked with a time-out: that would end it
			defer close(results)
			for {
				r, err := s.channels[c].Next(ctx)
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				select {
				case results <- r:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
		})
		group.Go(func() error {
			return s.tell(ctx, c, results, func(event any) error {
				one.Lock()
				defer one.Unlock()
				return emit(event)
			})
		})
	}
	return group.Wait()
}

// decode gives the audio to the channels until it ends.
func (s *Session) decode(ctx context.Context) error {
	p := &s.parameters
	in := audio.OpenLive(ctx, s.in, audio.LiveOptions{Encoding: p.Encoding, SampleRate: p.SampleRate, Channels: p.Channels, Apart: p.Channels > 1})
	samples := make([][]float32, p.Channels)
	for i := range samples {
		samples[i] = make([]float32, decodedAtOnce)
	}
	// A pipe knows no context either.
	stop := context.AfterFunc(ctx, func() { s.in.CloseWithError(context.Cause(ctx)) })
	defer stop()
	for {
		n, err := in.Read(samples)
		switch {
		case errors.Is(err, io.EOF):
			var errs []error
			for _, l := range s.channels {
				errs = append(errs, l.Finish())
			}
			return errors.Join(errs...)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, audio.ErrInvalid), errors.Is(err, audio.ErrUnsupported):
			return fmt.Errorf("%w: %w", ErrAudio, err)
		case err != nil:
			return err
		}
		if length(s.samples.Add(int64(n))) > MaxLength {
			return ErrTooLong
		}
		for c, l := range s.channels {
			if err := l.Write(ctx, samples[c][:n]); err != nil {
				return err
			}
		}
	}
}

// patience is how long finals are kept back after the last result for what may belong to them.
const patience = 3 * time.Second

// tell gives the events of a channel's results, after what is personal and what filters list was dealt with.
func (s *Session) tell(ctx context.Context, c int, results <-chan speech.LiveResult, emit func(event any) error) error {
	editor := s.channels[c].personal
	silence := time.NewTimer(patience)
	defer silence.Stop()
	for {
		var edited []Edited
		var err error
		select {
		case r, more := <-results:
			silence.Reset(patience)
			switch {
			case !more && (editor == nil || !editor.Holds() || ctx.Err() != nil):
				return nil
			case !more:
				edited, err = editor.Flush(ctx)
			case editor != nil:
				edited, err = editor.Edit(ctx, r)
			default:
				edited = []Edited{{Result: r}}
			}
		case <-silence.C:
			if editor == nil || !editor.Holds() {
				continue
			}
			edited, err = editor.Flush(ctx)
		}
		if err != nil {
			return fmt.Errorf("find personal information: %w", err)
		}
		for _, e := range edited {
			event := s.show(c, e)
			if event == nil {
				continue
			}
			if err := emit(event); err != nil {
				return err
			}
		}
	}
}

// show makes an event; nil where nothing is left that can be shown yet.
func (s *Session) show(c int, e Edited) any {
	r := s.channels[c].filter.apply(e.Result)
	if r.Partial && len(r.Segment.Items) == 0 {
		return nil
	}
	if s.parameters.Medical {
		return s.medicalEvent(c, r, e.Entities)
	}
	return s.event(c, r, e.Entities)
}

// Heard is how much audio has come.
func (s *Session) Heard() (octets int64, duration time.Duration) {
	return s.bytes.Load(), length(s.samples.Load())
}

func length(samples int64) time.Duration {
	return time.Duration(samples) * time.Second / speech.SampleRate
}

// Close ends recognition at once.
func (s *Session) Close() error {
	errs := []error{s.out.CloseWithError(io.ErrClosedPipe), s.in.Close()}
	for _, l := range s.channels {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
