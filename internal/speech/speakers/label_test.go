package speakers_test

import (
	"slices"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/speakers"
)

func TestLabel(t *testing.T) {
	at := func(tenths int) time.Duration { return time.Duration(tenths) * 100 * time.Millisecond }
	word := func(start, end int) speech.Item {
		return speech.Item{Kind: speech.Word, Text: "word", Start: at(start), End: at(end)}
	}
	mark := speech.Item{Kind: speech.Punctuation, Text: "."}
	turns := []speakers.Turn{{at(10), at(20), 0}, {at(20), at(30), 1}, {at(50), at(60), 0}}
	for _, c := range []struct {
		name  string
		items []speech.Item
		turns []speakers.Turn
		want  []int
	}{
		{"a word within a turn", []speech.Item{word(12, 15), word(25, 28)}, turns, []int{0, 1}},
		{"most of a word across turns", []speech.Item{word(17, 25), word(15, 22)}, turns, []int{1, 0}},
		{"punctuation follows its word", []speech.Item{mark, word(25, 28), mark}, turns, []int{0, 1, 1}},
		{"a word in no turn goes to the nearest", []speech.Item{word(1, 2), word(31, 33), word(46, 48), word(80, 90)}, turns, []int{0, 1, 0, 0}},
		{"no turns", []speech.Item{word(1, 2), mark}, nil, []int{0, 0}},
		{"no words", nil, turns, []int{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := speakers.Label(c.items, c.turns); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
