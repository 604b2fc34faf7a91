package convert_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/models/convert"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/models/ortformat"
	"github.com/dictum/dictum/internal/models/spec"
)

func TestMoonshineRefusesOtherModels(t *testing.T) {
	other := must(os.ReadFile(filepath.Join(modelstest.Path(t, models.Speakers), spec.SpeakerSegmentation)))
	for _, c := range []struct {
		name string
		data []byte
		want error
	}{
		{"no model", []byte("something else altogether"), ortformat.ErrFormat},
		{"a model of another make", other, convert.ErrUnsupported},
		{"a model that is cut", other[:len(other)/2], ortformat.ErrFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			src, dst := t.TempDir(), t.TempDir()
			if err := os.WriteFile(filepath.Join(src, convert.MoonshineFile), c.data, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := convert.Moonshine(context.Background(), src, dst, nil); !errors.Is(err, c.want) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestMoonshineReadsTheSameAtOnceAndInSteps holds that caches are gone on from where they end. Sums of floats differ in
// their last bits with the number of tokens, and 8-bit activations make more of that.
func TestMoonshineReadsTheSameAtOnceAndInSteps(t *testing.T) {
	modelstest.Runtime(t)
	s := must(inference.Open(filepath.Join(modelstest.Path(t, models.MoonshineTiny), spec.MoonshineDecoder), inference.Options{Threads: 2}))
	defer s.Close()
	tokens := []int64{1, 739, 471, 278, 1900, 310, 3064}
	once := moonshineLogits(t, s, tokens, len(tokens))
	steps := moonshineLogits(t, s, tokens, 1)
	var product, a, b float64
	for i := range once {
		product += float64(once[i]) * float64(steps[i])
		a += float64(once[i]) * float64(once[i])
		b += float64(steps[i]) * float64(steps[i])
	}
	if c := product / math.Sqrt(a*b); c < 0.999 {
		t.Errorf("the cosine of logits at once and in steps is %v", c)
	}
}

// moonshineLogits reads tokens some at a time, over audio that is all zeros, and returns the logits after the last.
func moonshineLogits(t *testing.T, s *inference.Session, tokens []int64, each int) []float32 {
	t.Helper()
	m := spec.Moonshine
	values := map[string]inference.Value{}
	for _, p := range s.Inputs() {
		shape := p.Shape
		switch {
		case len(shape) == 4 && shape[3] == int64(m.CacheWidth):
			values[p.Name] = must(inference.NewTensor[float32](1, shape[1], int64(m.Positions), shape[3]))
			values[p.Name+"_out"] = values[p.Name]
		case len(shape) == 4:
			values[p.Name] = must(inference.NewTensor[float32](1, shape[1], 50, shape[3]))
		}
	}
	past := must(inference.NewTensor[int32](1))
	ids := must(inference.NewTensor[int64](1, int64(each)))
	logits := must(inference.NewTensor[float32](1, int64(each), int64(m.Vocabulary)))
	values["past_len"], values["input_ids"], values["logits"] = past, ids, logits
	values["align_q"] = must(inference.NewTensor[float32](1, int64(each), int64(len(m.AlignmentHeads)), int64(m.HeadWidth)))
	t.Cleanup(func() {
		for _, v := range values {
			_ = v.Close()
		}
	})
	var in, out []inference.Value
	for _, p := range s.Inputs() {
		in = append(in, values[p.Name])
	}
	for _, p := range s.Outputs() {
		out = append(out, values[p.Name])
	}
	for at := 0; at < len(tokens); at += each {
		past.Data()[0] = int32(at)
		copy(ids.Data(), tokens[at:at+each])
		if err := s.Run(context.Background(), in, out); err != nil {
			t.Fatal(err)
		}
	}
	return append([]float32(nil), logits.Data()[(each-1)*m.Vocabulary:]...)
}
