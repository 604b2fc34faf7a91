package align

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Piece is a word or a punctuation mark in a text made of tokens.
type Piece struct {
	Text        string
	Punctuation bool
	// NoSpaceBefore is set where the text has no space between this piece and the one
	// before.
	NoSpaceBefore bool
	// First and Last are the numbers of the tokens that hold the piece's first and last
	// character.
	First, Last int
}

// char is one character of a text with the tokens that hold it.
type char struct {
	r           rune
	first, last int
	// opens is set where the character begins a token.
	opens bool
}

// Split splits a text, given as the bytes of its tokens, into words and punctuation
// marks. What stands between spaces is a word without the marks at its ends: "it's",
// "$5", "3.5", "10:30", "U.S." and "well-known" are one word each. In scripts written
// without spaces a word is what the tokenizer took for one.
func Split(tokens [][]byte) []Piece {
	chars := characters(tokens)
	var pieces []Piece
	spaced := true
	for start := 0; start < len(chars); {
		if unicode.IsSpace(chars[start].r) {
			spaced = true
			start++
			continue
		}
		end := start + 1
		for end < len(chars) && !unicode.IsSpace(chars[end].r) && !breaks(chars[end-1], chars[end]) {
			end++
		}
		for i, p := range parts(chars[start:end]) {
			p.NoSpaceBefore = (i > 0 || !spaced) && len(pieces) > 0
			pieces = append(pieces, p)
		}
		spaced = false
		start = end
	}
	return slices.DeleteFunc(pieces, func(p Piece) bool { return p.Punctuation && !spoken(p.Text) })
}

// spoken reports whether a punctuation mark stands for how something is said. Lone
// dashes, notes and the like do not.
func spoken(mark string) bool {
	r, _ := utf8.DecodeRuneInString(mark)
	return !strings.ContainsRune("-–—―~*_♪♫#/\\|`^", r)
}

// characters decodes the text; bytes that are not UTF-8 are left out.
func characters(tokens [][]byte) []char {
	var raw []byte
	var owner []int
	opens := make(map[int]bool)
	for i, t := range tokens {
		opens[len(raw)] = true
		raw = append(raw, t...)
		for range t {
			owner = append(owner, i)
		}
	}
	var chars []char
	for at := 0; at < len(raw); {
		r, size := utf8.DecodeRune(raw[at:])
		if r != utf8.RuneError || size > 1 {
			chars = append(chars, char{r: r, first: owner[at], last: owner[at+size-1], opens: opens[at]})
		}
		at += size
	}
	return chars
}

// breaks reports whether a word of a script without spaces ends between two characters:
// where a token does, but not before a mark that belongs to the character before.
func breaks(before, after char) bool {
	if !unspaced(before.r) && !unspaced(after.r) {
		return false
	}
	if unicode.IsMark(after.r) || unicode.IsPunct(after.r) || unicode.IsPunct(before.r) {
		return false
	}
	return after.opens || unspaced(before.r) != unspaced(after.r)
}

var unspacedScripts = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
}

func unspaced(r rune) bool {
	return r > 0x0E00 && (unicode.In(r, unspacedScripts...) || r == 'ー' || r == '々')
}

// parts splits what stands between spaces into words and marks.
func parts(chars []char) []Piece {
	var pieces []Piece
	add := func(chars []char, punctuation bool) {
		var text strings.Builder
		for _, c := range chars {
			text.WriteRune(c.r)
		}
		pieces = append(pieces, Piece{
			Text: text.String(), Punctuation: punctuation,
			First: chars[0].first, Last: chars[len(chars)-1].last,
		})
	}
	for start := 0; start < len(chars); {
		if isMark(chars, start) {
			end := start + 1
			// "..." and "?!" are one mark.
			for end < len(chars) && strings.ContainsRune(".!?", chars[start].r) && strings.ContainsRune(".!?", chars[end].r) {
				end++
			}
			add(chars[start:end], true)
			start = end
			continue
		}
		end := start + 1
		for end < len(chars) && !isMark(chars, end) {
			end++
		}
		if end < len(chars) && chars[end].r == '.' && abbreviation(chars[start:end]) {
			end++
		}
		add(chars[start:end], false)
		start = end
	}
	return pieces
}

// isMark reports whether the character is a punctuation mark there, rather than part of
// a word.
func isMark(chars []char, at int) bool {
	r := chars[at].r
	if !unicode.IsPunct(r) && !strings.ContainsRune("♪♫|`^~", r) {
		return false
	}
	var before, after rune
	if at > 0 {
		before = chars[at-1].r
	}
	if at+1 < len(chars) {
		after = chars[at+1].r
	}
	between := func(class func(rune) bool) bool { return class(before) && class(after) }
	switch r {
	case '%', '&', '@', '\u2030':
		return false
	case '#', '*':
		return !alphanumeric(after)
	case '_', '/', '\\', '·', '・':
		return !between(alphanumeric)
	case '\'', '’':
		// "it's", "rock'n'roll"; at the end "dogs'"; at the start "'em" is taken for a quote.
		return !between(alphanumeric) && !(before == 's' && after == 0 && !strings.ContainsRune("'‘’", chars[0].r))
	case '-', '‐', '‑':
		// "well-known", "-5".
		return !between(alphanumeric) && !(at == 0 && unicode.IsDigit(after))
	case '–':
		return !between(unicode.IsDigit)
	case '.':
		// "3.5", "example.com", ".5"; "U.S" with its last dot is seen to by abbreviation.
		return !between(alphanumeric) && !(at == 0 && unicode.IsDigit(after))
	case ',', ':':
		return !between(unicode.IsDigit)
	}
	return true
}

func alphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// titles keep their dot: it does not end a sentence.
var titles = []string{"mr", "mrs", "ms", "dr", "st", "jr", "prof", "vs", "sr", "sra", "srta", "dra", "mme", "mlle"}

// abbreviation reports whether a dot after the word belongs to it: "U.S", "p.m", "Mr".
func abbreviation(word []char) bool {
	if slices.Contains(titles, strings.ToLower(string(runes(word)))) {
		return true
	}
	for i, c := range word {
		if letter := i%2 == 0; letter && !unicode.IsLetter(c.r) || !letter && c.r != '.' {
			return false
		}
	}
	return len(word) >= 3 && len(word)%2 == 1
}

func runes(chars []char) []rune {
	rs := make([]rune, len(chars))
	for i, c := range chars {
		rs[i] = c.r
	}
	return rs
}
