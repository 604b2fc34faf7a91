package ner_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/text/pii"
	"github.com/dictum/dictum/internal/text/pii/ner"
)

func open(t testing.TB) *ner.Model {
	t.Helper()
	modelstest.Runtime(t)
	m, err := ner.Open(modelstest.Path(t, models.RampartPII), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// told lists entities as "TYPE text".
func told(text string, entities []pii.Entity) []string {
	var all []string
	for _, e := range entities {
		all = append(all, e.Type+" "+text[e.Start:e.End])
	}
	return all
}

func TestEntitiesAreWholeAndNamedAsAWSDoes(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"given name and surname are one":       {"hello this is maria gonzales calling", []string{"NAME maria gonzales"}},
		"a rare surname goes with its name":    {"You've reached Mei Tanaka, leave a message or email me at ingrid.pemberton@hotmail.co.uk.", []string{"NAME Mei Tanaka", "EMAIL ingrid.pemberton@hotmail.co.uk"}},
		"a title stays outside":                {"Mrs. Gonzales, please hold", []string{"NAME Gonzales"}},
		"a full stop stays outside":            {"My name is Peter Miller.", []string{"NAME Peter Miller"}},
		"a possessive stays outside":           {"It is Harriet's account", []string{"NAME Harriet"}},
		"apostrophes and hyphens are of words": {"I am Noor O'Sullivan-Smith", []string{"NAME Noor O'Sullivan-Smith"}},
		"names between commas are apart":       {"Ask Alice, Robert and Maria", []string{"NAME Alice", "NAME Robert", "NAME Maria"}},
		"an address is one, with its commas": {
			"I live at 1715 West Alder Street, Eugene, Oregon 97401",
			[]string{"ADDRESS 1715 West Alder Street, Eugene, Oregon 97401"},
		},
		"a city alone is no address": {"we moved to Chicago last year", []string{"CITY Chicago"}},
		"an e-mail address is one":   {"write to maria_lopez77@example.com today", []string{"EMAIL maria_lopez77@example.com"}},
		"a telephone number is one":  {"call me at (404) 555-0123 today", []string{"PHONE 404) 555-0123"}},
		"letters beyond ASCII count": {"mein Name ist Jörg Müller", []string{"NAME Jörg Müller"}},
		"plain talk has none":        {"it took four hours to get through to anyone", nil},
		"nothing has none":           {"", nil},
		"bytes that are no text":     {"\xff\xfe", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := open(t).Tag(t.Context(), []string{c.text})
			if err != nil {
				t.Fatal(err)
			}
			if told := told(c.text, got[0]); !reflect.DeepEqual(told, c.want) {
				t.Errorf("got %q, want %q", told, c.want)
			}
		})
	}
}

// turns are texts of many lengths, more than one run takes.
func turns() []string {
	texts := []string{"", "a", "12 Harbour Street"}
	for i := range 60 {
		texts = append(texts, fmt.Sprintf("turn %d: %s my name is Maria Gonzales, I live at %d Alder Street", i, strings.Repeat("well, ", i%17), i))
	}
	return texts
}

// TestABatchTellsWhatEachTextAloneDoes guards against weights that are quantised over a whole batch: a neighbour would
// then change what is redacted.
func TestABatchTellsWhatEachTextAloneDoes(t *testing.T) {
	m := open(t)
	texts := turns()
	batch, err := m.Tag(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		alone, err := m.Tag(t.Context(), []string{text})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(batch[i], alone[0]) {
			t.Errorf("%q: %v in a batch, %v alone", text, batch[i], alone[0])
		}
	}
}

func TestALongTextIsReadToItsEnd(t *testing.T) {
	m := open(t)
	const said = "hello my name is Maria Gonzales and I live at 1715 West Alder Street, Eugene, Oregon. "
	for _, before := range []string{"", "so ", "so um ", "so um well then ", "unbelievably "} {
		text := before + strings.Repeat(said, 100)
		got, err := m.Tag(t.Context(), []string{text})
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for _, entity := range told(text, got[0]) {
			counts[entity]++
		}
		if counts["NAME Maria Gonzales"] != 100 || counts["ADDRESS 1715 West Alder Street, Eugene, Oregon"] != 100 || len(counts) != 2 {
			t.Errorf("%q first: got %v", before, counts)
		}
	}
}

func TestCaseChangesNothing(t *testing.T) {
	m := open(t)
	text := "This is Maria Gonzales of 12 Harbour Street"
	got, err := m.Tag(t.Context(), []string{text, strings.ToLower(text), strings.ToUpper(text)})
	if err != nil {
		t.Fatal(err)
	}
	if len(got[0]) != 2 || !reflect.DeepEqual(got[0], got[1]) || !reflect.DeepEqual(got[0], got[2]) {
		t.Errorf("got %v", got)
	}
}

func TestAModelServesManyAtOnce(t *testing.T) {
	m := open(t)
	texts := turns()[:12]
	want, err := m.Tag(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if got, err := m.Tag(t.Context(), texts); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	group.Wait()
}

func TestWhatCannotBeTaggedIsAnError(t *testing.T) {
	m := open(t)
	t.Run("a text that is too long", func(t *testing.T) {
		_, err := m.Tag(t.Context(), []string{"maria", strings.Repeat("a", ner.MaxText+1)})
		if !errors.Is(err, ner.ErrTooLong) || strings.Contains(err.Error(), "aaa") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a cancelled context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := m.Tag(ctx, []string{"maria"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOpenRefusesWhatIsNoModel(t *testing.T) {
	modelstest.Runtime(t)
	source := modelstest.Path(t, models.RampartPII)
	for name, config := range map[string]string{
		"labels that are not known":  `{"id2label":{"0":"O","1":"B-PET"}}`,
		"labels with a gap":          `{"id2label":{"0":"O","2":"B-CITY"}}`,
		"fewer labels than outputs":  `{"id2label":{"0":"O","1":"B-CITY"}}`,
		"a configuration that is no": `{`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range []string{"model_q4.onnx", "tokenizer.json"} {
				if err := os.Symlink(filepath.Join(source, file), filepath.Join(dir, file)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			if m, err := ner.Open(dir, 1); err == nil {
				t.Error("it opens")
				m.Close()
			}
		})
	}
}

func BenchmarkTag(b *testing.B) {
	m := open(b)
	turn := "hi there my name is maria gonzales and i am having some trouble with the router that you sent me"
	for _, n := range []int{1, 16} {
		texts := make([]string, n)
		for i := range texts {
			texts[i] = turn
		}
		b.Run(fmt.Sprintf("turns=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := m.Tag(b.Context(), texts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
