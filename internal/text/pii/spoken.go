package pii

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
