package pii_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/pii"
)

// segment makes a segment of text with a word every half second from start. Marks are items of their own.
func segment(start float64, text string) speech.Segment {
	at := time.Duration(start * float64(time.Second))
	s := speech.Segment{Start: at, Language: "en"}
	for word := range strings.FieldsSeq(text) {
		bare := strings.TrimRight(word, ".,?!")
		if bare != "" {
			s.Items = append(s.Items, speech.Item{Kind: speech.Word, Text: bare, Start: at, End: at + 400*time.Millisecond, Confidence: 0.9})
			at += 500 * time.Millisecond
		}
		for _, mark := range word[len(bare):] {
			s.Items = append(s.Items, speech.Item{Kind: speech.Punctuation, Text: string(mark), NoSpaceBefore: true})
		}
	}
	s.End = at
	return s
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

func texts(segments []speech.Segment) []string {
	var out []string
	for _, s := range segments {
		out = append(out, text(s.Items))
	}
	return out
}

func TestRedact(t *testing.T) {
	for _, test := range []struct {
		name   string
		in     []string
		choice pii.Choice
		want   []string
	}{
		{"one item for many words", []string{"My card is 4242 4242 4242 4242."}, nil, []string{"My card is [PII]."}},
		{"marks inside go, those after stay", []string{"It's 4242 4242, uh, 4242 4242, okay?"}, nil, []string{"It's [PII], okay?"}},
		{"a possessive goes with its name", []string{"This is Tomasz's account."}, nil, []string{"This is [PII] account."}},
		{"a question gives the answer its type", []string{"Your PIN?", "One nine four two."}, nil, []string{"Your PIN?", "[PII]."}},
		{"an entity over two segments goes from both", []string{"the number is 4242 4242", "4242 4242 and that's it"}, nil, []string{"the number is [PII]", "[PII] and that's it"}},
		{
			"only chosen types",
			[]string{"My name is Priya and my PIN is 1940."},
			pii.Choice{pii.PIN},
			[]string{"My name is Priya and my PIN is [PII]."},
		},
		{"all types by name", []string{"My name is Priya."}, pii.Choice{pii.All}, []string{"My name is [PII]."}},
		{"an international account is a bank account", []string{"GB82 WEST 1234 5698 7654 32"}, pii.Choice{pii.BankAccount}, []string{"[PII]"}},
		{"and is one of its own type", []string{"GB82 WEST 1234 5698 7654 32"}, pii.Choice{pii.IBAN}, []string{"[PII]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var segments []speech.Segment
			for i, s := range test.in {
				segments = append(segments, segment(float64(20*i), s))
			}
			got, err := (&pii.Detector{}).Redact(context.Background(), segments, test.choice, "")
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(texts(got), test.want) {
				t.Errorf("got %q, want %q", texts(got), test.want)
			}
			if !slices.Equal(texts(segments), texts(func() (in []speech.Segment) {
				for i, s := range test.in {
					in = append(in, segment(float64(20*i), s))
				}
				return in
			}())) {
				t.Error("the segments given were changed")
			}
		})
	}
}

func TestRedactedItem(t *testing.T) {
	got, err := (&pii.Detector{}).Redact(context.Background(), []speech.Segment{segment(1, "my pin is one nine four two thanks")}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	item := got[0].Items[3]
	if item.Kind != speech.Word || item.Text != pii.Mark || item.Confidence != 0 || item.Start != 2500*time.Millisecond || item.End != 4400*time.Millisecond {
		t.Errorf("item is %+v", item)
	}
	if item.Redaction == nil || item.Redaction.Type != pii.PIN || item.Redaction.Confidence <= 0.5 || item.Redaction.Confidence > 1 {
		t.Errorf("redaction is %+v", item.Redaction)
	}
}

// No other reading of a segment tells what was taken out of it.
func TestRedactAlternatives(t *testing.T) {
	s := segment(0, "my pin is one nine four two thanks")
	other := segment(0, "my bin is won nine for two thanks")
	s.Alternatives = []speech.Alternative{{Items: s.Items}, {Items: other.Items}, {Items: segment(0, "my name is Priya Okafor yes yes thanks").Items}}
	got, err := (&pii.Detector{}).Redact(context.Background(), []speech.Segment{s}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"my pin is [PII] thanks", "my bin is [PII] thanks", "my name is [PII] thanks"}
	for i, a := range got[0].Alternatives {
		if text(a.Items) != want[i] {
			t.Errorf("alternative %d is %q, want %q", i, text(a.Items), want[i])
		}
	}
}

func TestRedactLeavesOtherLanguages(t *testing.T) {
	s := segment(0, "my pin is 1942")
	s.Language = "ja"
	got, err := (&pii.Detector{}).Redact(context.Background(), []speech.Segment{s}, nil, "")
	if err != nil || text(got[0].Items) != "my pin is 1942" {
		t.Errorf("got %q, %v", text(got[0].Items), err)
	}
}

func TestForeign(t *testing.T) {
	for text, want := range map[string]string{
		"Meine IBAN ist DE89 3704 0044 0532 0130 00.":         "Meine IBAN ist [BANK_ACCOUNT_NUMBER].",
		"Schreiben Sie an jan.beck@example.de oder rufen Sie": "Schreiben Sie an [EMAIL] oder rufen Sie",
		"Rufen Sie 030 23125012 an.":                          "Rufen Sie [PHONE] an.",
		"Die Karte ist 4242 4242 4242 4242.":                  "Die Karte ist [CREDIT_DEBIT_NUMBER].",
		"Die Bestellung 4711 kostet 49,99 Euro.":              "Die Bestellung 4711 kostet 49,99 Euro.",
	} {
		found, err := (&pii.Detector{}).Find(context.Background(), []pii.Turn{{Text: text, Language: "de"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := pii.RedactText(text, found[0], true); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// A Redactor gives what Redact gives, as soon as it has looked ahead.
func TestRedactor(t *testing.T) {
	lines := []string{"what's your card number", "it's 4242 4242", "mm-hmm", "4242", "yep", "4242 thanks", "and your name", "Priya"}
	want := []string{"what's your card number", "it's [PII]", "mm-hmm", "[PII]", "yep", "[PII] thanks", "and your name", "[PII]"}
	for _, lookahead := range []int{0, pii.DefaultLookahead, 20} {
		ctx := context.Background()
		r := (&pii.Detector{}).Redactor(nil, "", lookahead)
		var got []string
		for i, l := range lines {
			done, err := r.Push(ctx, segment(float64(10*i), l))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, texts(done)...)
			if n := max(0, i+1-lookahead); len(got) != n {
				t.Errorf("lookahead %d: %d segments after %d", lookahead, len(got), i+1)
			}
		}
		done, err := r.Flush(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, texts(done)...); !slices.Equal(got, want) {
			t.Errorf("lookahead %d: got %q, want %q", lookahead, got, want)
		}
	}
}

// A turn as long as a line may be is looked at to its end.
func TestLongTurn(t *testing.T) {
	d := &pii.Detector{}
	for _, c := range []struct {
		part string
		each int
	}{
		{"my card number is 4242 4242 4242 4242, thank you. ", 1},
		{"you can reach me at priya dot okafor at example dot com, thank you. ", 1},
		{"my name is Priya Okafor and I live at 14 Old Road, thank you. ", 2},
	} {
		n := 64 << 10 / len(c.part)
		entities, err := d.Find(context.Background(), []pii.Turn{{Text: strings.Repeat(c.part, n)}})
		if err != nil {
			t.Fatal(err)
		}
		if len(entities[0]) != n*c.each {
			t.Errorf("%q %d times has %d entities, want %d", c.part, n, len(entities[0]), n*c.each)
		}
	}
}

// BenchmarkLongTurn is to grow with the length of the turn.
func BenchmarkLongTurn(b *testing.B) {
	d := &pii.Detector{}
	for _, part := range []string{"four two ", "my card number is 4242 4242 or on 5 May at ten, ", "flat 3 14 old road, ", "a dot b at c dot com ", "priya okafor "} {
		for _, size := range []int{16 << 10, 32 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("%q/%d", strings.Fields(part)[0], size), func(b *testing.B) {
				turns := []pii.Turn{{Text: strings.Repeat(part, size/len(part))}}
				for b.Loop() {
					if _, err := d.Find(context.Background(), turns); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
