package pii_test

import (
	"context"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/text/pii"
)

// Whatever is said: entities are in order, apart, inside the text and of known types.
func FuzzFind(f *testing.F) {
	for _, s := range []string{
		"my card is four two four two double four triple two and it's oh nine twenty seven",
		"j dot smith at gmail dot com", "w w w dot", "born on the", "flat 3, 14", "K-I-N-G B as in", "two thousand and",
		"+44 (0) 7700 900123\nyour PIN?\nit's 1 9 4 2", "GB82 WEST 1234 5698 7654 32", "ends in", "p . o . box", "４２４２", "½ ² ٣٤٥", "’s ’ 's",
		"a.m. at half past", "double", "the password is", "Dr.", "one hundred and", "a as in", "www.", "x@", "at dot com", "i'm",
	} {
		f.Add(s)
	}
	known := map[string]bool{}
	for _, kind := range pii.Types() {
		known[kind] = true
	}
	d := &pii.Detector{}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		for _, language := range []string{"en", "de"} {
			var turns []pii.Turn
			for line := range strings.SplitSeq(text, "\n") {
				turns = append(turns, pii.Turn{Text: line, Language: language})
			}
			found, err := d.Find(context.Background(), turns)
			if err != nil {
				t.Fatal(err)
			}
			for i, entities := range found {
				at := 0
				for _, e := range entities {
					if e.Start < at || e.End <= e.Start || e.End > len(turns[i].Text) || !known[e.Type] || e.Score <= 0 || e.Score > 1 {
						t.Fatalf("%q: %+v after %d", turns[i].Text, e, at)
					}
					at = e.End
				}
			}
		}
	})
}
