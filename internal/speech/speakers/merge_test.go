package speakers_test

import (
	"testing"

	"github.com/dictum/dictum/internal/speech/speakers"
)

func TestMerge(t *testing.T) {
	around := func(level, spread float32, n int) []float32 {
		levels := make([]float32, n)
		for i := range levels {
			levels[i] = level + spread*float32(i%2*2-1)
		}
		return levels
	}
	for _, c := range []struct {
		name   string
		groups [][]float32
		want   int
	}{
		{"one stays one", [][]float32{around(0, 1, 4)}, 1},
		{"lines that vary as much as they differ", [][]float32{around(0, 3, 10), around(2, 3, 10)}, 1},
		{"lines that differ by more than they vary", [][]float32{around(0, 0.1, 20), around(4, 0.1, 20)}, 2},
		{"few stretches prove nothing", [][]float32{around(0, 0.1, 1), around(4, 0.1, 1)}, 1},
		{"two of three are one", [][]float32{around(0, 0.1, 20), around(4, 0.1, 20), around(0, 0.1, 20)}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := speakers.Merge(c.groups...); got != c.want {
				t.Errorf("%d speakers, want %d", got, c.want)
			}
		})
	}
}
