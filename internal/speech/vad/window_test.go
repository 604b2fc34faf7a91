package vad_test

import (
	"reflect"
	"testing"

	"github.com/dictum/dictum/internal/speech/vad"
)

func TestSplitAndJoin(t *testing.T) {
	samples := make([]float32, 100)
	for i := range samples {
		samples[i] = float32(i)
	}
	// Two pieces of the audio, with a long pause between them left out.
	whole := vad.Window{
		Samples: samples,
		Pieces:  []vad.Span{{Start: 1000, End: 1060}, {Start: 2000, End: 2040}},
		Speech:  []vad.Span{{Start: 5, End: 25}, {Start: 27, End: 50}, {Start: 66, End: 72}, {Start: 80, End: 95}},
	}
	for name, tc := range map[string]struct {
		pause, speech int
		want          []vad.Span // places in the audio as read
	}{
		"short pauses do not part":        {pause: 30, speech: 10, want: []vad.Span{{Start: 1000, End: 2040}}},
		"pauses between enough speech":    {pause: 10, speech: 10, want: []vad.Span{{Start: 1000, End: 1058}, {Start: 1058, End: 2040}}},
		"a short word stays with its own": {pause: 2, speech: 16, want: []vad.Span{{Start: 1000, End: 1026}, {Start: 1026, End: 1058}, {Start: 1058, End: 2040}}},
	} {
		t.Run(name, func(t *testing.T) {
			parts := whole.Split(tc.pause, tc.speech)
			var got []vad.Span
			for _, p := range parts {
				got = append(got, vad.Span{Start: p.Pieces[0].Start, End: p.Pieces[len(p.Pieces)-1].End})
				if n := len(p.Samples); n == 0 || p.Samples[n-1] != p.Samples[0]+float32(n-1) {
					t.Errorf("samples of %v are not in a row", p.Pieces)
				}
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
			joined := vad.Join(parts...)
			if !reflect.DeepEqual(joined.Samples, whole.Samples) || !reflect.DeepEqual(joined.Speech, whole.Speech) {
				t.Errorf("joined: %v %v", joined.Pieces, joined.Speech)
			}
		})
	}
}
