package whisper

import (
	"encoding/json"
	"fmt"
	"os"
	"unicode/utf8"
)

// Tokenizer turns token ids into the bytes that they stand for. Whisper's vocabulary is
// GPT-2's byte-level one: a token is a run of bytes, and a character of more than one
// byte may be spread over several tokens.
type Tokenizer struct {
	bytes [][]byte // by token id; nil for special tokens
}

// maxVocabulary bounds token ids; the largest Whisper vocabulary has 51,866.
const maxVocabulary = 1 << 20

// ReadTokenizer reads a Hugging Face tokenizer.json with a byte-level BPE model.
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

// ParseTokenizer parses the content of a tokenizer.json.
func ParseTokenizer(data []byte) (*Tokenizer, error) {
	var file struct {
		Added []struct {
			ID int `json:"id"`
		} `json:"added_tokens"`
		Model struct {
			Vocab map[string]int `json:"vocab"`
		} `json:"model"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	if len(file.Model.Vocab) == 0 {
		return nil, fmt.Errorf("it has no vocabulary")
	}
	size := 0
	for token, id := range file.Model.Vocab {
		if id < 0 || id >= maxVocabulary {
			return nil, fmt.Errorf("token %q has the id %d", token, id)
		}
		size = max(size, id+1)
	}
	t := &Tokenizer{bytes: make([][]byte, size)}
	table := byteTable()
	for token, id := range file.Model.Vocab {
		raw := make([]byte, 0, len(token))
		for _, r := range token {
			b, ok := table[r]
			if !ok {
				// Not of the byte alphabet: the character itself.
				raw = utf8.AppendRune(raw, r)
				continue
			}
			raw = append(raw, b)
		}
		t.bytes[id] = raw
	}
	for _, added := range file.Added {
		if added.ID >= 0 && added.ID < size {
			t.bytes[added.ID] = nil
		}
	}
	return t, nil
}

// Bytes is what a token stands for: nil for special tokens and unknown ids. The caller
// must not change it.
func (t *Tokenizer) Bytes(id int) []byte {
	if id < 0 || id >= len(t.bytes) {
		return nil
	}
	return t.bytes[id]
}

// Text joins the bytes of tokens; invalid UTF-8 becomes U+FFFD.
func (t *Tokenizer) Text(ids []int) string {
	var raw []byte
	for _, id := range ids {
		raw = append(raw, t.Bytes(id)...)
	}
	return string([]rune(string(raw)))
}

// byteTable maps the characters by which GPT-2's vocabulary writes bytes back to them:
// printable bytes stand for themselves, the others for the characters from U+0100 on
// (bytes_to_unicode in openai/gpt-2's encoder.py).
func byteTable() map[rune]byte {
	table := make(map[rune]byte, 256)
	next := rune(256)
	for b := range 256 {
		printable := b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE
		if printable {
			table[rune(b)] = byte(b)
			continue
		}
		table[next] = byte(b)
		next++
	}
	return table
}
