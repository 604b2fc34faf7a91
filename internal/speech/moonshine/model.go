// Package moonshine recognises English with little delay: Useful Sensors' Moonshine (arXiv 2410.15608), whose encoder
// takes as long as the audio is, where Whisper's always takes thirty seconds. It decodes greedily, one utterance a run,
// and tells when words were said by where the decoder attended. Start reading at Model.Transcribe.
package moonshine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models/spec"
	"github.com/dictum/dictum/internal/speech"
)

// MaxSamples is the longest utterance: the model was trained on no longer ones.
const MaxSamples = 30 * speech.SampleRate

// minSamples is what shorter utterances are filled up to with silence.
const minSamples = speech.SampleRate / 2

// Model is a Moonshine model in memory, made by internal/models/convert. It is safe for concurrent use.
type Model struct {
	encoder, cross, decoder *inference.Session
	vocabulary              [][]byte
	idle                    chan *Encoding
}

// maxIdle is how many encodings are kept for the next utterances.
const maxIdle = 2

// Open loads the model in the folder dir. Runs use so many threads, one when zero; texts do not depend on it. The
// inference runtime must have been initialised. The caller closes the model.
func Open(dir string, threads int) (_ *Model, err error) {
	m := &Model{idle: make(chan *Encoding, maxIdle)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("load Moonshine model: %w", err), m.Close())
		}
	}()
	if m.vocabulary, err = readVocabulary(filepath.Join(dir, spec.MoonshineTokenizer)); err != nil {
		return nil, err
	}
	for _, graph := range []struct {
		file    string
		session **inference.Session
	}{
		{spec.MoonshineEncoder, &m.encoder},
		{spec.MoonshineCross, &m.cross},
		{spec.MoonshineDecoder, &m.decoder},
	} {
		if *graph.session, err = inference.Open(filepath.Join(dir, graph.file), inference.Options{Threads: threads}); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Close frees the model. Its encodings must have been released.
func (m *Model) Close() error {
	var errs []error
	for _, s := range []*inference.Session{m.encoder, m.cross, m.decoder} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	for {
		select {
		case e := <-m.idle:
			errs = append(errs, e.free())
		default:
			return errors.Join(errs...)
		}
	}
}

// Transcribe recognises one utterance of English: mono, at speech.SampleRate, at most MaxSamples long. The same samples
// give the same text, whatever else runs.
func (m *Model) Transcribe(ctx context.Context, samples []float32) (Hypothesis, error) {
	e, err := m.Encode(ctx, samples)
	if err != nil {
		return Hypothesis{}, err
	}
	h, err := e.Decode(ctx, Text{})
	return h, errors.Join(err, e.Release())
}

// Encode runs the encoder, so that Decode can be called more than once on the same samples. The caller releases the
// encoding.
func (m *Model) Encode(ctx context.Context, samples []float32) (*Encoding, error) {
	if len(samples) > MaxSamples {
		return nil, fmt.Errorf("encode %d samples: at most %d are taken", len(samples), MaxSamples)
	}
	e, err := m.encoding()
	if err != nil {
		return nil, fmt.Errorf("encode utterance: %w", err)
	}
	if err := e.encode(ctx, samples); err != nil {
		return nil, errors.Join(fmt.Errorf("encode utterance: %w", err), e.Release())
	}
	return e, nil
}
