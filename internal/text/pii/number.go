package pii

import "strconv"

// digitWords are the words that stand for one digit.
var digitWords = map[string]string{
	"zero": "0", "oh": "0", "o": "0", "nought": "0", "naught": "0", "nil": "0",
	"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "niner": "9",
}

var teenWords = map[string]string{
	"ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15", "sixteen": "16",
	"seventeen": "17", "eighteen": "18", "nineteen": "19",
}

var tensWords = map[string]string{
	"twenty": "2", "thirty": "3", "forty": "4", "fifty": "5", "sixty": "6", "seventy": "7", "eighty": "8", "ninety": "9",
}

var ordinalWords = map[string]int{
	"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
	"eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17,
	"eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}

// repeats are the words that say the next digit or letter several times.
var repeats = map[string]int{"double": 2, "triple": 3, "treble": 3, "quadruple": 4}

// natoWords are the spelling alphabet (ICAO Annex 10, volume II, 5.2.1.3) with the forms that recognisers write.
var natoWords = map[string]string{
	"alpha": "A", "alfa": "A", "bravo": "B", "charlie": "C", "delta": "D", "echo": "E", "foxtrot": "F", "golf": "G", "hotel": "H",
	"india": "I", "juliet": "J", "juliett": "J", "kilo": "K", "lima": "L", "mike": "M", "november": "N", "oscar": "O", "papa": "P",
	"quebec": "Q", "romeo": "R", "sierra": "S", "tango": "T", "uniform": "U", "victor": "V", "whiskey": "W", "whisky": "W",
	"xray": "X", "yankee": "Y", "zulu": "Z",
}

// number reads a spoken number at i as the digits that it stands for when a code is read out ("twenty eight" is "28",
// "four hundred" is "400", "two thousand four" is "2004"), and returns where it ends. It returns i where there is none.
func number(toks []token, i int) (digits string, next int) {
	if i >= len(toks) || toks[i].kind != wordToken {
		return "", i
	}
	digits, next = below100(toks, i)
	if next == i && toks[i].low == "a" && i+1 < len(toks) && toks[i+1].is("hundred", "thousand") {
		digits, next = "1", i+1
	}
	if next == i {
		return "", i
	}
	if next < len(toks) && toks[next].low == "hundred" && digits[0] != '0' {
		return hundreds(toks, digits, next+1)
	}
	if next < len(toks) && toks[next].low == "thousand" && digits[0] != '0' {
		return scaled(toks, digits, 1000, next+1)
	}
	return digits, next
}

// hundreds reads what follows "hundred".
func hundreds(toks []token, digits string, i int) (string, int) {
	return scaled(toks, digits, 100, i)
}

// scaled reads what follows "hundred" or "thousand": nothing, "and four", "forty two".
func scaled(toks []token, digits string, scale, i int) (string, int) {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return digits, i
	}
	n *= scale
	j := i
	if j < len(toks) && toks[j].low == "and" {
		j++
	}
	if rest, next := below100(toks, j); next > j && rest[0] != '0' {
		if r, err := strconv.Atoi(rest); err == nil && (j > i || len(rest) == 2 || scale == 1000) {
			n += r
			i = next
		}
	}
	return strconv.Itoa(n), i
}

// below100 reads "seven", "oh", "seventeen", "seventy", "seventy one", "seventy-one".
func below100(toks []token, i int) (string, int) {
	if i >= len(toks) || toks[i].kind != wordToken {
		return "", i
	}
	w := toks[i].low
	if d, ok := digitWords[w]; ok {
		return d, i + 1
	}
	if d, ok := teenWords[w]; ok {
		return d, i + 1
	}
	tens, ok := tensWords[w]
	if !ok {
		return "", i
	}
	j := i + 1
	if j+1 < len(toks) && toks[j].text == "-" && !toks[j].spaced {
		j++
	}
	if j < len(toks) {
		if d, ok := digitWords[toks[j].low]; ok && d != "0" {
			return tens + d, j + 1
		}
	}
	return tens + "0", i + 1
}

// numberWord tells whether a token is a number or a word of one.
func numberWord(t *token) bool {
	switch t.kind {
	case digitToken:
		return true
	case wordToken:
		_, digit := digitWords[t.low]
		_, teen := teenWords[t.low]
		_, tens := tensWords[t.low]
		return digit && t.low != "o" || teen || tens || t.is("hundred", "thousand")
	}
	return false
}
