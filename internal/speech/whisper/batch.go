package whisper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/dictum/dictum/internal/inference"
)

// Batch decodes several windows side by side, one token each a step. Rows join and leave
// between steps, and each has its own length and caches, so that a row's tokens are, to
// the bit, what they would be were it alone: every operator of the decoder works row by
// row. A Batch belongs to one goroutine.
type Batch struct {
	model *Model
	// rows are the windows being decoded; row i uses slice i of each tensor below.
	rows     []*Row
	beams    []*Beam
	capacity int

	self  []*inference.Tensor[float32] // [capacity, heads, text positions, head width]
	cross []*inference.Tensor[int8]    // [capacity, heads, audio positions, head width]
	scale *inference.Tensor[float32]   // [capacity, 2·layers, width]

	ids                     *inference.Tensor[int64] // [capacity, 1]
	pastLen, query, frames  *inference.Tensor[int32] // [capacity]
	logits                  *inference.Tensor[float32]
	alignQ                  *inference.Tensor[float32]
	inputs, outputs         [][]inference.Value // by number of rows
	views                   []inference.Value
	vocabulary, alignLength int
}

// NewBatch makes a batch of at most the given number of rows: 20 MB each for Whisper
// base. The caller closes it.
func (m *Model) NewBatch(capacity int) (_ *Batch, err error) {
	s := m.spec
	b := &Batch{
		model: m, capacity: capacity, vocabulary: s.Vocabulary, alignLength: len(s.AlignmentHeads) * s.HeadWidth,
		inputs: make([][]inference.Value, capacity+1), outputs: make([][]inference.Value, capacity+1),
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make decoding batch: %w", err), b.Close())
		}
	}()
	n, heads, width := int64(capacity), int64(s.Heads), int64(s.HeadWidth)
	for range 2 * s.DecoderLayers {
		self, err := inference.NewTensor[float32](n, heads, int64(s.TextPositions), width)
		if err != nil {
			return nil, err
		}
		b.self = append(b.self, self)
		cross, err := inference.NewTensor[int8](n, heads, int64(s.AudioPositions), width)
		if err != nil {
			return nil, err
		}
		b.cross = append(b.cross, cross)
	}
	for _, t := range []struct {
		tensor **inference.Tensor[float32]
		shape  []int64
	}{
		{&b.scale, []int64{n, int64(2 * s.DecoderLayers), int64(s.Width)}},
		{&b.logits, []int64{n, int64(s.Vocabulary)}},
		{&b.alignQ, []int64{n, 1, int64(len(s.AlignmentHeads)), width}},
	} {
		if *t.tensor, err = inference.NewTensor[float32](t.shape...); err != nil {
			return nil, err
		}
	}
	if b.ids, err = inference.NewTensor[int64](n, 1); err != nil {
		return nil, err
	}
	for _, t := range []**inference.Tensor[int32]{&b.pastLen, &b.query, &b.frames} {
		if *t, err = inference.NewTensor[int32](n); err != nil {
			return nil, err
		}
	}
	for rows := 1; rows <= capacity; rows++ {
		if err := b.bind(rows); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// bind makes the inputs and outputs of a step of the given number of rows: views of the
// first slices of each tensor, caches being inputs and outputs at once.
func (b *Batch) bind(rows int) error {
	values := make(map[string]inference.Value)
	n := int64(rows)
	add := func(name string, v inference.Value, err error) error {
		if err != nil {
			return fmt.Errorf("bind %s: %w", name, err)
		}
		values[name] = v
		b.views = append(b.views, v)
		return nil
	}
	for i := range b.self {
		for _, cache := range []string{"self", "cross"} {
			name := fmt.Sprintf("%s_%c_%d", cache, "kv"[i%2], i/2)
			var v inference.Value
			var err error
			if cache == "self" {
				v, err = b.self[i].View(0, append([]int64{n}, b.self[i].Shape()[1:]...)...)
			} else {
				v, err = b.cross[i].View(0, append([]int64{n}, b.cross[i].Shape()[1:]...)...)
			}
			if err := add(name, v, err); err != nil {
				return err
			}
			values[name+"_out"] = v
		}
	}
	for name, t := range map[string]*inference.Tensor[float32]{"cross_scale": b.scale, "logits": b.logits, "align_q": b.alignQ} {
		v, err := t.View(0, append([]int64{n}, t.Shape()[1:]...)...)
		if err := add(name, v, err); err != nil {
			return err
		}
	}
	for name, t := range map[string]*inference.Tensor[int32]{"past_len": b.pastLen, "query_len": b.query, "frames": b.frames} {
		v, err := t.View(0, n)
		if err := add(name, v, err); err != nil {
			return err
		}
	}
	v, err := b.ids.View(0, n, 1)
	if err := add("input_ids", v, err); err != nil {
		return err
	}
	pick := func(ports []inference.Port) ([]inference.Value, error) {
		var vs []inference.Value
		for _, p := range ports {
			v, ok := values[p.Name]
			if !ok {
				return nil, fmt.Errorf("the decoder has an unknown input or output %s", p.Name)
			}
			vs = append(vs, v)
		}
		return vs, nil
	}
	if b.inputs[rows], err = pick(b.model.decoder.Inputs()); err != nil {
		return err
	}
	b.outputs[rows], err = pick(b.model.decoder.Outputs())
	return err
}

// Close frees the batch's memory.
func (b *Batch) Close() error {
	var errs []error
	for _, v := range b.views {
		errs = append(errs, v.Close())
	}
	for _, t := range append(b.self, b.scale, b.logits, b.alignQ) {
		if t != nil {
			errs = append(errs, t.Close())
		}
	}
	for _, t := range b.cross {
		errs = append(errs, t.Close())
	}
	for _, t := range []*inference.Tensor[int32]{b.pastLen, b.query, b.frames} {
		if t != nil {
			errs = append(errs, t.Close())
		}
	}
	if b.ids != nil {
		errs = append(errs, b.ids.Close())
	}
	b.self, b.cross, b.views, b.rows = nil, nil, nil, nil
	return errors.Join(errs...)
}

// Rows are the windows being decoded.
func (b *Batch) Rows() []*Row { return b.rows }

// Capacity is how many rows the batch has room for.
func (b *Batch) Capacity() int { return b.capacity }

// Free is how many rows may be added.
func (b *Batch) Free() int { return b.capacity - len(b.rows) - b.reserved() }

// Add starts to decode a window. The encoding is copied, and must stay until the row's
// words have been aligned.
func (b *Batch) Add(e *Encoding, task Task) (*Row, error) {
	if b.Free() == 0 {
		return nil, errors.New("the decoding batch is full")
	}
	row, err := b.model.newRow(e, task)
	if err != nil {
		return nil, err
	}
	slot := len(b.rows)
	s := b.model.spec
	head := e.positions * s.HeadWidth
	for i, t := range b.cross {
		copyHeads(t.Data()[slot*s.Heads*s.AudioPositions*s.HeadWidth:], s.AudioPositions*s.HeadWidth,
			e.cross[i].Data(), head, head, s.Heads)
	}
	scales := 2 * s.DecoderLayers * s.Width
	copy(b.scale.Data()[slot*scales:][:scales], e.scale.Data())
	b.rows = append(b.rows, row)
	return row, nil
}

// copyHeads copies the first n elements of each head between caches of different lengths.
func copyHeads[T any](dst []T, dstHead int, src []T, srcHead, n, heads int) {
	for h := range heads {
		copy(dst[h*dstHead:][:n], src[h*srcHead:][:n])
	}
}

// Remove takes a row out; the last row moves into its place.
func (b *Batch) Remove(row *Row) {
	slot := slices.Index(b.rows, row)
	if slot < 0 {
		return
	}
	last := len(b.rows) - 1
	if slot != last {
		b.move(slot, last)
	}
	b.rows[slot] = b.rows[last]
	b.rows[last] = nil
	b.rows = b.rows[:last]
}

// move copies what row from has in its caches to row to.
func (b *Batch) move(to, from int) {
	row := b.rows[from]
	b.copySelf(to, from, row.past)
	b.copyCross(to, from, row.encoding.positions)
}

// copySelf copies the first past places of a row's self caches.
func (b *Batch) copySelf(to, from, past int) {
	s := b.model.spec
	head := s.TextPositions * s.HeadWidth
	for _, t := range b.self {
		d := t.Data()
		copyHeads(d[to*s.Heads*head:], head, d[from*s.Heads*head:], head, past*s.HeadWidth, s.Heads)
	}
}

// copyCross copies the first frames of a row's cross caches, and their scales.
func (b *Batch) copyCross(to, from, frames int) {
	s := b.model.spec
	head := s.AudioPositions * s.HeadWidth
	for _, t := range b.cross {
		d := t.Data()
		copyHeads(d[to*s.Heads*head:], head, d[from*s.Heads*head:], head, frames*s.HeadWidth, s.Heads)
	}
	scales := 2 * s.DecoderLayers * s.Width
	copy(b.scale.Data()[to*scales:][:scales], b.scale.Data()[from*scales:][:scales])
}

// Step advances every row by one token. Rows that end with it report Done and stay until
// they are removed; a step with a row that is done is an error.
func (b *Batch) Step(ctx context.Context) error {
	n := len(b.rows)
	if n == 0 {
		return nil
	}
	for i, row := range b.rows {
		if row.done {
			return errors.New("decoding step: a row is already done")
		}
		b.ids.Data()[i] = int64(row.next)
		b.pastLen.Data()[i] = int32(row.past)
		b.query.Data()[i] = 1
		b.frames.Data()[i] = int32(row.encoding.positions)
	}
	if err := b.model.decoder.Run(ctx, b.inputs[n], b.outputs[n]); err != nil {
		return fmt.Errorf("decoding step: %w", err)
	}
	// The choice of tokens reads 200 KB a row: worth the second core.
	var wait sync.WaitGroup
	half := (n + 1) / 2
	if half < n {
		wait.Go(func() { b.advance(half, n) })
	}
	b.advance(0, half)
	wait.Wait()
	for _, beam := range slices.Clone(b.beams) {
		b.settle(beam)
	}
	return nil
}

func (b *Batch) advance(from, to int) {
	for i := from; i < to; i++ {
		b.rows[i].advance(
			b.logits.Data()[i*b.vocabulary:][:b.vocabulary],
			b.alignQ.Data()[i*b.alignLength:][:b.alignLength])
	}
}
