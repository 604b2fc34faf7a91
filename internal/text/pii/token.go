package pii

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// tokenKind tells what a token is made of.
type tokenKind int

const (
	wordToken  tokenKind = iota // letters, with apostrophes inside
	digitToken                  // digits
	mixedToken                  // letters and digits: "21st", "CF11"
	markToken                   // one character that is neither
)

// token is a word, a number or a mark of a text.
type token struct {
	start, end int // bytes of the text
	kind       tokenKind
	text       string
	// low is text in lower case without accents; base is low without a possessive or contracted "'s".
	low, base string
	// spaced tells that a space, or the beginning of the text, is before the token.
	spaced bool
}

func (t *token) upper() bool {
	r, _ := utf8.DecodeRuneInString(t.text)
	return unicode.IsUpper(r)
}

// among tells whether text stands in a list written as one text.
func among(text, list string) bool { return strings.Contains(list, text) }

// upperCase tells that no letter is small.
func (t *token) upperCase() bool { return strings.ToUpper(t.text) == t.text }

func (t *token) is(words ...string) bool {
	for _, w := range words {
		if t.low == w {
			return true
		}
	}
	return false
}

// tokens splits a text.
func tokens(text string) []token {
	var out []token
	spaced := true
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if unicode.IsSpace(r) {
			spaced = true
			i += size
			continue
		}
		end, kind := i+size, markToken
		if wordRune(r) {
			end, kind = wordEnd(text, i)
		}
		t := token{start: i, end: end, kind: kind, text: text[i:end], spaced: spaced}
		t.low = fold(t.text)
		t.base = strings.TrimSuffix(t.low, "'s")
		out = append(out, t)
		spaced = false
		i = end
	}
	return out
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// wordEnd returns the end of the word at i: letters and digits, and apostrophes between letters.
func wordEnd(text string, i int) (int, tokenKind) {
	letters, digits := false, false
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == '\'' || r == '’' {
			next, _ := utf8.DecodeRuneInString(text[i+size:])
			if !letters || !unicode.IsLetter(next) {
				break
			}
		} else if !wordRune(r) {
			break
		}
		if unicode.IsDigit(r) {
			digits = true
		} else {
			letters = true
		}
		i += size
	}
	switch {
	case letters && digits:
		return i, mixedToken
	case digits:
		return i, digitToken
	default:
		return i, wordToken
	}
}

// fold returns s in lower case, without accents and with plain apostrophes.
func fold(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	s = strings.ToLower(s)
	if ascii {
		return s
	}
	s = strings.ReplaceAll(s, "’", "'")
	// A Transformer keeps state, so each text has its own.
	plain, _, err := transform.String(transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn)), norm.NFKC), s)
	if err != nil {
		return s
	}
	return plain
}
