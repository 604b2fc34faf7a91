package convert_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/models/convert"
	"github.com/dictum/dictum/internal/models/ctranslate2"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/models/spec"
)

func TestDescriptionOfBase(t *testing.T) {
	w := must(spec.ReadWhisper(modelstest.Path(t, models.WhisperBase)))
	if w.Mels != 80 || w.Width != 512 || w.Heads != 8 || w.EncoderLayers != 6 || w.DecoderLayers != 6 ||
		w.Vocabulary != 51865 || w.AudioPositions != 1500 || w.TextPositions != 448 {
		t.Errorf("sizes are %+v", w)
	}
	want := spec.WhisperTokens{
		EndOfText: 50257, StartOfTranscript: 50258, Translate: 50358, Transcribe: 50359, StartOfLM: 50360,
		StartOfPrevious: 50361, NoSpeech: 50362, NoTimestamps: 50363, TimestampBegin: 50364,
	}
	got := w.Tokens
	languages := got.Languages
	got.Languages = nil
	if got.EndOfText != want.EndOfText || got.NoSpeech != want.NoSpeech || got.TimestampBegin != want.TimestampBegin ||
		got.Transcribe != want.Transcribe || got.Translate != want.Translate || got.StartOfPrevious != want.StartOfPrevious {
		t.Errorf("tokens are %+v, want %+v", got, want)
	}
	if len(languages) != 99 || languages[0] != (spec.WhisperLanguage{Code: "en", ID: 50259}) || languages[98].Code != "su" {
		t.Errorf("languages are %v", languages)
	}
	if len(w.AlignmentHeads) != 8 || w.AlignmentHeads[0] != (spec.Head{Layer: 3, Head: 1}) {
		t.Errorf("alignment heads are %v", w.AlignmentHeads)
	}
}

// encode runs the encoder on noise of a seed.
func encode(t testing.TB, dir string, frames int64) map[string]inference.Value {
	t.Helper()
	w := must(spec.ReadWhisper(dir))
	s := must(inference.Open(filepath.Join(dir, spec.WhisperEncoder), inference.Options{Threads: 2}))
	defer s.Close()
	mel := must(inference.NewTensor[float32](1, int64(w.Mels), 2*frames))
	defer mel.Close()
	r := rand.New(rand.NewPCG(3, 3))
	for i := range mel.Data() {
		mel.Data()[i] = float32(r.NormFloat64())
	}
	values := map[string]inference.Value{}
	var out []inference.Value
	for _, p := range s.Outputs() {
		shape := slices.Clone(p.Shape)
		var v inference.Value
		if p.Type == "int8" {
			shape[2] = frames
			v = must(inference.NewTensor[int8](shape...))
		} else {
			v = must(inference.NewTensor[float32](shape...))
		}
		values[p.Name] = v
		out = append(out, v)
		t.Cleanup(func() { _ = v.Close() })
	}
	if err := s.Run(context.Background(), []inference.Value{mel}, out); err != nil {
		t.Fatal(err)
	}
	return values
}

// transcript feeds what the encoder gave to the decoder and returns the logits of some steps.
func transcript(t testing.TB, dir string, atOnce bool) []float32 {
	t.Helper()
	const frames = 50
	caches := encode(t, dir, frames)
	b := newBatch(t, dir, decoder(t, dir, 1), 1, frames)
	for name, v := range caches {
		switch v := v.(type) {
		case *inference.Tensor[int8]:
			copy(b.caches[name].(*inference.Tensor[int8]).Data(), v.Data())
		case *inference.Tensor[float32]:
			copy(b.caches[name].(*inference.Tensor[float32]).Data(), v.Data())
		}
	}
	tokens := prompt(5, 6)
	if atOnce {
		logits, _ := b.step([][]int64{tokens}, len(tokens))
		return logits
	}
	var logits []float32
	for i := range tokens {
		logits, _ = b.step([][]int64{tokens[i : i+1]}, 1)
	}
	return logits
}

// distance is the root mean square of the difference over that of want.
func distance(got, want []float32) float64 {
	var diff, size float64
	for i := range want {
		diff += float64(got[i]-want[i]) * float64(got[i]-want[i])
		size += float64(want[i]) * float64(want[i])
	}
	return math.Sqrt(diff / size)
}

func TestWeightsOfAnyTypeGiveTheSameModel(t *testing.T) {
	modelstest.Runtime(t)
	of := func(kind byte) []float32 {
		s := tiny
		s.kind = kind
		return transcript(t, synthetic(t, s), false)
	}
	full := of(0)
	if d := distance(of(4), full); d > 1e-6 {
		t.Errorf("16-bit weights of the same numbers are %.2g away from 32-bit ones", d)
	}
	if d := distance(of(1), full); d > 0.05 {
		t.Errorf("8-bit weights are %.2g away from 32-bit ones", d)
	}
}

func TestPromptAtOnceEqualsTokenByToken(t *testing.T) {
	modelstest.Runtime(t)
	dir := synthetic(t, tiny)
	if d := distance(transcript(t, dir, true), transcript(t, dir, false)); d > 1e-3 {
		t.Errorf("reading a prompt at once gives logits %.2g away from token by token", d)
	}
}

func TestOtherSizes(t *testing.T) {
	modelstest.Runtime(t)
	for name, s := range map[string]shape{
		"128 mels and fewer decoder layers, as large-v3-turbo": {128, 192, 4, 2, 300, 4},
		"one decoder layer would lack head 1, so two":          {80, 128, 1, 2, 290, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range transcript(t, synthetic(t, s), false) {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					t.Fatal("logits are not numbers")
				}
			}
		})
	}
}

// The align graph gives scaled products of queries and unpacked keys.
func TestAlignGivesScaledProducts(t *testing.T) {
	modelstest.Runtime(t)
	dir := synthetic(t, tiny)
	w := must(spec.ReadWhisper(dir))
	const frames, tokens = 30, 4
	caches := encode(t, dir, frames)
	r := rand.New(rand.NewPCG(9, 9))
	heads := len(w.AlignmentHeads)
	q := must(inference.NewTensor[float32](1, tokens, int64(heads), int64(w.HeadWidth)))
	defer q.Close()
	for i := range q.Data() {
		q.Data()[i] = float32(r.NormFloat64())
	}
	out := must(inference.NewTensor[float32](1, int64(heads), tokens, frames))
	defer out.Close()
	s := must(inference.Open(filepath.Join(dir, spec.WhisperAlign), inference.Options{}))
	defer s.Close()
	var in []inference.Value
	for _, p := range s.Inputs() {
		if p.Name == "align_q" {
			in = append(in, q)
		} else {
			in = append(in, caches[p.Name])
		}
	}
	if err := s.Run(context.Background(), in, []inference.Value{out}); err != nil {
		t.Fatal(err)
	}
	scale := caches["cross_scale"].(*inference.Tensor[float32]).Data()
	var want []float32
	for i, h := range w.AlignmentHeads {
		keys := caches["cross_k_"+string(rune('0'+h.Layer))].(*inference.Tensor[int8]).Data()
		for n := range tokens {
			for f := range frames {
				var sum float64
				for d := range w.HeadWidth {
					k := float64(keys[(h.Head*frames+f)*w.HeadWidth+d]) * float64(scale[2*h.Layer*w.Width+h.Head*w.HeadWidth+d])
					sum += k * float64(q.Data()[(n*heads+i)*w.HeadWidth+d])
				}
				want = append(want, float32(sum/8))
			}
		}
	}
	if d := distance(out.Data(), want); d > 1e-5 {
		t.Errorf("weights are %.2g away from the formula", d)
	}
}

func TestConversionRefusesWhatItCannotBuild(t *testing.T) {
	spoil := func(file string, data []byte) error {
		src := sourceDir(t, tiny)
		if err := os.WriteFile(filepath.Join(src, file), data, 0o644); err != nil {
			t.Fatal(err)
		}
		return convert.Whisper(context.Background(), src, t.TempDir(), nil)
	}
	whole := weightsFile(tiny)
	if err := spoil(convert.WeightsFile, whole[:len(whole)/2]); !errors.Is(err, ctranslate2.ErrFormat) {
		t.Errorf("a cut model.bin gives %v", err)
	}
	if err := spoil(convert.WeightsFile, []byte("PK\x03\x04 something else")); !errors.Is(err, ctranslate2.ErrFormat) {
		t.Errorf("another file gives %v", err)
	}
	if err := spoil(convert.TokenizerFile, []byte(`{"added_tokens":[]}`)); !errors.Is(err, convert.ErrUnsupported) {
		t.Errorf("a tokenizer without special tokens gives %v", err)
	}
	if err := spoil(convert.ConfigFile, []byte(`{"alignment_heads":[[9,0]]}`)); !errors.Is(err, convert.ErrUnsupported) {
		t.Errorf("an alignment head that is not there gives %v", err)
	}
}
