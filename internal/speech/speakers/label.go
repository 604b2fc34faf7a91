package speakers

import (
	"slices"
	"time"

	"github.com/dictum/dictum/internal/speech"
)

// Label gives each item the number of its speaker: a word that of the turn it shares most
// time with, or else that of the nearest turn; punctuation that of the word before it. Both
// items and turns are in order of time. Without turns every item is speaker 0's.
func Label(items []speech.Item, turns []Turn) []int {
	labels := make([]int, len(items))
	last := 0
	if len(turns) > 0 {
		last = turns[0].Speaker
	}
	for i, item := range items {
		if item.Kind == speech.Word && len(turns) > 0 {
			last = speakerOf(item.Start, item.End, turns)
		}
		labels[i] = last
	}
	return labels
}

func speakerOf(start, end time.Duration, turns []Turn) int {
	// The first turn that ends after the word begins.
	i, _ := slices.BinarySearchFunc(turns, start, func(t Turn, at time.Duration) int {
		if t.End <= at {
			return -1
		}
		return 1
	})
	best, longest := -1, time.Duration(0)
	shared := make(map[int]time.Duration)
	for j := i; j < len(turns) && turns[j].Start < end; j++ {
		shared[turns[j].Speaker] += min(end, turns[j].End) - max(start, turns[j].Start)
		if s := shared[turns[j].Speaker]; s > longest {
			best, longest = turns[j].Speaker, s
		}
	}
	if best >= 0 {
		return best
	}
	switch {
	case i == len(turns):
		return turns[i-1].Speaker
	case i == 0 || turns[i].Start-end < start-turns[i-1].End:
		return turns[i].Speaker
	default:
		return turns[i-1].Speaker
	}
}
