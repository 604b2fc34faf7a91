package moonshine

import (
	"context"
	"errors"
	"fmt"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models/spec"
)

// Encoding is what the encoder made of one utterance, and the memory in which its text is decoded. It belongs to one
// goroutine at a time.
type Encoding struct {
	model *Model
	// samples is the length of the utterance, states how many states the encoder made of it.
	samples, states int
	released        bool

	// Tensors for the longest utterance, of which runs use views. Memory that was never used is not backed by any.
	input  *inference.Tensor[float32]
	mask   *inference.Tensor[int64] // ones
	hidden *inference.Tensor[float32]
	keys   []*inference.Tensor[float32] // keys and values that the decoder attends to, layer by layer
	text   []*inference.Tensor[float32] // keys and values of the text, layer by layer
	past   *inference.Tensor[int32]
	ids    *inference.Tensor[int64] // of a chunk
	logits *inference.Tensor[float32]
	align  *inference.Tensor[float32]

	// attended are views of keys, of the length of the utterance, and views those and the others.
	attended []inference.Value
	views    []inference.Value
	all      []inference.Value
}

// chunk is how many tokens of a prefix are read at once.
const chunk = 16

// encoding makes or reuses an encoding.
func (m *Model) encoding() (*Encoding, error) {
	select {
	case e := <-m.idle:
		e.released = false
		return e, nil
	default:
	}
	e := &Encoding{model: m}
	if err := e.allocate(); err != nil {
		return nil, errors.Join(err, e.free())
	}
	return e, nil
}

func (e *Encoding) allocate() (err error) {
	s := spec.Moonshine
	states := int64(statesOf(MaxSamples))
	heads, width := int64(s.Heads), int64(s.HeadWidth)
	e.input = tensor[float32](e, &err, 1, MaxSamples)
	e.mask = tensor[int64](e, &err, 1, MaxSamples)
	e.hidden = tensor[float32](e, &err, 1, states, int64(s.Width))
	for range 2 * s.Layers {
		e.keys = append(e.keys, tensor[float32](e, &err, 1, heads, states, width))
		e.text = append(e.text, tensor[float32](e, &err, 1, heads, int64(s.Positions), int64(s.CacheWidth)))
	}
	e.past = tensor[int32](e, &err, 1)
	e.ids = tensor[int64](e, &err, 1, chunk)
	e.logits = tensor[float32](e, &err, 1, chunk, int64(s.Vocabulary))
	e.align = tensor[float32](e, &err, 1, chunk, int64(len(s.AlignmentHeads)), width)
	return err
}

// tensor adds a tensor to those of an encoding. It does nothing after an error.
func tensor[T inference.Element](e *Encoding, err *error, shape ...int64) *inference.Tensor[T] {
	if *err != nil {
		return nil
	}
	t, failed := inference.NewTensor[T](shape...)
	if failed != nil {
		*err = failed
		return nil
	}
	e.all = append(e.all, t)
	return t
}

// view adds a view of a tensor's first elements to a list. It does nothing after an error.
func view[T inference.Element](t *inference.Tensor[T], list *[]inference.Value, err *error, shape ...int64) *inference.Tensor[T] {
	if *err != nil {
		return nil
	}
	v, failed := t.View(0, shape...)
	if failed != nil {
		*err = failed
		return nil
	}
	*list = append(*list, v)
	return v
}

// statesOf is how many states the encoder makes of so many samples, by its three convolutions.
func statesOf(samples int) int {
	n := (samples-127)/64 + 1
	n = (n-7)/3 + 1
	return (n-3)/2 + 1
}

// encode runs the encoder over samples.
func (e *Encoding) encode(ctx context.Context, samples []float32) (err error) {
	s := spec.Moonshine
	n := max(len(samples), minSamples)
	e.samples, e.states = len(samples), statesOf(n)
	clear(e.input.Data()[copy(e.input.Data(), samples):n])
	for i := n - 1; i >= 0 && e.mask.Data()[i] == 0; i-- {
		e.mask.Data()[i] = 1
	}
	input := view(e.input, &e.views, &err, 1, int64(n))
	mask := view(e.mask, &e.views, &err, 1, int64(n))
	hidden := view(e.hidden, &e.views, &err, 1, int64(e.states), int64(s.Width))
	for _, k := range e.keys {
		e.attended = append(e.attended, view(k, &e.views, &err, 1, int64(s.Heads), int64(e.states), int64(s.HeadWidth)))
	}
	if err != nil {
		return err
	}
	in, err := bind(e.model.encoder.Inputs(), map[string]inference.Value{"input_values": input, "attention_mask": mask})
	if err != nil {
		return err
	}
	if err := e.model.encoder.Run(ctx, in, []inference.Value{hidden}); err != nil {
		return err
	}
	out, err := bind(e.model.cross.Outputs(), e.caches("cross", "", e.attended))
	if err != nil {
		return err
	}
	return e.model.cross.Run(ctx, []inference.Value{hidden}, out)
}

// caches names keys and values, layer by layer, as graphs do.
func (e *Encoding) caches(kind, suffix string, values []inference.Value) map[string]inference.Value {
	named := make(map[string]inference.Value, 4*len(values)+4)
	for i, v := range values {
		named[fmt.Sprintf("%s_%c_%d%s", kind, "kv"[i%2], i/2, suffix)] = v
	}
	return named
}

// bind puts values in the order of a graph's ports.
func bind(ports []inference.Port, named map[string]inference.Value) ([]inference.Value, error) {
	values := make([]inference.Value, len(ports))
	for i, port := range ports {
		v, ok := named[port.Name]
		if !ok {
			return nil, fmt.Errorf("the graph has an unknown port %s", port.Name)
		}
		values[i] = v
	}
	return values, nil
}

// Release gives the encoding's memory back to the model. It must not be used afterwards; releasing twice is harmless.
func (e *Encoding) Release() error {
	if e.released {
		return nil
	}
	e.released = true
	err := closeAll(e.views)
	e.views, e.attended = nil, nil
	select {
	case e.model.idle <- e:
		return err
	default:
		return errors.Join(err, e.free())
	}
}

func (e *Encoding) free() error {
	err := errors.Join(closeAll(e.views), closeAll(e.all))
	e.views, e.all = nil, nil
	return err
}

func closeAll(values []inference.Value) error {
	var errs []error
	for _, v := range values {
		errs = append(errs, v.Close())
	}
	return errors.Join(errs...)
}
