package live

import (
	"slices"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/speech"
)

// settled is the text of an open utterance: what successive guesses agree on settles (local agreement, arXiv 2307.14743)
// and does not change any more.
type settled struct {
	stability speech.Stability
	// items are the latest text, of which so many from the first on are settled.
	items  []speech.Item
	stable int
	// before are the words of earlier guesses, the latest last.
	before [][]string
}

// agreement is how many guesses in a row must have a word, and held how many words at the end never settle before the
// final, by level of stability.
var (
	agreement = map[speech.Stability]int{speech.StabilityHigh: 2, speech.StabilityMedium: 3, speech.StabilityLow: 4}
	held      = map[speech.Stability]int{speech.StabilityHigh: 1, speech.StabilityMedium: 2, speech.StabilityLow: 3}
)

// hear takes in a guess of all that has been said. Words that end after settles do not settle.
func (s *settled) hear(guess []speech.Item, settles time.Duration) {
	s.items = s.join(guess)
	need := agreement[s.stability]
	if need == 0 {
		return
	}
	latest := words(s.items)
	s.before = append(s.before, latest)
	if len(s.before) < need {
		return
	}
	s.before = s.before[len(s.before)-need:]
	common := len(latest)
	for _, b := range s.before {
		n := 0
		for n < min(common, len(b)) && b[n] == latest[n] {
			n++
		}
		common = n
	}
	common = min(common, len(latest)-held[s.stability])
	// A word settles with the marks that follow it, when the next word has settled too.
	count := 0
	for i, item := range s.items {
		if item.Kind != speech.Word {
			continue
		}
		if count++; count > common || item.End > settles {
			s.stable = max(s.stable, i)
			return
		}
	}
}

// last takes in the final text: what has settled keeps its words, and takes times and confidence from the same words
// there.
func (s *settled) last(guess []speech.Item) []speech.Item {
	out := s.join(guess)
	from := 0
	for i := range s.stable {
		if out[i].Kind != speech.Word {
			continue
		}
		for j := from; j < len(guess); j++ {
			if guess[j].Kind == speech.Word && strings.EqualFold(guess[j].Text, out[i].Text) {
				// A word that is far off is another one that is spelt the same.
				if (guess[j].Start - out[i].Start).Abs() < time.Second {
					out[i].Start, out[i].End, out[i].Confidence = guess[j].Start, guess[j].End, guess[j].Confidence
					from = j + 1
				}
				break
			}
		}
	}
	return out
}

// join gives what is settled and what a guess has after that.
func (s *settled) join(guess []speech.Item) []speech.Item {
	if s.stable == 0 {
		return guess
	}
	kept := slices.Clip(s.items[:s.stable])
	end := kept[len(kept)-1].End
	for i := len(kept) - 1; i >= 0 && end == 0; i-- {
		end = kept[i].End
	}
	out := slices.Clone(kept)
	for _, item := range guess[following(words(kept), guess):] {
		if item.Kind == speech.Word {
			item.Start = max(item.Start, end)
			item.End = max(item.End, item.Start+minWord)
			end = item.End
		}
		out = append(out, item)
	}
	return out
}

// minWord is the shortest a word is made.
const minWord = 20 * time.Millisecond

// following is the place in a guess after what matches words best, by the least number of words changed, added or left out.
func following(kept []string, guess []speech.Item) int {
	row := distances(kept, words(guess))
	best := 0
	for j, d := range row {
		if d < row[best] || d == row[best] && abs(j-len(kept)) < abs(best-len(kept)) {
			best = j
		}
	}
	// The item that follows so many words, and the marks after the last of them.
	count := 0
	for i, item := range guess {
		if item.Kind != speech.Word {
			continue
		}
		if count == best {
			return i
		}
		count++
	}
	return len(guess)
}

// distances are those of all of a from the first j of b, for each j: the least number of words changed, added or left out.
func distances(a, b []string) []int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range b {
			cost := diagonal
			if x != y {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row
}

// inOrder makes words follow each other between two times, each at least minWord long.
func inOrder(items []speech.Item, from, to time.Duration) {
	least := from
	for i := range items {
		if w := &items[i]; w.Kind == speech.Word {
			w.Start = max(w.Start, from)
			w.End = max(w.End, w.Start+minWord)
			from = w.End
			least += minWord
		}
	}
	to = max(to, least)
	for i := range slices.Backward(items) {
		if w := &items[i]; w.Kind == speech.Word {
			w.End = min(w.End, to)
			w.Start = min(w.Start, w.End-minWord)
			to = w.Start
		}
	}
}

// alike tells whether two texts may be of the same speech: at most half of the words differ, or two.
func alike(a, b []speech.Item) bool {
	x, y := words(a), words(b)
	row := distances(x, y)
	return row[len(y)] <= max(2, min(len(x), len(y))/2)
}

func abs(n int) int { return max(n, -n) }

// sentence tells whether the text ends a sentence.
func (s *settled) sentence() bool { return len(s.items) > 0 && endsSentence(s.items[len(s.items)-1]) }

// words are the words of items, in lower case.
func words(items []speech.Item) []string {
	var out []string
	for _, i := range items {
		if i.Kind == speech.Word {
			out = append(out, strings.ToLower(i.Text))
		}
	}
	return out
}
