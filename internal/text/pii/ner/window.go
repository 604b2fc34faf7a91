package ner

// The windows in which a long text is read, in tokens. The model takes 510 but was trained on texts of a few sentences,
// and finds less in long ones.
const (
	windowTokens = 126
	// overlap is what two windows share: each is believed up to the middle of it, so that every token is read with at
	// least half of it on either side.
	overlap = 32
)

// reading is a text, its tokens, and what the model makes of them.
type reading struct {
	text   string
	tokens []Token
	odds   []odds
}

// window is a stretch of a reading that is run at once, and the part of it that is believed: all are numbers of tokens.
type window struct {
	reading            *reading
	first, end         int
	keepFirst, keepEnd int
}

func (w window) len() int { return w.end - w.first }

func (m *Model) read(text string) *reading {
	tokens := m.tokenizer.Tokens(text)
	return &reading{text: text, tokens: tokens, odds: make([]odds, len(tokens))}
}

// windows cuts the reading; a text without tokens has none.
func (r *reading) windows() []window {
	var all []window
	for first, keep := 0, 0; keep < len(r.tokens); {
		end := min(first+windowTokens, len(r.tokens))
		w := window{reading: r, first: first, end: end, keepFirst: keep, keepEnd: end}
		if end < len(r.tokens) {
			w.keepEnd = end - overlap/2
			first = r.wordStart(end-overlap, first+1)
		}
		keep = w.keepEnd
		all = append(all, w)
	}
	return all
}

// wordStart is the first token of the word to which a token belongs, but none before floor.
func (r *reading) wordStart(token, floor int) int {
	for token > floor && r.tokens[token].Word == r.tokens[token-1].Word {
		token--
	}
	return token
}
