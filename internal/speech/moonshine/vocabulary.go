package moonshine

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// parseVocabulary reads a table of tokens: the length of each in one byte, or with its low seven bits in the first byte, whose
// high bit is then set, and the rest in the second; then so many bytes.
func parseVocabulary(table []byte) ([][]byte, error) {
	var vocabulary [][]byte
	for at := 0; at < len(table); {
		n := int(table[at])
		at++
		if n >= 128 {
			if at == len(table) {
				return nil, errors.New("the table ends within a length")
			}
			n = int(table[at])*128 + n - 128
			at++
		}
		if n > len(table)-at {
			return nil, fmt.Errorf("token %d goes beyond the end of the table", len(vocabulary))
		}
		vocabulary = append(vocabulary, text(table[at:at+n]))
		at += n
	}
	return vocabulary, nil
}

// space is what stands for a space in SentencePiece's tokens.
var space = []byte("▁")

// text is what a token stands for: nothing for one that steers the model, <0x0A> for a byte.
func text(token []byte) []byte {
	if n := len(token); n > 2 && token[0] == '<' && token[n-1] == '>' {
		if value, found := bytes.CutPrefix(token[1:n-1], []byte("0x")); found {
			if b, err := strconv.ParseUint(string(value), 16, 8); err == nil {
				return []byte{byte(b)}
			}
		}
		return nil
	}
	return bytes.ReplaceAll(token, space, []byte(" "))
}

func (m *Model) bytes(token int) []byte { return m.vocabulary[token] }

// looping tells that a text goes round in circles: its last tokens are the same ones four times over.
func looping(tokens [][]byte) bool {
	const times = 4
	for period := 1; period <= 8 && period*times <= len(tokens); period++ {
		tail, same := tokens[len(tokens)-period*times:], true
		for i := period; i < len(tail) && same; i++ {
			same = bytes.Equal(tail[i], tail[i-period])
		}
		if same && (period > 1 || len(tokens) > 6) {
			return true
		}
	}
	return false
}
