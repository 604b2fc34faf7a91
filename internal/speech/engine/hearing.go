package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/speakers"
)

// hearing is what has been recognised so far, in order.
type hearing struct {
	items []said
	// others are the other texts of windows, by number; there are none unless alternatives are wanted.
	others map[int][]hypothesis
}

// add takes the next window.
func (h *hearing) add(r result) {
	for _, item := range r.items {
		h.items = append(h.items, said{Item: item, window: r.number, language: r.language})
	}
	if len(r.others) > 0 {
		if h.others == nil {
			h.others = map[int][]hypothesis{}
		}
		h.others[r.number] = r.others
	}
}

// tell says who said each item, and returns how many speakers there are, each of whom said a word: a turn in which no
// word was recognised has no number.
func (h *hearing) tell(turns []speakers.Turn) int {
	items := make([]speech.Item, len(h.items))
	for i := range h.items {
		items[i] = h.items[i].Item
	}
	numbers := map[int]int{}
	labels := speakers.Label(items, turns)
	for i, label := range labels {
		if h.items[i].Kind == speech.Word && numbers[label] == 0 {
			numbers[label] = len(numbers) + 1
		}
	}
	for i, label := range labels {
		h.items[i].speaker = max(1, numbers[label])
	}
	return len(numbers)
}

// segments cuts all that was recognised into segments, with at most so many texts each.
func (h *hearing) segments(most int) []speech.Segment {
	var s segmenter
	s.add(h.items)
	out := s.end()
	if len(out) > 0 && out[0].Speaker > 0 {
		defer fill(out)
	}
	if most > 0 {
		alternatives(out, s.firsts, h.items, h.others, most)
	}
	return out
}

const (
	// breath is what a speaker's segment has before and after its words, where there is room.
	breath = 200 * time.Millisecond
	// turnPause is the longest pause within a turn.
	turnPause = 2 * time.Second
)

// fill makes the segments of one turn follow each other without a gap, and gives turns a breath at both ends.
func fill(segments []speech.Segment) {
	for i := range segments {
		s := &segments[i]
		if i == 0 {
			s.Start = max(0, s.Start-breath)
		}
		if i+1 == len(segments) {
			break // the audio may end here
		}
		next := &segments[i+1]
		room := (next.Start - s.End) / 2
		if s.Speaker != next.Speaker || 2*room > turnPause {
			room = min(room, breath)
		}
		s.End, next.Start = s.End+room, next.Start-room
	}
}

// mostSpoken is the language in which most was said; other when nothing was.
func mostSpoken(segments []speech.Segment, other string) string {
	spoken := map[string]time.Duration{}
	var order []string
	for _, s := range segments {
		if _, ok := spoken[s.Language]; !ok {
			order = append(order, s.Language)
		}
		spoken[s.Language] += s.End - s.Start
	}
	if len(order) == 0 {
		return other
	}
	return slices.MaxFunc(order, func(a, b string) int { return cmp.Compare(spoken[a], spoken[b]) })
}
