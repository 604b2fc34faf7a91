package wordfilter_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/wordfilter"
)

// items makes items of a text: words and marks between spaces. What begins with "~" is joined to what stands before
// it, as are marks, but for an opening "«".
func items(text string) []speech.Item {
	var out []speech.Item
	for i, w := range strings.Fields(text) {
		w, tight := strings.CutPrefix(w, "~")
		item := speech.Item{Text: w, NoSpaceBefore: tight, Start: time.Duration(i) * time.Second, End: time.Duration(i+1) * time.Second, Confidence: 0.9}
		if strings.IndexFunc(w, func(r rune) bool { return !unicode.IsPunct(r) }) < 0 {
			item = speech.Item{Kind: speech.Punctuation, Text: w, NoSpaceBefore: w != "«"}
		}
		out = append(out, item)
	}
	return out
}

// join is running text; an item that was tagged stands in brackets.
func join(list []speech.Item) string {
	var b strings.Builder
	for i, item := range list {
		if i > 0 && !item.NoSpaceBefore {
			b.WriteByte(' ')
		}
		if item.FilterMatch {
			item.Text = "[" + item.Text + "]"
		}
		b.WriteString(item.Text)
	}
	return b.String()
}

func filter(t testing.TB, entries ...string) *wordfilter.Filter {
	t.Helper()
	f, err := wordfilter.New(entries)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMatching(t *testing.T) {
	for _, tc := range []struct{ rule, entries, text, want string }{
		{"a word", "damn", "that damn thing", "that [damn] thing"},
		{"whole words only", "damn", "damned goddamn damns", "damned goddamn damns"},
		{"case does not count", "DaMn", "Damn DAMN damn", "[Damn] [DAMN] [damn]"},
		{"nor does case beyond ASCII", "ÄRGER|straße", "ärger STRASSE", "[ärger] [STRASSE]"},
		{"nor the form of characters", "café|ｗｏｒｄ", "cafe\u0301 word", "[cafe\u0301] [word]"},
		{"nor the form of apostrophes", "it's", "it’s", "[it’s]"},
		{"nor marks around the entry", "«damn!»", "damn", "[damn]"},
		{"signs of a name do", "c++", "c c++ c#", "c [c++] c#"},
		{"stars are no marks", "f***", "f f*** F***", "f [f***] [F***]"},
		{"an empty filter", "", "all stays", "all stays"},
		{"a phrase", "bloody hell", "bloody hell bloody awful hell", "[bloody] [hell] bloody awful hell"},
		{"a phrase across a mark", "bloody hell", "bloody , hell", "[bloody][,] [hell]"},
		{"the longer entry and the shorter one", "new york|new york city", "new york city new york", "[new] [york] [city] [new] [york]"},
		{"overlapping phrases", "a b|b c", "a b c", "[a] [b] [c]"},
		{"a phrase that begins twice", "la la land", "la la la land", "la [la] [la] [land]"},
		{"a beginning that leads nowhere hides nothing", "la la land|la b", "la la b", "la [la] [b]"},
		{"words that are joined", "k-mart", "the k - ~mart shop", "the [k][-][mart] shop"},
		{"joined words are no phrase", "can not", "can ~not", "cannot"},
		{"scripts without spaces", "笨蛋", "你 ~这 ~笨 ~蛋 ~吗", "你这[笨][蛋]吗"},
		{"numbers", "42|911", "call 911 or 42 or 4 2", "call [911] or [42] or 4 2"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			var entries []string
			if tc.entries != "" {
				entries = strings.Split(tc.entries, "|")
			}
			f := filter(t, entries...)
			segment := speech.Segment{Items: items(tc.text)}
			if got := join(f.Apply(wordfilter.Tag, []speech.Segment{segment})[0].Items); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	for _, tc := range []struct{ rule, text, mask, remove string }{
		{"in the middle", "that damn thing .", "that *** thing.", "that thing."},
		{"any length", "bugger off", "*** ***", ""},
		{"at the beginning, with its mark", "damn , that is it .", "***, that is it.", "that is it."},
		{"at the end", "that is it , damn .", "that is it, ***.", "that is it."},
		{"between two marks", "well , damn , yes .", "well, ***, yes.", "well, yes."},
		{"the mark that ends a sentence stays", "really , damn ! ok", "really, ***! ok", "really! ok"},
		{"marks within a phrase go", "oh bugger , off now", "oh ***, *** now", "oh now"},
		{"quotes with nothing between them", "he said « ~damn » loudly", "he said «***» loudly", "he said loudly"},
		{"a quote that goes on", "he said « ~damn fool » loudly", "he said «*** fool» loudly", "he said «fool» loudly"},
		{"nothing is left", "damn .", "***.", ""},
		{"joined scripts", "a damn ~b", "a ***b", "a b"},
		{"nothing to do", "all is well .", "all is well.", "all is well."},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			f := filter(t, "damn", "bugger off")
			for method, want := range map[wordfilter.Method]string{wordfilter.Mask: tc.mask, wordfilter.Remove: tc.remove, "": tc.mask} {
				in := items(tc.text)
				got := f.Apply(method, []speech.Segment{{Items: in}})[0].Items
				if text := join(got); text != want {
					t.Errorf("%s: got %q, want %q", method, text, want)
				}
				if !slices.Equal(in, items(tc.text)) {
					t.Errorf("%s changed its input", method)
				}
			}
		})
	}
}

func TestMaskKeepsTimesAndConfidence(t *testing.T) {
	in := items("oh damn")
	got := filter(t, "damn").Apply(wordfilter.Mask, []speech.Segment{{Items: in}})[0].Items[1]
	want := in[1]
	want.Text = "***"
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWhatWasRedactedIsNoWord(t *testing.T) {
	in := items("my pii is [PII] hell")
	in[3].Redaction = &speech.Redaction{Type: "NAME"}
	if got := join(filter(t, "pii", "is hell").Apply(wordfilter.Mask, []speech.Segment{{Items: in}})[0].Items); got != "my *** is [PII] hell" {
		t.Errorf("got %q", got)
	}
}

func TestPhrasesGoOnFromAnAlternative(t *testing.T) {
	first, last := items("oh bloody"), items("hell no .")
	in := []speech.Segment{
		{Items: first, Alternatives: []speech.Alternative{{Items: first}, {Items: items("a bloody")}, {Items: items("bloody good")}}},
		{Items: last, Alternatives: []speech.Alternative{{Items: last}, {Items: items("hell")}}},
	}
	var got []string
	for _, s := range filter(t, "bloody hell").Apply(wordfilter.Remove, in) {
		for _, a := range s.Alternatives {
			got = append(got, join(a.Items))
		}
	}
	if want := []string{"oh", "a", "bloody good", "no."}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPhrasesGoOnInTheNextSegment(t *testing.T) {
	in := []speech.Segment{{Start: 1, End: 2, Items: items("oh bloody")}, {Start: 3, End: 4, Items: items("hell no .")}}
	out := filter(t, "bloody hell").Apply(wordfilter.Remove, in)
	if got := join(out[0].Items) + "|" + join(out[1].Items); got != "oh|no." {
		t.Errorf("got %q", got)
	}
	if out[0].Start != 1 || out[1].End != 4 {
		t.Error("the segments' times changed")
	}
}

// A stream gives the same as all at once, whatever the chunks, and holds back only what may still change.
func TestStream(t *testing.T) {
	f := filter(t, "bloody hell", "damn", "hell of a ride")
	text := items("well , damn , that bloody hell of a ride is bloody awful . oh hell")
	for _, method := range []wordfilter.Method{wordfilter.Mask, wordfilter.Remove, wordfilter.Tag} {
		want := f.Apply(method, []speech.Segment{{Items: text}})[0].Items
		for size := 1; size <= len(text); size++ {
			s := f.Stream(method)
			var got []speech.Item
			for chunk := range slices.Chunk(text, size) {
				got = append(got, s.Push(chunk...)...)
			}
			got = append(got, s.Flush()...)
			if !slices.Equal(got, want) {
				t.Errorf("%s in chunks of %d: got %q, want %q", method, size, join(got), join(want))
			}
		}
	}
	s := f.Stream(wordfilter.Mask)
	for _, step := range []struct{ in, out string }{
		{"so", "so"}, {"bloody", ""}, {"good", "bloody good"}, {"bloody", ""}, {"hell", "***"}, {"of", ""}, {"it", "*** of it"},
	} {
		if got := join(s.Push(items(step.in)...)); got != step.out {
			t.Errorf("after %q: got %q, want %q", step.in, got, step.out)
		}
	}
	// Marks without end are not held back without end.
	s, held := f.Stream(wordfilter.Mask), 0
	s.Push(items("bloody")...)
	for range 100 {
		held += len(s.Push(items(".")...))
	}
	if held < 90 {
		t.Errorf("%d of 101 items came out", held)
	}
}

func TestParse(t *testing.T) {
	long := strings.Repeat("x", wordfilter.MaxEntry)
	for _, tc := range []struct {
		rule, file string
		want       []string
		err        error
	}{
		{"one entry a line", "damn\nbloody hell\n", []string{"damn", "bloody hell"}, nil},
		{"line ends of Windows, a byte order mark, empty lines", "\ufeffdamn\r\n\r\n  hell \r\n", []string{"damn", "hell"}, nil},
		{"commas", "damn, hell,\nx", []string{"damn", "hell", "x"}, nil},
		{"no line end", "damn", []string{"damn"}, nil},
		{"the longest entry", long, []string{long}, nil},
		{"one more", "a\n" + long + "x", nil, &wordfilter.EntryError{Number: 2, Reason: "it has more than 256 characters"}},
		{"nothing to match", "a\n***", nil, &wordfilter.EntryError{Number: 2, Reason: "it has no letter or digit"}},
		{"control characters", "a\x00b", nil, &wordfilter.EntryError{Number: 1, Reason: "it has a control character"}},
		{"empty", " \n\n", nil, wordfilter.ErrEmpty},
		{"not UTF-8", "damn\xff", nil, wordfilter.ErrNotText},
		{"too large", strings.Repeat("word\n", wordfilter.MaxBytes/5+1), nil, wordfilter.ErrTooLarge},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			got, err := wordfilter.Parse([]byte(tc.file))
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			var wanted, entry *wordfilter.EntryError
			if errors.As(tc.err, &wanted) {
				if !errors.As(err, &entry) || *entry != *wanted {
					t.Errorf("got error %v, want %v", err, wanted)
				}
			} else if !errors.Is(err, tc.err) {
				t.Errorf("got error %v, want %v", err, tc.err)
			}
		})
	}
}

func TestCheckHoldsWordsToTheSameRules(t *testing.T) {
	for name, entries := range map[string][]string{
		"none": {}, "marks": {"ok", "..."}, "blank": {" "}, "comma": {"a,b"}, "large": slices.Repeat([]string{strings.Repeat("x", 255)}, 201),
	} {
		if wordfilter.Check(entries) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := wordfilter.Check([]string{"damn", "bloody hell"}); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"damn\nhell", "\ufeffa,b\r\n", "***", "İ\nß", "\xff", "c++ , k-mart", "笨蛋"} {
		f.Add([]byte(seed), "damn k - ~mart , c++")
	}
	f.Fuzz(func(t *testing.T, file []byte, text string) {
		entries, err := wordfilter.Parse(file)
		if err != nil {
			return
		}
		again, err := wordfilter.Parse(wordfilter.Format(entries))
		if err != nil || !slices.Equal(entries, again) {
			t.Fatalf("%q is %q when read again (%v)", entries, again, err)
		}
		filter, err := wordfilter.New(entries)
		if err != nil {
			t.Fatalf("what was read is refused: %v", err)
		}
		if len(text) > 1000 {
			return
		}
		in := items(text)
		if out := filter.Apply(wordfilter.Tag, []speech.Segment{{Items: in}})[0].Items; len(out) != len(in) {
			t.Errorf("%d items became %d", len(in), len(out))
		}
		stream := filter.Stream(wordfilter.Remove)
		got := append(stream.Push(in...), stream.Flush()...)
		if want := filter.Apply(wordfilter.Remove, []speech.Segment{{Items: in}})[0].Items; !slices.Equal(got, want) {
			t.Errorf("stream gives %q, all at once %q", join(got), join(want))
		}
	})
}

func TestEveryTextOfASegmentIsFiltered(t *testing.T) {
	f, err := wordfilter.New([]string{"damn", "hell"})
	if err != nil {
		t.Fatal(err)
	}
	say := func(words ...string) []speech.Item {
		var items []speech.Item
		for _, w := range words {
			items = append(items, speech.Item{Text: w})
		}
		return items
	}
	in := []speech.Segment{{Items: say("oh", "damn"), Alternatives: []speech.Alternative{
		{Items: say("oh", "damn")}, {Items: say("oh", "hell")}, {Items: say("damn")},
	}}}
	for method, want := range map[wordfilter.Method]string{
		wordfilter.Mask:   "[[oh ***] [oh ***] [***]]",
		wordfilter.Remove: "[[oh] [oh]]",
		wordfilter.Tag:    "[[oh damn] [oh hell] [damn]]",
	} {
		var got [][]string
		out := f.Apply(method, in)[0]
		for _, a := range out.Alternatives {
			var words []string
			for _, item := range a.Items {
				words = append(words, item.Text)
			}
			got = append(got, words)
		}
		if method == wordfilter.Tag && (!out.Alternatives[2].Items[0].FilterMatch || out.Alternatives[1].Items[0].FilterMatch) {
			t.Error("tag: the words of an alternative are matched, not those in the same place")
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: got %v, want %s", method, got, want)
		}
	}
}
