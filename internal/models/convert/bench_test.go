package convert_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/models/spec"
)

// BenchmarkStep measures one token of Whisper base for each row of a batch, at full
// context, with 2 threads.
func BenchmarkStep(b *testing.B) {
	modelstest.Runtime(b)
	dir := modelstest.Path(b, models.WhisperBase)
	session := decoder(b, dir, 2)
	for _, rows := range []int{1, 4, 8, 16} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			batch := newBatch(b, dir, session, rows, 1500)
			var tokens [][]int64
			for i := range rows {
				batch.audio(i, uint64(i))
				tokens = append(tokens, prompt(i, 1))
			}
			for b.Loop() {
				for i := range batch.past {
					batch.past[i] = capacity - 2
				}
				batch.step(tokens, 1)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1e3/float64(b.N*rows), "ms/token")
		})
	}
}

// BenchmarkEncode measures 30 s through the encoder of Whisper base with 2 threads.
func BenchmarkEncode(b *testing.B) {
	modelstest.Runtime(b)
	dir := modelstest.Path(b, models.WhisperBase)
	for _, spin := range []bool{false, true} {
		b.Run(fmt.Sprintf("spin=%v", spin), func(b *testing.B) {
			s := must(inference.Open(filepath.Join(dir, spec.WhisperEncoder), inference.Options{Threads: 2, Spin: spin}))
			defer s.Close()
			mel := must(inference.NewTensor[float32](1, 80, 3000))
			defer mel.Close()
			var out []inference.Value
			values := encode(b, dir, 1500)
			for _, p := range s.Outputs() {
				out = append(out, values[p.Name])
			}
			for i := range mel.Data() {
				mel.Data()[i] = float32(i%97)/97 - 0.5
			}
			for b.Loop() {
				if err := s.Run(context.Background(), []inference.Value{mel}, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen measures loading the decoder of Whisper base.
func BenchmarkOpen(b *testing.B) {
	modelstest.Runtime(b)
	dir := modelstest.Path(b, models.WhisperBase)
	for b.Loop() {
		s := must(inference.Open(filepath.Join(dir, spec.WhisperDecoder), inference.Options{Threads: 2}))
		_ = s.Close()
	}
}
