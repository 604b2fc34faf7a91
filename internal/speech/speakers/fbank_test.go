package speakers_test

import (
	"encoding/binary"
	"math"
	"os"
	"testing"

	"github.com/dictum/dictum/internal/speech/speakers"
)

// signal is the one that testdata was computed from: two tones and noise.
func signal() []float32 {
	samples := make([]float32, 3600)
	state := uint32(1)
	for i := range samples {
		state = state*1664525 + 1013904223
		t := float64(i) / rate
		samples[i] = float32(0.3*math.Sin(2*math.Pi*220*t) + 0.1*math.Sin(2*math.Pi*3100*t) + 0.02*(float64(state)/(1<<32)-0.5))
	}
	return samples
}

func floats(t *testing.T, file string) []float32 {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	vs := make([]float32, len(data)/4)
	for i := range vs {
		vs[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return vs
}

func TestFbankIsKaldis(t *testing.T) {
	want, got := floats(t, "testdata/kaldi_fbank.f32"), speakers.Fbank(signal())
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); d > 1e-3 {
			t.Fatalf("frame %d, band %d: %v, want %v", i/80, i%80, got[i], want[i])
		}
	}
	if n := len(speakers.Fbank(make([]float32, 399))); n != 0 {
		t.Errorf("less than a frame gives %d values", n)
	}
}

// The graphs that we make of the published model give the embedding that it gives itself.
func TestVoiceIsThePublishedModels(t *testing.T) {
	want := floats(t, "testdata/voice.f32")
	got, err := model(t).Voice(t.Context(), signal())
	if err != nil {
		t.Fatal(err)
	}
	var dot, a, b float64
	for i := range want {
		dot += float64(want[i]) * float64(got[i])
		a += float64(want[i]) * float64(want[i])
		b += float64(got[i]) * float64(got[i])
	}
	if cosine := dot / math.Sqrt(a*b); cosine < 0.99999 {
		t.Errorf("cosine %v", cosine)
	}
}
