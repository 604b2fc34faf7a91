package engine_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/engine"
	"github.com/dictum/dictum/internal/speech/live"
)

func TestWhisperIsAskedForFinalsWhereItIsFastEnough(t *testing.T) {
	var r engine.Refining
	if !r.Worth() {
		t.Error("it is not tried")
	}
	done, ok := r.Begin()
	if _, second := r.Begin(); !ok || second {
		t.Errorf("began %v, a second beside it %v", ok, second)
	}
	done(true)
	if !r.Worth() {
		t.Error("it is not worth its while, and took no time")
	}
	r.Takes(2 * live.BetterWithin)
	skipped := 0
	for ; !r.Worth(); skipped++ {
		if skipped > 1000 {
			t.Fatal("it is never tried again")
		}
	}
	if skipped < 5 {
		t.Errorf("it is tried again after %d", skipped)
	}
	r.Takes(time.Hour)
	if done, ok = r.Begin(); !ok {
		t.Fatal("what has ended is still under way")
	}
	done(false)
	if r.Worth() {
		t.Error("one that was given up early is taken for a fast one")
	}
}

func TestBestFinals(t *testing.T) {
	dir, err := models.Dir()
	if err != nil {
		t.Fatal(err)
	}
	best, err := engine.New(engine.Config{Models: dir, Threads: 2, BestFinals: true})
	if err != nil {
		t.Fatal(err)
	}
	defer best.Close()
	const says = "it was the best of times it was the worst of times"
	reading := slices.Concat(sample(t, "two_cities.wav")[:6*rate], pause)
	for name, e := range map[string]*engine.Engine{"quick": loaded(t), "best": best} {
		t.Run(name, func(t *testing.T) {
			before := e.Stats()
			results := listen(t, e, speech.LiveSettings{Language: "en"}, reading)
			if heard := finals(results); !strings.Contains(heard, says) {
				t.Errorf("heard %q", heard)
			}
			after := e.Stats()
			// How fast this machine is decides whether any is Whisper's with best.
			if refined := after.LiveRefined - before.LiveRefined; name == "quick" && refined != 0 {
				t.Errorf("%d finals are Whisper's", refined)
			}
			n := int64(0)
			for _, r := range results {
				if !r.Partial {
					n++
				}
			}
			if got := after.LiveFinals - before.LiveFinals; got != n || after.LivePartials-before.LivePartials != int64(len(results))-n {
				t.Errorf("%d finals are counted of %d", got, n)
			}
			if after.LiveSpeechSeconds <= before.LiveSpeechSeconds || after.LiveFinalSeconds <= before.LiveFinalSeconds {
				t.Error("neither speech nor delays are counted")
			}
		})
	}
}
