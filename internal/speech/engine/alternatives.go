package engine

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/dictum/dictum/internal/speech"
)

// hypothesis is a text of a window that is not the best.
type hypothesis struct {
	items []speech.Item
	// behind is by how much its mean log probability is less than the best text's.
	behind float64
}

// alternatives gives each segment its most probable texts, at most so many. A window has several segments, and a
// segment may go over windows: hypotheses of windows are cut, in the middle of the pauses, where the segments are,
// and each stands for its window's part of the segment, beside the best text of the others. Texts that differ only in
// letter case or punctuation are one.
func alternatives(segments []speech.Segment, firsts []int, items []said, others map[int][]hypothesis, most int) {
	for i := range segments {
		s := &segments[i]
		own := items[firsts[i] : firsts[i]+len(s.Items)]
		type text struct {
			items  []speech.Item
			behind float64
		}
		found := []text{{items: s.Items}}
		for from := 0; from < len(own); {
			to := from + 1
			for to < len(own) && own[to].window == own[from].window {
				to++
			}
			low, high := bounds(items, firsts[i]+from, firsts[i]+to)
			for _, h := range others[own[from].window] {
				whole := slices.Concat(s.Items[:from], part(h.items, low, high, s), s.Items[to:])
				found = append(found, text{whole, h.behind})
			}
			from = to
		}
		slices.SortStableFunc(found[1:], func(a, b text) int { return cmp.Compare(a.behind, b.behind) })
		seen := map[string]bool{}
		for _, f := range found {
			key := spelling(f.items)
			if seen[key] || key == "" || len(s.Alternatives) == most {
				continue
			}
			seen[key] = true
			s.Alternatives = append(s.Alternatives, speech.Alternative{Items: f.items})
		}
	}
}

// bounds are the times between which a hypothesis speaks of items from … to-1, all of one window.
func bounds(items []said, from, to int) (low, high time.Duration) {
	low, high = math.MinInt64, math.MaxInt64
	window := items[from].window
	before, after := lastWord(items[:from]), firstWord(items[to:])
	if w := firstWord(items[from:to]); w != nil && before != nil && before.window == window {
		low = (before.End + w.Start) / 2
	}
	if w := lastWord(items[from:to]); w != nil && after != nil && after.window == window {
		high = (w.End + after.Start) / 2
	}
	return low, high
}

func firstWord(items []said) *said {
	i := slices.IndexFunc(items, func(i said) bool { return i.Kind == speech.Word })
	if i < 0 {
		return nil
	}
	return &items[i]
}

func lastWord(items []said) *said {
	for i := len(items) - 1; i >= 0; i-- {
		if items[i].Kind == speech.Word {
			return &items[i]
		}
	}
	return nil
}

// part is what a hypothesis says between two times, within the segment. A mark goes with the word before it, or, when
// it opens something, with the word after it.
func part(items []speech.Item, low, high time.Duration, s *speech.Segment) []speech.Item {
	var out, held []speech.Item
	in := false
	for _, item := range items {
		if item.Kind == speech.Punctuation {
			if strings.Contains(openers, item.Text) {
				held = append(held, item)
			} else if in {
				out = append(out, item)
			}
			continue
		}
		middle := (item.Start + item.End) / 2
		if in = middle >= low && middle < high; in {
			item.Start = min(max(item.Start, s.Start), s.End-time.Millisecond)
			item.End = min(max(item.End, item.Start+time.Millisecond), s.End)
			out = append(append(out, held...), item)
		}
		held = nil
	}
	return out
}

// spelling is what tells texts apart.
func spelling(items []speech.Item) string {
	var b strings.Builder
	for _, item := range items {
		if item.Kind != speech.Word {
			continue
		}
		if !item.NoSpaceBefore {
			b.WriteByte(' ')
		}
		for _, r := range item.Text {
			if !unicode.IsPunct(r) || r == '\'' {
				b.WriteRune(unicode.ToLower(r))
			}
		}
	}
	return strings.TrimSpace(b.String())
}
