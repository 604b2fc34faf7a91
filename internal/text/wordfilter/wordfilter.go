// Package wordfilter finds the words and phrases of a list in recognised speech and masks, removes or tags
// them. It knows nothing of AWS: words come as items of package speech, all at once or as they are recognised.
// How a list is read is in list.go. Start at Filter; Stream is the incremental one.
package wordfilter

import (
	"slices"
	"strings"

	"github.com/dictum/dictum/internal/speech"
)

// Method is what is done with words that are found.
type Method string

// The methods, in Amazon Transcribe's spelling.
const (
	// Mask replaces each word by Masked. Its times stay.
	Mask Method = "mask"
	// Remove drops the words, and marks that nothing is left for.
	Remove Method = "remove"
	// Tag keeps everything and sets FilterMatch.
	Tag Method = "tag"
)

// Masked stands for a masked word, however long that is.
const Masked = "***"

// Filter is a list of words and phrases, ready for matching. It is safe for concurrent use.
//
// A match covers whole items, in the exact form (no stemming), without regard to letter case, to forms of a
// character that Unicode holds equal (NFKC), and to marks around words and between the words of a phrase.
// Matches may overlap; what any of them covers is found.
type Filter struct {
	// entries are the list's normal forms, sorted, each once.
	entries []string
}

// New makes a filter of entries. It returns an *EntryError for one that holds nothing to match.
func New(entries []string) (*Filter, error) {
	f := &Filter{entries: make([]string, 0, len(entries))}
	for i, e := range entries {
		n := normal(e)
		if n == "" {
			return nil, &EntryError{Number: i + 1, Reason: "it has no letter or digit"}
		}
		f.entries = append(f.entries, n)
	}
	slices.Sort(f.entries)
	f.entries = slices.Compact(f.entries)
	return f, nil
}

// find tells whether text is an entry, and whether a longer entry begins with it.
func (f *Filter) find(text string) (whole, begins bool) {
	i, whole := slices.BinarySearch(f.entries, text)
	if whole {
		i++
	}
	return whole, i < len(f.entries) && strings.HasPrefix(f.entries[i], text)
}

// Apply returns filtered copies of segments, which must be one voice's in order of time: a phrase may go on in
// the next segment. A segment of which no word is left has no items.
func (f *Filter) Apply(method Method, segments []speech.Segment) []speech.Segment {
	m := matcher{filter: f}
	var found []finding
	for _, s := range segments {
		for _, item := range s.Items {
			found = append(found, m.push(item)...)
		}
	}
	found = append(found, m.flush()...)
	out := make([]speech.Segment, len(segments))
	for i, s := range segments {
		out[i] = s
		e := editor{method: method}
		for _, one := range found[:len(s.Items)] {
			e.add(one)
		}
		found = found[len(s.Items):]
		out[i].Items = e.end()
		out[i].Alternatives = f.alternatives(method, segments, i, out[i].Items)
	}
	return out
}

// alternatives filters each text of the segment at a place. The first is that of its items, which are given filtered;
// the others are read between the segments before and after. One of which no word is left goes.
func (f *Filter) alternatives(method Method, segments []speech.Segment, at int, items []speech.Item) []speech.Alternative {
	var before, after []speech.Item
	if at > 0 {
		before = segments[at-1].Items
	}
	if at+1 < len(segments) {
		after = segments[at+1].Items
	}
	var out []speech.Alternative
	for i, a := range segments[at].Alternatives {
		if i == 0 {
			out = append(out, speech.Alternative{Items: items})
			continue
		}
		m := matcher{filter: f}
		var found []finding
		for _, item := range slices.Concat(before, a.Items, after) {
			found = append(found, m.push(item)...)
		}
		found = append(found, m.flush()...)
		e := editor{method: method}
		for _, one := range found[len(before) : len(before)+len(a.Items)] {
			e.add(one)
		}
		if rest := e.end(); len(rest) > 0 {
			out = append(out, speech.Alternative{Items: rest})
		}
	}
	return out
}

// Stream filters items as they are recognised. The zero value is not usable: see Filter.Stream.
type Stream struct {
	matcher matcher
	editor  editor
}

// Stream starts a stream.
func (f *Filter) Stream(method Method) *Stream {
	return &Stream{matcher: matcher{filter: f}, editor: editor{method: method}}
}

// Push takes the next items and returns those, filtered, that nothing that follows can change any more. It holds back
// no more than the beginning of a phrase and a mark.
func (s *Stream) Push(items ...speech.Item) []speech.Item {
	for _, item := range items {
		for _, one := range s.matcher.push(item) {
			s.editor.add(one)
		}
	}
	return s.editor.take()
}

// Flush ends an utterance: it returns what was held back. What is pushed next is a new one.
func (s *Stream) Flush() []speech.Item {
	for _, one := range s.matcher.flush() {
		s.editor.add(one)
	}
	out := s.editor.end()
	s.editor = editor{method: s.editor.method}
	return out
}
