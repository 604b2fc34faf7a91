package stream_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/pii"
	"github.com/dictum/dictum/internal/transcribe/stream"
)

// said is a result with a word each 100 ms; the speaker of all is the second.
func said(text string, partial bool) speech.LiveResult {
	r := speech.LiveResult{Number: 1, Partial: partial}
	r.Segment.Language = "en"
	for i, word := range strings.Fields(text) {
		at := time.Duration(i) * 100 * time.Millisecond
		mark := strings.TrimLeft(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
		r.Segment.Items = append(r.Segment.Items, speech.Item{Text: strings.TrimSuffix(word, mark), Start: at, End: at + 100*time.Millisecond, Confidence: 0.9})
		r.Speakers = append(r.Speakers, 2)
		if mark != "" {
			r.Segment.Items = append(r.Segment.Items, speech.Item{Kind: speech.Punctuation, Text: mark, NoSpaceBefore: true})
			r.Speakers = append(r.Speakers, 2)
		}
	}
	r.Stable = len(r.Segment.Items)
	return r
}

func text(items []speech.Item) string {
	var b strings.Builder
	for i, item := range items {
		if i > 0 && !item.NoSpaceBefore {
			b.WriteByte(' ')
		}
		b.WriteString(item.Text)
	}
	return b.String()
}

func TestPersonal(t *testing.T) {
	for name, test := range map[string]struct {
		parameters stream.Parameters
		before     string
		said       string
		partial    bool
		want       string
		entities   []string // type and content
	}{
		"redacted": {
			stream.Parameters{Redact: true},
			"", "My name is Zoe Adeyemi, my PIN is 1 9 4 2.", false,
			"My name is [NAME], my PIN is [PIN].",
			[]string{"NAME [NAME]", "PIN [PIN]"},
		},
		"identified": {
			stream.Parameters{Identify: true},
			"", "My name is Zoe Adeyemi, my PIN is 1 9 4 2.", false,
			"My name is Zoe Adeyemi, my PIN is 1 9 4 2.",
			[]string{"NAME Zoe Adeyemi", "PIN 1 9 4 2"},
		},
		"only what was chosen": {
			stream.Parameters{Redact: true, Entities: []string{"PIN"}},
			"", "My name is Zoe Adeyemi, my PIN is 1942.", false,
			"My name is Zoe Adeyemi, my PIN is [PIN].",
			[]string{"PIN [PIN]"},
		},
		"an answer to what was asked": {
			stream.Parameters{Redact: true}, "What is your PIN?", "It's 1942.", false, "It's [PIN].", []string{"PIN [PIN]"},
		},
		"a partial is kept back where a final may be redacted": {stream.Parameters{Redact: true}, "", "My PIN is 19", true, "", nil},
		"a partial is shown where nothing is taken out":        {stream.Parameters{Identify: true}, "", "My PIN is 19", true, "My PIN is 19", nil},
		"nothing personal": {stream.Parameters{Redact: true}, "", "It rains, and it pours.", false, "It rains, and it pours.", nil},
	} {
		t.Run(name, func(t *testing.T) {
			test.parameters.LanguageCode = "en-US"
			editor := stream.Personal(&pii.Detector{})(test.parameters)
			if test.before != "" {
				edit(t, editor, said(test.before, false))
			}
			edited := edit(t, editor, said(test.said, test.partial))
			if test.want == "" {
				if len(edited) > 0 {
					t.Errorf("%q was shown", text(edited[0].Result.Segment.Items))
				}
				return
			}
			if len(edited) != 1 {
				t.Fatalf("%d results", len(edited))
			}
			r, entities := edited[0].Result, edited[0].Entities
			if got := text(r.Segment.Items); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			if len(r.Speakers) != len(r.Segment.Items) || r.Stable != len(r.Segment.Items) {
				t.Errorf("%d items, %d speakers, %d stable", len(r.Segment.Items), len(r.Speakers), r.Stable)
			}
			if len(entities) != len(test.entities) {
				t.Fatalf("entities %v, want %v", entities, test.entities)
			}
			for i, e := range entities {
				if got := e.Type + " " + e.Content; got != test.entities[i] || e.Category != "PII" || e.End <= e.Start || e.Confidence <= 0 {
					t.Errorf("%+v, want %s", e, test.entities[i])
				}
			}
		})
	}
}

// edit gives a result and what was kept back.
func edit(t *testing.T, e stream.Editor, r speech.LiveResult) []stream.Edited {
	t.Helper()
	out, err := e.Edit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := e.Flush(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return append(out, rest...)
}

// TestPersonalAcrossFinals reads out numbers with breaths, and tells after which final what is shown.
func TestPersonalAcrossFinals(t *testing.T) {
	for name, test := range map[string]struct {
		redact bool
		said   []string
		shown  [][]string
	}{
		"a card in groups": {
			true,
			[]string{"My card number is", "4242 4242.", "Yes.", "4242", "4242.", "Can you hear me?"},
			[][]string{{}, {}, {}, {}, {}, {"My card number is", "[CREDIT_DEBIT_NUMBER].", "Yes.", "[CREDIT_DEBIT_NUMBER]", "[CREDIT_DEBIT_NUMBER].", "Can you hear me?"}},
		},
		"what is whole is shown at once": {
			true,
			[]string{"How are you?", "My PIN is 1942, and I am well."},
			[][]string{{"How are you?"}, {"My PIN is [PIN], and I am well."}},
		},
		"only so much is kept back": {
			true,
			[]string{"1", "2", "3", "4", "5", "6", "7", "8"},
			[][]string{{}, {}, {}, {}, {}, {}, {"1"}, {"2"}},
		},
		"nothing is kept back where nothing is taken out": {
			false,
			[]string{"My card number is", "4242 4242."},
			[][]string{{"My card number is"}, {"4242 4242."}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := stream.Personal(&pii.Detector{})(stream.Parameters{Redact: test.redact, Identify: !test.redact, LanguageCode: "en-US"})
			for i, s := range test.said {
				edited, err := e.Edit(t.Context(), said(s, false))
				if err != nil {
					t.Fatal(err)
				}
				shown := []string{}
				for _, d := range edited {
					shown = append(shown, text(d.Result.Segment.Items))
				}
				if !slices.Equal(shown, test.shown[i]) {
					t.Errorf("after %q %q are shown, want %q", s, shown, test.shown[i])
				}
			}
			if last := len(test.said) - 1; e.Holds() != (len(test.shown[last]) == 0 || name == "only so much is kept back") {
				t.Errorf("Holds is %v at the end", e.Holds())
			}
		})
	}
}
