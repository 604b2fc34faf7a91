package engine_test

import (
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/speech"
)

// prompt reads a recording of Debian's asterisk-core-sounds, such as fr/demo-congrats, and skips the test without them.
func prompt(t *testing.T, name string) []float32 {
	t.Helper()
	f, err := os.Open("/usr/share/asterisk/sounds/" + name + ".wav")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("needs Debian's asterisk-core-sounds-en and -fr")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stream, err := audio.Open(t.Context(), f, audio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var samples []float32
	buf := make([]float32, rate)
	for {
		n, err := stream.ReadSamples(buf)
		samples = append(samples, buf[:n]...)
		if errors.Is(err, io.EOF) {
			return samples
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// pause is silence at which an utterance ends.
var pause = make([]float32, rate)

// spoken are the languages of finals, one after the other, and their words.
func spoken(results []speech.LiveResult) (languages []string, words map[string]string) {
	words = make(map[string]string)
	for _, r := range results {
		if r.Partial {
			continue
		}
		language := r.Segment.Language
		languages = append(languages, language)
		words[language] += finals([]speech.LiveResult{r})
	}
	return slices.Compact(languages), words
}

// checkScores verifies what holds for the scores of each result.
func checkScores(t *testing.T, results []speech.LiveResult, candidates int) {
	t.Helper()
	for _, r := range results {
		sum := 0.0
		for i, l := range r.Languages {
			if sum += l.Score; i > 0 && l.Score > r.Languages[i-1].Score {
				t.Errorf("scores do not descend: %v", r.Languages)
			}
		}
		if len(r.Languages) != candidates || math.Abs(sum-1) > 1e-6 {
			t.Errorf("%d scores, which sum to %v", len(r.Languages), sum)
		}
	}
}

func TestListenIdentifiesOneLanguage(t *testing.T) {
	french := prompt(t, "fr/demo-congrats")[:12*rate]
	for name, test := range map[string]struct {
		samples        []float32
		preferred      string
		language, says string
	}{
		"English":                        {sample(t, "two_cities.wav")[:8*rate], "", "en", "the best of times"},
		"French":                         {french, "", "fr", "vous avez"},
		"a preference does not outweigh": {french, "en", "fr", "vous avez"},
	} {
		t.Run(name, func(t *testing.T) {
			results := listen(t, loaded(t), speech.LiveSettings{LanguageCandidates: []string{"en", "fr", "es"}, PreferredLanguage: test.preferred}, test.samples)
			languages, words := spoken(results)
			if !slices.Equal(languages, []string{test.language}) || !strings.Contains(words[test.language], test.says) {
				t.Errorf("heard %q", words)
			}
			checkScores(t, results, 3)
		})
	}
}

func TestListenTakesThePreferredLanguageInDoubt(t *testing.T) {
	word := slices.Concat(pause, prompt(t, "en/digits/8"), pause) // less than a second of speech
	for _, preferred := range []string{"en", "fr"} {
		results := listen(t, loaded(t), speech.LiveSettings{LanguageCandidates: []string{"en", "fr"}, PreferredLanguage: preferred}, word)
		if languages, words := spoken(results); !slices.Equal(languages, []string{preferred}) {
			t.Errorf("heard %q, and prefer %s", words, preferred)
		}
	}
}

func TestListenFollowsSeveralLanguages(t *testing.T) {
	english, french := sample(t, "two_cities.wav"), prompt(t, "fr/demo-congrats")
	audio := slices.Concat(english[:6*rate], pause, french[:9*rate], pause, sample(t, "beckett.wav")[:5*rate], pause)
	results := listen(t, loaded(t), speech.LiveSettings{MultipleLanguages: true, LanguageCandidates: []string{"en", "fr"}}, audio)
	languages, words := spoken(results)
	if want := []string{"en", "fr", "en"}; !slices.Equal(languages, want) {
		t.Errorf("languages %q, want %q", languages, want)
	}
	if !strings.Contains(words["en"], "the best of times") || !strings.Contains(words["fr"], "vous avez") {
		t.Errorf("heard %q", words)
	}
	checkScores(t, results, 2)
}

func TestListenKeepsWhatHasSettled(t *testing.T) {
	// At the pace of speech there are partials enough for words to settle.
	const pace = 100 * time.Millisecond
	reading, french := sample(t, "two_cities.wav")[:7*rate], prompt(t, "fr/demo-congrats")[:7*rate]
	for name, test := range map[string]struct {
		settings speech.LiveSettings
		samples  []float32
		pace     time.Duration
	}{
		"English":    {speech.LiveSettings{Language: "en"}, reading, pace},
		"French":     {speech.LiveSettings{Language: "fr"}, french, pace},
		"one of two": {speech.LiveSettings{LanguageCandidates: []string{"en", "fr"}}, french, 0},
		"two":        {speech.LiveSettings{MultipleLanguages: true, LanguageCandidates: []string{"en", "fr"}}, slices.Concat(french, reading), 0},
		"one of all": {speech.LiveSettings{}, reading, 0},
	} {
		t.Run(name, func(t *testing.T) {
			test.settings.Stability = speech.StabilityHigh
			var kept []speech.Item
			number, settled := 0, 0
			for _, r := range listenAt(t, loaded(t), test.settings, test.samples, test.pace) {
				if r.Number != number {
					number, kept = r.Number, nil
				}
				for i, item := range kept {
					if got := r.Segment.Items[i].Text; got != item.Text {
						t.Errorf("%q had settled, then it is %q", item.Text, got)
					}
				}
				if kept = r.Segment.Items[:r.Stable]; r.Partial {
					settled += r.Stable
				}
			}
			if settled == 0 && test.pace > 0 {
				t.Error("nothing settled before its final")
			}
		})
	}
}
