package job_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/job"
)

// silence is so many samples of it.
type silence struct{ left int64 }

func (s *silence) ReadSamples(dst []float32) (int, error) {
	n := min(s.left, int64(len(dst)))
	s.left -= n
	if s.left == 0 {
		return int(n), io.EOF
	}
	return int(n), nil
}

// The limits of duration hold for what is decoded, whatever the container states.
func TestDurationIsCountedWhileDecoding(t *testing.T) {
	const second = speech.SampleRate
	for name, tc := range map[string]struct {
		samples int64
		reason  string
	}{
		"four hours":          {4 * 3600 * second, ""},
		"one sample more":     {4*3600*second + 1, "Maximum audio duration is 4.000000 hours.Check"},
		"half a second":       {second / 2, ""},
		"one sample less":     {second/2 - 1, "Minimum audio duration is 0.500000 seconds."},
		"nothing to be heard": {0, "Minimum audio duration is 0.500000 seconds."},
	} {
		t.Run(name, func(t *testing.T) {
			m := job.NewMeter(t.Context(), &silence{tc.samples})
			block := make([]float32, 1<<20)
			var err error
			for err == nil {
				_, err = m.ReadSamples(block)
			}
			var f *job.Failure
			switch {
			case tc.reason == "" && !errors.Is(err, io.EOF):
				t.Errorf("got %v, want the end", err)
			case tc.reason != "" && (!errors.As(err, &f) || !strings.Contains(f.Reason, tc.reason)):
				t.Errorf("got %v, want …%s…", err, tc.reason)
			}
		})
	}
}

func TestReadingEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	cancel()
	if _, err := job.NewMeter(ctx, &silence{1 << 40}).ReadSamples(make([]float32, 10)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
