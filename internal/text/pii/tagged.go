package pii

import (
	"slices"
	"strings"
	"unicode"
)

// minTagged is the least probability for which a Tagger is believed by itself.
const minTagged = 0.6

// withTagger adds to what the rules found what only the Tagger did. Rules own what has a form: where the two overlap
// the rule's type stands, and one of the same type grows to both.
func withTagger(text string, rules, tagged []Entity) []Entity {
	out := slices.Clone(rules)
	for _, e := range tagged {
		if e.Start < 0 || e.End > len(text) || e.Start >= e.End || e.Score < minTagged || e.Score > 1 {
			continue
		}
		switch e.Type {
		case Name, Email, URL:
		case Address:
			// A model takes any digits for a house's.
			if strings.IndexFunc(text[e.Start:e.End], unicode.IsLetter) < 0 || !wordy(text[e.Start:e.End]) {
				continue
			}
		default:
			continue
		}
		if join(out, e) {
			continue
		}
		if !slices.ContainsFunc(out, func(o Entity) bool { return e.Start < o.End && o.Start < e.End }) {
			out = append(out, e)
		}
	}
	return settle(out)
}

// join makes the one entity that e overlaps both, if it is of e's type and e overlaps no other.
func join(out []Entity, e Entity) bool {
	at := -1
	for i, o := range out {
		if e.Start < o.End && o.Start < e.End {
			if at >= 0 || o.Type != e.Type {
				return false
			}
			at = i
		}
	}
	if at < 0 {
		return false
	}
	out[at].Start, out[at].End = min(out[at].Start, e.Start), max(out[at].End, e.End)
	out[at].Score = max(out[at].Score, e.Score)
	return true
}

// wordy tells that a text has a word of three letters or more that is no number's.
func wordy(text string) bool {
	for _, t := range tokens(text) {
		if t.kind == wordToken && len(t.low) > 2 && !numberWord(&t) && repeats[t.low] == 0 && natoWords[t.low] == "" {
			return true
		}
	}
	return false
}
