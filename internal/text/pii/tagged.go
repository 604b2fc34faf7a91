package pii

import "slices"

// minTagged is the least probability for which a Tagger is believed by itself.
const minTagged = 0.6

// withTagger adds to what the rules found what only the Tagger did. Rules own what has a form: where the two overlap
// the rule's type stands, and one of the same type grows to both.
func withTagger(t *turn, rules []Entity) []Entity {
	out, text, taken := slices.Clone(rules), t.text, t.branded()
	for _, e := range t.tagged {
		if e.Start < 0 || e.End > len(text) || e.Start >= e.End || e.Score < minTagged || e.Score > 1 {
			continue
		}
		if t.inBrand(taken, e) {
			continue
		}
		switch e.Type {
		case Name, Email, URL:
		case Address:
			// A model takes any digits for a house's.
			if !located(text[e.Start:e.End]) {
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

// located tells that a text has the word of an address, one of three letters or more that is no number's, and beside it a
// number or the word for a street: shops and towns have neither.
func located(text string) bool {
	word, place := false, false
	for _, t := range tokens(text) {
		number := t.kind != markToken && (t.kind != wordToken || numberWord(&t))
		place = place || number || streetWords[t.low] || unitWords[t.low]
		word = word || t.kind == wordToken && len(t.low) > 2 && !number && repeats[t.low] == 0 && natoWords[t.low] == ""
	}
	return word && place
}

// inBrand tells that an entity lies on the name of a company.
func (t *turn) inBrand(taken []bool, e Entity) bool {
	for i := range t.toks {
		if taken[i] && t.toks[i].start < e.End && e.Start < t.toks[i].end {
			return true
		}
	}
	return false
}
