package whisper_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/whisper"
)

const seconds = 6

// encoded is the beginning of a reading in noise, which leaves a recogniser unsure.
func encoded(t *testing.T, m *whisper.Model, dir string, noise float32) *whisper.Encoding {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "speech-samples", "beckett.wav"))
	if err != nil {
		t.Fatalf("no speech samples; run make setup: %v", err)
	}
	defer f.Close()
	stream, err := audio.Open(t.Context(), f, audio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	samples := make([]float32, 0, seconds*speech.SampleRate)
	for len(samples) < cap(samples) {
		n, err := stream.ReadSamples(samples[len(samples):cap(samples)])
		samples = samples[:len(samples)+n]
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range samples {
		samples[i] += noise * float32(r.NormFloat64())
	}
	e, err := m.Encode(t.Context(), m.Features(samples), (seconds+1)*whisper.PositionsPerSecond)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// found is what of a hypothesis must not depend on anything.
type found struct {
	Tokens   []int
	LogProbs []float64
	Queries  []float32
	Mean     float64
}

func results(rows ...*whisper.Row) []found {
	var all []found
	for _, r := range rows {
		all = append(all, found{r.Tokens(), r.LogProbs(), r.Queries(), r.MeanLogProb()})
	}
	return all
}

func TestBeamSearch(t *testing.T) {
	dir, err := models.Dir()
	if err != nil {
		t.Fatal(err)
	}
	if err := inference.Init(filepath.Join(dir, "onnxruntime", "libonnxruntime.so")); err != nil {
		t.Fatalf("no inference runtime; run make setup: %v", err)
	}
	m, err := whisper.Open(filepath.Join(dir, "whisper-base"), 2)
	if err != nil {
		t.Fatalf("no speech models; run make setup: %v", err)
	}
	defer m.Close()
	batch, err := m.NewBatch(6)
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Close()
	noisy := encoded(t, m, dir, 0.05)
	task := whisper.Task{Language: "en", MaxTokens: 60}
	step := func() {
		t.Helper()
		if err := batch.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	search := func(width int) *whisper.Beam {
		t.Helper()
		beam, err := batch.AddBeam(noisy, task, width)
		if err != nil {
			t.Fatal(err)
		}
		return beam
	}
	greedy := func() *whisper.Row {
		t.Helper()
		row, err := batch.Add(noisy, task)
		if err != nil {
			t.Fatal(err)
		}
		return row
	}

	first := greedy()
	for !first.Done() {
		step()
	}
	batch.Remove(first)

	t.Run("one hypothesis is greedy decoding", func(t *testing.T) {
		beam := search(1)
		for !beam.Done() {
			step()
		}
		if got, want := results(beam.Hypotheses()...), results(first); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v (%v), want %v (%v)", got[0].Tokens, got[0].LogProbs, want[0].Tokens, want[0].LogProbs)
		}
	})

	four := search(4)
	if batch.Free() != 2 {
		t.Errorf("%d rows are free beside a search for four, want 2", batch.Free())
	}
	for !four.Done() {
		step()
	}
	alone := results(four.Hypotheses()...)
	t.Run("several are ordered and different", func(t *testing.T) {
		if len(alone) != 4 {
			t.Fatalf("%d hypotheses, want 4", len(alone))
		}
		for i := range alone[1:] {
			if alone[i].Mean < alone[i+1].Mean || reflect.DeepEqual(alone[i].Tokens, alone[i+1].Tokens) {
				t.Errorf("hypotheses %d and %d: %+v, %+v", i, i+1, alone[i].Tokens, alone[i+1].Tokens)
			}
		}
	})
	t.Run("beside others they are the same to the bit", func(t *testing.T) {
		before := greedy()
		step()
		beam := search(4)
		for !beam.Done() {
			step()
			if before != nil && before.Done() {
				batch.Remove(before)
				before = nil
			} else if before == nil && batch.Free() > 0 {
				before = greedy() // joins in the middle
			}
		}
		if before != nil {
			batch.Remove(before)
		}
		if got := results(beam.Hypotheses()...); !reflect.DeepEqual(got, alone) {
			t.Errorf("the best is %v (%v), alone %v (%v)", got[0].Tokens, got[0].LogProbs, alone[0].Tokens, alone[0].LogProbs)
		}
	})
	t.Run("a search that is given up leaves no row behind", func(t *testing.T) {
		beam := search(4)
		for range 12 {
			step()
		}
		batch.RemoveBeam(beam)
		if len(batch.Rows()) != 0 || batch.Free() != 6 {
			t.Errorf("%d rows, %d free", len(batch.Rows()), batch.Free())
		}
	})
}
