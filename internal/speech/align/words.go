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
	limitLong(words)
	for _, w := range words {
		clip(w, speech)
	}
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

// clip moves the ends of a word out of pauses, to the speech between them.
func clip(w *Timed, speech []Interval) {
	start, end := w.Start, w.End
	for i, s := range speech {
		if start < s.Start && (i == 0 || start >= speech[i-1].End) && end > s.Start {
			start = s.Start
		}
		if end > s.End && (i+1 == len(speech) || end <= speech[i+1].Start) && start < s.End {
			end = s.End
		}
	}
	if end-start >= minWord {
		w.Start, w.End = start, end
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
