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

func no() *bool { b := false; return &b }

// dialogue is two people who take turns.
var dialogue = speech.Transcript{Speakers: 2, Segments: []speech.Segment{
	{Start: 0, End: ms(2190), Speaker: 1, Language: "en", Items: []speech.Item{word("Hello", 119, 389, .99), mark(",")}},
	{Start: ms(2559), End: ms(5860), Speaker: 2, Language: "es", Items: []speech.Item{
		{Kind: speech.Punctuation, Text: "¿"}, {Text: "Qué", Start: ms(2600), End: ms(2900), Confidence: .9, NoSpaceBefore: true}, mark("?"),
	}},
	{Start: ms(6000), End: ms(6500), Speaker: 1, Language: "en", Items: []speech.Item{word("Bye", 6000, 6500, .8)}},
}}

// crossing is two people who talk at once in two channels; nobody is in the third.
var crossing = speech.MergeChannels(
	speech.Transcript{Segments: []speech.Segment{{Start: 0, End: ms(3000), Items: []speech.Item{
		word("Let", 0, 400, .9), word("me", 1000, 1400, .9), mark(","), word("finish", 2000, 3000, .9), mark("."),
	}}}},
	speech.Transcript{Segments: []speech.Segment{{Start: ms(1200), End: ms(1600), Items: []speech.Item{word("No", 1200, 1600, .7), mark(".")}}}},
	speech.Transcript{},
)

// The goldens are the documented shapes of spec transcript-json.md §2.3 to §2.9, white space aside.
func TestGolden(t *testing.T) {
	for _, tc := range []struct {
		file string
		job  document.Job
		in   speech.Transcript
	}{
		{"plain", document.Job{}, speech.Transcript{Segments: greeting}},
		{"silent", document.Job{}, speech.Transcript{Duration: time.Minute}},
		{"identified", document.Job{Identified: []language.Score{{Code: "en-GB", Score: .98831}, {Code: "de-DE", Score: .01169}}}, speech.Transcript{Segments: greeting}},
		{"speakers", document.Job{Speakers: true}, dialogue},
		{"no-speakers", document.Job{Speakers: true}, speech.Transcript{}},
		{"channels", document.Job{}, crossing},
		{"languages", document.Job{MultipleLanguages: true, LanguageOptions: []string{"es-US", "en-GB"}}, dialogue},
		{"alternatives", document.Job{Alternatives: true}, speech.Transcript{Segments: []speech.Segment{
			{Start: ms(1040), End: ms(5065), Items: []speech.Item{word("rain", 1150, 1350, 1), mark(".")}, Alternatives: []speech.Alternative{
				{Items: []speech.Item{word("rain", 1150, 1350, 1), mark(".")}},
				{Items: []speech.Item{word("reign", 1150, 1350, .2), mark(".")}},
			}},
			{Start: ms(6000), End: ms(6100), Items: []speech.Item{word("yes", 6000, 6100, .5)}},
		}}},
		{"redacted", document.Job{}.As(true), speech.Transcript{Segments: []speech.Segment{{Start: ms(5000), End: ms(6250), Items: []speech.Item{
			word("I'm", 5000, 5500, .9), {Text: "[PII]", Start: ms(5560), End: ms(6250), Redaction: &speech.Redaction{Type: "NAME", Confidence: .99988}}, mark("."),
		}}}}},
		{"unredacted", document.Job{Redacted: no()}, speech.Transcript{Segments: greeting}},
		{"tagged", document.Job{Tagged: true}, speech.Transcript{Segments: []speech.Segment{{End: ms(900), Items: []speech.Item{
			{Text: "damn", Start: 0, End: ms(900), Confidence: .9, FilterMatch: true}, mark("."),
		}}}}},
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
