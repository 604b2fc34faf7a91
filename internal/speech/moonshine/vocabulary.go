package moonshine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/dictum/dictum/internal/models/spec"
)

// readVocabulary reads the table of tokens at path.
func readVocabulary(path string) ([][]byte, error) {
	table, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	vocabulary, err := parseVocabulary(table)
	if err != nil {
		return nil, fmt.Errorf("read tokens %s: %w", path, err)
	}
	if len(vocabulary) < spec.Moonshine.Vocabulary {
		return nil, fmt.Errorf("read tokens %s: %d tokens, not %d", path, len(vocabulary), spec.Moonshine.Vocabulary)
	}
	return vocabulary, nil
}

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
