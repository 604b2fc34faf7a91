package stream_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/stream"
)

// sink is a recogniser that hears nothing in anything.
type sink struct{ done chan struct{} }

func (s sink) Listen(context.Context, speech.LiveSettings) (speech.Listener, error) { return s, nil }
func (sink) Write(context.Context, []float32) error                                 { return nil }
func (s sink) Finish() error                                                        { close(s.done); return nil }
func (sink) Close() error                                                           { return nil }

func (s sink) Next(ctx context.Context) (speech.LiveResult, error) {
	select {
	case <-s.done:
		return speech.LiveResult{}, io.EOF
	case <-ctx.Done():
		return speech.LiveResult{}, ctx.Err()
	}
}

// TestLongestAudio is of audio that is sent faster than it is spoken: the clock does not end such a stream.
func TestLongestAudio(t *testing.T) {
	const rate = 16000
	for _, tt := range []struct {
		name    string
		seconds int
		want    error
	}{{"four hours", 60, nil}, {"a second more", 61, stream.ErrTooLong}} {
		t.Run(tt.name, func(t *testing.T) {
			p := stream.Parameters{LanguageCode: "en-US", Encoding: audio.LivePCM, SampleRate: rate, Channels: 1}
			s, err := stream.Open(t.Context(), sink{make(chan struct{})}, p, stream.Edits{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			s.Skip(stream.MaxLength - time.Minute)
			ended := make(chan error, 1)
			go func() { ended <- s.Run(t.Context(), func(any) error { return nil }) }()
			second := make([]byte, 2*rate)
			for range tt.seconds {
				if s.Write(t.Context(), second) != nil {
					break // Run says why
				}
			}
			if err := s.Finish(); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, tt.want) {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}
