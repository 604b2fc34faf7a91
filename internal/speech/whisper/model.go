package whisper

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sync"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models/spec"
)

// Model is a Whisper model in memory: the graphs of its encoder, of a decoding step and
// of the alignment of words, made by internal/models/convert. Its methods are safe for
// concurrent use.
type Model struct {
	spec      spec.Whisper
	tokenizer *Tokenizer
	mel       *Mel
	rules     *rules

	encoder, decoder, align *inference.Session

	// mu guards spare.
	mu sync.Mutex
	// spare are encodings that were given back, for the next windows.
	spare []*Encoding
}

// Open loads the model in a folder. The inference runtime must have been initialised.
// Each run of a graph uses the given number of threads. The caller closes the model.
func Open(dir string, threads int) (_ *Model, err error) {
	m := &Model{}
	if m.spec, err = spec.ReadWhisper(dir); err != nil {
		return nil, err
	}
	if m.tokenizer, err = ReadTokenizer(filepath.Join(dir, spec.WhisperTokenizer)); err != nil {
		return nil, err
	}
	m.mel, m.rules = NewMel(m.spec.Mels), newRules(m.spec)
	options := inference.Options{Threads: threads}
	for _, graph := range []struct {
		file    string
		session **inference.Session
	}{
		{spec.WhisperEncoder, &m.encoder},
		{spec.WhisperDecoder, &m.decoder},
		{spec.WhisperAlign, &m.align},
	} {
		if *graph.session, err = inference.Open(filepath.Join(dir, graph.file), options); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// Close frees the model. Batches and encodings of it must be closed before.
func (m *Model) Close() error {
	var errs []error
	for _, e := range m.spare {
		errs = append(errs, e.free())
	}
	m.spare = nil
	for _, s := range []*inference.Session{m.encoder, m.decoder, m.align} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// Tokenizer is the model's vocabulary.
func (m *Model) Tokenizer() *Tokenizer { return m.tokenizer }

// Languages are the codes of the languages that the model knows, in the order of their
// tokens.
func (m *Model) Languages() []string {
	codes := make([]string, len(m.spec.Tokens.Languages))
	for i, l := range m.spec.Tokens.Languages {
		codes[i] = l.Code
	}
	return codes
}

// language returns the token of a language code.
func (m *Model) language(code string) (int, bool) {
	for _, l := range m.spec.Tokens.Languages {
		if l.Code == code {
			return l.ID, true
		}
	}
	return 0, false
}

// Knows reports whether the model has a token for a language code.
func (m *Model) Knows(code string) bool {
	_, ok := m.language(code)
	return ok
}

// Encoding is what the encoder made of one window: the keys and values of the decoder's
// cross-attention, 8 bits each, one scale per channel. The encoder quantises each window
// by itself, so that no window's audio changes another's.
type Encoding struct {
	model *Model
	// positions is the number of encoder frames, 20 ms each.
	positions int
	// cross are keys and values, layer by layer, [1, heads, positions, head width].
	cross []*inference.Tensor[int8]
	// scale is [1, 2·layers, width].
	scale *inference.Tensor[float32]
	// features is [1, mels, 2·positions].
	features *inference.Tensor[float32]
}

// Positions is the number of encoder frames, 20 ms each.
func (e *Encoding) Positions() int { return e.positions }

// PositionsPerSecond is the rate of encoder frames.
const PositionsPerSecond = FramesPerSecond / 2

// FullPositions is the number of encoder frames of the 30 s that the model was trained on.
func (m *Model) FullPositions() int { return m.spec.AudioPositions }

// Features are the log-mel spectrogram of a window, as far as it holds sound: bands ×
// frames values. What follows is silence.
type Features struct {
	values  []float32
	bins    int
	frames  int
	silence float32
}

// Features computes the spectrogram of samples, mono at 16 kHz, of at most 30 s.
func (m *Model) Features(samples []float32) Features {
	const half = fftSize / 2
	frames := min((len(samples)+half)/HopSamples+2, 2*m.spec.AudioPositions)
	f := Features{values: make([]float32, m.mel.bins*frames), bins: m.mel.bins, frames: frames}
	m.mel.Extract(f.values, samples, frames)
	f.silence = f.values[len(f.values)-1]
	for _, v := range f.values {
		f.silence = min(f.silence, v)
	}
	return f
}

// Seed is a number that depends on the features alone.
func (f Features) Seed() uint64 {
	seed := uint64(14695981039346656037) // FNV-1a
	for _, v := range f.values {
		seed = (seed ^ uint64(math.Float32bits(v))) * 1099511628211
	}
	return seed
}

// write spreads the features over rows of so many frames.
func (f Features) write(dst []float32, frames int) {
	for i := range f.bins {
		row := dst[i*frames:][:frames]
		for n := copy(row, f.values[i*f.frames:][:f.frames]); n < frames; n++ {
			row[n] = f.silence
		}
	}
}

// Encode runs the encoder over the features followed by silence, positions encoder
// frames (20 ms each) in all. The caller releases the encoding.
func (m *Model) Encode(ctx context.Context, features Features, positions int) (*Encoding, error) {
	if positions < 1 || positions > m.spec.AudioPositions {
		return nil, fmt.Errorf("encode window: %d positions, the model has 1 to %d", positions, m.spec.AudioPositions)
	}
	e, err := m.encoding(positions)
	if err != nil {
		return nil, fmt.Errorf("encode window: %w", err)
	}
	features.write(e.features.Data(), 2*positions)
	outputs := make([]inference.Value, len(m.encoder.Outputs()))
	for i, port := range m.encoder.Outputs() {
		if port.Name == "cross_scale" {
			outputs[i] = e.scale
			continue
		}
		var kind byte
		var layer int
		if _, err := fmt.Sscanf(port.Name, "cross_%c_%d", &kind, &layer); err != nil || layer >= m.spec.DecoderLayers {
			e.Release()
			return nil, fmt.Errorf("encode window: unknown output %s", port.Name)
		}
		outputs[i] = e.cross[crossIndex(kind, layer)]
	}
	if err := m.encoder.Run(ctx, []inference.Value{e.features}, outputs); err != nil {
		e.Release()
		return nil, fmt.Errorf("encode window: %w", err)
	}
	return e, nil
}

// crossIndex is the place of a layer's keys ('k') or values ('v') among the caches.
func crossIndex(kind byte, layer int) int {
	if kind == 'v' {
		return 2*layer + 1
	}
	return 2 * layer
}

// maxSpare is how many unused encodings are kept for reuse, 10 MB each.
const maxSpare = 4

// encoding makes or reuses an encoding of the given length.
func (m *Model) encoding(positions int) (*Encoding, error) {
	m.mu.Lock()
	for i, e := range m.spare {
		if e.positions == positions {
			m.spare = slices.Delete(m.spare, i, i+1)
			m.mu.Unlock()
			return e, nil
		}
	}
	m.mu.Unlock()

	e := &Encoding{model: m, positions: positions}
	var err error
	s := m.spec
	for range 2 * s.DecoderLayers {
		t, err := inference.NewTensor[int8](1, int64(s.Heads), int64(positions), int64(s.HeadWidth))
		if err != nil {
			return nil, errors.Join(err, e.free())
		}
		e.cross = append(e.cross, t)
	}
	if e.scale, err = inference.NewTensor[float32](1, int64(2*s.DecoderLayers), int64(s.Width)); err != nil {
		return nil, errors.Join(err, e.free())
	}
	if e.features, err = inference.NewTensor[float32](1, int64(s.Mels), int64(2*positions)); err != nil {
		return nil, errors.Join(err, e.free())
	}
	return e, nil
}

// Release gives the encoding's memory back to the model. It must not be used afterwards.
func (e *Encoding) Release() {
	m := e.model
	m.mu.Lock()
	var old *Encoding
	m.spare = append(m.spare, e)
	if len(m.spare) > maxSpare {
		old = m.spare[0]
		m.spare = slices.Delete(m.spare, 0, 1)
	}
	m.mu.Unlock()
	if old != nil {
		_ = old.free() // unmapping memory that we mapped does not fail
	}
}

func (e *Encoding) free() error {
	var errs []error
	for _, t := range e.cross {
		errs = append(errs, t.Close())
	}
	if e.scale != nil {
		errs = append(errs, e.scale.Close())
	}
	if e.features != nil {
		errs = append(errs, e.features.Close())
	}
	return errors.Join(errs...)
}

// Attention computes, for each decoding step whose queries were collected, how much the
// alignment heads attend to each encoder frame: heads × steps × positions, before the
// softmax.
func (e *Encoding) Attention(ctx context.Context, queries []float32) (weights []float32, steps int, err error) {
	m := e.model
	heads, width := len(m.spec.AlignmentHeads), m.spec.HeadWidth
	steps = len(queries) / (heads * width)
	q, err := inference.TensorOf(queries, 1, int64(steps), int64(heads), int64(width))
	if err != nil {
		return nil, 0, fmt.Errorf("align words: %w", err)
	}
	defer q.Close()
	out, err := inference.NewTensor[float32](1, int64(heads), int64(steps), int64(e.positions))
	if err != nil {
		return nil, 0, fmt.Errorf("align words: %w", err)
	}
	defer out.Close()
	inputs := make([]inference.Value, len(m.align.Inputs()))
	for i, port := range m.align.Inputs() {
		switch port.Name {
		case "align_q":
			inputs[i] = q
		case "cross_scale":
			inputs[i] = e.scale
		default:
			var layer int
			if _, err := fmt.Sscanf(port.Name, "cross_k_%d", &layer); err != nil || layer >= m.spec.DecoderLayers {
				return nil, 0, fmt.Errorf("align words: unknown input %s", port.Name)
			}
			inputs[i] = e.cross[crossIndex('k', layer)]
		}
	}
	if err := m.align.Run(ctx, inputs, []inference.Value{out}); err != nil {
		return nil, 0, fmt.Errorf("align words: %w", err)
	}
	return slices.Clone(out.Data()), steps, nil
}

// Heads is the number of alignment heads.
func (m *Model) Heads() int { return len(m.spec.AlignmentHeads) }
