package pii

import (
	"slices"
	"strings"
)

// secretStop ends a user name or password that is said.
var secretStop = set(`i or and but it it's that if is then with for please because which so now thanks thank was isn't wasn't doesn't has to on at the when though in that's i'm i've my your you we they
	all no not sorry wait actually can could would do did does hasn't should as just still since by from of again anyway right okay yeah uh um er maybe probably unless until what where who how after before`)

// secretIntro may stand between the cue and the value.
var secretIntro = set("is was the be as to it's its it that's should 's set i put use used uses still just uh um er would temporary new old current called under now am a says goes like : have currently been were be's reads")

// states are what one says of a password or login that is no value.
var states = set(`wrong incorrect expired not locked right reset required invalid still weak strong case correct blank empty too working broken gone different same changed set wrong. accepted rejected
	secure needed there on in out page screen for hint field box manager protected details issue issues problem problems button form attempts attempt error failed failing fails doesn't won't isn't never always okay fine
	missing lost forgotten safe private already very really hard long short number something anything nothing everything what mine yours only also about and or changes reset-link link request going being asking asked ready
	compromised visible hidden confirmed updated unavailable taken available active suspended disabled enabled unknown unchanged default confidential important sensitive good bad`)

// secrets finds user names and passwords: what follows the words for them, or answers the question for one.
func (c *conversation) secrets(t *turn) []Entity {
	var out []Entity
	asked := ""
	if t.index > 0 {
		for j := t.index - 1; j >= 0 && j >= t.index-3; j-- {
			if n := len(c.turns[j].cues); n > 0 {
				asked = c.turns[j].cues[n-1].kind
				break
			}
			if !c.turns[j].listens() {
				break
			}
		}
	}
	if (asked == Username || asked == Password) && !slices.ContainsFunc(t.cues, func(f found) bool { return f.kind != noType }) {
		lo := 0
		for lo < len(t.toks) && (secretIntro[t.at(lo)] || fillers[t.at(lo)] || t.toks[lo].kind == markToken || t.toks[lo].is("my")) {
			lo++
		}
		if hi, strong := t.secretEnd(lo); hi > lo && (strong || hi-lo <= 3 && hi == len(t.toks)) {
			out = append(out, t.entity(lo, hi, asked, scoreLoose))
		}
	}
	out = append(out, t.typed()...)
	for _, f := range t.cues {
		if f.kind != Username && f.kind != Password {
			continue
		}
		lo, linked := f.hi, t.toks[f.hi-1].low != t.toks[f.hi-1].base
		for n := 0; lo < len(t.toks) && n < 8 && (secretIntro[t.at(lo)] || t.toks[lo].kind == markToken && among(t.toks[lo].text, ":,\"'“‘")); n++ {
			linked = linked || !t.toks[lo].is(",", "uh", "um", "er", "new", "old", "current", "temporary")
			lo++
		}
		if f.lo > 0 && f.kind == Username && t.toks[f.lo-1].is("can't", "cannot", "to", "when", "i", "you", "couldn't", "please") && !linked {
			continue
		}
		if clause := t.verbAfter(f.hi); !linked && clause > lo {
			if hi, strong := t.secretEnd(clause); strong {
				out = append(out, t.entity(clause, hi, f.kind, scoreLoose))
				continue
			}
		}
		if chunk := t.chunkBefore(f.lo); chunk < f.lo && !linked {
			hi := chunk
			for hi+1 < f.lo && (hi == chunk || !t.toks[hi].spaced) {
				hi++
			}
			out = append(out, t.entity(chunk, hi, f.kind, scoreLoose))
			continue
		}
		hi, strong := t.secretEnd(lo)
		if hi <= lo || states[t.at(lo)] && !strong {
			continue
		}
		switch {
		case strong:
			out = append(out, t.entity(lo, hi, f.kind, scoreTyped))
		case linked && hi-lo <= 4 && !secretVerb(t.at(lo)):
			out = append(out, t.entity(lo, hi, f.kind, scoreGuess))
		}
	}
	return out
}

// typed finds what somebody says they typed, if it has the form of a password: a mark inside that no word has.
func (t *turn) typed() []Entity {
	var out []Entity
	for i := range t.toks {
		if !t.toks[i].is("typed", "typing", "entered", "entering") || i+2 >= len(t.toks) {
			continue
		}
		lo := i + 1
		if t.toks[lo].is("in") {
			lo++
		}
		hi, odd := lo, false
		for hi < len(t.toks) && (hi == lo || !t.toks[hi].spaced) && !(among(t.toks[hi].text, ",.;:?") && (hi+1 == len(t.toks) || t.toks[hi+1].spaced)) {
			odd = odd || hi > lo && among(t.toks[hi].text, "&!#%*_^~@")
			hi++
		}
		if odd {
			out = append(out, t.entity(lo, hi, Password, scoreGuess))
		}
	}
	return out
}

// verbAfter returns where the value may begin after "the login I've been using is", or i.
func (t *turn) verbAfter(i int) int {
	for k := i; k < len(t.toks) && k < i+7; k++ {
		if t.toks[k].kind == markToken {
			return i
		}
		if t.toks[k].is("is", "was") && k > i {
			for k++; k < len(t.toks) && secretIntro[t.at(k)]; k++ {
			}
			return k
		}
	}
	return i
}

// chunkBefore returns where a written value begins that stands before "as the password" or "for my login", or i.
func (t *turn) chunkBefore(i int) int {
	at := i - 1
	for at >= 0 && t.toks[at].is("the", "my", "a", "new", "temporary") {
		at--
	}
	if at < 1 || !t.toks[at].is("as", "for") {
		return i
	}
	lo, odd := at-1, false
	for lo > 0 && !t.toks[lo].spaced {
		odd = odd || t.toks[lo].kind != wordToken && !among(t.toks[lo].text, ",.;:?!")
		lo--
	}
	if odd || t.toks[lo].kind == mixedToken || insideCapital(t.toks[lo].text) {
		return lo
	}
	return i
}

// secretVerb tells that a word after "login is" goes on with a sentence.
func secretVerb(word string) bool {
	return strings.HasSuffix(word, "ing") || strings.HasSuffix(word, "ed") || strings.HasSuffix(word, "n't") || fillers[word] || states[word]
}

// secretEnd returns the end of a user name or password at lo, and whether its form shows that it is one: digits, marks
// or capitals inside, or words for these.
func (t *turn) secretEnd(lo int) (hi int, strong bool) {
	if lo >= len(t.toks) {
		return lo, false
	}
	hi = lo
	for hi < len(t.toks) && hi-lo < maxLocal {
		w := &t.toks[hi]
		glued := hi > lo && !w.spaced
		switch {
		case w.kind == markToken:
			if among(w.text, "!?") && glued && hi+1 < len(t.toks) && !t.toks[hi+1].spaced && t.toks[hi+1].text == "." {
				return hi + 1, true
			}
			if among(w.text, ",;:?!.\"”“'’…)") && (hi+1 >= len(t.toks) || t.toks[hi+1].spaced || t.toks[hi+1].kind == markToken) {
				return hi, strong
			}
			strong = strong || glued
		case glued:
		case w.low == "all" && t.says(hi, "all one word"):
			return hi + 3, true
		case w.low == "at" && hi > lo && t.symbolAt(hi):
			strong = true
		case secretStop[w.low] && !(hi > lo && len(w.low) == 1 && t.spelling(hi)):
			return hi, strong
		case w.is("capital", "uppercase", "lowercase", "underscore", "dash", "hyphen", "dot", "exclamation", "hash", "asterisk", "ampersand", "dollar", "hashtag"), numberWord(w):
			strong = true
		}
		if w.kind == mixedToken || insideCapital(w.text) || len(w.low) == 1 && w.kind == wordToken {
			strong = true
		}
		hi++
		// Where case is written a value is one word, unless it is spelled out.
		if t.written && w.kind != markToken && hi < len(t.toks) && t.toks[hi].spaced && (w.kind == mixedToken || insideCapital(w.text) || strong && !t.goesOn(hi)) {
			return hi, strong
		}
	}
	return hi, strong
}

// goesOn tells that a written value of several words goes on at i.
func (t *turn) goesOn(i int) bool {
	return symbolWords[t.at(i)] || symbolWords[t.at(i-1)] || t.toks[i].is("capital", "underscore") || numberWord(&t.toks[i]) || len(t.at(i)) == 1 || t.at(i-1) == "capital"
}

// symbolAt tells that "at" is the sign: a word of a code follows.
func (t *turn) symbolAt(i int) bool {
	return i+1 < len(t.toks) && (numberWord(&t.toks[i+1]) || t.toks[i+1].is("sign", "symbol"))
}

// spelling tells that the token before i is a letter or a number too.
func (t *turn) spelling(i int) bool {
	return i > 0 && (len(t.at(i-1)) == 1 || numberWord(&t.toks[i-1])) && i+1 < len(t.toks) && (len(t.at(i+1)) == 1 || numberWord(&t.toks[i+1]))
}

// insideCapital tells that a word has a capital letter after a small one.
func insideCapital(s string) bool {
	small := false
	for _, r := range s {
		if r >= 'A' && r <= 'Z' && small {
			return true
		}
		small = small || r >= 'a' && r <= 'z'
	}
	return false
}
