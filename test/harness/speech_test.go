package harness_test

import (
	"testing"

	"github.com/dictum/dictum/test/harness"
)

func TestWordErrorRate(t *testing.T) {
	for _, c := range []struct {
		reference, hypothesis string
		want                  float64
	}{
		{"one two three four", "One, two. Three four!", 0},
		{"one two three four", "one too three four", 0.25},
		{"one two three four", "one three four", 0.25},
		{"one two three four", "one two and three four", 0.25},
		{"one two", "", 1},
	} {
		if got := harness.WordErrorRate(c.reference, c.hypothesis); got != c.want {
			t.Errorf("%q for %q: rate %v, want %v", c.hypothesis, c.reference, got, c.want)
		}
	}
}

func TestOpeningErrorRate(t *testing.T) {
	for _, c := range []struct {
		hypothesis string
		want       float64
	}{
		{"It was the best of times; it was the worst of times.", 0},
		{"It was the rest of times; it was the", 1.0 / 9},
		{"nothing at all", 1},
	} {
		if got := harness.OpeningErrorRate(c.hypothesis); got != c.want {
			t.Errorf("%q: rate %v, want %v", c.hypothesis, got, c.want)
		}
	}
}
