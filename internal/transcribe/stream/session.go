package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/language"
)

// MaxLength is the longest stream, in audio.
const MaxLength = 4 * time.Hour

// maxSpeakers is how many speakers a stream tells apart at most.
const maxSpeakers = 10

// errTooLong is AWS's answer to a stream that goes on for longer; its text is ours.
var errTooLong = &awserr.Error{Code: "LimitExceededException", Status: 429, Message: "Your stream has reached the longest time that is allowed, 4 hours. Start a new one."}

// Session is one stream. One goroutine writes audio while Run gives events.
type Session struct {
	parameters Parameters
	namespace  uuid.UUID // of the ids of results
	decoder    *audio.Raw
	channels   []speech.Listener

	mu      sync.Mutex // guards what follows
	bytes   int64
	samples int64 // of one channel, as recognised
}

// Open starts recognition.
func Open(ctx context.Context, recognizer speech.LiveRecognizer, p Parameters) (*Session, error) {
	decoder, err := audio.NewRaw(p.Encoding, p.SampleRate, p.Channels)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	s := &Session{parameters: p, namespace: uuid.New(), decoder: decoder}
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
		s.channels = append(s.channels, l)
	}
	return s, nil
}

// Write takes the next bytes of audio, cut anywhere. It waits while recognition is behind.
func (s *Session) Write(ctx context.Context, octets []byte) error {
	decoded := s.decoder.Decode(octets)
	s.mu.Lock()
	s.bytes += int64(len(octets))
	s.samples += int64(len(decoded[0]))
	length := time.Duration(s.samples) * time.Second / speech.SampleRate
	s.mu.Unlock()
	if length > MaxLength {
		return errTooLong
	}
	return s.send(ctx, decoded)
}

func (s *Session) send(ctx context.Context, decoded [][]float32) error {
	for c, l := range s.channels {
		if len(decoded[c]) > 0 {
			if err := l.Write(ctx, decoded[c]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Finish says that there is no more audio.
func (s *Session) Finish(ctx context.Context) error {
	if err := s.send(ctx, s.decoder.Finish()); err != nil {
		return err
	}
	var errs []error
	for _, l := range s.channels {
		errs = append(errs, l.Finish())
	}
	return errors.Join(errs...)
}

// Run gives each event to emit, from one goroutine at a time, until the audio has ended and all finals are out.
func (s *Session) Run(ctx context.Context, emit func(TranscriptEvent) error) error {
	group, ctx := errgroup.WithContext(ctx)
	var one sync.Mutex
	for c, l := range s.channels {
		group.Go(func() error {
			for {
				r, err := l.Next(ctx)
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				one.Lock()
				err = emit(s.event(c, r))
				one.Unlock()
				if err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// Heard is how much audio has come.
func (s *Session) Heard() (octets int64, length time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes, time.Duration(s.samples) * time.Second / speech.SampleRate
}

// Close ends recognition at once.
func (s *Session) Close() error {
	var errs []error
	for _, l := range s.channels {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
