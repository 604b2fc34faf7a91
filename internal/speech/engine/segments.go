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

// said is an item with the window it was recognised in, its language and its speaker, from 1.
type said struct {
	speech.Item
	window   int
	language string
	speaker  int
}

// segmenter cuts items into utterances, as they come.
type segmenter struct {
	done []speech.Segment
	// firsts are the places, among all items, of the first of each segment in done.
	firsts []int
	open   speech.Segment
	first  int
	next   int
	// mark is the last punctuation since the last word.
	mark string
}

// add takes the next items.
func (s *segmenter) add(items []said) {
	for _, i := range items {
		item := i.Item
		if len(s.open.Items) > 0 && (i.language != s.open.Language || i.speaker != s.open.Speaker) {
			s.close()
		}
		if len(s.open.Items) == 0 {
			s.open.Language, s.open.Speaker, s.first = i.language, i.speaker, s.next
		}
		s.next++
		if item.Kind == speech.Punctuation {
			// What opens a sentence belongs to the next word.
			if len(s.open.Items) > 0 && strings.Contains(openers, item.Text) && s.ends(0) {
				s.reopen(i)
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
				s.reopen(i)
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

// reopen ends the open segment before an item that has been counted.
func (s *segmenter) reopen(i said) {
	s.close()
	s.open.Language, s.open.Speaker, s.first = i.language, i.speaker, s.next-1
}

func (s *segmenter) close() {
	if s.open.End > 0 {
		s.done = append(s.done, s.open)
		s.firsts = append(s.firsts, s.first)
	}
	s.open, s.mark = speech.Segment{}, ""
}

// end returns all segments.
func (s *segmenter) end() []speech.Segment {
	s.close()
	return s.done
}
