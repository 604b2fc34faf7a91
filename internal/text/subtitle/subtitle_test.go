package subtitle_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/subtitle"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func word(text string, start, end int) speech.Item {
	return speech.Item{Text: text, Start: ms(start), End: ms(end)}
}

func mark(text string) speech.Item {
	return speech.Item{Kind: speech.Punctuation, Text: text, NoSpaceBefore: true}
}

// call is the example of spec transcript-json.md §3.
var call = []speech.Segment{
	{Items: []speech.Item{word("Good", 110, 380), word("morning", 380, 810), mark(","), word("team", 810, 2190), mark(".")}},
	{Items: []speech.Item{
		word("Thanks", 2559, 2800), word("for", 2800, 3000), word("joining", 3000, 3500), word("the", 3500, 3600),
		word("call", 3600, 4000), word("very", 4000, 4400), word("very", 4400, 4700), word("early", 4700, 5760), mark("."),
	}},
}

func TestWebVTT(t *testing.T) {
	want := "WEBVTT\n\n0\n00:00:00.110 --> 00:00:02.190\nGood morning, team.\n\n" +
		"1\n00:00:02.559 --> 00:00:05.760\nThanks for joining the call very very\nearly.\n\n"
	var b strings.Builder
	if err := subtitle.Write(&b, subtitle.VTT, call, 0); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestSubRip(t *testing.T) {
	want := "1\n00:00:00,110 --> 00:00:02,190\nGood morning, team.\n\n" +
		"2\n00:00:02,559 --> 00:00:05,760\nThanks for joining the call very very\nearly.\n\n"
	var b strings.Builder
	if err := subtitle.Write(&b, subtitle.SRT, call, 1); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestNoSpeech(t *testing.T) {
	for format, want := range map[subtitle.Format]string{subtitle.VTT: "WEBVTT\n\n", subtitle.SRT: ""} {
		var b strings.Builder
		if err := subtitle.Write(&b, format, nil, 0); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != want {
			t.Errorf("%s of silence: %q, want %q", format, got, want)
		}
	}
}

func TestCues(t *testing.T) {
	long := func(n int) (items []speech.Item) {
		for i := range n {
			items = append(items, word("word", i*300, i*300+290))
		}
		return items
	}
	for _, tc := range []struct {
		name  string
		items []speech.Item
		want  []string
	}{
		{"a pause begins a new cue", []speech.Item{word("one", 0, 500), word("two", 1400, 1600)}, []string{"one", "two"}},
		{"a short pause does not", []speech.Item{word("one", 0, 500), word("two", 1200, 1600)}, []string{"one two"}},
		{"a cue stands seven seconds at most", []speech.Item{word("one", 0, 4000), word("two", 4000, 6900), word("three", 6900, 7500)}, []string{"one two", "three"}},
		{"two lines of 42 columns", long(18), []string{"word word word word word word word word|word word word word word word word word", "word word"}},
		{"wide characters count twice", []speech.Item{word(strings.Repeat("字", 20), 0, 100), word("字", 100, 200), word("字", 200, 300)}, []string{strings.Repeat("字", 20) + "|字 字"}},
		{"a word is never cut", []speech.Item{word(strings.Repeat("w", 60), 0, 100), word("end", 100, 200)}, []string{strings.Repeat("w", 60) + "|end"}},
		{"punctuation stays with its word", []speech.Item{word(strings.Repeat("a", 38), 0, 100), word("end", 100, 200), mark(".")}, []string{strings.Repeat("a", 38) + "|end."}},
		{"an opening mark goes with the next word", []speech.Item{{Kind: speech.Punctuation, Text: "¿"}, {Text: "Qué", Start: 0, End: ms(10), NoSpaceBefore: true}}, []string{"¿Qué"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, c := range subtitle.Cues([]speech.Segment{{Items: tc.items}}) {
				got = append(got, strings.Join(c.Lines, "|"))
			}
			if strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestMarkupIsEscapedInWebVTT(t *testing.T) {
	var b strings.Builder
	items := []speech.Item{word("R&D", 0, 10), word("-->", 10, 20), word("<b>", 20, 30)}
	if err := subtitle.Write(&b, subtitle.VTT, []speech.Segment{{Items: items}}, 0); err != nil {
		t.Fatal(err)
	}
	if want := "R&amp;D --&gt; &lt;b&gt;\n\n"; !strings.HasSuffix(b.String(), want) {
		t.Errorf("got %q", b.String())
	}
}

// Whatever is recognised: cues in order, not overlapping, two lines at most, every word in them once.
func FuzzCues(f *testing.F) {
	f.Add("Good morning , team . It is early", []byte{1, 20, 3, 4, 255, 0, 9})
	f.Add("¿ Qué 你好 。 \n\x00 "+strings.Repeat("w", 50), []byte{0, 0, 200, 201})
	f.Fuzz(func(t *testing.T, text string, steps []byte) {
		if len(text) > 2000 {
			return
		}
		var items []speech.Item
		var words []string
		now := 0
		for i, w := range strings.Fields(text) {
			w = strings.ToValidUTF8(w, "?")
			if strings.ContainsFunc(w, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 }) {
				continue
			}
			step := 7
			if len(steps) > 0 {
				step = int(steps[i%len(steps)])
			}
			words = append(words, w)
			if strings.ContainsAny(w, ".,?!。") && len(w) <= 3 {
				items = append(items, mark(w))
				continue
			}
			items = append(items, speech.Item{Text: w, Start: ms(now), End: ms(now + step*11), NoSpaceBefore: step%5 == 0})
			now += step * 13
		}
		cues := subtitle.Cues([]speech.Segment{{Items: items[:len(items)/2]}, {Items: items[len(items)/2:]}})
		var said strings.Builder
		last := time.Duration(-1)
		for i, c := range cues {
			if c.Start < last || c.End <= c.Start {
				t.Errorf("cue %d runs %v to %v after one that ends %v", i, c.Start, c.End, last)
			}
			last = c.End
			if n := len(c.Lines); n == 0 || n > subtitle.LinesPerCue {
				t.Errorf("cue %d has %d lines", i, n)
			}
			for _, line := range c.Lines {
				said.WriteString(strings.ReplaceAll(line, " ", ""))
			}
		}
		if got, want := said.String(), strings.Join(words, ""); got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	})
}

func TestPeopleWhoTalkAtOnceTakeTurnsOnScreen(t *testing.T) {
	got := subtitle.Cues([]speech.Segment{
		{Channel: 1, Items: []speech.Item{word("Let", 0, 900), word("me", 1000, 1900), word("finish", 2000, 4000), mark(".")}},
		{Channel: 2, Items: []speech.Item{word("No", 1500, 1800), mark(".")}},
		{Channel: 1, Items: []speech.Item{word("Please", 5000, 5400), mark(".")}},
	})
	want := []subtitle.Cue{
		{Start: 0, End: ms(1500), Lines: []string{"Let me finish."}},
		{Start: ms(1500), End: ms(1800), Lines: []string{"No."}},
		{Start: ms(5000), End: ms(5400), Lines: []string{"Please."}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}
