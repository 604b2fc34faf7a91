package pii

import "strings"

// fitness says how well a code has the form of a type.
type fitness int

const (
	unfit fitness = iota
	loose         // it can be one where the words around say so
	typical
)

// Scores of what was found, by how it was. They were set by hand to the order of their precision on
// conversations made for development, not fitted.
const (
	scoreChecked = 0.99 // a checksum or an unmistakable form, and words that say so
	scoreTyped   = 0.95 // the form of the type, and words that say so
	scoreLoose   = 0.85 // words say so
	scoreForm    = 0.80 // the form alone
	scoreGuess   = 0.60
)

// reach is how many tokens before a value may announce it.
const reach = 16

// codeOf classifies a run of a turn by the words around it and by its form.
func (c *conversation) codeOf(t *turn, k int) (kind string, score float64) {
	r := &t.runs[k]
	if c.isAmount(t, r) {
		return "", 0
	}
	partial := isPartial(t, r)
	// What is said of the value itself comes first, then what was asked before, then its form.
	if kind := c.paired(t, k); kind != "" {
		return kind, scoreLoose
	}
	if t.codeOfCard(k) {
		return CardCode, scoreLoose
	}
	kind, score = "", 0
	for _, cand := range c.candidates(t, k) {
		if cand.kind == noType {
			if kind == "" && cand.near && checkedForm(r) == "" {
				if head := t.headOf(r); head != "" && fit(head, r, partial) == typical {
					return head, scoreLoose
				}
				return "", 0
			}
			break
		}
		switch fit(cand.kind, r, partial || cand.partial) {
		case typical:
			if cand.kind == BankAccount && card(r.code) {
				return Card, scoreChecked
			}
			if checked(cand.kind, r.code) {
				return cand.kind, scoreChecked
			}
			return cand.kind, scoreTyped - cand.doubt
		case loose:
			// Words further away that fit better are believed more: "the sort code on my card is".
			if cand.near && kind == "" {
				kind, score = cand.kind, scoreLoose-cand.doubt
			}
		}
	}
	if kind != "" {
		return kind, score
	}
	// The end of a number of which nothing else is said is most often a card's.
	if partial && r.letters == 0 && len(r.code) == 4 {
		return Card, scoreGuess
	}
	return formOf(t, r)
}

// headOf is the type that a cue gives a run although one that speaks against it stands nearer, because that one only says
// what for: "the contact number for the job is".
func (t *turn) headOf(r *run) string {
	for i := len(t.cues) - 1; i > 0; i-- {
		f, head := t.cues[i], t.cues[i-1]
		if f.hi > r.lo {
			continue
		}
		if f.kind != noType || head.kind == noType || f.lo-head.hi > 4 {
			return ""
		}
		for k := head.hi; k < f.lo; k++ {
			if !t.toks[k].is("for", "of", "on", "the", "my", "this", "that", "your", "with", "about", "to", "a", "his", "her", "our") {
				return ""
			}
		}
		if f.lo == head.hi {
			return ""
		}
		return head.kind
	}
	return ""
}

// paired is the type of a run that follows another value as its second half without words of its own: an account after
// its sort code, the expiry after a card, the code after that.
func (c *conversation) paired(t *turn, k int) string {
	before := t.before(k)
	if before < 0 || t.kinds[before] == "" {
		return ""
	}
	b, r := &t.runs[before], &t.runs[k]
	for i := b.hi; i < r.lo; i++ {
		if t.toks[i].kind != markToken && !t.toks[i].is("and", "then", "uh", "um", "er") {
			return ""
		}
	}
	n := len(r.code)
	switch {
	case r.letters > 0:
		return ""
	case t.kinds[before] == BankRouting && n >= 7 && n <= 12 && n != len(b.code):
		return BankAccount
	case t.kinds[before] == BankAccount && len(b.code) != n && (n == 6 || aba(r.code)):
		return BankRouting
	case t.kinds[before] == Card && n == 4 && len(b.code) <= 12:
		return Card
	case t.kinds[before] == Card && len(b.code) > 12 && n == 4 && expiry(r.code):
		return CardExpiry
	case t.kinds[before] == CardExpiry && n == 3:
		return CardCode
	}
	return ""
}

// codeOfCard tells that a short number is the code of the card that was read out, or whose end was given, before it in
// the turn: "and the code is 771", "the little number on the front is 7305".
func (t *turn) codeOfCard(k int) bool {
	r := &t.runs[k]
	if r.letters > 0 || len(r.code) != 3 && len(r.code) != 4 || year(r.code) {
		return false
	}
	for b := k - 1; b >= 0; b-- {
		switch t.kinds[b] {
		case Card, CardExpiry:
			if len(r.code) == 4 && !(t.kinds[b] == Card && t.runs[b].code[0] == '3') {
				return false
			}
		case CardCode, "":
			continue
		default:
			return false
		}
		for i := t.runs[b].hi; i < r.lo; i++ {
			if t.toks[i].is("code", "digits", "number", "numbers", "front", "back", "security", "signature") {
				return true
			}
		}
		return false
	}
	return false
}

// before returns the last run before run k that is no single digit, or -1: "the one ending in".
func (t *turn) before(k int) int {
	for k--; k >= 0; k-- {
		if len(t.runs[k].code) > 1 {
			return k
		}
	}
	return -1
}

// candidate is a type that the words around a run suggest.
type candidate struct {
	kind string
	// near tells that the words belong to the value.
	near bool
	// partial tells that only a part of the value was asked for.
	partial bool
	doubt   float64
}

// candidates returns what the words around a run say, nearest first.
func (c *conversation) candidates(t *turn, k int) []candidate {
	r := &t.runs[k]
	var out []candidate
	after, hasAfter := t.cueAfter(r)
	between := -1 // a run that stands between the cue and this one
	if k > 0 {
		between = k - 1
	}
	var left []candidate
	crossed := 0
	for i := len(t.cues) - 1; i >= 0; i-- {
		f := t.cues[i]
		if f.hi > r.lo {
			continue
		}
		for between >= 0 && t.runs[between].lo >= f.hi {
			if len(t.runs[between].code) > 1 {
				crossed++
			}
			between--
		}
		distance := r.lo - f.hi
		if distance > reach || crossed > 2 {
			break
		}
		near := distance <= 8 && crossed == 0
		if crossed > 0 {
			// Another value has answered this cue. A second of the same kind may follow: a correction, an old and a new one.
			if f.kind == noType || !c.sameAgain(t, k) {
				continue
			}
			near = true
		}
		left = append(left, candidate{kind: f.kind, near: near, doubt: 0.01 * float64(min(distance, 8))})
	}
	if hasAfter && (len(left) == 0 || crossed > 0 || left[0].kind != after && !closeTo(t, r)) {
		out = append(out, candidate{kind: after, near: true})
	}
	out = append(out, left...)
	if kind := c.echo(t, k); kind != "" {
		out = append([]candidate{{kind: kind, near: true}}, out...)
	}
	if len(left) == 0 || left[0].kind != noType {
		out = append(out, c.asked(t, r)...)
	}
	return out
}

// closeTo tells that the cue before a run stands right before it, with at most a few small words between.
func closeTo(t *turn, r *run) bool {
	for i := len(t.cues) - 1; i >= 0; i-- {
		if f := t.cues[i]; f.hi <= r.lo {
			return r.lo-f.hi <= 2
		}
	}
	return false
}

// linking are the words that stand between a value and a cue after it: "is my pin", "for the c v v".
var linking = set("for is as was on that's thats being are the my your his her a at it's its")

// cueAfter returns the type that the words after a run give it.
func (t *turn) cueAfter(r *run) (string, bool) {
	i := r.hi
	if i < len(t.toks) && t.toks[i].text == "," {
		i++
	}
	if i >= len(t.toks) || !linking[t.toks[i].low] {
		return "", false
	}
	for n := 0; n < 5 && i < len(t.toks); n++ {
		for _, f := range t.cues {
			if f.lo == i {
				return f.kind, f.kind != noType || n < 3
			}
		}
		if !linking[t.toks[i].low] && n > 2 {
			return "", false
		}
		i++
	}
	return "", false
}

// correcting are the words with which a second value of the same kind follows the first.
var correcting = set("no sorry wait actually not i mean it's its is or to from rather scratch that make correction it was and ends ending in with one other second something that's my card than then hang on oops instead should be old new changed uh um er oh my bad the again now yeah well , . - … ; hmm but tell a lie think thinking read off apologies pardon")

// sameAgain tells that only words of a correction or a change stand between a run and the one before.
func (c *conversation) sameAgain(t *turn, k int) bool {
	before := t.before(k)
	if before < 0 {
		return false
	}
	words := 0
	for i := t.runs[before].hi; i < t.runs[k].lo; i++ {
		if !correcting[t.toks[i].base] && !correcting[t.toks[i].low] {
			return false
		}
		words++
	}
	return words <= 9
}

// echo is the type of the run before when this one corrects or repeats it, or gives its end: "no wait, it ends in 46".
func (c *conversation) echo(t *turn, k int) string {
	last := t.before(k)
	if last < 0 || t.kinds[last] == "" || !c.sameAgain(t, k) {
		return ""
	}
	before, r := &t.runs[last], &t.runs[k]
	joined := true
	for i := before.hi; i < r.lo; i++ {
		joined = joined && t.toks[i].is("and", "then", ".", ",")
	}
	if joined && len(r.code) != len(before.code) {
		return ""
	}
	for _, f := range t.cues {
		if f.lo >= before.hi && f.hi <= r.lo && f.kind != noType {
			return ""
		}
	}
	return t.kinds[last]
}

// isPartial tells that only the end of a value is said: "ends in", "the last four".
func isPartial(t *turn, r *run) bool {
	for i := max(0, r.lo-7); i < r.lo; i++ {
		if partialWord(t.toks, i) {
			return true
		}
	}
	return false
}

func partialWord(toks []token, i int) bool {
	next := func(words ...string) bool { return i+1 < len(toks) && toks[i+1].is(words...) }
	return toks[i].is("ends", "ending", "end", "finishing", "finishes") && next("in", "with") ||
		toks[i].is("last", "final", "first") && next("four", "4", "three", "3", "digits", "six", "6", "two", "2", "five", "5") ||
		toks[i].is("ending")
}

// fit tells how well a run has the form of a type.
func fit(kind string, r *run, partial bool) fitness {
	n, digits := len(r.code), r.letters == 0
	is := func(ok, can bool) fitness {
		switch {
		case ok:
			return typical
		case can:
			return loose
		}
		return unfit
	}
	if partial && digits && n >= 2 && n <= 6 {
		switch kind {
		case Card, SSN, BankAccount, Phone, Driver, Passport, BankRouting, IBAN, TaxNumber, CanadianInsuring:
			return typical
		}
	}
	switch kind {
	case Card:
		return is(digits && n >= 13 && n <= 19, digits && (n == 4 || n >= 6 && n <= 20))
	case CardCode:
		return is(digits && (n == 3 || n == 4), false)
	case CardExpiry:
		return is(digits && (n == 4 || n == 3 || n == 6) && expiry(r.code), digits && n == 4)
	case SSN, CanadianInsuring:
		return is(digits && n == 9, digits && n >= 3 && n <= 10)
	case TaxNumber:
		return is(digits && n == 9, digits && n >= 8 && n <= 10)
	case BankRouting:
		return is(digits && (n == 9 || n == 6), digits && n >= 5 && n <= 10)
	case BankAccount:
		return is(digits && n >= 6 && n <= 17 || iban(r.code), n >= 4 && n <= 34 && r.digits >= 4)
	case Phone:
		return is(digits && n >= 7 && n <= 15, digits && n >= 6)
	case PIN:
		return is(digits && n >= 4 && n <= 6, digits && n == 8)
	case Passport:
		return is(n >= 6 && n <= 10 && r.digits >= 5 && r.letters <= 3, n >= 5 && n <= 12 && r.digits > 0)
	case Driver:
		return is(n >= 6 && n <= 20 && r.digits >= 4, n >= 4 && n <= 20 && r.digits > 1)
	case Plate:
		return is(n >= 4 && n <= 8 && r.digits > 0 && r.letters > 0, n >= 3 && n <= 8)
	case Vehicle:
		return is(n == 17, n >= 8 && n <= 18 && r.digits > 0)
	case CanadianHealth:
		return is(n >= 9 && n <= 12 && r.digits >= 8, n >= 8 && r.digits >= 6 && n <= 14)
	case Address:
		return is(digits && (n == 5 || n == 9) || postcode(r.code), digits && n == 4 || canadianPostcode(r.code))
	case IBAN:
		return is(iban(r.code), n >= 12 && r.letters >= 2 && r.digits >= 8)
	case SWIFT:
		return is(swift(r.code), (n == 8 || n == 11) && r.letters >= 4)
	case MACAddress:
		return is(n == 12 && hexadecimal(r.code), n >= 8 && n <= 16 && hexadecimal(r.code))
	}
	return unfit
}

// isAmount tells that a run counts or measures something.
func (c *conversation) isAmount(t *turn, r *run) bool {
	if r.letters > 0 || len(r.code) > 6 {
		return false
	}
	if r.lo > 0 && strings.ContainsAny(t.toks[r.lo-1].text, "$£€¥") || len(r.code) == 4 && year(r.code) && sinceWords[t.at(r.lo-1)] {
		return true
	}
	return r.hi < len(t.toks) && amountWords[t.toks[r.hi].low]
}

// sinceWords stand before a year.
var sinceWords = set("in since from about around until till of during before after circa early late mid")

var amountWords = set(`dollars dollar pounds pound euros euro bucks quid pence cents percent per cent p.m a.m pm am o'clock minutes minute mins hours hour days day weeks week months month
	miles mile kilometers kilometres km meters metres feet foot inches inch degrees kilos kilograms grams pounds litres liters gallons gigabytes gigs megabytes megs megabits mbps watts volts
	people customers units items orders boxes pieces pairs times points pages stops calls tickets copies bedroom bedrooms bathrooms seconds second working business
	years year yrs grand million thousand hundred billion working large small medium bags cases packs bottles pizzas filters frames`)
