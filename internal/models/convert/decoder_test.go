package convert_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/models/spec"
)

// batch drives a decoder graph as a recogniser does.
type batch struct {
	t       testing.TB
	spec    spec.Whisper
	session *inference.Session
	rows    int
	frames  int64
	caches  map[string]inference.Value
	cross   []*inference.Tensor[int8]
	self    []*inference.Tensor[float32]
	scale   *inference.Tensor[float32]
	past    []int32
}

// capacity of the self caches in tests.
const capacity = 64

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// decoder opens the decoder of the model in dir.
func decoder(t testing.TB, dir string, threads int) *inference.Session {
	t.Helper()
	s := must(inference.Open(filepath.Join(dir, spec.WhisperDecoder), inference.Options{Threads: threads}))
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newBatch(t testing.TB, dir string, session *inference.Session, rows int, frames int64) *batch {
	t.Helper()
	w := must(spec.ReadWhisper(dir))
	b := &batch{t: t, spec: w, session: session, rows: rows, frames: frames, caches: map[string]inference.Value{}, past: make([]int32, rows)}
	for i := range w.DecoderLayers {
		for _, kind := range "kv" {
			self := must(inference.NewTensor[float32](int64(rows), int64(w.Heads), capacity, int64(w.HeadWidth)))
			cross := must(inference.NewTensor[int8](int64(rows), int64(w.Heads), frames, int64(w.HeadWidth)))
			b.self, b.cross = append(b.self, self), append(b.cross, cross)
			b.caches[fmt.Sprintf("self_%c_%d", kind, i)] = self
			b.caches[fmt.Sprintf("cross_%c_%d", kind, i)] = cross
		}
	}
	b.scale = must(inference.NewTensor[float32](int64(rows), int64(2*w.DecoderLayers), int64(w.Width)))
	b.caches["cross_scale"] = b.scale
	t.Cleanup(b.close)
	return b
}

// audio fills a row with what an encoder could have given for the seed.
func (b *batch) audio(row int, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	for _, c := range b.cross {
		data := c.Data()
		n := len(data) / b.rows
		for i := range n {
			data[row*n+i] = int8(r.IntN(255) - 127)
		}
	}
	data := b.scale.Data()
	n := len(data) / b.rows
	for i := range n {
		data[row*n+i] = 0.005 + 0.02*r.Float32()
	}
}

// step feeds each row its tokens, padded to width, and returns logits and alignment queries.
func (b *batch) step(tokens [][]int64, width int) (logits, alignQ []float32) {
	b.t.Helper()
	rows, w := int64(b.rows), b.spec
	ids := make([]int64, b.rows*width)
	query, frames := make([]int32, b.rows), make([]int32, b.rows)
	for i, ts := range tokens {
		copy(ids[i*width:], ts)
		query[i], frames[i] = int32(len(ts)), int32(b.frames)
		if len(ts) == 0 {
			frames[i] = 1 // a resting row need not attend
		}
	}
	values := map[string]inference.Value{
		"input_ids": must(inference.TensorOf(ids, rows, int64(width))),
		"past_len":  must(inference.TensorOf(b.past, rows)),
		"query_len": must(inference.TensorOf(query, rows)),
		"frames":    must(inference.TensorOf(frames, rows)),
	}
	l := must(inference.NewTensor[float32](rows, int64(w.Vocabulary)))
	a := must(inference.NewTensor[float32](rows, int64(width), int64(len(w.AlignmentHeads)), int64(w.HeadWidth)))
	defer l.Close()
	defer a.Close()
	var in, out []inference.Value
	for _, p := range b.session.Inputs() {
		if v, ok := values[p.Name]; ok {
			in = append(in, v)
			defer v.Close()
			continue
		}
		in = append(in, b.caches[p.Name])
	}
	for _, p := range b.session.Outputs() {
		switch p.Name {
		case "logits":
			out = append(out, l)
		case "align_q":
			out = append(out, a)
		default:
			out = append(out, b.caches[p.Name[:len(p.Name)-len("_out")]])
		}
	}
	if err := b.session.Run(context.Background(), in, out); err != nil {
		b.t.Fatal(err)
	}
	for i, ts := range tokens {
		b.past[i] += int32(len(ts))
	}
	return append([]float32(nil), l.Data()...), append([]float32(nil), a.Data()...)
}

// differing counts numbers that differ at all.
func differing(a, b []float32) int {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// prompts of different lengths; row i's own tokens for later steps follow from i and t.
func prompt(seed, n int) []int64 {
	ts := make([]int64, n)
	for i := range ts {
		ts[i] = int64((seed*131 + i*17) % 250)
	}
	return ts
}

// view is one row of the batch as a batch of its own, on the same memory and session.
func (b *batch) view(row int) *batch {
	b.t.Helper()
	v := &batch{t: b.t, spec: b.spec, session: b.session, rows: 1, frames: b.frames, caches: map[string]inference.Value{}, past: b.past[row : row+1]}
	for i := range b.self {
		name := fmt.Sprintf("%c_%d", "kv"[i%2], i/2)
		v.caches["self_"+name] = rowView(b.self[i], row)
		v.caches["cross_"+name] = rowView(b.cross[i], row)
	}
	v.caches["cross_scale"] = rowView(b.scale, row)
	return v
}

func rowView[T inference.Element](t *inference.Tensor[T], row int) *inference.Tensor[T] {
	shape := append([]int64{1}, t.Shape()[1:]...)
	return must(t.View(row*len(t.Data())/int(t.Shape()[0]), shape...))
}

func (b *batch) close() {
	for _, v := range b.caches {
		_ = v.Close()
	}
}

// A row's logits and alignment queries are the same to the bit alone and in a batch of any
// size beside any neighbours, some of which rest, and with any number of threads.
func TestRowsDoNotKnowOfEachOther(t *testing.T) {
	modelstest.Runtime(t)
	for name, dir := range map[string]string{
		"synthetic": synthetic(t, tiny),
		"base":      modelstest.Path(t, models.WhisperBase),
	} {
		for _, frames := range []int64{40, 1500} {
			t.Run(fmt.Sprintf("%s of %d frames", name, frames), func(t *testing.T) {
				rowsDoNotKnow(t, dir, frames)
			})
		}
	}
}

// script is what row number seed reads: a prompt at once, then token by token, resting in
// the steps where it is done.
func script(seed, step int) []int64 {
	if step == 0 {
		return prompt(seed, 1+seed%4)
	}
	if seed%3 == 1 && step == 2 {
		return nil
	}
	return prompt(seed+step, 1)
}

func rowsDoNotKnow(t *testing.T, dir string, frames int64) {
	const steps = 5
	sessions := map[int]*inference.Session{1: decoder(t, dir, 1), 2: decoder(t, dir, 2)}
	run := func(threads int, seeds ...int) (logits, queries [][]float32) {
		b := newBatch(t, dir, sessions[threads], len(seeds), frames)
		defer b.close()
		for i, seed := range seeds {
			b.audio(i, uint64(seed))
			v := b.view(i)
			v.step([][]int64{script(seed, 0)}, len(script(seed, 0)))
			v.close()
		}
		for step := 1; step < steps; step++ {
			var next [][]int64
			for _, seed := range seeds {
				next = append(next, script(seed, step))
			}
			l, q := b.step(next, 1)
			logits, queries = append(logits, l), append(queries, q)
		}
		return logits, queries
	}
	wantLogits, wantQueries := map[int][][]float32{}, map[int][][]float32{}
	for seed := range 8 {
		wantLogits[seed], wantQueries[seed] = run(1, seed)
	}
	for _, seeds := range [][]int{{0, 1}, {2, 1, 0}, {7, 6, 5, 4, 3, 2, 1, 0}, {3, 3, 3, 1, 3}} {
		for _, threads := range []int{1, 2} {
			logits, queries := run(threads, seeds...)
			for i, seed := range seeds {
				for s := range logits {
					if script(seed, s+1) == nil {
						continue
					}
					l, q := part(logits[s], len(seeds), i), part(queries[s], len(seeds), i)
					if n := differing(l, wantLogits[seed][s]); n > 0 {
						t.Errorf("%d threads, row %d of %v, step %d: %d logits differ from the row alone", threads, i, seeds, s, n)
					}
					if n := differing(q, wantQueries[seed][s]); n > 0 {
						t.Errorf("%d threads, row %d of %v, step %d: %d alignment queries differ from the row alone", threads, i, seeds, s, n)
					}
				}
			}
		}
	}
}

// part is the i-th of n equal parts.
func part(values []float32, n, i int) []float32 {
	size := len(values) / n
	return values[i*size : (i+1)*size]
}
