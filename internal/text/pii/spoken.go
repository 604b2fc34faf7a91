package pii

import (
	"slices"
	"strings"
)

// tlds are the last labels of the names that people read out.
var tlds = set("com org net edu gov mil info biz io co ai app dev me tv uk us ca au nz ie de fr it es pt br ch at nl be in za eu shop online store site xyz tech cloud bank health test example invalid")

// maxLocal bounds the words of the part of an address before "at", or of a user name or password.
const maxLocal = 14

// notLocal are the words at which, going back, the part of an address before "at" has not begun yet.
var notLocal = set(`name is it's its that's thats it that email e-mail mail address to me my as on the uh um er so yeah yes sure okay ok and reach contact write send use be was he's she's his her your our their
	mine you at by of with for under from or but then well just like hi hello please i i'm we we're a an have has had put set changed change should would could will can old new one's work personal primary
	mine's best better alternate alternative called reads says one-is addresses emails online via go visit website site page web link url can't find now no not wait sorry actually login username his forward this here there which
	check try copy cc reply gets got get goes sent gave give name's user still down receipt invoice statement confirmation everything anything both`)

// spokenAddresses finds e-mail addresses and web addresses as people say them: "j dot smith at gmail dot com",
// "w w w dot photos dash online dot co dot uk slash album".
func (c *conversation) spokenAddresses(t *turn) []Entity {
	var out []Entity
	for i := 0; i < len(t.toks); i++ {
		if !t.toks[i].is("dot", "point") && !t.writtenDot(i) || i+1 >= len(t.toks) || !tlds[t.at(i+1)] && !t.later(i) {
			continue
		}
		lo, first := t.domainStart(i)
		if lo < 0 {
			continue
		}
		hi, ok := t.domainEnd(i)
		if !ok {
			continue
		}
		if first > 0 && t.toks[first-1].is("at") || first > 0 && t.toks[first-1].text == "@" {
			if local := t.localStart(first - 1); local < first-1 && c.mails(t, local, first, i, hi) {
				out = append(out, t.entity(local, hi, Email, scoreTyped))
				i = hi
				continue
			}
		}
		if t.toks[i].text == "." || t.plainWords(lo, i) { // patterns own written web addresses
			continue
		}
		hi = t.pathEnd(hi)
		out = append(out, t.entity(lo, hi, URL, scoreTyped))
		i = hi
	}
	return out
}

func (t *turn) entity(lo, hi int, kind string, score float64) Entity {
	return Entity{Start: t.toks[lo].start, End: t.toks[hi-1].end, Type: kind, Score: score}
}

// mails tells an e-mail address from a web address that something is said to be at: "see the photos at northgate dot com".
// The part before "at" begins at local, the name after it at domain, its first dot is at dot and its end at hi.
func (c *conversation) mails(t *turn, local, domain, dot, hi int) bool {
	if t.at(hi) == "slash" || t.at(hi) == "/" || t.at(hi) == "forward" {
		return false
	}
	for k := domain; k < dot; k++ {
		if joins(t.at(k)) {
			return false
		}
	}
	for k := local; k < domain-1; k++ {
		if symbolWords[t.at(k)] || numberWord(&t.toks[k]) || t.toks[k].kind != wordToken || len(t.at(k)) == 1 {
			return true
		}
	}
	if c.question(t, local, Email) || providers[t.at(dot-1)] {
		return true
	}
	for k := max(0, local-6); k < local; k++ {
		if webStop[t.at(k)] && !t.toks[k].is("from", "into", "says", "saying") || t.toks[k].is("online", "photos", "find", "available", "shop", "order") {
			return false
		}
	}
	// A point that is written is hardly ever in an address whose sign is a word.
	return t.toks[dot].text != "."
}

// providers are the names behind most people's addresses.
var providers = set("gmail googlemail yahoo hotmail outlook icloud aol live msn ymail protonmail proton me mac btinternet comcast verizon att sbcglobal bigpond optusnet sky virginmedia talktalk ntlworld rogers shaw")

// plainWords tells that the words of a name are a phrase with an article: "the big red dot com".
func (t *turn) plainWords(lo, hi int) bool {
	for k := lo; k < hi; k++ {
		if joins(t.at(k)) && k+1 < hi {
			return true
		}
	}
	return false
}

// writtenDot tells that a point joins two words, as in "gmail.com" after a spoken "at".
func (t *turn) writtenDot(i int) bool {
	return i < len(t.toks) && t.toks[i].text == "." && !t.toks[i].spaced && i+1 < len(t.toks) && !t.toks[i+1].spaced
}

// later tells that a top-level name follows within a few labels: "photos dot example dot net".
func (t *turn) later(i int) bool {
	for k := i + 1; k+1 < len(t.toks) && k < i+8; k++ {
		if (t.toks[k].is("dot", "point") || t.writtenDot(k)) && tlds[t.at(k+1)] {
			return true
		}
		if t.toks[k].kind == markToken && t.toks[k].text != "-" || notLocal[t.at(k)] {
			return false
		}
	}
	return false
}

// domainStart goes back from a dot over the label before it. It returns where the name begins if it is a web address,
// and where if it stands after "at".
func (t *turn) domainStart(dot int) (web, mail int) {
	for k := dot - 1; k >= 0 && k >= dot-8; k-- {
		if t.toks[k].is("at") || t.toks[k].text == "@" {
			return k + 1, k + 1
		}
		if t.toks[k].kind == markToken && t.toks[k].text != "-" || notLocal[t.at(k)] && !joins(t.at(k)) {
			break
		}
		if k < dot-6 {
			break
		}
	}
	lo := dot
	for lo > 0 && dot-lo < 8 {
		w := &t.toks[lo-1]
		if w.kind == markToken && w.text != "-" || notLocal[w.low] || notLocal[w.base] || webStop[w.low] || webStop[w.base] {
			break
		}
		lo--
		if w.is("dash", "hyphen", "dot", "slash") || lo > 0 && t.toks[lo-1].is("dash", "hyphen", "dot") || len(w.low) == 1 {
			continue
		}
		if lo > 0 && len(t.toks[lo-1].low) == 1 && t.toks[lo-1].kind == wordToken && !t.toks[lo-1].is("a", "i") || numberWord(w) {
			continue
		}
		if lo > 0 && t.toks[lo-1].base == t.toks[lo-1].low && !known(t.toks[lo-1].low) && t.toks[lo-1].kind == wordToken && !webStop[t.at(lo-1)] {
			continue
		}
		break
	}
	if lo == dot {
		return -1, -1
	}
	return lo, -1
}

func joins(word string) bool { return word == "the" || word == "my" || word == "a" }

var webStop = set("see go visit browse open called click navigate look download from through website site page url link address web log onto into slash saying says named type typed enter")

// domainEnd goes on from a dot over the labels that follow, to a top-level name.
func (t *turn) domainEnd(dot int) (int, bool) {
	ok := false
	end := dot
	for k := dot; k+1 < len(t.toks) && (t.toks[k].is("dot", "point") || t.writtenDot(k)); {
		label := k + 1
		if tlds[t.at(label)+t.at(label+1)] && len(t.at(label)) == 1 && len(t.at(label+1)) == 1 { // "u k"
			return label + 2, true
		}
		for n := 0; label < len(t.toks) && n < 6 && (n > 0 || !tlds[t.at(label)]) && (t.toks[label].kind != markToken || t.toks[label].text == "-"); n++ {
			if label+1 < len(t.toks) && (t.toks[label+1].is("dot", "point") || t.writtenDot(label+1)) {
				break
			}
			label++
		}
		if label >= len(t.toks) || t.toks[label].kind == markToken || label > k+1 && !t.toks[min(label+1, len(t.toks)-1)].is("dot", "point") && !t.writtenDot(label+1) {
			break
		}
		k = label + 1
		if tlds[t.at(label)] {
			ok, end = true, k
		} else if k >= len(t.toks) || !t.toks[k].is("dot", "point") && !t.writtenDot(k) {
			break
		}
	}
	return end, ok
}

// localStart goes back from "at" over the part of an address before it.
func (t *turn) localStart(at int) int {
	lo := at
	for lo > 0 && at-lo < maxLocal {
		w := &t.toks[lo-1]
		if spelt := t.runAt(lo - 1); spelt < lo-1 && t.runs[t.runIndex(lo-1)].letters > 0 {
			lo = spelt
			continue
		}
		switch {
		case w.kind == markToken:
			if !among(w.text, "-_.+") || w.spaced && w.text != "_" {
				return lo
			}
		case lo < at && t.toks[lo].is("dot", "underscore", "dash", "hyphen", "plus", "point"):
		case w.is("i", "a") && lo-2 >= 0 && len(t.toks[lo-2].low) == 1 && !t.toks[lo-2].is("i", "a"):
		case w.is("a") && len(t.at(lo)) == 1 && lo < at:
		case notLocal[w.low], notLocal[w.base], hesitations[w.low] && lo == at:
			if lo-2 >= 0 && symbolWords[t.at(lo-2)] && lo < at+1 {
				break
			}
			return lo
		}
		lo--
	}
	for lo < at && (hesitations[t.at(lo)] || t.toks[lo].kind == markToken || t.toks[lo].is("s") && lo > 0 && t.toks[lo-1].text == "'") {
		lo++
	}
	return lo
}

// runIndex returns the run that token i is in, or -1.
func (t *turn) runIndex(i int) int {
	for k, r := range t.runs {
		if r.lo <= i && i < r.hi {
			return k
		}
	}
	return -1
}

// runAt returns where the run that token i is in begins, or i.
func (t *turn) runAt(i int) int {
	if k := t.runIndex(i); k >= 0 {
		return t.runs[k].lo
	}
	return i
}

var symbolWords = set("dot underscore dash hyphen plus point at slash stroke hash asterisk star exclamation ampersand dollar pound percent period minus")

// pathEnd goes on from the end of a name over "slash album slash kestrel".
func (t *turn) pathEnd(hi int) int {
	for hi+1 < len(t.toks) && (t.toks[hi].is("slash") || t.toks[hi].is("forward") && t.at(hi+1) == "slash") {
		if t.toks[hi].is("forward") {
			hi++
		}
		end := hi + 1
		for n := 0; end < len(t.toks) && n < 6; n++ {
			w := &t.toks[end]
			if w.kind == markToken && w.text != "-" || w.is("slash", "and", "then", "is", "that's", "it's", "if", "you", "to", "click", "where", "for", "or", "please", "i", "there", "the", "but", "so") {
				break
			}
			end++
			if end < len(t.toks) && (symbolWords[t.at(end)] || symbolWords[w.low] || numberWord(&t.toks[end])) && !t.toks[end].is("slash", "at") {
				continue
			}
			break
		}
		if end == hi+1 {
			if hi+2 <= len(t.toks) && t.at(hi+1) == "in" {
				end++
			} else {
				return hi
			}
		}
		hi = end
	}
	return hi
}

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
