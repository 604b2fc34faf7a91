package speakers

import (
	"slices"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/speech"
)

// Label gives each item the number of its speaker: a word that of the turn it shares most
// time with, or else that of the nearest turn; punctuation that of the word before it. A word
// that begins a sentence and whose time is in a pause is the next word's speaker's: recognisers
// put first words too early. Both items and turns are in order of time. Without turns every
// item is speaker 0's.
func Label(items []speech.Item, turns []Turn) []int {
	labels := make([]int, len(items))
	if len(turns) == 0 {
		return labels
	}
	last, ended := turns[0].Speaker, false
	for i, item := range items {
		if item.Kind == speech.Word {
			var inside bool
			if last, inside = speakerOf(item.Start, item.End, turns); ended && !inside {
				last = following(items[i+1:], turns, last)
			}
		}
		ended = item.Kind == speech.Punctuation && strings.ContainsAny(item.Text, ".?!…。？！")
		labels[i] = last
	}
	return labels
}

// following is the speaker of the next word, or other where there is none.
func following(items []speech.Item, turns []Turn, other int) int {
	for _, item := range items {
		if item.Kind == speech.Word {
			next, _ := speakerOf(item.Start, item.End, turns)
			return next
		}
	}
	return other
}

// speakerOf is the speaker of a stretch of time, and whether it lies in one of his turns at least in part.
func speakerOf(start, end time.Duration, turns []Turn) (speaker int, inside bool) {
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
		return best, true
	}
	if i == len(turns) || i > 0 && turns[i].Start-end >= start-turns[i-1].End {
		i--
	}
	return turns[i].Speaker, false
}
