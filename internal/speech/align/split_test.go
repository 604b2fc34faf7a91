package align_test

import (
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/speech/align"
)

// tokens splits a text into tokens at "|".
func tokens(text string) [][]byte {
	var ts [][]byte
	for _, t := range strings.Split(text, "|") {
		ts = append(ts, []byte(t))
	}
	return ts
}

// show writes pieces one by one, marks in brackets, "+" where no space stands before.
func show(pieces []align.Piece) string {
	var parts []string
	for _, p := range pieces {
		text := p.Text
		if p.Punctuation {
			text = "[" + text + "]"
		}
		if p.NoSpaceBefore {
			text = "+" + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}

func TestSplit(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"marks stand alone", " Good| morning|,| team|.", "Good morning +[,] team +[.]"},
		{"a contraction is one word", " It|'s| what| they|’|ve", "It's what they’ve"},
		{"a plural's apostrophe stays", " the| dogs|' tails", "the dogs' tails"},
		{"money, decimals and times are one word", " $|5|,| 3|.|5|,| 10|:|30|,| 1|,|000|.", "$5 +[,] 3.5 +[,] 10:30 +[,] 1,000 +[.]"},
		{"an abbreviation keeps its dots", " the| U|.|S|.| at| 5| p|.m|.", "the U.S. at 5 p.m."},
		{"a title keeps its dot", " Mr|.| Smith|.", "Mr. Smith +[.]"},
		{"a per cent sign belongs to the number", " 50|%|,| R|&|D", "50% +[,] R&D"},
		{"a hyphen inside a word", " a| well|-|known| man", "a well-known man"},
		{"a dash is no word", " yes| -| no| —| well", "yes no well"},
		{"quotes and brackets", " \"|Yes|,\"| (|he|)", `["] +Yes +[,] +["] [(] +he +[)]`},
		{"Spanish opens its questions", " ¿|Qué| tal|?| ¡|Hola|!", "[¿] +Qué tal +[?] [¡] +Hola +[!]"},
		{"marks in a row are one", " What|?!| Well|...", "What +[?!] Well +[...]"},
		{"an address is one word", " mail| a|@|b|.com|.", "mail a@b.com +[.]"},
		{"Chinese has no spaces", "你好|，|世界|。", "你好 +[，] +世界 +[。]"},
		{"Latin words in Chinese stay whole", "我|用|i|Phone|了", "我 +用 +iPhone +了"},
		{"a Thai vowel stays with its consonant", "ก|ิน|ข้าว", "กิน +ข้าว"},
		{"bytes of a character in two tokens", " caf|\xc3|\xa9|.", "café +[.]"},
		{"broken bytes are left out", " a|\xc3| b|\xff", "a b"},
		{"nothing", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := show(align.Split(tokens(test.text))); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestSplitKnowsTokens(t *testing.T) {
	pieces := align.Split(tokens(" caf|\xc3|\xa9|,| no"))
	for i, want := range []struct{ first, last int }{{0, 2}, {3, 3}, {4, 4}} {
		if got := pieces[i]; got.First != want.first || got.Last != want.last {
			t.Errorf("%q has tokens %d to %d, want %d to %d", got.Text, got.First, got.Last, want.first, want.last)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(" Good| morning|,| team|.")
	f.Add("你好|，|世界|。|\xff")
	f.Fuzz(func(t *testing.T, text string) {
		ts := tokens(text)
		last := 0
		for _, p := range align.Split(ts) {
			if p.Text == "" || p.First < last || p.Last < p.First || p.Last >= len(ts) {
				t.Fatalf("piece %+v after token %d", p, last)
			}
			last = p.First
		}
	})
}
