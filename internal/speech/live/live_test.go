package live_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/live"
	"github.com/dictum/dictum/internal/speech/vad"
)

// recorder is a recogniser that gives the words a test tells it, and notes what it was asked.
type recorder struct {
	text   string
	costly bool
	// better makes the better text of finals; nil offers none.
	better func(ctx context.Context) (live.Hypothesis, error)

	mu     sync.Mutex
	asked  []live.Utterance // without samples, of partials
	length []int
}

func (r *recorder) Recognize(_ context.Context, u live.Utterance) (live.Hypothesis, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !u.Final {
		r.asked, r.length = append(r.asked, live.Utterance{Start: u.Start}), append(r.length, len(u.Samples))
	}
	h := live.Hypothesis{Items: said(r.text), Credible: true, Best: true, Costly: r.costly, Language: "en"}
	if u.Final {
		h.Better = r.better
	}
	return h, nil
}

// hear plays a reading to a recogniser.
func hear(t *testing.T, r live.Recognizer, stability speech.Stability) (results []speech.LiveResult, reports []live.Report) {
	t.Helper()
	l, told := begin(t, r, stability)
	defer l.Close()
	var writing sync.WaitGroup
	defer writing.Wait()
	samples, heard := reading(t), make(chan struct{}, 1000)
	writing.Go(func() {
		// In the beginning it goes on when there is a partial result: words settle by two.
		for range 2 {
			if err := l.Write(t.Context(), samples[:2*speech.SampleRate]); err != nil {
				t.Error(err)
			}
			samples = samples[2*speech.SampleRate:]
			select {
			case <-heard:
			case <-t.Context().Done():
			}
		}
		if err := errors.Join(l.Write(t.Context(), samples), l.Finish()); err != nil {
			t.Error(err)
		}
	})
	for {
		result, err := l.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return results, *told
		}
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, result)
		heard <- struct{}{}
	}
}

// begin starts a session; what it reports may be read once it has ended.
func begin(t *testing.T, r live.Recognizer, stability speech.Stability) (speech.Listener, *[]live.Report) {
	t.Helper()
	modelstest.Runtime(t)
	detector, err := vad.Open(filepath.Join(modelstest.Path(t, "silero-vad"), "silero_vad_16k_sequence.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := detector.Close(); err != nil {
			t.Error(err)
		}
	})
	told := new([]live.Report)
	l, err := live.Listen(t.Context(), live.Options{
		Settings: speech.LiveSettings{Language: "en", Stability: stability}, VAD: detector, Recognizer: r,
		Told: func(r live.Report) { *told = append(*told, r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, told
}

// reading is five seconds of one that comes with the models, twice, with a second of silence after each.
func reading(t *testing.T) []float32 {
	t.Helper()
	samples := append(cities(t, 5), make([]float32, speech.SampleRate)...)
	return append(samples, samples...)
}

// cities are the first seconds of a reading that comes with the models.
func cities(t *testing.T, seconds int) []float32 {
	t.Helper()
	f, err := os.Open(filepath.Join(modelstest.Path(t, models.SpeechSamples), "two_cities.wav"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := audio.Open(t.Context(), f, audio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	samples := make([]float32, seconds*speech.SampleRate)
	for n := 0; n < len(samples); {
		k, err := in.ReadSamples(samples[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	return samples
}

func TestABetterTextIsTakenWhenItComesInTime(t *testing.T) {
	const quick, fine = "it was the vest of times", "It was the best of times."
	ready := func(text string) func(context.Context) (live.Hypothesis, error) {
		return func(context.Context) (live.Hypothesis, error) {
			return live.Hypothesis{Items: said(text), Credible: true}, nil
		}
	}
	var late sync.WaitGroup
	for name, test := range map[string]struct {
		stability speech.Stability
		better    func(context.Context) (live.Hypothesis, error)
		want      string
		refined   bool
	}{
		"in time":                  {better: ready(fine), want: fine, refined: true},
		"none":                     {want: quick},
		"text of other speech":     {better: ready("What is it that you want of me?"), want: quick},
		"what has settled is kept": {stability: speech.StabilityHigh, better: ready(fine), want: quick + ".", refined: true},
		"late": {want: quick, better: func(ctx context.Context) (live.Hypothesis, error) {
			late.Add(1)
			defer late.Done()
			<-ctx.Done() // ends, or this test never does
			return live.Hypothesis{Items: said(fine), Credible: true}, nil
		}},
		"that fails": {want: quick, better: func(context.Context) (live.Hypothesis, error) { return live.Hypothesis{}, errors.New("of a test") }},
	} {
		t.Run(name, func(t *testing.T) {
			results, reports := hear(t, &recorder{text: quick, better: test.better}, test.stability)
			var paused []string
			for _, r := range results {
				if !r.Partial {
					paused = append(paused, text(r.Segment.Items))
				}
			}
			if len(paused) < 2 || paused[0] != test.want {
				t.Errorf("finals %q, want %q first", paused, test.want)
			}
			first := slices.IndexFunc(reports, func(r live.Report) bool { return !r.Partial })
			if r := reports[first]; r.Refined != test.refined || r.Speech <= 0 {
				t.Errorf("told %+v", r)
			}
		})
	}
	late.Wait()
}

func TestCostlyPartialsComeLessOften(t *testing.T) {
	const least = 400 // milliseconds
	r := &recorder{text: "it was", costly: true}
	hear(t, r, speech.StabilityNone)
	for i := 1; i < len(r.length); i++ {
		apart := (r.asked[i].Start + r.length[i] - r.asked[i-1].Start - r.length[i-1]) / (speech.SampleRate / 1000)
		if apart < least {
			t.Errorf("a partial %d ms after the one before", apart)
		}
	}
}

func TestCloseEndsWhatGoesOnBeside(t *testing.T) {
	asked, ended := make(chan struct{}, 1), make(chan struct{})
	l, _ := begin(t, &recorder{text: "it was", better: func(ctx context.Context) (live.Hypothesis, error) {
		select {
		case asked <- struct{}{}:
			defer close(ended)
		default:
		}
		<-ctx.Done()
		return live.Hypothesis{}, ctx.Err()
	}}, speech.StabilityNone)
	var writing sync.WaitGroup
	writing.Go(func() { _ = l.Write(t.Context(), reading(t)) })
	<-asked
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	default:
		t.Error("a text is still being made")
	}
	writing.Wait()
}

func TestLaneYieldsToFinalsForLonger(t *testing.T) {
	lane := live.NewLane(1)
	lane.Yield(t.Context(), time.Hour, time.Hour) // nothing is under way
	leave, err := lane.Enter(t.Context(), false, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	lane.Yield(t.Context(), time.Hour, time.Millisecond) // a partial is not waited for that long
	leave()
	if leave, err = lane.Enter(t.Context(), true, time.Time{}); err != nil {
		t.Fatal(err)
	}
	yielded := make(chan struct{})
	go func() {
		defer close(yielded)
		lane.Yield(t.Context(), time.Hour, 0)
	}()
	if load := lane.Load(); load < 0 || load > 1 {
		t.Errorf("load is %v", load)
	}
	leave()
	<-yielded
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if leave, err = lane.Enter(t.Context(), true, time.Time{}); err != nil {
		t.Fatal(err)
	}
	defer leave()
	lane.Yield(ended, time.Hour, time.Hour)
}

// busy is a recogniser that has no time for the first partials.
type busy struct {
	live.Recognizer
	times atomic.Int32
}

func (b *busy) Recognize(ctx context.Context, u live.Utterance) (live.Hypothesis, error) {
	if !u.Final && b.times.Add(-1) >= 0 {
		time.Sleep(10 * time.Millisecond) // as long as it waits
		return live.Hypothesis{LeftOut: true}, nil
	}
	return b.Recognizer.Recognize(ctx, u)
}

func TestAPartialThatWasLeftOutIsMadeUp(t *testing.T) {
	r := &busy{Recognizer: &recorder{text: "some words"}}
	r.times.Store(20)
	l, _ := begin(t, r, speech.StabilityNone)
	defer l.Close()
	// Audio stops within speech.
	if err := l.Write(t.Context(), reading(t)[:3*speech.SampleRate]); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if got, err := l.Next(ctx); err != nil || !got.Partial {
		t.Errorf("%+v, %v", got, err)
	}
}
