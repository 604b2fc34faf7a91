package document_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/document"
	"github.com/dictum/dictum/internal/transcribe/language"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func word(text string, start, end int, confidence float64) speech.Item {
	return speech.Item{Text: text, Start: ms(start), End: ms(end), Confidence: confidence}
}

func mark(text string) speech.Item {
	return speech.Item{Kind: speech.Punctuation, Text: text, NoSpaceBefore: true}
}

var greeting = []speech.Segment{{Start: 0, End: ms(1290), Items: []speech.Item{
	word("Good", 110, 380, .998), word("morning", 380, 810, .9971), mark(","), word("team", 810, 1200, .99949), mark("."),
}}}

// The goldens are the documented shapes of spec transcript-json.md §2.3 and §2.7, white space aside.
func TestGolden(t *testing.T) {
	for _, tc := range []struct {
		file string
		job  document.Job
		in   speech.Transcript
	}{
		{"plain", document.Job{}, speech.Transcript{Segments: greeting}},
		{"silent", document.Job{}, speech.Transcript{Duration: time.Minute}},
		{"identified", document.Job{Identified: []language.Score{{Code: "en-GB", Score: .98831}, {Code: "de-DE", Score: .01169}}}, speech.Transcript{Segments: greeting}},
	} {
		t.Run(tc.file, func(t *testing.T) {
			golden, err := os.ReadFile("testdata/" + tc.file + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, golden); err != nil {
				t.Fatal(err)
			}
			tc.job.Name, tc.job.AccountID = "demo", "111122223333"
			got, err := document.Build(tc.job, tc.in).JSON()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want.Bytes()) {
				t.Errorf("got  %s\nwant %s", got, want.Bytes())
			}
		})
	}
}

func TestSecondsHaveMinimalDigits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0", ms(2190): "2.19", ms(119): "0.119", 5 * time.Second: "5.0", 4 * time.Hour: "14400.0",
		1500 * time.Microsecond: "0.002", time.Microsecond: "0.0",
	} {
		if got := document.Seconds(d); got != want {
			t.Errorf("Seconds(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestScriptsWithoutSpacesAreJoinedWithout(t *testing.T) {
	tight := func(s string, at int) speech.Item {
		return speech.Item{Text: s, Start: ms(at), End: ms(at + 10), NoSpaceBefore: true}
	}
	d := document.Build(document.Job{}, speech.Transcript{Segments: []speech.Segment{
		{Items: []speech.Item{tight("你好", 0), mark("。")}},
		{Items: []speech.Item{tight("再见", 20), mark("。")}},
	}})
	if got, want := d.Results.Transcripts[0].Transcript, "你好。再见。"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := d.Results.AudioSegments[1].Items, []int{2, 3}; got[0] != want[0] || got[1] != want[1] {
		t.Errorf("item ids run through the document: got %v, want %v", got, want)
	}
}

func TestQuotesAndMarkupStayReadable(t *testing.T) {
	b, err := document.Build(document.Job{}, speech.Transcript{Segments: []speech.Segment{{Items: []speech.Item{word("R&D <\">", 0, 1, 1)}}}}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(`"transcript":"R&D <\">"`)) {
		t.Errorf("got %s", b)
	}
}
