package ner

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Tokenizer cuts text into the pieces that a BERT model without case knows: text is cleaned
// and put in lower case without accents, cut at white space and around punctuation, and each
// word into the longest pieces of the vocabulary (arXiv 1810.04805 §3; the tokenizers library's
// BertNormalizer, BertPreTokenizer and WordPiece, whose ids it gives exactly).
type Tokenizer struct {
	vocabulary map[string]int32
	// special are the tokens that are taken as they stand, before anything else.
	special map[string]int32
	// prefix marks a piece that goes on with a word; maxWord is how many characters a word
	// may have before it is unknown as a whole.
	prefix                  string
	maxWord                 int
	unknown, begin, end     int32
	longestPiece, longestIn int // bytes
}

// Token is a piece of a text.
type Token struct {
	ID int32
	// Start and End are byte offsets in the text; pieces of one character share them.
	Start, End int
	// Word counts the words before, as the tokenizer cuts them: pieces of a word share it.
	Word int
}

// The tokens that every vocabulary of this kind has.
const (
	tokenUnknown = "[UNK]"
	tokenBegin   = "[CLS]"
	tokenEnd     = "[SEP]"
)

// ReadTokenizer reads the tokenizer.json at path.
func ReadTokenizer(path string) (*Tokenizer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tokenizer: %w", err)
	}
	t, err := ParseTokenizer(data)
	if err != nil {
		return nil, fmt.Errorf("read tokenizer %s: %w", path, err)
	}
	return t, nil
}

// ParseTokenizer parses the content of a tokenizer.json. It refuses any that works in another
// way than Tokenizer does, rather than cutting text in a way that the model was not trained on.
func ParseTokenizer(data []byte) (*Tokenizer, error) {
	var file struct {
		Added []struct {
			ID         int32
			Content    string
			SingleWord bool `json:"single_word"`
			LStrip     bool
			RStrip     bool
			Normalized bool
		} `json:"added_tokens"`
		Normalizer struct {
			Type    string
			Clean   bool  `json:"clean_text"`
			Chinese bool  `json:"handle_chinese_chars"`
			Strip   *bool `json:"strip_accents"`
			Lower   bool  `json:"lowercase"`
		}
		Pre struct{ Type string } `json:"pre_tokenizer"`
		// Model is WordPiece's.
		Model struct {
			Type    string
			Unknown string `json:"unk_token"`
			Prefix  string `json:"continuing_subword_prefix"`
			MaxWord int    `json:"max_input_chars_per_word"`
			Vocab   map[string]int32
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	n, m := file.Normalizer, file.Model
	switch {
	case n.Type != "BertNormalizer" || !n.Clean || !n.Chinese || !n.Lower || n.Strip != nil && !*n.Strip:
		return nil, fmt.Errorf("normalizer %q with these settings is not known", n.Type)
	case file.Pre.Type != "BertPreTokenizer":
		return nil, fmt.Errorf("pre-tokenizer %q is not known", file.Pre.Type)
	case m.Type != "WordPiece" || m.Prefix == "" || m.MaxWord < 1 || m.Unknown != tokenUnknown:
		return nil, fmt.Errorf("model %q with these settings is not known", m.Type)
	}
	t := &Tokenizer{vocabulary: m.Vocab, special: make(map[string]int32), prefix: m.Prefix, maxWord: m.MaxWord}
	for token, id := range m.Vocab {
		if id < 0 || int(id) >= len(m.Vocab) {
			return nil, fmt.Errorf("token %q has the id %d of %d", token, id, len(m.Vocab))
		}
		t.longestPiece = max(t.longestPiece, len(token))
	}
	for _, a := range file.Added {
		if a.Content == "" || a.SingleWord || a.LStrip || a.RStrip || a.Normalized {
			return nil, fmt.Errorf("added token %q with these settings is not known", a.Content)
		}
		if id, ok := m.Vocab[a.Content]; !ok || id != a.ID {
			return nil, fmt.Errorf("added token %q has no place in the vocabulary", a.Content)
		}
		t.special[a.Content] = a.ID
		t.longestIn = max(t.longestIn, len(a.Content))
	}
	for token, id := range map[string]*int32{tokenUnknown: &t.unknown, tokenBegin: &t.begin, tokenEnd: &t.end} {
		var ok bool
		if *id, ok = m.Vocab[token]; !ok {
			return nil, errors.New("the vocabulary lacks " + token)
		}
	}
	return t, nil
}

// Tokens cuts text, without the tokens that begin and end a model's input.
func (t *Tokenizer) Tokens(text string) []Token {
	c := cutter{Tokenizer: t}
	for from := 0; from < len(text); {
		start, id, token := t.nextSpecial(text, from)
		c.plain(text[from:start], from)
		if token != "" {
			c.tokens = append(c.tokens, Token{ID: id, Start: start, End: start + len(token), Word: c.words})
			c.words++
		}
		from = start + len(token)
	}
	return c.tokens
}

// nextSpecial finds the next special token from a byte of the text on; its place is the end
// of the text when there is none.
func (t *Tokenizer) nextSpecial(text string, from int) (start int, id int32, token string) {
	for i := from; i < len(text); i++ {
		if text[i] != '[' {
			continue
		}
		if n := strings.IndexByte(text[i:min(len(text), i+t.longestIn)], ']'); n >= 0 {
			if id, ok := t.special[text[i:i+n+1]]; ok {
				return i, id, text[i : i+n+1]
			}
		}
	}
	return len(text), 0, ""
}

// cutter is a text being cut.
type cutter struct {
	*Tokenizer
	tokens []Token
	words  int
	// word is what was normalised since the last end of a word, places where each of its
	// characters comes from.
	word   []rune
	places []place
}

// place is a stretch of bytes.
type place struct{ start, end int }

// plain cuts text that has no special tokens and begins at a byte of the whole.
func (c *cutter) plain(text string, base int) {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		at := place{base + i, base + i + n}
		i += n
		switch {
		case r < utf8.RuneSelf:
			c.add(unicode.ToLower(r), at)
		case isDropped(r):
		case isChinese(r):
			c.flush()
			c.normalised(r, at)
			c.flush()
		default:
			c.normalised(r, at)
		}
	}
	c.flush()
}

// normalised adds a character's decomposition without its accents, in lower case.
func (c *cutter) normalised(r rune, at place) {
	for _, d := range norm.NFD.String(string(r)) {
		if !unicode.Is(unicode.Mn, d) {
			c.lower(d, at)
		}
	}
}

func (c *cutter) lower(r rune, at place) {
	for _, l := range strings.ToLower(string(r)) {
		c.add(l, at)
	}
}

// add takes a normalised character: part of a word, the space after one, or punctuation, which
// is a word of its own.
func (c *cutter) add(r rune, at place) {
	switch {
	case isDropped(r):
	case unicode.IsSpace(r):
		c.flush()
	case isPunctuation(r):
		c.flush()
		c.word, c.places = append(c.word, r), append(c.places, at)
		c.flush()
	default:
		c.word, c.places = append(c.word, r), append(c.places, at)
	}
}

// flush ends a word and cuts it into pieces, the longest first. A word that has no pieces for
// all of it is unknown as a whole.
func (c *cutter) flush() {
	if len(c.word) == 0 {
		return
	}
	defer func() { c.word, c.places, c.words = c.word[:0], c.places[:0], c.words+1 }()
	first := len(c.tokens)
	unknown := Token{ID: c.unknown, Start: c.places[0].start, End: c.places[len(c.places)-1].end, Word: c.words}
	if len(c.word) > c.maxWord {
		c.tokens = append(c.tokens, unknown)
		return
	}
	for start := 0; start < len(c.word); {
		id, end := c.longest(start)
		if end == start {
			c.tokens = append(c.tokens[:first], unknown)
			return
		}
		c.tokens = append(c.tokens, Token{ID: id, Start: c.places[start].start, End: c.places[end-1].end, Word: c.words})
		start = end
	}
}

// longest finds the longest piece of the word from a character on; its end is start when there is none.
func (c *cutter) longest(start int) (id int32, end int) {
	var buf [256]byte
	key := buf[:0]
	if start > 0 {
		key = append(key, c.prefix...)
	}
	end = start
	for i, r := range c.word[start:] {
		if key = utf8.AppendRune(key, r); len(key) > c.longestPiece {
			break
		}
		if found, ok := c.vocabulary[string(key)]; ok {
			id, end = found, start+i+1
		}
	}
	return id, end
}

// isDropped tells control and format characters, and what stands for bytes that are no text.
func isDropped(r rune) bool {
	switch r {
	case '\t', '\n', '\r':
		return false
	case 0, utf8.RuneError:
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs)
}

// isPunctuation has all ASCII that is neither letter, digit nor space, as BERT does.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return r > ' ' && r < 0x7f && !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}
	return unicode.IsPunct(r)
}

// isChinese tells the ideographs that BERT cuts one by one; kana and Hangul are not among them.
func isChinese(r rune) bool {
	for _, b := range [...][2]rune{
		{0x4E00, 0x9FFF},
		{0x3400, 0x4DBF},
		{0x20000, 0x2A6DF},
		{0x2A700, 0x2B73F},
		{0x2B740, 0x2B81F},
		{0x2B920, 0x2CEAF},
		{0xF900, 0xFAFF},
		{0x2F800, 0x2FA1F},
	} {
		if r >= b[0] && r <= b[1] {
			return true
		}
	}
	return false
}
