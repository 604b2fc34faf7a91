package moonshine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/align"
	"github.com/dictum/dictum/internal/speech/moonshine"
)

const rate = speech.SampleRate

func model(t testing.TB, threads int) *moonshine.Model {
	t.Helper()
	modelstest.Runtime(t)
	m, err := moonshine.Open(modelstest.Path(t, models.MoonshineTiny), threads)
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

// read decodes a recording that comes with the models.
func read(t testing.TB, name string) []float32 {
	t.Helper()
	f, err := os.Open(filepath.Join(modelstest.Path(t, models.SpeechSamples), name))
	if err != nil {
		t.Fatal(err)
	}
	in, err := audio.Open(t.Context(), f, audio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var samples []float32
	chunk := make([]float32, 4096)
	for {
		n, err := in.ReadSamples(chunk)
		samples = append(samples, chunk[:n]...)
		if errors.Is(err, io.EOF) {
			return samples
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func noise(seconds int, level float64) []float32 {
	r := rand.New(rand.NewPCG(6, 0))
	samples := make([]float32, seconds*rate)
	for i := range samples {
		samples[i] = float32(level * r.NormFloat64())
	}
	return samples
}

// tone is what is heard before somebody answers.
func tone(seconds int) []float32 {
	samples := make([]float32, seconds*rate)
	for i := range samples {
		samples[i] = float32(0.2 * math.Sin(2*math.Pi*440*float64(i)/rate))
	}
	return samples
}

func TestTranscribe(t *testing.T) {
	m := model(t, 2)
	cities := read(t, "two_cities.wav")
	for name, test := range map[string]struct {
		samples []float32
		want    string // empty where nothing credible may come
	}{
		"a sentence":   {cities[:rate*9/2], "It was the best of times, it was the worst of times."},
		"nothing":      {nil, ""},
		"one sample":   {[]float32{0.1}, ""},
		"silence":      {make([]float32, 2*rate), ""},
		"long silence": {make([]float32, 20*rate), ""},
		"faint noise":  {noise(3, 0.001), ""},
		"noise":        {noise(5, 0.05), ""},
		"a tone":       {tone(4), ""},
		"a click":      {append([]float32{0.5}, make([]float32, rate)...), ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := m.Transcribe(t.Context(), test.samples)
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" {
				if h.Credible() {
					t.Errorf("%q is credible (%.2f)", h.Text(), h.MeanLogProb())
				}
				return
			}
			if got := h.Text(); !h.Credible() || !strings.EqualFold(letters(got), letters(test.want)) {
				t.Errorf("%q (%.2f)", got, h.MeanLogProb())
			}
		})
	}
}

// letters leaves marks out.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(".,!?", r) {
			return -1
		}
		return r
	}, text)
}

// TestTimesFollowTheAudio holds words against where Whisper's alignment has them.
func TestTimesFollowTheAudio(t *testing.T) {
	h, err := model(t, 2).Transcribe(t.Context(), read(t, "two_cities.wav")[:rate*9/2])
	if err != nil {
		t.Fatal(err)
	}
	items := h.Items([]align.Interval{{Start: rate * 12 / 10, End: rate * 25 / 10}, {Start: rate * 29 / 10, End: rate * 9 / 2}})
	if len(items) == 0 {
		t.Fatal("no items")
	}
	var last time.Duration
	for _, i := range items {
		if i.Kind == speech.Punctuation {
			continue
		}
		if i.Start < last || i.End <= i.Start || i.End > 4500*time.Millisecond {
			t.Errorf("%q is from %v to %v, after %v", i.Text, i.Start, i.End, last)
		}
		if i.Confidence <= 0 || i.Confidence > 1 {
			t.Errorf("%q has the confidence %v", i.Text, i.Confidence)
		}
		last = i.End
	}
	at := 0
	for _, want := range heard {
		i := slices.IndexFunc(items[at:], func(i speech.Item) bool { return strings.EqualFold(i.Text, want.word) })
		if i < 0 {
			t.Errorf("%q was not heard", want.word)
			continue
		}
		if d := items[at+i].Start - want.start; d.Abs() > 150*time.Millisecond {
			t.Errorf("%q begins at %v, %v off", want.word, items[at+i].Start, d)
		}
		at += i + 1
	}
}

// heard is when Whisper's alignment has the words of the recording's beginning.
var heard = []struct {
	word  string
	start time.Duration
}{
	{"it", 1220 * time.Millisecond},
	{"was", 1300 * time.Millisecond},
	{"the", 1480 * time.Millisecond},
	{"best", 1700 * time.Millisecond},
	{"of", 1880 * time.Millisecond},
	{"times", 2120 * time.Millisecond},
	{"it", 2960 * time.Millisecond},
	{"was", 3060 * time.Millisecond},
	{"the", 3200 * time.Millisecond},
	{"worst", 3380 * time.Millisecond},
	{"of", 3620 * time.Millisecond},
	{"times", 3840 * time.Millisecond},
}

// TestSilenceMovesTimes holds that a word is found where it is, not where a share of the text ends.
func TestSilenceMovesTimes(t *testing.T) {
	m := model(t, 2)
	cities := read(t, "two_cities.wav")[:rate*9/2]
	starts := func(samples []float32) []time.Duration {
		h, err := m.Transcribe(t.Context(), samples)
		if err != nil {
			t.Fatal(err)
		}
		var ds []time.Duration
		for _, i := range h.Items(nil) {
			if i.Kind == speech.Word {
				ds = append(ds, i.Start)
			}
		}
		return ds
	}
	plain, late := starts(cities), starts(slices.Concat(make([]float32, rate), cities))
	if len(plain) == 0 || len(plain) != len(late) {
		t.Fatalf("%d words, and %d after silence", len(plain), len(late))
	}
	for i := 1; i < len(plain); i++ { // the first may begin in the silence
		if d := late[i] - plain[i] - time.Second; d.Abs() > 150*time.Millisecond {
			t.Errorf("word %d moved by %v more than the silence", i, d)
		}
	}
}

func TestPrefixIsGoneOnFrom(t *testing.T) {
	m := model(t, 2)
	e, err := m.Encode(t.Context(), read(t, "two_cities.wav")[:rate*9/2])
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Release(); err != nil {
			t.Error(err)
		}
	}()
	whole, err := e.Decode(t.Context(), moonshine.Text{})
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole.IDs) + 1 {
		t.Run(fmt.Sprint(n, " tokens"), func(t *testing.T) {
			h, err := e.Decode(t.Context(), moonshine.Text{Prefix: whole.IDs[:n]})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(h.IDs, whole.IDs) || len(h.LogProbs) != len(h.IDs) || n < len(whole.IDs) && !h.Credible() {
				t.Errorf("%v, not %v", h.IDs, whole.IDs)
			}
			if !strings.HasSuffix(whole.Text(), h.Text()) {
				t.Errorf("%q is not the end of %q", h.Text(), whole.Text())
			}
			all, rest := whole.Items(nil), h.Items(nil)
			if all = all[max(0, len(all)-len(rest)):]; !slices.EqualFunc(rest, all, sameWord) {
				t.Errorf("%v, not the last ones of %v", rest, all)
			}
		})
	}
	for name, prefix := range map[string][]int{
		"a token that is none": {-1},
		"a token too large":    {1 << 20},
		"too many tokens":      make([]int, 201),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := e.Decode(t.Context(), moonshine.Text{Prefix: prefix}); err == nil {
				t.Error("taken")
			}
		})
	}
}

// sameWord compares without the last bits of confidences, which differ with what is read at once.
func sameWord(a, b speech.Item) bool {
	return a.Text == b.Text && (a.Start-b.Start).Abs() <= 50*time.Millisecond && math.Abs(a.Confidence-b.Confidence) < 0.02
}

// TestDraftSavesTimeOnly holds that a text does not depend on what was expected.
func TestDraftSavesTimeOnly(t *testing.T) {
	m := model(t, 2)
	e, err := m.Encode(t.Context(), read(t, "two_cities.wav")[:rate*9/2])
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Release(); err != nil {
			t.Error(err)
		}
	}()
	whole, err := e.Decode(t.Context(), moonshine.Text{})
	if err != nil {
		t.Fatal(err)
	}
	want := whole.Items(nil)
	drafts := map[string][]int{
		"right":        whole.IDs,
		"one too many": append(slices.Clone(whole.IDs), whole.IDs[0]),
		"all wrong":    make([]int, 100),
		"far too long": make([]int, 1000),
	}
	for i := range whole.IDs {
		drafts[fmt.Sprint("wrong at ", i)] = slices.Concat(whole.IDs[:i], []int{0}, whole.IDs[i+1:])
		drafts[fmt.Sprint("cut at ", i)] = whole.IDs[:i]
	}
	for name, draft := range drafts {
		for prefix := range 3 {
			t.Run(fmt.Sprint(name, ", prefix of ", prefix), func(t *testing.T) {
				h, err := e.Decode(t.Context(), moonshine.Text{Prefix: whole.IDs[:prefix], Draft: draft[min(prefix, len(draft)):]})
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(h.IDs, whole.IDs) || len(h.LogProbs) != len(h.IDs) || len(h.IDs) > prefix && h.Credible() != whole.Credible() {
					t.Fatalf("%q, not %q", h.Text(), whole.Text())
				}
				rest := h.Items(nil)
				want := want[len(want)-len(rest):]
				for i, item := range rest {
					if !sameWord(item, want[i]) {
						t.Errorf("%q at %v, not %q at %v", item.Text, item.Start, want[i].Text, want[i].Start)
					}
				}
			})
		}
	}
	if _, err := e.Decode(t.Context(), moonshine.Text{Draft: []int{-1}}); err == nil {
		t.Error("a token that is none was taken")
	}
}

func TestSameAudioSameText(t *testing.T) {
	cities := read(t, "two_cities.wav")
	clips := [][]float32{cities[:rate*9/2], cities[rate*9/2 : rate*10], cities[:2*rate], cities[rate*10 : rate*16]}
	one, two := model(t, 1), model(t, 2)
	want := make([]moonshine.Hypothesis, len(clips))
	for i, c := range clips {
		h, err := one.Transcribe(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		want[i] = h
	}
	var wg sync.WaitGroup
	for range 3 {
		for i := range clips {
			wg.Go(func() {
				h, err := two.Transcribe(t.Context(), clips[i])
				if err != nil {
					t.Error(err)
				} else if !slices.Equal(h.IDs, want[i].IDs) || !slices.Equal(h.LogProbs, want[i].LogProbs) {
					t.Errorf("clip %d: %q, not %q", i, h.Text(), want[i].Text())
				}
			})
		}
	}
	wg.Wait()
}

func TestTranscribeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := model(t, 1).Transcribe(ctx, make([]float32, rate)); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestTranscribeRefusesWhatIsTooLong(t *testing.T) {
	if _, err := model(t, 1).Transcribe(t.Context(), make([]float32, moonshine.MaxSamples+1)); err == nil {
		t.Error("taken")
	}
}

func TestReleasedEncodingIsRefused(t *testing.T) {
	e, err := model(t, 1).Encode(t.Context(), make([]float32, rate))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Release(), e.Release()); err != nil {
		t.Error(err)
	}
	if _, err := e.Decode(t.Context(), moonshine.Text{}); err == nil {
		t.Error("decoded")
	}
}

func BenchmarkTranscribe(b *testing.B) {
	cities := read(b, "two_cities.wav")
	for _, threads := range []int{1, 2} {
		m := model(b, threads)
		for _, seconds := range []int{1, 2, 5, 10} {
			b.Run(fmt.Sprintf("threads=%d/seconds=%02d", threads, seconds), func(b *testing.B) {
				for b.Loop() {
					h, err := m.Transcribe(b.Context(), cities[:seconds*rate])
					if err != nil {
						b.Fatal(err)
					}
					h.Items(nil)
				}
			})
			b.Run(fmt.Sprintf("draft/threads=%d/seconds=%02d", threads, seconds), func(b *testing.B) {
				before, err := m.Transcribe(b.Context(), cities[:seconds*rate-rate/5])
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					e, err := m.Encode(b.Context(), cities[:seconds*rate])
					if err != nil {
						b.Fatal(err)
					}
					if _, err := e.Decode(b.Context(), moonshine.Text{Draft: before.IDs}); err != nil {
						b.Fatal(err)
					}
					_ = e.Release()
				}
			})
			b.Run(fmt.Sprintf("encode/threads=%d/seconds=%02d", threads, seconds), func(b *testing.B) {
				for b.Loop() {
					e, err := m.Encode(b.Context(), cities[:seconds*rate])
					if err != nil {
						b.Fatal(err)
					}
					_ = e.Release()
				}
			})
		}
	}
}

func TestACommaIsEnough(t *testing.T) {
	h, err := model(t, 2).Transcribe(t.Context(), read(t, "two_cities.wav")[461120:618496]) // "In short,, the period …"
	if err != nil {
		t.Fatal(err)
	}
	items := h.Items(nil)
	for i := 1; i < len(items); i++ {
		if items[i-1].Kind == speech.Punctuation && items[i].Kind == speech.Punctuation {
			t.Errorf("%q after %q", items[i].Text, items[i-1].Text)
		}
	}
	if len(items) < 20 {
		t.Errorf("only %v", items)
	}
}

// TestBeginningWasHeard holds that of speech that breaks off nearly all is kept that was said, and little that was not.
func TestBeginningWasHeard(t *testing.T) {
	m := model(t, 2)
	cities := read(t, "two_cities.wav")
	// said are the words of two texts up to the first that differs, and how many the first has beyond.
	said := func(h, whole moonshine.Hypothesis) (same, others int) {
		plain := func(h moonshine.Hypothesis) []string {
			return strings.Fields(strings.ToLower(strings.NewReplacer(",", "", ".", "").Replace(h.Text())))
		}
		got, want := plain(h), plain(whole)
		for same < min(len(got), len(want)) && got[same] == want[same] {
			same++
		}
		return same, len(got) - same
	}
	whole, err := m.Transcribe(t.Context(), cities[:rate*9])
	if err != nil {
		t.Fatal(err)
	}
	var all, kept struct{ same, others int }
	for end := rate / 2; end < rate*8; end += rate / 5 {
		h, err := m.Transcribe(t.Context(), cities[:end])
		if err != nil {
			t.Fatal(err)
		}
		b := h.Beginning()
		if !strings.HasPrefix(h.Text(), b.Text()) || b.Cut || len(b.IDs) > 0 && !b.Credible() {
			t.Errorf("%q of %q", b.Text(), h.Text())
		}
		same, others := said(h, whole)
		all.same, all.others = all.same+same, all.others+others
		same, others = said(b, whole)
		kept.same, kept.others = kept.same+same, kept.others+others
	}
	if kept.same*20 < all.same*19 || kept.others*4 > all.others*3 {
		t.Errorf("of %+v were kept %+v", all, kept)
	}
}
