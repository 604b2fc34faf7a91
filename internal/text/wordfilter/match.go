package wordfilter

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/dictum/dictum/internal/speech"
)

// maxMarks is how many marks in a row the words of a phrase may have between them: it bounds what is held back.
const maxMarks = 8

// finding is an item and whether an entry covers it.
type finding struct {
	item  speech.Item
	match bool
}

// matcher finds entries in a sequence of items. It follows every way in which an entry may have begun.
type matcher struct {
	filter *Filter
	// pending are items that a walk may still cover.
	pending []finding
	walks   []walk
	// glue are the marks since the last word that are joined to it, should the next word be joined to them: "k-mart".
	glue  string
	marks int
}

// walk is the beginning of an entry: the text from the item at first, an index of pending, to the last word.
type walk struct {
	first int
	text  string
}

// push takes the next item and returns, in order, the items that are decided.
func (m *matcher) push(item speech.Item) []finding {
	m.pending = append(m.pending, finding{item: item})
	if item.Redaction != nil {
		// It stands for words that are not there any more: no entry covers it, nor what is around it.
		m.walks, m.glue, m.marks = nil, "", 0
		return m.decided()
	}
	word := ""
	if item.Kind == speech.Word {
		word = normal(item.Text)
	}
	if word == "" {
		m.mark(item)
		return m.decided()
	}
	space, alive := " ", m.walks[:0]
	if item.NoSpaceBefore {
		space = m.glue
	}
	here := len(m.pending) - 1
	for _, w := range m.walks {
		if w, ok := m.advance(w, w.text+space+word); ok {
			alive = append(alive, w)
		}
	}
	if w, ok := m.advance(walk{first: here}, word); ok {
		alive = append(alive, w)
	}
	m.walks, m.glue, m.marks = alive, "", 0
	return m.decided()
}

// mark takes an item that is no word. It parts no phrase, unless there are too many.
func (m *matcher) mark(item speech.Item) {
	if m.marks++; m.marks > maxMarks {
		m.walks = nil
	}
	if item.NoSpaceBefore && m.marks <= maxMarks {
		m.glue += fold(item.Text)
	}
}

// advance makes text a walk's, marks what it covers if it is an entry, and tells whether it may go on.
func (m *matcher) advance(w walk, text string) (walk, bool) {
	w.text = text
	whole, begins := m.filter.find(text)
	if whole {
		for i := w.first; i < len(m.pending); i++ {
			m.pending[i].match = true
		}
	}
	return w, begins
}

// decided removes from pending what stands before all walks.
func (m *matcher) decided() []finding {
	n := len(m.pending)
	if len(m.walks) > 0 {
		n = m.walks[0].first // walks are in order of their beginnings
	}
	out := m.pending[:n:n]
	m.pending = m.pending[n:]
	for i := range m.walks {
		m.walks[i].first -= n
	}
	return out
}

// flush decides all.
func (m *matcher) flush() []finding {
	out := m.pending
	*m = matcher{filter: m.filter}
	return out
}

// normal is the form in which words are compared: words with single spaces between them, without marks around
// each, folded. It is empty when there is nothing to compare.
func normal(s string) string {
	var words []string
	for _, w := range strings.Fields(fold(s)) {
		w = strings.TrimFunc(w, edge)
		if strings.IndexFunc(w, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) >= 0 {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

// fold makes equal what differs in case or in form only.
func fold(s string) string {
	// NFKC after folding, too: folding may undo it.
	s = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
	return apostrophe.Replace(s)
}

var apostrophe = strings.NewReplacer("\u2019", "'", "\u2018", "'", "\u02bc", "'", "\u00ad", "", "\u200b", "", "\ufeff", "")

// edge tells marks of a sentence, which don't belong to the word beside them, from characters that may: "c#", "f***".
func edge(r rune) bool {
	switch r {
	case '#', '@', '&', '%', '*':
		return false
	}
	return unicode.IsPunct(r)
}
