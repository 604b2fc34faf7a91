package align_test

import (
	"slices"
	"testing"

	"github.com/dictum/dictum/internal/speech/align"
)

// staircase is attention of which every step looks at its own stretch of frames.
func staircase(heads, steps, stride, each int) []float32 {
	a := make([]float32, heads*steps*stride)
	for h := range heads {
		for s := range steps {
			for t := range stride {
				v := float32((t*7+s*13+h*5)%11) / 50
				if t/each == s {
					v += 6
				}
				a[(h*steps+s)*stride+t] = v
			}
		}
	}
	return a
}

func TestPathFollowsAttention(t *testing.T) {
	got := align.Path(staircase(3, 6, 80, 12), 3, 6, 80, 72, 0)
	if want := []int{0, 12, 24, 36, 48, 60}; !slices.Equal(got, want) {
		t.Errorf("steps begin at %v, want %v", got, want)
	}
}

func TestPathLeavesOutPrompt(t *testing.T) {
	got := align.Path(staircase(3, 6, 80, 12), 3, 6, 80, 72, 2)
	if len(got) != 4 || got[1] != 36 || got[2] != 48 || got[3] != 60 {
		t.Errorf("steps begin at %v, want the last at 36, 48, 60", got)
	}
}

func TestPathOfLittle(t *testing.T) {
	for _, test := range []struct{ heads, steps, frames, skip, want int }{
		{1, 1, 1, 0, 1}, {2, 3, 2, 0, 3}, {2, 3, 0, 0, 0}, {2, 3, 5, 3, 0}, {1, 9, 4, 1, 8},
	} {
		got := align.Path(make([]float32, test.heads*test.steps*test.frames), test.heads, test.steps, test.frames, test.frames, test.skip)
		if len(got) != test.want || !slices.IsSorted(got) {
			t.Errorf("%+v: got %v", test, got)
		}
	}
}

func BenchmarkPath(b *testing.B) {
	a := staircase(8, 110, 1500, 13)
	for b.Loop() {
		align.Path(a, 8, 110, 1500, 1400, 3)
	}
}
