package pii

import "strings"

// expiries finds the month and year of a card: "11/27", "oh five two six", "november twenty seven", "March 2028".
func (c *conversation) expiries(t *turn) []Entity {
	var out []Entity
	for i := 0; i < len(t.toks); i++ {
		w := &t.toks[i]
		if !months[w.low] && w.kind != digitToken {
			continue
		}
		if !c.question(t, i, CardExpiry) {
			continue
		}
		hi := i
		switch {
		case months[w.low]:
			at := i + 1
			if t.at(at) == "of" || t.at(at) == "," {
				at++
			}
			switch {
			case at < len(t.toks) && t.toks[at].kind == digitToken && (len(t.toks[at].text) == 2 || len(t.toks[at].text) == 4):
				hi = at + 1
			default:
				if digits, next := number(t.toks, at); next > at && len(digits) >= 2 {
					hi = next
					if more, end := below100(t.toks, next); end > next && len(more) == 2 && len(digits) == 2 {
						hi = end
					}
				}
			}
			if hi == i {
				hi = i + 1
			}
		case i+2 < len(t.toks) && (t.at(i+1) == "/" || t.at(i+1) == "-" || t.at(i+1) == "slash") && t.toks[i+2].kind == digitToken && len(w.text) <= 2:
			hi = i + 3
		}
		if hi > i {
			out = append(out, t.entity(i, hi, CardExpiry, scoreTyped))
			i = hi - 1
		}
	}
	return out
}

// bankCodes finds the identifiers of banks (ISO 9362) that a word announces.
func (t *turn) bankCodes() []Entity {
	var out []Entity
	for _, f := range t.cues {
		if f.kind != SWIFT {
			continue
		}
		for i := f.hi; i < len(t.toks) && i < f.hi+6; i++ {
			if w := &t.toks[i]; w.kind != markToken && swift(strings.ToUpper(w.low)) && !known(w.low) {
				out = append(out, t.entity(i, i+1, SWIFT, scoreTyped))
				break
			}
		}
	}
	return out
}
