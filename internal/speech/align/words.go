package align

import "slices"

// Timed is a piece with its place in a window, in samples; zero for punctuation.
type Timed struct {
	Piece
	Start, End int
}

// Interval is a stretch of samples.
type Interval struct{ Start, End int }

// minWord is the shortest a word is made, in samples: 20 ms, one encoder frame.
const minWord = 320

// Times gives pieces their times. Starts are the samples at which each token begins, and
// one more at which the text ends. Speech are the stretches where there is speech: a word
// is not longer than it needs to be to reach them. Words come out in order, without
// overlap, each at least 20 ms long; none ends after length.
func Times(pieces []Piece, starts []int, speech []Interval, length int) []Timed {
	timed := make([]Timed, len(pieces))
	var words []*Timed
	for i, p := range pieces {
		timed[i] = Timed{Piece: p}
		if p.Punctuation {
			continue
		}
		w := &timed[i]
		w.Start = starts[min(p.First, len(starts)-1)]
		w.End = starts[min(p.Last+1, len(starts)-1)]
		words = append(words, w)
	}
	for _, w := range words {
		clip(w, speech)
	}
	limitLong(words)
	order(words, length)
	return timed
}

// limitLong shortens words that go on for much longer than words do: the path rests on
// the last word before a pause, or the first after it.
func limitLong(words []*Timed) {
	var lengths []int
	for _, w := range words {
		if n := w.End - w.Start; n > 0 {
			lengths = append(lengths, n)
		}
	}
	if len(lengths) == 0 {
		return
	}
	slices.Sort(lengths)
	const second = 16000
	most := max(2*min(lengths[len(lengths)/2], second*7/10), second/2)
	for _, w := range words {
		// Letters take time: a long word may be longer than its neighbours.
		if limit := most + len(w.Text)*second/20; w.End-w.Start > limit {
			w.End = w.Start + limit
		}
	}
}

// clip cuts a word to the stretch of speech that it has most in common with: nobody
// pauses for long within a word, and the path gives pauses to the words beside them.
func clip(w *Timed, speech []Interval) {
	best, common := Interval{}, 0
	for _, s := range speech {
		if n := min(w.End, s.End) - max(w.Start, s.Start); n > common {
			best, common = s, n
		}
	}
	if common >= minWord {
		w.Start, w.End = max(w.Start, best.Start), min(w.End, best.End)
	}
}

// order makes words follow each other with at least minWord each, within 0 … length. It
// goes forwards to push words behind their predecessors, then backwards to bring what
// was pushed over the end back in.
func order(words []*Timed, length int) {
	at := 0
	for _, w := range words {
		w.Start = max(w.Start, at)
		w.End = max(w.End, w.Start+minWord)
		at = w.End
	}
	limit := max(length, len(words)*minWord)
	for _, w := range slices.Backward(words) {
		w.End = min(w.End, limit)
		w.Start = min(w.Start, w.End-minWord)
		limit = w.Start
	}
}
