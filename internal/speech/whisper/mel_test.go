package whisper_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/dictum/dictum/internal/speech/whisper"
)

// chirp is 3 s of a rising tone with a second tone in its first half and noise: the
// signal that testdata/mel.json was computed from.
func chirp() []float32 {
	samples := make([]float32, 48000)
	state := uint32(12345)
	for i := range samples {
		state = state*1664525 + 1013904223
		t := float64(i) / 16000
		v := 0.3*math.Sin(2*math.Pi*(200*t+400*t*t)) + 0.02*(float64(state)/(1<<31)-1)
		if t < 1.5 {
			v += 0.1 * math.Sin(2*math.Pi*3000*t)
		}
		samples[i] = float32(v)
	}
	return samples
}

func TestMelEqualsReference(t *testing.T) {
	data, err := os.ReadFile("testdata/mel.json")
	if err != nil {
		t.Fatal(err)
	}
	var reference struct {
		Bins map[string]struct {
			Frames []int
			Values [][]float64
		}
	}
	if err := json.Unmarshal(data, &reference); err != nil {
		t.Fatal(err)
	}
	for _, bins := range []int{80, 128} {
		t.Run(fmt.Sprintf("%d bands", bins), func(t *testing.T) {
			want := reference.Bins[fmt.Sprint(bins)]
			got := make([]float32, bins*whisper.WindowFrames)
			whisper.NewMel(bins).Extract(got, chirp(), whisper.WindowFrames)
			worst := 0.0
			for i, frame := range want.Frames {
				for bin, value := range want.Values[i] {
					d := math.Abs(value - float64(got[bin*whisper.WindowFrames+frame]))
					worst = max(worst, d)
				}
			}
			t.Logf("largest difference %.2g", worst)
			if worst > 2e-4 {
				t.Errorf("features differ from the reference by up to %g", worst)
			}
		})
	}
}

func TestMelOfAnyLength(t *testing.T) {
	mel := whisper.NewMel(80)
	for _, samples := range []int{0, 1, 100, 399, 400, 15999, 16000, 20000} {
		const frames = 100
		got := make([]float32, 80*frames)
		mel.Extract(got, chirp()[:samples], frames)
		for i, v := range got {
			if v < -1.5 || v > 2 || v != v {
				t.Fatalf("%d samples: feature %d is %v", samples, i, v)
			}
		}
	}
}

func BenchmarkMelOf28Seconds(b *testing.B) {
	mel := whisper.NewMel(80)
	samples := make([]float32, 28*16000)
	for i := range samples {
		samples[i] = float32(i%97) / 97
	}
	dst := make([]float32, 80*whisper.WindowFrames)
	for b.Loop() {
		mel.Extract(dst, samples, whisper.WindowFrames)
	}
}
