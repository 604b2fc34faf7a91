package moonshine_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/dictum/dictum/internal/speech/moonshine"
)

func TestParseVocabulary(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 300)
	for _, test := range []struct {
		name  string
		table []byte
		want  []string
	}{
		{"nothing", nil, nil},
		{"spaces are SentencePiece's", []byte("\x08\xe2\x96\x81hello\x02it"), []string{" hello", "it"}},
		{"what steers the model has no text", []byte("\x03<s>\x01a"), []string{"", "a"}},
		{"a byte by its number", []byte("\x06<0x0A>"), []string{"\n"}},
		{"a number that is none", []byte("\x06<0xZZ>"), []string{""}},
		{"an empty token keeps its place", []byte("\x00\x01a"), []string{"", "a"}},
		{"angle brackets alone are text", []byte("\x02<>\x01<"), []string{"<>", "<"}},
		{"a length of two bytes", append([]byte{128 + 300%128, 300 / 128}, long...), []string{string(long)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tokens, err := moonshine.ParseVocabulary(test.table)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, token := range tokens {
				got = append(got, string(token))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	for name, table := range map[string][]byte{
		"a token that is cut":  []byte("\x05abc"),
		"a length that is cut": {200},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := moonshine.ParseVocabulary(table); err == nil {
				t.Error("taken")
			}
		})
	}
}

func FuzzParseVocabulary(f *testing.F) {
	f.Add([]byte("\x08\xe2\x96\x81hello\x02it\x06<0x0A>\x00"))
	f.Add([]byte{200, 1})
	f.Add([]byte{128, 0, 1, 'a'})
	f.Fuzz(func(t *testing.T, table []byte) {
		tokens, err := moonshine.ParseVocabulary(table)
		if err == nil && len(tokens) > len(table) {
			t.Errorf("%d tokens of %d bytes", len(tokens), len(table))
		}
	})
}

func TestLooping(t *testing.T) {
	for _, test := range []struct {
		name string
		ids  []int
		want bool
	}{
		{"nothing", nil, false},
		{"no, no, no, no", slices.Repeat([]int{5, 6}, 4), false},
		{"one token for ever", slices.Repeat([]int{5}, 16), true},
		{"a phrase of two, eight times", slices.Repeat([]int{5, 6}, 8), true},
		{"a sentence four times", slices.Repeat([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 4), true},
		{"a sentence three times", slices.Repeat([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 3), false},
		{"counting", []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, false},
		{"after something else", append([]int{9, 8, 7}, slices.Repeat([]int{5, 6}, 8)...), true},
		{"before something else", append(slices.Repeat([]int{5, 6}, 8), 9), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := moonshine.Looping(test.ids); got != test.want {
				t.Errorf("%v", got)
			}
		})
	}
}
