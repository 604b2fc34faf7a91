package speakers_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/speech/speakers"
	"github.com/dictum/dictum/internal/speech/vad"
)

const rate = 16000

func model(t testing.TB) *speakers.Model {
	t.Helper()
	modelstest.Runtime(t)
	m, err := speakers.Open(modelstest.Path(t, models.Speakers), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// sample reads a recording that comes with the models.
func sample(t testing.TB, name string) []float32 {
	t.Helper()
	return read(t, filepath.Join(modelstest.Path(t, models.SpeechSamples), name))
}

func read(t testing.TB, path string) []float32 {
	t.Helper()
	f, err := os.Open(path)
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

// windows finds the speech in samples.
func windows(t testing.TB, samples []float32) []vad.Window {
	t.Helper()
	d, err := vad.Open(filepath.Join(modelstest.Path(t, models.SileroVAD), "silero_vad_16k_sequence.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	stream, err := d.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var ws []vad.Window
	cutter := vad.NewCutter(func(w vad.Window) { ws = append(ws, w) })
	for chunk := range slices.Chunk(samples, vad.ChunkSamples) {
		probabilities, err := stream.Detect(t.Context(), chunk)
		if err != nil {
			t.Fatal(err)
		}
		cutter.Add(chunk, probabilities)
	}
	cutter.End()
	return ws
}

// diarize hears all of samples.
func diarize(t testing.TB, samples []float32, options speakers.Options) (*speakers.Diarizer, []speakers.Turn) {
	t.Helper()
	d, err := model(t).NewDiarizer(options)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range windows(t, samples) {
		if err := d.Add(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	return d, d.Turns()
}

// prompts are recordings of the woman who speaks Asterisk's English prompts.
func prompts(t testing.TB, names ...string) []float32 {
	t.Helper()
	var samples []float32
	for _, name := range names {
		samples = append(samples, read(t, filepath.Join("/usr/share/asterisk/sounds/en", name+".wav"))...)
	}
	return samples
}

// readings is what a reader and the woman of the prompts say in turn, with the bounds of the turns.
func readings(t testing.TB) (samples []float32, bounds []time.Duration) {
	t.Helper()
	cities := sample(t, "two_cities.wav")
	pause := make([]float32, rate*3/10)
	for i, name := range []string{"ss-noservice", "privacy-prompt", "conf-invalid"} {
		for _, part := range [][]float32{cities[(2+6*i)*rate : (7+6*i)*rate], prompts(t, name)} {
			bounds = append(bounds, time.Duration(len(samples))*time.Second/rate)
			samples = append(append(samples, part...), pause...)
		}
	}
	return samples, append(bounds, time.Duration(len(samples))*time.Second/rate)
}

func count(turns []speakers.Turn) int {
	seen := make(map[int]bool)
	for _, turn := range turns {
		seen[turn.Speaker] = true
	}
	return len(seen)
}

// wrong is how much of the turns is not the speaker's that bounds say, 0 and 1 by turns,
// leaving out a quarter of a second at both sides of each bound.
func wrong(turns []speakers.Turn, bounds []time.Duration) (amiss, total time.Duration) {
	const step, collar = 10 * time.Millisecond, 250 * time.Millisecond
	for _, turn := range turns {
		for at := turn.Start; at < turn.End; at += step {
			i, exact := slices.BinarySearch(bounds, at)
			if !exact {
				i--
			}
			if i < 0 || i+1 >= len(bounds) || at-bounds[i] < collar || bounds[i+1]-at < collar {
				continue
			}
			total += step
			if turn.Speaker != i%2 {
				amiss += step
			}
		}
	}
	return amiss, total
}

func TestTwoReadersAreTwoSpeakers(t *testing.T) {
	samples, bounds := readings(t)
	_, turns := diarize(t, samples, speakers.Options{})
	if n := count(turns); n != 2 {
		t.Fatalf("%d speakers, not 2: %v", n, turns)
	}
	amiss, total := wrong(turns, bounds)
	if amiss > total/50 || total < 15*time.Second {
		t.Errorf("%v of %v have the wrong speaker: %v", amiss, total, turns)
	}
	if turns[0].Speaker != 0 {
		t.Errorf("the first speaker has number %d", turns[0].Speaker)
	}
	for i, turn := range turns {
		if turn.End <= turn.Start || i > 0 && turn.Start < turns[i-1].End {
			t.Errorf("turn %d of %v is empty or overlaps", i, turns)
		}
	}
}

func TestOneReaderIsOneSpeaker(t *testing.T) {
	for _, name := range []string{"two_cities.wav", "beckett.wav"} {
		if _, turns := diarize(t, sample(t, name), speakers.Options{}); count(turns) != 1 {
			t.Errorf("%s: %v", name, turns)
		}
	}
}

func TestMaxSpeakersHolds(t *testing.T) {
	samples, _ := readings(t)
	if _, turns := diarize(t, samples, speakers.Options{MaxSpeakers: 1}); count(turns) != 1 {
		t.Errorf("more than one speaker: %v", turns)
	}
	for _, n := range []int{-1, 256} {
		if _, err := model(t).NewDiarizer(speakers.Options{MaxSpeakers: n}); err == nil {
			t.Errorf("%d speakers are taken", n)
		}
	}
}

func TestTurnsAreExtendedAndNumbersStay(t *testing.T) {
	samples, bounds := readings(t)
	d, err := model(t).NewDiarizer(speakers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if turns := d.Turns(); turns != nil {
		t.Errorf("turns before anything was heard: %v", turns)
	}
	// Each turn comes as a window of its own, as a stream's utterances do.
	for i := range len(bounds) - 1 {
		from, to := int(bounds[i]*rate/time.Second), int(bounds[i+1]*rate/time.Second)
		for _, w := range windows(t, samples[from:to]) {
			for j := range w.Pieces {
				w.Pieces[j].Start += from
				w.Pieces[j].End += from
			}
			if err := d.Add(t.Context(), w); err != nil {
				t.Fatal(err)
			}
		}
		turns := d.Turns()
		if amiss, total := wrong(turns, bounds); amiss > total/20 {
			t.Errorf("after %v, %v of %v have the wrong speaker: %v", bounds[i+1], amiss, total, turns)
		}
	}
}

// The two readings are of voices that the model takes for one.
func TestVoicesAlikeAreToldApartByLine(t *testing.T) {
	cities, beckett := sample(t, "two_cities.wav"), sample(t, "beckett.wav")
	var alone, both []float32
	for i := range 8 {
		a, b := cities[4*i*rate:][:4*rate], beckett[i%2*4*rate:][:4*rate]
		pause := make([]float32, rate/2)
		alone = append(append(alone, a...), pause...)
		both = append(append(append(append(both, a...), pause...), b...), pause...)
	}
	for name, test := range map[string]struct {
		samples []float32
		want    int
	}{"one": {alone, 1}, "two": {both, 2}} {
		t.Run(name, func(t *testing.T) {
			_, turns := diarize(t, test.samples, speakers.Options{})
			who := map[int]bool{}
			for _, turn := range turns {
				who[turn.Speaker] = true
			}
			if len(who) != test.want {
				t.Errorf("%d speakers: %v", len(who), turns)
			}
		})
	}
}

// Digits are read out one by one, from recordings of their own: each is short, and they sound less alike than sentences do.
func TestDigitsAreOneSpeaker(t *testing.T) {
	var samples []float32
	for _, name := range []string{"privacy-prompt", "digits/2", "digits/1", "digits/2", "digits/5", "digits/5", "digits/0", "digits/1", "digits/4", "digits/2", "ss-noservice"} {
		samples = append(append(samples, prompts(t, name)...), make([]float32, rate/4)...)
	}
	_, turns := diarize(t, samples, speakers.Options{})
	for _, turn := range turns {
		if turn.Speaker != 0 {
			t.Errorf("speaker %d from %s to %s", turn.Speaker, turn.Start, turn.End)
		}
	}
}

func TestOverlapNamesBoth(t *testing.T) {
	cities, woman := sample(t, "two_cities.wav"), prompts(t, "ss-noservice", "privacy-prompt", "conf-invalid")
	samples := slices.Clone(cities[2*rate : 10*rate])
	samples = append(samples, woman[:8*rate]...)
	mixed := slices.Clone(cities[10*rate : 16*rate])
	for i, v := range prompts(t, "ss-noservice")[:3*rate] {
		mixed[2*rate+i] += v
	}
	from := time.Duration(len(samples)+2*rate) * time.Second / rate
	d, turns := diarize(t, append(samples, mixed...), speakers.Options{})
	var both time.Duration
	for _, o := range d.Overlaps(turns) {
		if o.Speakers != [2]int{0, 1} {
			t.Errorf("overlap of %v", o.Speakers)
		}
		both += max(0, min(o.End, from+3*time.Second)-max(o.Start, from))
	}
	if both < 300*time.Millisecond {
		t.Errorf("%v of overlap found: %v", both, d.Overlaps(turns))
	}
}

func TestEndOfContextEndsAdd(t *testing.T) {
	d, err := model(t).NewDiarizer(speakers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := windows(t, sample(t, "beckett.wav"))[0]
	if err := d.Add(ctx, w); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if turns := d.Turns(); turns != nil {
		t.Errorf("turns of what failed: %v", turns)
	}
}
