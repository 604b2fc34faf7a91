package engine_test

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/engine"
)

// listen has a session hear all samples and returns its results.
func listen(t *testing.T, e speech.LiveRecognizer, settings speech.LiveSettings, samples []float32) []speech.LiveResult {
	t.Helper()
	return listenAt(t, e, settings, samples, 0)
}

// listenAt has a session hear all samples, a tenth of a second in so long, and returns its results.
func listenAt(t *testing.T, e speech.LiveRecognizer, settings speech.LiveSettings, samples []float32, step time.Duration) []speech.LiveResult {
	t.Helper()
	l, err := e.Listen(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		began := time.Now()
		for at := 0; at < len(samples); at += 1600 {
			time.Sleep(time.Until(began.Add(step * time.Duration(at/1600))))
			if l.Write(t.Context(), samples[at:min(at+1600, len(samples))]) != nil {
				return
			}
		}
		_ = l.Finish()
	}()
	var results []speech.LiveResult
	for {
		r, err := l.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return results
		}
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
}

func finals(results []speech.LiveResult) string {
	var b strings.Builder
	for _, r := range results {
		if !r.Partial {
			for _, i := range r.Segment.Items {
				if i.Kind == speech.Word {
					b.WriteString(strings.ToLower(i.Text) + " ")
				}
			}
		}
	}
	return b.String()
}

func TestListen(t *testing.T) {
	e := loaded(t)
	reading := sample(t, "two_cities.wav")[:9*speech.SampleRate]
	results := listen(t, e, speech.LiveSettings{Language: "en", Stability: speech.StabilityHigh}, reading)
	if text := finals(results); !strings.Contains(text, "it was the best of times it was the worst of times it was the age of wisdom") {
		t.Errorf("finals %q", text)
	}
	number, ended := 0, map[int]bool{}
	for _, r := range results {
		if ended[r.Number] || r.Number < number {
			t.Errorf("result of %d after its final, or out of order", r.Number)
		}
		number, ended[r.Number] = r.Number, !r.Partial
		if !r.Partial && r.Stable != len(r.Segment.Items) {
			t.Errorf("%d of %d items are stable in a final", r.Stable, len(r.Segment.Items))
		}
	}
	for n, final := range ended {
		if !final {
			t.Errorf("segment %d has no final", n)
		}
	}
}

func TestListenHearsNothingWhereNobodySpeaks(t *testing.T) {
	e := loaded(t)
	random := rand.New(rand.NewPCG(1, 2))
	noise, tone := make([]float32, 8*speech.SampleRate), make([]float32, 8*speech.SampleRate)
	for i := range noise {
		noise[i] = float32(random.NormFloat64()) * 0.05
		for _, hertz := range []float64{262, 330, 392} { // a chord on hold
			tone[i] += 0.1 * float32(math.Sin(2*math.Pi*hertz*float64(i)/speech.SampleRate))
		}
	}
	for name, audio := range map[string][]float32{"silence": make([]float32, 8*speech.SampleRate), "noise": noise, "a chord": tone} {
		for kind, settings := range map[string]speech.LiveSettings{
			"in English": {Language: "en"}, "in French": {Language: "fr"},
			"in one language": {LanguageCandidates: []string{"en", "fr"}}, "in several": {MultipleLanguages: true},
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				if results := listen(t, e, settings, audio); len(results) > 0 {
					t.Errorf("heard %q", finals(results))
				}
			})
		}
	}
}

func TestListenKnowsLanguagesByName(t *testing.T) {
	e := loaded(t)
	for name, settings := range map[string]speech.LiveSettings{
		"language": {Language: "xx"}, "candidate": {LanguageCandidates: []string{"en", "xx"}},
		"preferred language": {LanguageCandidates: []string{"en", "fr"}, PreferredLanguage: "xx"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := e.Listen(t.Context(), settings); !errors.Is(err, engine.ErrUnknownLanguage) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestListenEndsWithItsContext(t *testing.T) {
	e := loaded(t)
	ctx, cancel := context.WithCancel(t.Context())
	l, err := e.Listen(ctx, speech.LiveSettings{Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := l.Next(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if streams := e.Stats().Streams; streams != 0 {
		t.Errorf("%d streams are left", streams)
	}
}
