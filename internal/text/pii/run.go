package pii

import (
	"strconv"
	"strings"
	"unicode"
)

// run is a code as it was said: digits, letters and numbers in a row, perhaps with hesitations between.
type run struct {
	lo, hi int // tokens, hi exclusive
	// code is what was said, in digits and upper-case letters.
	code    string
	digits  int
	letters int
	// groups are the lengths of the parts between which something stood or another number word began.
	groups []int
	// words tells that numbers or letters were said as words or one by one.
	words bool
	// shouted tells that a letter was written in upper case.
	shouted bool
}

// atom is one step of a run.
type atom struct {
	code    string
	next    int
	words   bool
	shouted bool
	// spelt tells that the atom is a letter alone, which may be a word; nato that it is a word of the spelling alphabet.
	spelt, nato bool
}

// maxRun bounds the atoms of one run. The longest code, an IBAN, has 34 characters.
const maxRun = 64

// hesitations are sounds and fillers that may stand inside a value.
var hesitations = set("uh um er erm hmm hm mm mhm ah eh uhm umm uhh err")

// runs finds the codes of a turn.
func runs(toks []token) []run {
	var out []run
	for i := 0; i < len(toks); {
		r, ok := readRun(toks, i)
		if !ok {
			i++
			continue
		}
		out = append(out, r)
		i = r.hi
	}
	return out
}

// readRun reads the run that begins at i.
func readRun(toks []token, i int) (run, bool) {
	r := run{lo: i}
	var atoms []atom
	var starts []int
	at := i
	for len(atoms) < maxRun {
		a, ok := readAtom(toks, at, len(atoms) > 0)
		if !ok {
			break
		}
		atoms, starts = append(atoms, a), append(starts, at)
		at = skipBetween(toks, a.next)
		if at < 0 {
			break
		}
	}
	atoms, starts = trimRun(toks, atoms, starts)
	if counted(toks, atoms, starts) {
		atoms, starts = atoms[1:], starts[1:]
	}
	if len(atoms) == 0 {
		return r, false
	}
	r.lo = starts[0]
	var code strings.Builder
	for k, a := range atoms {
		if k == 0 || starts[k] != atoms[k-1].next || len(a.code) > 1 || len(atoms[k-1].code) > 1 {
			r.groups = append(r.groups, 0)
		}
		r.groups[len(r.groups)-1] += len(a.code)
		code.WriteString(a.code)
		r.words = r.words || a.words
		r.shouted = r.shouted || a.shouted
	}
	r.hi, r.code = atoms[len(atoms)-1].next, code.String()
	for _, c := range r.code {
		if c >= '0' && c <= '9' {
			r.digits++
		} else {
			r.letters++
		}
	}
	return r, true
}

// counted tells that the first number says how many follow: "the last four two nine double oh".
func counted(toks []token, atoms []atom, starts []int) bool {
	if len(atoms) < 2 || starts[0] == 0 || !toks[starts[0]-1].is("last", "final", "first") || len(atoms[0].code) != 1 {
		return false
	}
	n := 0
	for _, a := range atoms[1:] {
		n += len(a.code)
	}
	return strconv.Itoa(n) == atoms[0].code
}

// readAtom reads one step of a code; inside tells that one came before.
func readAtom(toks []token, i int, inside bool) (atom, bool) {
	if i >= len(toks) {
		return atom{}, false
	}
	t := &toks[i]
	switch t.kind {
	case digitToken:
		if quantity(toks, i) {
			return atom{}, false
		}
		return atom{code: asciiDigits(t.text), next: i + 1}, true
	case mixedToken:
		// A capital is a letter, a small one a unit: "77X", "4x".
		letter := strings.TrimLeft(t.text, "0123456789")
		if !codeLike(t.low) && !(len(letter) == 1 && letter >= "A" && letter <= "Z" && i > 0 && toks[i-1].text == "-" && !t.spaced) {
			return atom{}, false
		}
		return atom{code: strings.ToUpper(t.low), next: i + 1, shouted: t.text != t.low}, true
	case markToken:
		// An international number begins with a plus.
		if t.text == "+" && !inside && i+1 < len(toks) && toks[i+1].kind == digitToken && !toks[i+1].spaced {
			return readAtom(toks, i+1, inside)
		}
		if t.text == "(" && i+2 < len(toks) && toks[i+1].kind == digitToken && toks[i+2].text == ")" {
			return atom{code: asciiDigits(toks[i+1].text), next: i + 3}, true
		}
		return atom{}, false
	}
	if shoutedLetters(toks, i) {
		return atom{code: strings.ToUpper(t.low), next: i + 1, shouted: true}, true
	}
	if t.low == "plus" && !inside {
		if a, ok := readAtom(toks, i+1, true); ok && a.code[0] >= '1' && a.code[0] <= '9' && !a.spelt && skipBetween(toks, a.next) >= 0 {
			return a, true
		}
		return atom{}, false
	}
	if n, ok := repeats[t.low]; ok {
		a, ok := readAtom(toks, i+1, true)
		if !ok || len(a.code) != 1 {
			return atom{}, false
		}
		return atom{code: strings.Repeat(a.code, n), next: a.next, words: true}, true
	}
	if digits, next := number(toks, i); next > i {
		return atom{code: digits, next: next, words: true, spelt: t.low == "o", shouted: t.text == "O"}, true
	}
	if t.is("capital", "uppercase", "lowercase", "upper", "lower", "small", "cap") {
		j := i + 1
		if j < len(toks) && t.is("upper", "lower") && toks[j].low == "case" {
			j++
		}
		if a, ok := letter(toks, j); ok {
			return a, true
		}
	}
	if a, ok := letter(toks, i); ok {
		return a, true
	}
	if l, ok := natoWords[t.low]; ok && (inside || natoNext(toks, i+1)) {
		return atom{code: l, next: i + 1, words: true, nato: true}, true
	}
	if t.low == "x" || t.low != "x-ray" {
		return atom{}, false
	}
	return atom{code: "X", next: i + 1, words: true, nato: true}, true
}

// shoutedLetters tells that a word of capitals is a part of a code: a number is beside it, "TYV 3724", "AB12 CDE".
func shoutedLetters(toks []token, i int) bool {
	t := &toks[i]
	if len(t.text) < 2 || len(t.text) > 4 || strings.ToUpper(t.text) != t.text || stateCodes[t.low] || units[t.low] || len(cues[t.low]) > 0 || len(t.low) != len(t.text) || strings.Contains(t.text, "'") {
		return false
	}
	next := i + 1
	if next < len(toks) && toks[next].text == "-" && !toks[next].spaced {
		next++
	}
	if next < len(toks) && (toks[next].kind == digitToken && !quantity(toks, next) || toks[next].kind == mixedToken && toks[next].upperCase()) {
		return true
	}
	return i > 0 && (toks[i-1].kind == mixedToken || toks[i-1].kind == digitToken) && (i+1 >= len(toks) || toks[i+1].kind == markToken)
}

// letter reads a letter, alone or as in "b as in boy", "b for bravo", "w like whiskey".
func letter(toks []token, i int) (atom, bool) {
	if i >= len(toks) || toks[i].kind != wordToken {
		return atom{}, false
	}
	t := &toks[i]
	a := atom{next: i + 1, words: true, spelt: true, shouted: t.upper() && len(t.text) == 1}
	switch {
	case len(t.low) == 1 && t.low[0] >= 'a' && t.low[0] <= 'z':
		a.code = strings.ToUpper(t.low)
	case t.low == "zed" || t.low == "zee":
		a.code = "Z"
	case t.low == "double" && i+1 < len(toks) && toks[i+1].is("u", "you"):
		a.code, a.next = "W", i+2
	default:
		return atom{}, false
	}
	at := func(k int) string {
		if i+k < len(toks) {
			return toks[i+k].low
		}
		return ""
	}
	begins := func(w string) bool { return len(w) > 1 && strings.HasPrefix(w, t.low) }
	switch {
	case at(1) == "as" && at(2) == "in" && at(3) != "":
		a.next = i + 4
	case at(1) == "as" && begins(at(2)), at(1) == "for" && begins(at(2)), at(1) == "like" && begins(at(2)):
		a.next = i + 3
	case at(1) == "like" && at(2) == "in" && at(3) != "":
		a.next = i + 4
	}
	if a.next > i+2 {
		a.spelt = false
	}
	return a, true
}

// natoNext tells whether what follows goes on with a code, so that a word of the spelling alphabet is one.
func natoNext(toks []token, i int) bool {
	i = skipBetween(toks, i)
	if i < 0 || i >= len(toks) {
		return false
	}
	if _, ok := natoWords[toks[i].low]; ok {
		return true
	}
	_, digit := digitWords[toks[i].low]
	return digit || len(toks[i].low) == 1 && toks[i].kind == wordToken && !toks[i].is("a", "i")
}

// skipBetween returns the next token after what may stand inside a code: a dash, a comma, a hesitation; or -1 at an end.
func skipBetween(toks []token, i int) int {
	for skipped := 0; i < len(toks) && skipped < 6; skipped++ {
		t := &toks[i]
		switch {
		case t.kind == markToken && among(t.text, "-–/,"), t.text == "." && i+1 < len(toks) && !toks[i+1].spaced,
			t.text == "…", hesitations[t.low], t.is("dash", "hyphen", "stroke"):
			i++
		case t.low == "let" && i+2 < len(toks) && toks[i+1].low == "me" && toks[i+2].is("see", "think", "check"):
			i += 3
		case t.low == "space" && i+1 < len(toks):
			i++
		default:
			return i
		}
	}
	return -1
}

// trimRun takes off the ends what was no part of the code: "oh" that exclaims, "a" and "i" that are words.
func trimRun(toks []token, atoms []atom, starts []int) ([]atom, []int) {
	for n := len(atoms); n > 0; n = len(atoms) {
		last, t := &atoms[n-1], &toks[starts[n-1]]
		next := ""
		if last.next < len(toks) {
			next = toks[last.next].low
		}
		alone := n == 1 || !(atoms[n-2].spelt || atoms[n-2].nato)
		switch {
		case t.is("oh", "o") && last.next == starts[n-1]+1 && (n == 1 || afterOh[next]),
			t.is("a") && last.spelt && (alone || next != "" && toks[last.next].kind == wordToken && !t.upper() && !afterA[next]),
			t.is("i") && last.spelt && (alone && next != "" || afterI[next]),
			t.is("i'm", "nil"), // "nil" ends nothing but scores
			n == 1 && last.spelt && !last.shouted,
			n == 1 && last.nato:
			atoms, starts = atoms[:n-1], starts[:n-1]
			continue
		}
		break
	}
	for len(atoms) > 0 {
		t := &toks[starts[0]]
		second := len(atoms) > 1 && (atoms[1].spelt || atoms[1].nato)
		if t.is("a", "i") && atoms[0].spelt && !second || t.low == "oh" && len(atoms) > 1 && starts[0]+1 < len(toks) && toks[starts[0]+1].text == "," {
			atoms, starts = atoms[1:], starts[1:]
			continue
		}
		break
	}
	return atoms, starts
}

var (
	afterOh = set("wait no sorry well yeah yes okay right my god hang hold dear and-then actually sure hello hi yep")
	afterI  = set("believe think guess mean have had am was will would could can can't don't want need hope suppose said live just got do did know fly should shouldn't forgot changed set put use gave moved called ordered")
	// afterA are the words that may follow a spelled a.
	afterA = set("there yes yeah no that's thanks first then that and at in for is on please with so or but capital dash underscore")
)

// quantity tells whether the digits at i are a part of an amount: a price, a share, a decimal, a thousand, a time.
func quantity(toks []token, i int) bool {
	if i > 0 && !toks[i].spaced && strings.ContainsAny(toks[i-1].text, "$£€¥#") {
		return true
	}
	if i+1 >= len(toks) || toks[i+1].spaced {
		return false
	}
	switch toks[i+1].text {
	case "%", "°":
		return true
	case ":":
		return i+2 < len(toks) && toks[i+2].kind == digitToken && !toks[i+2].spaced
	case ",":
		return i+2 < len(toks) && !toks[i+2].spaced && len(toks[i+2].text) == 3 && len(toks[i].text) <= 3 &&
			(i == 0 || toks[i-1].text != "-")
	case ".":
		if i+2 >= len(toks) || toks[i+2].spaced || toks[i+2].kind != digitToken {
			return false
		}
		// More than one point parts groups of a number.
		after := i+3 < len(toks) && toks[i+3].text == "." && !toks[i+3].spaced && i+4 < len(toks) && !toks[i+4].spaced && toks[i+4].kind == digitToken
		before := i >= 2 && toks[i-1].text == "." && toks[i-2].kind == digitToken
		return !after && !before && len(toks[i].text) <= 3 && len(toks[i+2].text) <= 2
	}
	return false
}

// codeLike tells codes ("cf11", "w778") from numbers with a unit or an ending ("21st", "10am", "0x80").
func codeLike(low string) bool {
	digits := strings.TrimLeftFunc(low, unicode.IsDigit)
	if digits != low && units[digits] {
		return false
	}
	for i := range len(low) {
		if c := low[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z') {
			return false
		}
	}
	return !strings.HasPrefix(low, "0x")
}

var units = set("st nd rd th am pm s k m g kg gb mb tb kb mbps cm mm km ml l h hz khz mhz ghz w kw kwh v mah in ft oz lb lbs mph x p yr yrs min mins hr hrs d")

// asciiDigits returns decimal digits of any script as ASCII.
func asciiDigits(s string) string {
	plain := true
	for i := range len(s) {
		plain = plain && s[i] < 0x80
	}
	if plain {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < 0x80 {
			return r
		}
		for zero := r; zero > r-10; zero-- {
			if !unicode.IsDigit(zero - 1) {
				return '0' + (r - zero)
			}
		}
		return -1
	}, s)
}

// set makes a set of words.
func set(words string) map[string]bool {
	out := make(map[string]bool)
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}
