package moonshine_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/moonshine"
)

func model(t testing.TB) *moonshine.Model {
	t.Helper()
	if err := inference.Init(filepath.Join(modelstest.Path(t, models.Runtime), "libonnxruntime.so")); err != nil {
		t.Fatal(err)
	}
	m, err := moonshine.Open(modelstest.Path(t, models.MoonshineTiny), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// read decodes a recording that comes with the models.
func read(t testing.TB, name string) []float32 {
	t.Helper()
	f, err := os.Open(filepath.Join(modelstest.Path(t, models.SpeechSamples), name))
	if err != nil {
		t.Fatal(err)
	}
	in, err := audio.Open(t.Context(), f, audio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var samples []float32
	chunk := make([]float32, 4096)
	for {
		n, err := in.ReadSamples(chunk)
		samples = append(samples, chunk[:n]...)
		if errors.Is(err, io.EOF) {
			return samples
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTranscribe(t *testing.T) {
	m := model(t)
	cities := read(t, "two_cities.wav")
	for name, test := range map[string]struct {
		samples []float32
		want    string
	}{
		"a sentence": {cities[:speech.SampleRate*9/2], "It was the best of times. It was the worst of times."},
		"silence":    {make([]float32, 2*speech.SampleRate), ""},
		"nothing":    {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := m.Transcribe(t.Context(), test.samples)
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" {
				if h.Credible() {
					t.Errorf("%q is credible (%.2f)", h.Text(), h.MeanLogProb())
				}
				return
			}
			if got := h.Text(); !h.Credible() || !strings.EqualFold(got, test.want) {
				t.Errorf("%q (%.2f)", got, h.MeanLogProb())
			}
		})
	}
}

func TestTranscribeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := model(t).Transcribe(ctx, make([]float32, speech.SampleRate)); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestTranscribeRefusesWhatIsTooLong(t *testing.T) {
	if _, err := model(t).Transcribe(t.Context(), make([]float32, moonshine.MaxSamples+1)); err == nil {
		t.Error("taken")
	}
}

func BenchmarkTranscribe(b *testing.B) {
	m, cities := model(b), read(b, "two_cities.wav")
	for _, seconds := range []int{1, 2, 5, 10} {
		b.Run(string(rune('0'+seconds/10))+string(rune('0'+seconds%10))+"s", func(b *testing.B) {
			for b.Loop() {
				if _, err := m.Transcribe(b.Context(), cities[:seconds*speech.SampleRate]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
