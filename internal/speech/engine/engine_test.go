package engine_test

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/engine"
)

const rate = speech.SampleRate

// memory is audio in memory.
type memory struct{ rest []float32 }

func (m *memory) ReadSamples(dst []float32) (int, error) {
	n := copy(dst, m.rest)
	m.rest = m.rest[n:]
	if len(m.rest) == 0 {
		return n, io.EOF
	}
	return n, nil
}

var shared = sync.OnceValues(func() (*engine.Engine, error) {
	dir, err := models.Dir()
	if err != nil {
		return nil, err
	}
	e, err := engine.New(engine.Config{Models: dir, Threads: 2})
	if err != nil {
		return nil, err
	}
	return e, e.Preload(context.Background())
})

func TestMain(m *testing.M) {
	code := m.Run()
	if e, err := shared(); err == nil {
		if err := e.Close(); err != nil {
			code = 1
		}
	}
	os.Exit(code)
}

// loaded is the engine that tests share.
func loaded(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := shared()
	if err != nil {
		t.Fatalf("no speech models; run make setup: %v", err)
	}
	return e
}

// sample reads a recording that comes with the models.
func sample(t *testing.T, name string) []float32 {
	t.Helper()
	dir, err := models.Dir()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "speech-samples", name))
	if err != nil {
		t.Fatalf("no speech samples; run make setup: %v", err)
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

func recognise(t *testing.T, samples []float32, settings speech.Settings) speech.Transcript {
	t.Helper()
	transcript, err := loaded(t).Recognize(t.Context(), &memory{samples}, settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	return transcript
}

var english = speech.Settings{Language: "en", Priority: speech.PriorityBatch}

func text(transcript speech.Transcript) string {
	var b strings.Builder
	for _, s := range transcript.Segments {
		for _, item := range s.Items {
			if !item.NoSpaceBefore && b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(item.Text)
		}
	}
	return b.String()
}

// checkTimes verifies what holds for every transcript.
func checkTimes(t *testing.T, transcript speech.Transcript) {
	t.Helper()
	var last time.Duration
	for _, s := range transcript.Segments {
		if s.Start < last || s.End <= s.Start || s.End > transcript.Duration {
			t.Errorf("segment %v to %v after %v, in audio of %v", s.Start, s.End, last, transcript.Duration)
		}
		for _, item := range s.Items {
			if item.Kind == speech.Punctuation {
				if item.Start != 0 || item.End != 0 || item.Confidence != 0 {
					t.Errorf("punctuation %+v has times or confidence", item)
				}
				continue
			}
			if item.Start < max(last, s.Start) || item.End <= item.Start || item.End > s.End {
				t.Errorf("word %q from %v to %v after %v, in a segment from %v to %v", item.Text, item.Start, item.End, last, s.Start, s.End)
			}
			if item.Confidence <= 0 || item.Confidence > 1 || strings.ContainsAny(item.Text, " \t\n") || item.Text == "" {
				t.Errorf("word %+v", item)
			}
			last = item.End
		}
	}
}

func TestReadingIsRecognised(t *testing.T) {
	samples := sample(t, "two_cities.wav")
	var reports []speech.Progress
	got, err := loaded(t).Recognize(t.Context(), &memory{samples}, english, func(p speech.Progress) { reports = append(reports, p) })
	if err != nil {
		t.Fatal(err)
	}
	checkTimes(t, got)
	for _, want := range []string{
		"It was the best of times", "worst of times", "age of foolishness", "epoch of incredulity",
		"season of darkness", "winter of despair", "everything before us", "superlative degree of comparison only",
	} {
		if !strings.Contains(text(got), want) {
			t.Errorf("%q is missing from %q", want, text(got))
		}
	}
	if got.Language != "en" || got.Languages != nil || len(got.Segments) < 4 {
		t.Errorf("language %q, scores %v, %d segments", got.Language, got.Languages, len(got.Segments))
	}
	if d := got.Duration - 44374*time.Millisecond; d.Abs() > 10*time.Millisecond {
		t.Errorf("the audio is %v long", got.Duration)
	}
	// "winter" begins at 19.4 s by ear.
	for _, s := range got.Segments {
		for _, item := range s.Items {
			if item.Text == "winter" && (item.Start-19400*time.Millisecond).Abs() > 150*time.Millisecond {
				t.Errorf("winter begins at %v", item.Start)
			}
		}
	}
	for i := 1; i < len(reports); i++ {
		if reports[i].Position < reports[i-1].Position || reports[i].Read < reports[i-1].Read {
			t.Errorf("progress goes back: %+v after %+v", reports[i], reports[i-1])
		}
	}
	if last := reports[len(reports)-1]; last.Position != got.Duration || last.Language.Language != "en" {
		t.Errorf("the last progress is %+v", last)
	}
}

// mixture is recordings of different lengths, made of the samples.
func mixture(t *testing.T) [][]float32 {
	cities, beckett := sample(t, "two_cities.wav"), sample(t, "beckett.wav")
	return [][]float32{
		beckett, cities[:12*rate], cities[8*rate : 11*rate], cities[15*rate:], beckett[:4*rate], cities[28*rate:],
		append(append([]float32{}, beckett...), cities[:30*rate]...), cities[20*rate : 22*rate], cities,
		inNoise(beckett), inNoise(cities[:15*rate]),
	}
}

// inNoise makes a recording hard enough that its windows are searched.
func inNoise(samples []float32) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	noisy := make([]float32, len(samples))
	for i, v := range samples {
		noisy[i] = v + 0.05*float32(r.NormFloat64())
	}
	return noisy
}

func TestSameAudioSameTranscript(t *testing.T) {
	e := loaded(t)
	recordings := mixture(t)
	alone := make([]speech.Transcript, len(recordings))
	searches := e.Stats().Searches
	for i, samples := range recordings {
		alone[i] = recognise(t, samples, english)
	}
	if e.Stats().Searches == searches {
		t.Error("no window was searched: the test no longer covers beam search")
	}
	t.Run("beside others", func(t *testing.T) {
		for _, order := range [][]int{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {10, 8, 2, 9, 6, 0, 5, 7, 1, 4, 3}} {
			var wait sync.WaitGroup
			for k, i := range order {
				wait.Go(func() {
					settings := english
					settings.Priority = speech.Priority(k % 3)
					got, err := e.Recognize(t.Context(), &memory{recordings[i]}, settings, nil)
					if err != nil {
						t.Error(err)
					} else if !reflect.DeepEqual(got, alone[i]) {
						t.Errorf("recording %d beside others: %q, alone: %q", i, text(got), text(alone[i]))
					}
				})
			}
			wait.Wait()
		}
	})
	t.Run("read in other pieces", func(t *testing.T) {
		got, err := e.Recognize(t.Context(), &slow{memory{recordings[6]}}, english, nil)
		if err != nil || !reflect.DeepEqual(got, alone[6]) {
			t.Errorf("got %q, %v, want %q", text(got), err, text(alone[6]))
		}
	})
	t.Run("language identified", func(t *testing.T) {
		got := recognise(t, recordings[6], speech.Settings{})
		got.Languages = nil
		if !reflect.DeepEqual(got, alone[6]) {
			t.Errorf("got %q, want %q", text(got), text(alone[6]))
		}
	})
}

// An urgent window that ended while others were held back for it left them waiting for
// ever.
func TestWorkHeldBackForUrgentWorkGoesOn(t *testing.T) {
	e := loaded(t)
	samples := sample(t, "beckett.wav")
	for i := range 6 {
		var wait sync.WaitGroup
		for k, priority := range []speech.Priority{speech.PriorityLive, speech.PriorityBatch, speech.PriorityInteractive} {
			wait.Go(func() {
				settings := english
				settings.Priority = priority
				if k > 0 {
					time.Sleep(time.Duration(i) * 40 * time.Millisecond) // into the urgent one's decoding
				}
				if _, err := e.Recognize(t.Context(), &memory{samples[:(3-k)*rate]}, settings, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
}

// slow gives few samples at a time, and the end by itself.
type slow struct{ memory }

func (s *slow) ReadSamples(dst []float32) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n, _ := s.memory.ReadSamples(dst[:min(len(dst), 1237)])
	return n, nil
}

func TestLanguageIsIdentified(t *testing.T) {
	samples := sample(t, "two_cities.wav")
	t.Run("among all", func(t *testing.T) {
		got := recognise(t, samples, speech.Settings{})
		if got.Language != "en" || got.Languages[0].Language != "en" || got.Languages[0].Score < 0.8 {
			t.Errorf("language %q, scores %v", got.Language, got.Languages[:2])
		}
	})
	t.Run("among candidates", func(t *testing.T) {
		got := recognise(t, samples[:10*rate], speech.Settings{LanguageCandidates: []string{"fr", "en", "de"}})
		sum := 0.0
		for _, s := range got.Languages {
			sum += s.Score
		}
		if got.Language != "en" || len(got.Languages) != 3 || math.Abs(sum-1) > 1e-9 {
			t.Errorf("language %q, scores %v", got.Language, got.Languages)
		}
	})
	t.Run("too little speech", func(t *testing.T) {
		for _, samples := range [][]float32{nil, make([]float32, 20*rate), samples[2*rate : 2*rate+rate/2]} {
			_, err := loaded(t).Recognize(t.Context(), &memory{samples}, speech.Settings{}, nil)
			if !errors.Is(err, speech.ErrTooLittleSpeech) {
				t.Errorf("%d samples: %v, want ErrTooLittleSpeech", len(samples), err)
			}
		}
	})
	t.Run("unknown", func(t *testing.T) {
		for _, settings := range []speech.Settings{{Language: "tlh"}, {LanguageCandidates: []string{"en", "tlh"}}} {
			_, err := loaded(t).Recognize(t.Context(), &memory{samples}, settings, nil)
			if !errors.Is(err, engine.ErrUnknownLanguage) {
				t.Errorf("%+v: %v, want ErrUnknownLanguage", settings, err)
			}
		}
	})
}

// sound makes so many seconds of a signal.
func sound(seconds int, signal func(t float64) float64) []float32 {
	samples := make([]float32, seconds*rate)
	for i := range samples {
		samples[i] = float32(signal(float64(i) / rate))
	}
	return samples
}

// noises are sounds without speech.
func noises() map[string][]float32 {
	random := rand.New(rand.NewPCG(1, 2))
	sine := func(hz, t float64) float64 { return math.Sin(2 * math.Pi * hz * t) }
	var pink [6]float64
	rows, columns := []float64{697, 770, 852, 941}, []float64{1209, 1336, 1477}
	notes := []float64{262, 330, 392, 523, 440, 349, 294, 392}
	return map[string][]float32{
		"nothing":     nil,
		"silence":     make([]float32, 40*rate),
		"tone":        sound(30, func(t float64) float64 { return 0.5 * sine(1000, t) }),
		"white noise": sound(30, func(float64) float64 { return 0.2 * random.NormFloat64() }),
		"faint noise": sound(30, func(float64) float64 { return 0.003 * random.NormFloat64() }),
		"pink noise": sound(30, func(float64) float64 {
			sum := 0.0
			for i := range pink {
				k := math.Pow(2, -float64(i))
				pink[i] += k * (random.NormFloat64() - pink[i])
				sum += pink[i]
			}
			return 0.2 * sum
		}),
		"dialling": sound(20, func(t float64) float64 {
			if math.Mod(t, 0.2) > 0.12 {
				return 0
			}
			key := int(t/0.2) % 12
			return 0.3 * (sine(rows[key/3], t) + sine(columns[key%3], t))
		}),
		"ringing": sound(30, func(t float64) float64 {
			if math.Mod(t, 6) > 2 {
				return 0
			}
			return 0.2 * (sine(440, t) + sine(480, t))
		}),
		"music": sound(30, func(t float64) float64 {
			note := notes[int(t*4)%len(notes)]
			decay := math.Exp(-5 * math.Mod(t, 0.25))
			chord := notes[int(t)%len(notes)] / 2
			return 0.3*decay*(sine(note, t)+0.5*sine(2*note, t)+0.2*sine(3*note, t)) +
				0.1*(sine(chord, t)+sine(chord*1.25, t)+sine(chord*1.5, t))
		}),
		"clicks": sound(20, func(t float64) float64 {
			if math.Mod(t, 0.7) < 0.002 {
				return 0.9
			}
			return 0
		}),
	}
}

func TestNoSpeechGivesNoText(t *testing.T) {
	for name, samples := range noises() {
		t.Run(name, func(t *testing.T) {
			got := recognise(t, samples, english)
			if len(got.Segments) != 0 {
				t.Errorf("invented %q (%v of speech)", text(got), got.Speech)
			}
		})
	}
}

func TestSpeechAfterLongSilence(t *testing.T) {
	speechSamples := sample(t, "beckett.wav")
	samples := append(make([]float32, 90*rate), speechSamples...)
	samples = append(samples, make([]float32, 60*rate)...)
	got := recognise(t, samples, english)
	checkTimes(t, got)
	if len(got.Segments) == 0 || got.Segments[0].Start < 90*time.Second || got.Segments[len(got.Segments)-1].End > 101*time.Second {
		t.Errorf("segments %v", got.Segments)
	}
	if !strings.Contains(strings.ToLower(text(got)), "fail better") {
		t.Errorf("got %q", text(got))
	}
}

// loop repeats audio with pauses, for so many seconds in all, without holding it.
type loop struct {
	once []float32
	at   int
	left int
	peak *uint64
}

func (l *loop) ReadSamples(dst []float32) (int, error) {
	for i := range dst {
		if l.left == 0 {
			return i, io.EOF
		}
		dst[i] = l.once[l.at]
		l.at = (l.at + 1) % len(l.once)
		l.left--
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	*l.peak = max(*l.peak, m.HeapAlloc)
	return len(dst), nil
}

func TestLongAudioInConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 24 minutes")
	}
	// Mostly silence, that the test is short: what is held does not depend on it.
	once := append(append([]float32{}, sample(t, "beckett.wav")...), make([]float32, 50*rate)...)
	peak := func(minutes int) uint64 {
		runtime.GC()
		var p uint64
		got, err := loaded(t).Recognize(t.Context(), &loop{once: once, left: minutes * 60 * rate, peak: &p}, english, nil)
		if err != nil {
			t.Fatal(err)
		}
		checkTimes(t, got)
		if n := strings.Count(strings.ToLower(text(got)), "fail better"); n != minutes {
			t.Errorf("%d minutes have %d repetitions", minutes, n)
		}
		return p
	}
	short, long := peak(2), peak(24)
	t.Logf("largest heap: %d MiB for 2 minutes, %d MiB for 24", short>>20, long>>20)
	if long > short+40<<20 {
		t.Errorf("the heap grew from %d to %d MiB", short>>20, long>>20)
	}
}

var errBroken = errors.New("broken pipe")

type broken struct{ memory }

func (b *broken) ReadSamples(dst []float32) (int, error) {
	n, err := b.memory.ReadSamples(dst)
	if err != nil {
		err = errBroken
	}
	return n, err
}

func TestErrorsOfTheReaderArePassedOn(t *testing.T) {
	_, err := loaded(t).Recognize(t.Context(), &broken{memory{sample(t, "beckett.wav")}}, english, nil)
	if !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func TestCancelledWorkEnds(t *testing.T) {
	samples := sample(t, "two_cities.wav")
	for _, delay := range []time.Duration{0, 100 * time.Millisecond, 500 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), delay)
		_, err := loaded(t).Recognize(ctx, &memory{samples}, speech.Settings{}, nil)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v", delay, err)
		}
	}
	if stats := loaded(t).Stats(); stats.Jobs != 0 || stats.QueuedBatch+stats.QueuedInteractive+stats.QueuedLive != 0 {
		t.Errorf("left behind: %+v", stats)
	}
	recognise(t, samples[:5*rate], english)
}

func TestCloseInterruptsWork(t *testing.T) {
	dir, err := models.Dir()
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Config{Models: dir, Rows: 2})
	if err != nil {
		t.Fatal(err)
	}
	samples := sample(t, "two_cities.wav")
	errs := make(chan error, 4)
	for i := range 4 {
		settings := english
		if i == 0 {
			settings.Language = ""
		}
		go func() {
			_, err := e.Recognize(context.Background(), &memory{samples}, settings, nil)
			errs <- err
		}()
	}
	for e.Stats().Windows+e.Stats().Active == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	for range 4 {
		if err := <-errs; err != nil && !errors.Is(err, speech.ErrInterrupted) {
			t.Errorf("got %v, want ErrInterrupted", err)
		}
	}
	if _, err := e.Recognize(t.Context(), &memory{samples}, english, nil); !errors.Is(err, speech.ErrInterrupted) {
		t.Errorf("a closed engine: %v", err)
	}
}

func TestMissingModelsAreNamed(t *testing.T) {
	e, err := engine.New(engine.Config{Models: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Preload(t.Context()); err == nil || !strings.Contains(err.Error(), "dictum models pull") {
		t.Errorf("got %v", err)
	}
}
