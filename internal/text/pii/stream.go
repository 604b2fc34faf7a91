package pii

import (
	"context"

	"github.com/dictum/dictum/internal/speech"
)

const (
	// DefaultLookahead is how many turns a Stream waits for before it decides on one, so that a number read out in
	// parts is seen whole.
	DefaultLookahead = 2
	// maxContext is how many decided turns are kept, so that answers are read with their questions.
	maxContext = 8
	// maxContextBytes bounds the text of those.
	maxContextBytes = 16 << 10
)

// Stream finds entities in a conversation turn by turn, in bounded memory. A Stream is for one goroutine.
type Stream struct {
	detector  *Detector
	lookahead int
	turns     []Turn
	tagged    [][]Entity
	decided   int // turns before it have been returned
}

// Found is a turn and the entities in it.
type Found struct {
	Turn     Turn
	Entities []Entity
}

// Stream begins a conversation. lookahead is how many turns are awaited before one is decided: zero decides at once,
// as live captions must.
func (d *Detector) Stream(lookahead int) *Stream {
	return &Stream{detector: d, lookahead: max(lookahead, 0)}
}

// Push adds the next turn and returns, in order, those that are decided. It returns the Tagger's error.
func (s *Stream) Push(ctx context.Context, turn Turn) ([]Found, error) {
	tagged, err := s.detector.tag(ctx, []Turn{turn})
	if err != nil {
		return nil, err
	}
	s.turns, s.tagged = append(s.turns, turn), append(s.tagged, tagged[0])
	return s.decide(s.lookahead), nil
}

// Flush returns what Push held back. The conversation may go on.
func (s *Stream) Flush() []Found { return s.decide(0) }

// decide returns all turns but the last of them.
func (s *Stream) decide(held int) []Found {
	end := len(s.turns) - held
	if end <= s.decided {
		return nil
	}
	all := find(s.turns, s.tagged)
	var out []Found
	for ; s.decided < end; s.decided++ {
		out = append(out, Found{s.turns[s.decided], all[s.decided]})
	}
	s.forget()
	return out
}

// forget drops old context.
func (s *Stream) forget() {
	bytes, keep := 0, s.decided
	for keep > 0 && s.decided-keep < maxContext && bytes+len(s.turns[keep-1].Text) <= maxContextBytes {
		keep--
		bytes += len(s.turns[keep].Text)
	}
	s.turns = append([]Turn(nil), s.turns[keep:]...)
	s.tagged = append([][]Entity(nil), s.tagged[keep:]...)
	s.decided -= keep
}

// around returns the turns that a Stream still knows, for the turn at most recently decided.
func (s *Stream) around() []Turn { return s.turns[:s.decided] }

// Unfinished tells whether a turn is likely to go on in the next one: it ends with a number, with letters that are spelled,
// or with words that announce something, as when somebody reads a card out and breathes.
func Unfinished(text string) bool {
	t := newTurn(0, text)
	end := len(t.toks)
	for end > 0 && (t.toks[end-1].kind == markToken || fillers[t.toks[end-1].low]) {
		end--
	}
	if end == 0 {
		return false
	}
	for _, r := range t.runs {
		if r.hi >= end {
			return true
		}
	}
	for _, c := range t.cues {
		if c.kind != noType && end-c.hi <= maxIntro {
			return true
		}
	}
	return t.toks[end-1].is("is", "it's", "at", "dot", "plus", "underscore", "dash", "hyphen", "number", "ending")
}

// maxIntro is how many words may stand between what announces a value and the value: "is the one with".
const maxIntro = 3

// Redactor takes personal information out of segments as they come, in bounded memory. It is for one goroutine.
type Redactor struct {
	stream  *Stream
	choice  Choice
	region  string
	pending []speech.Segment
}

// Redactor begins a conversation. See Stream for lookahead and Redact for what is done to a segment.
func (d *Detector) Redactor(choice Choice, region string, lookahead int) *Redactor {
	return &Redactor{stream: d.Stream(lookahead), choice: choice, region: region}
}

// Push adds the next segment and returns, in order, those that are done. It returns the Tagger's error.
func (r *Redactor) Push(ctx context.Context, s speech.Segment) ([]speech.Segment, error) {
	r.pending = append(r.pending, s)
	found, err := r.stream.Push(ctx, segmentTurn(&s, r.region))
	if err != nil {
		return nil, err
	}
	return r.done(ctx, found)
}

// Flush returns what Push held back.
func (r *Redactor) Flush(ctx context.Context) ([]speech.Segment, error) {
	return r.done(ctx, r.stream.Flush())
}

func (r *Redactor) done(ctx context.Context, found []Found) ([]speech.Segment, error) {
	out := make([]speech.Segment, 0, len(found))
	for i, f := range found {
		around := r.stream.around()
		end := max(0, len(around)-len(found)+i+1)
		around = around[:end]
		if len(around) == 0 { // forgotten: too long to be context
			around = []Turn{f.Turn}
		}
		s, err := r.stream.detector.redactSegment(ctx, r.pending[i], f.Entities, r.choice, around, len(around)-1)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	r.pending = append([]speech.Segment(nil), r.pending[len(found):]...)
	return out, nil
}
