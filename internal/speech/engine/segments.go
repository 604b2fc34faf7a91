package engine

import (
	"strings"
	"time"

	"github.com/dictum/dictum/internal/speech"
)

const (
	// pauseAlways is a pause that ends a segment wherever it is.
	pauseAlways = time.Second
	// pauseSentence is one that ends a segment after the end of a sentence.
	pauseSentence = 300 * time.Millisecond
	// longSegment is the length from which the end of a sentence ends a segment without a
	// pause, and longerSegment that from which a comma or a pause within one does.
	longSegment   = 10 * time.Second
	longerSegment = 20 * time.Second
	// openers are the marks that open a sentence, a quotation or a bracket.
	openers = "¿¡([{«“„‘「『（《"
)

// segmenter cuts items into utterances, as they come.
type segmenter struct {
	done []speech.Segment
	open speech.Segment
	// mark is the last punctuation since the last word.
	mark string
}

// add takes the items of the next window.
func (s *segmenter) add(items []speech.Item) {
	for _, item := range items {
		if item.Kind == speech.Punctuation {
			// What opens a sentence belongs to the next word.
			if len(s.open.Items) > 0 && strings.Contains(openers, item.Text) && s.ends(0) {
				s.close()
			}
			s.open.Items = append(s.open.Items, item)
			s.mark = item.Text
			continue
		}
		if s.open.End > 0 {
			// Two segments must not overlap, nor words of two windows.
			item.Start = max(item.Start, s.open.End)
			item.End = max(item.End, item.Start+time.Millisecond)
			if s.ends(item.Start - s.open.End) {
				s.close()
			}
		} else if n := len(s.done); n > 0 {
			item.Start = max(item.Start, s.done[n-1].End)
			item.End = max(item.End, item.Start+time.Millisecond)
		}
		if s.open.End == 0 {
			s.open.Start = item.Start
		}
		s.open.End = item.End
		s.open.Items = append(s.open.Items, item)
		s.mark = ""
	}
}

// ends reports whether the open segment ends before a pause of the given length.
func (s *segmenter) ends(pause time.Duration) bool {
	if s.open.End == 0 {
		return false
	}
	length := s.open.End - s.open.Start
	sentence := s.mark != "" && strings.ContainsAny(s.mark, ".?!…。？！।؟۔")
	switch {
	case pause >= pauseAlways:
		return true
	case sentence:
		return pause >= pauseSentence || length >= longSegment
	default:
		return length >= longerSegment && (s.mark != "" || pause >= pauseSentence)
	}
}

func (s *segmenter) close() {
	s.done = append(s.done, s.open)
	s.open, s.mark = speech.Segment{}, ""
}

// end returns all segments.
func (s *segmenter) end(language string) []speech.Segment {
	if s.open.End > 0 {
		s.close()
	}
	for i := range s.done {
		s.done[i].Language = language
	}
	return s.done
}
