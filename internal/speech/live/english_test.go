package live_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/live"
	"github.com/dictum/dictum/internal/speech/moonshine"
	"github.com/dictum/dictum/internal/speech/vad"
)

// TestALongUtteranceIsRecognisedAtItsEnd holds that quick texts cost no more the longer somebody speaks, and that they
// still are of all that was said.
func TestALongUtteranceIsRecognisedAtItsEnd(t *testing.T) {
	modelstest.Runtime(t)
	m, err := moonshine.Open(modelstest.Path(t, models.MoonshineTiny), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	english := &live.English{Model: m, Lane: live.NewLane(1)}
	samples := cities(t, 11)
	plain := func(items []speech.Item) (words []string) {
		for _, i := range items {
			if i.Kind == speech.Word {
				words = append(words, strings.ToLower(i.Text))
			}
		}
		return words
	}
	recognise := func(end int, draft live.Draft, final bool) live.Hypothesis {
		h, err := english.Recognize(t.Context(), live.Utterance{Samples: samples[:end], Speech: []vad.Span{{End: end}}, Draft: draft, Final: final})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	var quick live.Hypothesis
	for end := speech.SampleRate; end <= len(samples); end += speech.SampleRate / 4 {
		kept := quick.Draft.Items
		quick = recognise(end, quick.Draft, false)
		if !quick.Credible {
			continue
		}
		if !slices.Equal(plain(quick.Items[:len(kept)]), plain(kept)) {
			t.Errorf("%q changed into %q", plain(kept), plain(quick.Items))
		}
		for i := 1; i < len(quick.Items); i++ {
			if a, b := quick.Items[i-1], quick.Items[i]; a.Kind == speech.Word && b.Kind == speech.Word && b.Start < a.Start {
				t.Errorf("%q at %v comes after %q at %v", b.Text, b.Start, a.Text, a.Start)
			}
		}
		if n := end - quick.Draft.From + len(quick.Draft.Before.Samples); n > 7*speech.SampleRate {
			t.Errorf("%d of %d samples are recognised the next time", n, end)
		}
	}
	got, want := plain(quick.Items), plain(recognise(len(samples), live.Draft{}, true).Items)
	if live.Distance(got, want) > len(want)/5 {
		t.Errorf("%q, not %q", got, want)
	}
}
