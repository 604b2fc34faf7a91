package pii

import (
	"strings"
	"unicode/utf8"
)

// checked tells that a checksum of the type holds.
func checked(kind, code string) bool {
	switch kind {
	case Card:
		return card(code)
	case BankRouting:
		return aba(code)
	case CanadianInsuring:
		return luhn(code)
	case Vehicle:
		return vin(code)
	case IBAN, BankAccount:
		return iban(code)
	}
	return false
}

// checkedForm is the type whose checksum a run has by more than chance, whatever the words say.
func checkedForm(r *run) string {
	switch {
	case r.letters == 0 && card(r.code) && len(r.code) >= 14:
		return Card
	case r.letters >= 2 && iban(r.code):
		return BankAccount
	case r.letters > 0 && r.digits > 3 && vin(r.code):
		return Vehicle
	}
	return ""
}

// formOf classifies a run that no words announce.
func formOf(t *turn, r *run) (string, float64) {
	if kind := checkedForm(r); kind != "" {
		return kind, scoreTyped
	}
	n := len(r.code)
	switch {
	case (t.at(r.lo) == "+" || t.at(r.lo) == "plus" || t.at(r.lo-1) == "plus") && r.letters == 0 && n >= 8 && n <= 15:
		return Phone, scoreTyped
	case r.letters == 0 && n == 9 && dashed(t, r, 3, 2, 4):
		return SSN, scoreForm
	case r.letters == 0 && n >= 10 && n <= 13 && phoneDigits(r.code):
		return Phone, scoreForm
	case r.letters == 0 && n == 7 && (dashed(t, r, 3, 4) || strings.HasPrefix(r.code, "555")):
		return Phone, scoreForm
	case r.letters == 0 && n == 12 && !r.words && len(r.groups) == 3 && r.groups[0] == 4 && r.groups[1] == 4:
		return Card, scoreGuess
	case r.letters == 0 && n == 8 && dashed(t, r, 4, 4):
		return Card, scoreGuess
	case r.letters == 0 && (n == 15 || n == 16) && r.code[0] >= '2' && r.code[0] <= '6':
		return Card, scoreGuess
	case r.letters == 0 && n == 6 && dashed(t, r, 2, 2, 2) && !r.words:
		return BankRouting, scoreGuess
	case postcode(r.code) && (r.shouted || r.words):
		return Address, scoreGuess
	}
	return byLength(t, r)
}

// byLength guesses what a run is of which nothing is known but how long it is and how it stands: who reads a long number
// out in a call, and does not say what it is, was asked for it. Better an order too many is taken out than an account too few.
func byLength(t *turn, r *run) (string, float64) {
	for i := r.lo; i < r.hi; i++ {
		if t.toks[i].text == "/" { // a date
			return "", 0
		}
	}
	for _, f := range t.cues {
		if f.kind == DateTime && f.lo >= r.lo && f.hi <= r.hi { // "d o b" and a date, spelled on
			return "", 0
		}
	}
	for _, s := range shapes {
		if n := len(r.code); n >= s.least && n <= s.most && (r.letters > 0) == s.letters && (s.holds == nil || s.holds(t, r)) {
			return s.kind, scoreGuess
		}
	}
	return "", 0
}

// shape is what codes of a length are taken for by themselves.
type shape struct {
	kind        string
	least, most int // characters
	letters     bool
	// holds says what else is needed; nil is nothing.
	holds func(*turn, *run) bool
}

// shapes are tried in order. A shape is as narrow as what people say besides asks for: everyday numbers have one to four
// digits, so four need to stand like a code, and model numbers have a letter or two.
var shapes = []shape{
	{Plate, 7, 7, true, func(_ *turn, r *run) bool { return formed(r.code, "AA99AAA") }},
	{Address, 7, 7, true, func(_ *turn, r *run) bool { return eircode(r.code) }},
	{Passport, 7, 10, true, func(_ *turn, r *run) bool {
		return r.letters <= 2 && r.digits >= 6 && r.code[r.letters-1] >= 'A'
	}},
	{Plate, 6, 8, true, func(_ *turn, r *run) bool { return r.letters >= 2 && r.digits >= 2 && len(r.groups) >= 2 }},
	{Driver, 9, 18, true, func(_ *turn, r *run) bool { return r.digits >= 4 }},
	{PIN, 4, 4, false, func(t *turn, r *run) bool { return (opens(t, r) || said(t, r)) && !everydayNumber(r.code) }},
	{BankRouting, 6, 6, false, func(_ *turn, r *run) bool { return len(r.groups) >= 2 }},
	{BankAccount, 7, 8, false, nil},
	{BankRouting, 9, 9, false, func(_ *turn, r *run) bool { return len(r.groups) == 1 && aba(r.code) }},
	{SSN, 9, 9, false, func(_ *turn, r *run) bool { return len(r.groups) > 1 }},
	{Passport, 9, 9, false, nil},
	{BankAccount, 10, 11, false, nil},
	{Card, 12, 19, false, nil},
}

// formed tells that a code has a form, in which 9 is any digit and A any letter.
func formed(code, form string) bool {
	for i := range len(code) {
		if digit := code[i] >= '0' && code[i] <= '9'; i >= len(form) || digit != (form[i] == '9') {
			return false
		}
	}
	return len(code) == len(form)
}

// eircode tells whether code has the form of an Irish postcode: a routing key, as "D08", and four signs without
// those that are easily taken for another.
func eircode(code string) bool {
	return len(code) == 7 && formed(code[:2], "A9") && among(code[:1], "ACDEFHKNPRTVWXY") &&
		(code[2] >= '0' && code[2] <= '9' || code[2] == 'W') && strings.Trim(code[3:], "0123456789ACDEFHKNPRTVWXY") == "" &&
		strings.Trim(code[3:], "0123456789") != "" && strings.Trim(code[3:], "ACDEFHKNPRTVWXY") != ""
}

// everydayNumber tells four digits that hardly anybody's code has: years, hundreds, and what is said to test a line.
func everydayNumber(code string) bool {
	return year(code) || strings.HasSuffix(code, "00") || code == "1234"
}

var (
	// beforeCode are the words after which four digits can be a code, and afterCode those that may follow one.
	beforeCode = set("is it it's was to as use used uses tried put set entered typed says just only maybe again still number be now that's like think or press pressed keyed type enter")
	afterCode  = set("no not sorry wait or when but and that's is i i'm it it's that was because then so since until right please thanks okay ok yes isn't if though before after hang actually for")
)

// said tells that four digits stand like a code: said one by one or written in one, after a word that may give a code,
// and with nothing after them that could be counted.
func said(t *turn, r *run) bool {
	if len(r.groups) != 1 {
		return false
	}
	before, after := t.at(r.lo-1), t.at(r.hi)
	return (beforeCode[before] || hesitations[before]) &&
		(r.hi == len(t.toks) || t.toks[r.hi].kind == markToken && !among(after, "-/:%") || afterCode[after] || hesitations[after])
}

// opens tells that a turn begins with a run: it is an answer.
func opens(t *turn, r *run) bool {
	for i := range r.lo {
		if t.toks[i].kind != markToken && !fillers[t.toks[i].low] && !t.toks[i].is("yes", "yeah", "okay", "ok", "sure", "right", "it's", "its", "is", "it", "that's", "so") {
			return false
		}
	}
	return true
}

// year tells whether four digits are a year of our times.
func year(digits string) bool {
	return strings.HasPrefix(digits, "19") || strings.HasPrefix(digits, "20")
}

// dashed tells that a number is written in groups of these lengths with dashes between.
func dashed(t *turn, r *run, lengths ...int) bool {
	i := r.lo
	for k, n := range lengths {
		if k > 0 {
			if i >= r.hi || t.toks[i].text != "-" && t.toks[i].text != "." && t.toks[i].text != "–" {
				return false
			}
			i++
		}
		if i >= r.hi || utf8.RuneCountInString(t.toks[i].text) != n {
			return false
		}
		i++
	}
	return i == r.hi
}

// expiry tells whether digits can be a month and a year: 0826, 826, 082026.
func expiry(digits string) bool {
	month := digits[:len(digits)/2]
	switch len(digits) {
	case 3:
		month = digits[:1]
	case 6:
		month = digits[:2]
	}
	return month != "00" && month != "0" && (len(month) == 1 || month <= "12")
}

// postcode tells whether code has the form of a British postcode: A9 9AA, A99 9AA, AA9 9AA, AA99 9AA, A9A 9AA, AA9A 9AA.
func postcode(code string) bool {
	if len(code) < 5 || len(code) > 7 {
		return false
	}
	shape := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '9'
		}
		return 'A'
	}, code)
	out, in := shape[:len(shape)-3], shape[len(shape)-3:]
	return in == "9AA" && (out == "A9" || out == "A99" || out == "AA9" || out == "AA99" || out == "A9A" || out == "AA9A")
}

// canadianPostcode tells whether code has the form A9A9A9.
func canadianPostcode(code string) bool {
	if len(code) != 6 {
		return false
	}
	for i := range 6 {
		if digit := code[i] >= '0' && code[i] <= '9'; digit != (i%2 == 1) {
			return false
		}
	}
	return true
}

func hexadecimal(code string) bool { return strings.Trim(code, "0123456789ABCDEF") == "" }
