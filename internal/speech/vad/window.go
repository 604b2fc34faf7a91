package vad

// Split cuts a window at its pauses of at least so many samples, where both sides have at least so much speech. What
// it returns, joined, is the window.
func (w *Window) Split(pause, speech int) []Window {
	var out []Window
	start, heard, left := 0, 0, w.SpeechSamples()
	for i, s := range w.Speech {
		if i > 0 && heard >= speech && left >= speech && s.Start-w.Speech[i-1].End >= pause {
			middle := (w.Speech[i-1].End + s.Start) / 2
			out = append(out, w.part(start, middle))
			start, heard = middle, 0
		}
		heard += s.Len()
		left -= s.Len()
	}
	return append(out, w.part(start, len(w.Samples)))
}

// part is what stands between two places, neither of them in speech.
func (w *Window) part(from, to int) Window {
	p := Window{Samples: w.Samples[from:to]}
	place := 0
	for _, piece := range w.Pieces {
		low, high := max(from, place), min(to, place+piece.Len())
		if low < high {
			p.Pieces = append(p.Pieces, Span{piece.Start + low - place, piece.Start + high - place})
		}
		place += piece.Len()
	}
	for _, s := range w.Speech {
		if s.Start >= from && s.End <= to {
			p.Speech = append(p.Speech, Span{s.Start - from, s.End - from})
		}
	}
	return p
}

// Join makes one window of several that follow one another.
func Join(windows ...Window) Window {
	if len(windows) == 1 {
		return windows[0]
	}
	var out Window
	for _, w := range windows {
		at := len(out.Samples)
		for _, s := range w.Speech {
			out.Speech = append(out.Speech, Span{s.Start + at, s.End + at})
		}
		out.Samples = append(out.Samples, w.Samples...)
		out.Pieces = append(out.Pieces, w.Pieces...)
	}
	return out
}
