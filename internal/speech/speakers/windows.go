package speakers

import (
	"slices"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/vad"
)

const (
	second = speech.SampleRate
	// A window is 1.5 s long, and the next begins 0.5 s later: long enough to know a voice,
	// short enough to lie within a turn.
	windowSamples = second * 3 / 2
	stepSamples   = second / 2
	// minGap is the shortest pause that parts two stretches, minStretch the shortest stretch
	// heard, and margin what is added at both ends of one.
	minGap     = second / 5
	minStretch = second * 3 / 20
	margin     = second * 3 / 100
	// minVoice is the least that a voice is told from.
	minVoice = second / 2
)

// piece is what becomes a window: places in the samples of a vad.Window.
type piece struct {
	// span is what is heard, core the part that the window decides.
	span, core vad.Span
	// stretch is the number of the stretch of speech that the piece is of.
	stretch int
	// faint marks speech that voice activity detection does not hear.
	faint bool
}

// cut cuts the speech of a window into pieces: at pauses, where one voice gives way to
// another, and then every half second. What the segmentation model hears beyond voice
// activity detection, quiet speech and the ends of words, is given to the piece beside it,
// or else is a faint piece.
func cut(w vad.Window, a activity) []piece {
	var pieces []piece
	number := 0
	for _, s := range stretches(w.Speech, len(w.Samples)) {
		for _, part := range a.split(s) {
			pieces = append(pieces, slide(part, number)...)
			number++
		}
	}
	for _, h := range a.heard() {
		first, _ := slices.BinarySearchFunc(pieces, h.Start, func(p piece, at int) int { return p.core.End - 1 - at })
		after, _ := slices.BinarySearchFunc(pieces, h.End, func(p piece, at int) int { return p.core.Start - at })
		if first < after {
			p := &pieces[first].core
			p.Start = min(p.Start, h.Start)
			p = &pieces[after-1].core
			p.End = max(p.End, h.End)
			continue
		}
		if h.Len() >= minStretch {
			faint := slide(h, number)
			for i := range faint {
				faint[i].faint = true
			}
			pieces = slices.Insert(pieces, first, faint...)
			number++
		}
	}
	return pieces
}

// heard are the spans in which the segmentation model hears anybody.
func (a activity) heard() []vad.Span {
	var out []vad.Span
	for _, s := range a {
		if last := len(out) - 1; s.voices != 0 && last >= 0 && s.span.Start <= out[last].End {
			out[last].End = s.span.End
		} else if s.voices != 0 {
			out = append(out, s.span)
		}
	}
	return out
}

// stretches joins speech across short pauses, drops what is too short, and adds margins.
func stretches(spans []vad.Span, end int) []vad.Span {
	var joined []vad.Span
	for _, s := range spans {
		if last := len(joined) - 1; last >= 0 && s.Start-joined[last].End < minGap {
			joined[last].End = s.End
			continue
		}
		joined = append(joined, s)
	}
	var out []vad.Span
	for _, s := range joined {
		if s.Len() >= minStretch {
			out = append(out, vad.Span{Start: max(0, s.Start-margin), End: min(end, s.End+margin)})
		}
	}
	return out
}

// slide cuts a stretch into overlapping windows, whose cores follow one another.
func slide(s vad.Span, number int) []piece {
	var pieces []piece
	start := s.Start
	for ; start+windowSamples < s.End; start += stepSamples {
		middle := start + windowSamples/2
		p := piece{
			span:    vad.Span{Start: start, End: start + windowSamples},
			core:    vad.Span{Start: middle - stepSamples/2, End: middle + stepSamples/2},
			stretch: number,
		}
		if start == s.Start {
			p.core.Start = s.Start
		}
		pieces = append(pieces, p)
	}
	last := piece{span: vad.Span{Start: max(s.Start, s.End-windowSamples), End: s.End}, core: s, stretch: number}
	if n := len(pieces); n > 0 {
		last.core.Start = pieces[n-1].core.End
	}
	return append(pieces, last)
}
