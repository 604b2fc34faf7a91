package wordfilter

import (
	"strings"

	"github.com/dictum/dictum/internal/speech"
)

// editor does what the method says to one utterance.
type editor struct {
	method Method
	out    []speech.Item
	// words tells that a word was kept.
	words bool
	// held is a mark that awaits what follows it; gap tells that a word was removed since the last item that was
	// kept, space that a space stood before one of those.
	held       *speech.Item
	gap, space bool
}

func (e *editor) add(f finding) {
	item := f.item
	switch e.method {
	case Tag:
		item.FilterMatch = f.match
		e.out = append(e.out, item)
	case Remove:
		switch {
		case f.match && item.Kind == speech.Word:
			e.gap, e.space = true, e.space || !item.NoSpaceBefore
		case f.match: // a mark within a phrase
		case item.Kind == speech.Punctuation:
			e.mark(item)
		default:
			e.keep(item)
		}
	default: // Mask, also for a method that is none: nothing found may pass in clear
		if f.match && item.Kind == speech.Word {
			item.Text = Masked
		}
		e.out = append(e.out, item)
	}
}

// keep appends a word behind what may have been removed.
func (e *editor) keep(item speech.Item) {
	opened := e.held != nil && !e.held.NoSpaceBefore
	if e.gap {
		item.NoSpaceBefore = opened || item.NoSpaceBefore && !e.space
	}
	e.release()
	e.out = append(e.out, item)
	e.words, e.gap, e.space = true, false, false
}

// mark takes a mark. One that followed a removed word now follows what was before that: two marks become the one
// that says more, an opening and a closing one with nothing between them go, as does a closing one at the beginning.
func (e *editor) mark(item speech.Item) {
	closes := item.NoSpaceBefore
	switch {
	case !e.gap:
		e.release()
		e.held = &item
	case e.held == nil:
		if closes && !e.words {
			return
		}
		e.held, e.gap, e.space = &item, false, false
	case !closes && item.Text != e.held.Text:
		e.release()
		e.held, e.gap, e.space = &item, false, false
	case closes && !e.held.NoSpaceBefore:
		e.held = nil
	case endsSentence(item.Text) && !endsSentence(e.held.Text):
		e.held.Text = item.Text
	}
}

// release puts the held mark out. Of marks before the first word no more stay than may be held back.
func (e *editor) release() {
	if e.held != nil && (e.words || len(e.out) < maxMarks) {
		e.out = append(e.out, *e.held)
	}
	e.held = nil
}

// take returns what is done. Marks wait for a word that may be their first.
func (e *editor) take() []speech.Item {
	if e.method == Remove && !e.words {
		return nil
	}
	out := e.out
	e.out = nil
	return out
}

// end returns all that is left. Marks without any word go.
func (e *editor) end() []speech.Item {
	e.release()
	if e.method == Remove && !e.words {
		return nil
	}
	return e.take()
}

func endsSentence(mark string) bool { return strings.ContainsAny(mark, ".?!。?!؟।…") }
