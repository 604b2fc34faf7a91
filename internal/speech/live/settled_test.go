package live_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/live"
)

// said makes items of a text, a word every 100 ms.
func said(text string) []speech.Item {
	var items []speech.Item
	for i, word := range strings.Fields(text) {
		mark := ""
		if last := word[len(word)-1:]; strings.ContainsAny(last, ".,?") {
			word, mark = word[:len(word)-1], last
		}
		at := time.Duration(i) * 100 * time.Millisecond
		items = append(items, speech.Item{Text: word, Start: at, End: at + 100*time.Millisecond})
		if mark != "" {
			items = append(items, speech.Item{Kind: speech.Punctuation, Text: mark, NoSpaceBefore: true})
		}
	}
	return items
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

func TestWhatGuessesAgreeOnSettles(t *testing.T) {
	for name, test := range map[string]struct {
		stability speech.Stability
		guesses   []string
		last      string
		stable    string // after the last guess
		want      string // the final
	}{
		"nothing is promised without stability": {speech.StabilityNone, []string{"it was", "it was the"}, "It wasn't.", "", "It wasn't."},
		"two guesses agree but for the end": {
			speech.StabilityHigh, []string{"it was the", "it was the best"}, "it was the best of times.", "it was the", "it was the best of times.",
		},
		"a medium text settles later": {
			speech.StabilityMedium, []string{"it was the", "it was the best"}, "it was the best.", "", "it was the best.",
		},
		"what is settled stays in the final": {
			speech.StabilityHigh, []string{"it was a vest of", "it was a vest of times"}, "it was the best of times.", "it was a vest of", "it was a vest of times.",
		},
		"a word left out later stays and is not said twice": {
			speech.StabilityHigh, []string{"and so my fellow", "and so my fellow americans"}, "so my fellow americans ask.", "and so my fellow", "and so my fellow americans ask.",
		},
		"marks settle with the word that follows": {
			speech.StabilityHigh, []string{"yes, it is", "yes, it is so"}, "yes it is so.", "yes, it is", "yes, it is so.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := live.NewSettled(test.stability)
			stable := ""
			for _, guess := range test.guesses {
				items, n := s.Hear(said(guess))
				if got := text(items[:n]); !strings.HasPrefix(got, stable) {
					t.Errorf("%q was settled, then %q", stable, got)
				} else {
					stable = got
				}
			}
			if stable != test.stable {
				t.Errorf("%q is settled, want %q", stable, test.stable)
			}
			final := s.Last(said(test.last))
			if got := text(final); got != test.want {
				t.Errorf("final %q, want %q", got, test.want)
			}
			before := time.Duration(0)
			for _, item := range final {
				if item.Kind == speech.Word && (item.Start < before || item.End <= item.Start) {
					t.Errorf("%q is from %s to %s", item.Text, item.Start, item.End)
				} else if item.Kind == speech.Word {
					before = item.Start
				}
			}
		})
	}
}

func TestLaneOrder(t *testing.T) {
	lane := live.NewLane(1)
	leave, err := lane.Enter(t.Context(), false, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	arrivals := []struct {
		name  string
		final bool
		since time.Time
	}{
		{"served last", false, began.Add(-time.Second)},
		{"served first", false, began.Add(-3 * time.Second)},
		{"served next", false, began.Add(-2 * time.Second)},
		{"served at the same time, and came later", false, began.Add(-2 * time.Second)},
		{"final", true, began},
	}
	order := make(chan string, len(arrivals))
	for n, a := range arrivals {
		go func() {
			leave, err := lane.Enter(t.Context(), a.final, a.since)
			if err != nil {
				t.Error(err)
				return
			}
			order <- a.name
			leave()
		}()
		for lane.Waiting() < n+1 {
			time.Sleep(time.Millisecond)
		}
	}
	leave()
	for _, want := range []string{"final", "served first", "served next", "served at the same time, and came later", "served last"} {
		if got := <-order; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
