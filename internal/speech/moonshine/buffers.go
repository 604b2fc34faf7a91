package moonshine

import (
	"errors"
	"math"
	"strings"

	"github.com/dictum/dictum/internal/inference"
)

// buffers are the tensors of one run at a time, for the longest utterance. Runs use views of them.
type buffers struct {
	samples *inference.Tensor[float32]
	mask    *inference.Tensor[int64]
	states  *inference.Tensor[float32]
	ids     *inference.Tensor[int64]
	logits  *inference.Tensor[float32]
	encoder [2 * layers]*inference.Tensor[float32]
	// decoder are written in turns, since a cache is laid out anew when it grows.
	decoder [2][2 * layers]*inference.Tensor[float32]
	// none stands for what the first step has not, and does not read.
	none *inference.Tensor[float32]
	all  []inference.Value
}

func (m *Model) buffers() (*buffers, error) {
	select {
	case b := <-m.idle:
		return b, nil
	default:
	}
	b := &buffers{}
	var failed error
	floats := func(shape ...int64) *inference.Tensor[float32] {
		t, err := inference.NewTensor[float32](shape...)
		if err != nil {
			failed = errors.Join(failed, err)
			return nil
		}
		b.all = append(b.all, t)
		return t
	}
	integers := func(shape ...int64) *inference.Tensor[int64] {
		t, err := inference.NewTensor[int64](shape...)
		if err != nil {
			failed = errors.Join(failed, err)
			return nil
		}
		b.all = append(b.all, t)
		return t
	}
	frames := frames(MaxSamples)
	b.samples, b.mask = floats(MaxSamples), integers(MaxSamples)
	b.states, b.ids = floats(frames*hidden), integers(1, 1)
	b.logits, b.none = floats(1, 1, tokens), floats(1, heads, 1, width)
	for i := range b.encoder {
		b.encoder[i] = floats(frames * hidden)
		b.decoder[0][i], b.decoder[1][i] = floats((maxTokens+1)*hidden), floats((maxTokens+1)*hidden)
	}
	if failed != nil {
		return nil, errors.Join(failed, b.close())
	}
	for i := range b.mask.Data() {
		b.mask.Data()[i] = 1
	}
	return b, nil
}

func (b *buffers) close() error { return closeAll(b.all) }

func closeAll(values []inference.Value) error {
	var errs []error
	for _, v := range values {
		errs = append(errs, v.Close())
	}
	return errors.Join(errs...)
}

// frames is how many states the encoder makes of so many samples, by its three convolutions.
func frames(samples int) int64 {
	n := (samples-127)/64 + 1
	n = (n-7)/3 + 1
	return int64((n-3)/2 + 1)
}

// utterance is one utterance in buffers.
type utterance struct {
	*buffers
	in     *inference.Tensor[float32]
	ones   *inference.Tensor[int64]
	states *inference.Tensor[float32]
	keys   [2 * layers]*inference.Tensor[float32] // keys and values that the encoder's states have in each layer
	views  []inference.Value
}

func (b *buffers) utterance(samples []float32) (*utterance, error) {
	n := max(len(samples), minSamples)
	clear(b.samples.Data()[:n])
	copy(b.samples.Data(), samples)
	u := &utterance{buffers: b}
	count, length := frames(n), int64(n)
	var err error
	if u.in, err = view(b.samples, &u.views, 1, length); err == nil {
		if u.ones, err = view(b.mask, &u.views, 1, length); err == nil {
			u.states, err = view(b.states, &u.views, 1, count, hidden)
		}
	}
	for i := range u.keys {
		if err == nil {
			u.keys[i], err = view(b.encoder[i], &u.views, 1, heads, count, width)
		}
	}
	if err != nil {
		return nil, errors.Join(err, u.close())
	}
	return u, nil
}

func (u *utterance) close() error { return closeAll(u.views) }

func view[T inference.Element](t *inference.Tensor[T], views *[]inference.Value, shape ...int64) (*inference.Tensor[T], error) {
	v, err := t.View(0, shape...)
	if err == nil {
		*views = append(*views, v)
	}
	return v, err
}

func (u *utterance) named(name string) inference.Value {
	switch name {
	case "input_values":
		return u.in
	case "attention_mask", "encoder_attention_mask":
		return u.ones
	case "encoder_hidden_states":
		return u.states
	case "input_ids":
		return u.ids
	}
	return nil
}

// step is one run of the decoder.
type step struct {
	*utterance
	past    map[string]inference.Value
	outputs []inference.Value
	views   []inference.Value
}

// step prepares the run that reads the token at place n.
func (u *utterance) step(n, token int) (*step, error) {
	s := &step{utterance: u, past: make(map[string]inference.Value, 4*layers), outputs: []inference.Value{u.logits}}
	u.ids.Data()[0] = int64(token)
	names := caches("past_key_values", true)
	var err error
	for i := range 2 * layers {
		var before, after *inference.Tensor[float32]
		if after, err = view(u.decoder[n%2][i], &s.views, 1, heads, int64(n+1), width); err != nil {
			break
		}
		s.outputs = append(s.outputs, after)
		s.past[names[i]], s.past[names[2*layers+i]] = u.none, u.none
		if n > 0 {
			if before, err = view(u.decoder[(n+1)%2][i], &s.views, 1, heads, int64(n), width); err != nil {
				break
			}
			s.past[names[i]], s.past[names[2*layers+i]] = before, u.keys[i]
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	if n == 0 {
		for _, k := range u.keys {
			s.outputs = append(s.outputs, k)
		}
	}
	return s, nil
}

func (s *step) close() error { return closeAll(s.views) }

func (s *step) named(name string) inference.Value {
	if strings.HasPrefix(name, "past_key_values.") {
		return s.past[name]
	}
	return s.utterance.named(name)
}

// best is the most probable token and its log probability.
func best(logits []float32) (token int, logProb float64) {
	for i, v := range logits {
		if v > logits[token] {
			token = i
		}
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v - logits[token]))
	}
	return token, -math.Log(sum)
}
