package whisper_test

import (
	"testing"
	"unicode/utf8"

	"github.com/dictum/dictum/internal/speech/whisper"
)

const small = `{"added_tokens":[{"id":5,"content":"<|endoftext|>"}],
	"model":{"vocab":{"Ġcaf":0,"Ã":1,"©":2,"!":3,"Ċ":4,"<|endoftext|>":5}}}`

func TestTokenizerJoinsBytes(t *testing.T) {
	tokenizer, err := whisper.ParseTokenizer([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		ids  []int
		want string
	}{
		{"a character over two tokens", []int{0, 1, 2, 3}, " café!"},
		{"control characters", []int{4}, "\n"},
		{"special and unknown tokens are nothing", []int{5, 99, -1, 3}, "!"},
		{"half a character", []int{1}, "\uFFFD"},
		{"nothing", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := tokenizer.Text(test.ids); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestTokenizerRefuses(t *testing.T) {
	for _, data := range []string{"", "{}", `{"model":{"vocab":{}}}`, `{"model":{"vocab":{"a":-1}}}`, `{"model":{"vocab":{"a":1000000000}}}`} {
		if _, err := whisper.ParseTokenizer([]byte(data)); err == nil {
			t.Errorf("%q was accepted", data)
		}
	}
}

func FuzzParseTokenizer(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(`{"model":{"vocab":{"\uFFFF":3}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tokenizer, err := whisper.ParseTokenizer(data)
		if err != nil {
			return
		}
		if text := tokenizer.Text([]int{0, 1, 2, 3}); !utf8.ValidString(text) {
			t.Errorf("%q is not UTF-8", text)
		}
	})
}
