// Package vad finds speech in audio with Silero's voice activity model, and cuts audio
// into the windows that are recognised one by one: at most so long, cut in silence and
// without long pauses. Start reading at Stream, which gives the probability of speech
// frame by frame, and at Cutter.
package vad

import (
	"context"
	"errors"
	"fmt"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/speech"
)

const (
	// FrameSamples is the length of a frame, 32 ms.
	FrameSamples = 512
	// contextSamples of the frame before are seen with each frame.
	contextSamples = 64
	// framesPerRun is how many frames one run of the model takes. The result does not
	// depend on it; half the time per frame is the price of runs of one.
	framesPerRun = 32
	stateSize    = 128
)

// Detector is the voice activity model in memory, shared by any number of streams.
type Detector struct {
	session *inference.Session
	// Places among the graph's inputs and outputs.
	input, h, c   int
	probs, hn, cn int
}

// Open loads silero_vad_16k_sequence.onnx (silero-vad 6.2), which takes a sequence of
// frames a run. The inference runtime must have been initialised. The caller closes it.
func Open(path string) (*Detector, error) {
	session, err := inference.Open(path, inference.Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	d := &Detector{
		session: session,
		input:   session.Input("input"), h: session.Input("h"), c: session.Input("c"),
		probs: session.Output("speech_probs"), hn: session.Output("hn"), cn: session.Output("cn"),
	}
	if min(d.input, d.h, d.c, d.probs, d.hn, d.cn) < 0 || len(session.Inputs()) != 3 || len(session.Outputs()) != 3 {
		return nil, errors.Join(fmt.Errorf("%s is not Silero's sequence model", path), session.Close())
	}
	return d, nil
}

// Close frees the model; streams must not be used afterwards.
func (d *Detector) Close() error { return d.session.Close() }

// Stream is the state of one run of audio. It belongs to one goroutine.
type Stream struct {
	detector *Detector
	frames   *inference.Tensor[float32] // [framesPerRun, context + frame]
	probs    *inference.Tensor[float32] // [framesPerRun]
	state    [2][2]*inference.Tensor[float32]
	current  int // which of the states is the input
	context  [contextSamples]float32
}

// NewStream starts at the beginning of some audio. The caller closes the stream.
func (d *Detector) NewStream() (_ *Stream, err error) {
	s := &Stream{detector: d}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start voice activity detection: %w", err), s.Close())
		}
	}()
	if s.frames, err = inference.NewTensor[float32](framesPerRun, contextSamples+FrameSamples); err != nil {
		return nil, err
	}
	if s.probs, err = inference.NewTensor[float32](framesPerRun); err != nil {
		return nil, err
	}
	for i := range s.state {
		for j := range s.state[i] {
			if s.state[i][j], err = inference.NewTensor[float32](1, 1, stateSize); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// Close frees the stream's memory.
func (s *Stream) Close() error {
	var errs []error
	for _, t := range []*inference.Tensor[float32]{
		s.frames, s.probs, s.state[0][0], s.state[0][1], s.state[1][0], s.state[1][1],
	} {
		if t != nil {
			errs = append(errs, t.Close())
		}
	}
	return errors.Join(errs...)
}

// ChunkSamples is the number of samples that Detect takes at once.
const ChunkSamples = framesPerRun * FrameSamples

// Detect returns the probability of speech in each frame of the next samples:
// at most ChunkSamples of them, whole frames; at the end of the audio the last frame is filled
// up with silence. The slice is valid until the next call.
func (s *Stream) Detect(ctx context.Context, samples []float32) ([]float32, error) {
	if len(samples) > ChunkSamples {
		return nil, fmt.Errorf("detect speech: %d samples at once, at most %d", len(samples), ChunkSamples)
	}
	const row = contextSamples + FrameSamples
	n := (len(samples) + FrameSamples - 1) / FrameSamples
	if n == 0 {
		return nil, nil
	}
	data := s.frames.Data()
	clear(data)
	for i := range n {
		copy(data[i*row:], s.context[:])
		frame := samples[i*FrameSamples : min((i+1)*FrameSamples, len(samples))]
		copy(data[i*row+contextSamples:], frame)
		copy(s.context[:], data[i*row+FrameSamples:][:contextSamples])
	}
	d := s.detector
	in, out := s.state[s.current], s.state[1-s.current]
	inputs, outputs := make([]inference.Value, 3), make([]inference.Value, 3)
	frames, probs := s.frames, s.probs
	if n < framesPerRun { // live audio comes in small pieces
		var err error
		if frames, err = s.frames.View(0, int64(n), row); err != nil {
			return nil, fmt.Errorf("detect speech: %w", err)
		}
		defer frames.Close() // a view frees nothing that could fail
		if probs, err = s.probs.View(0, int64(n)); err != nil {
			return nil, fmt.Errorf("detect speech: %w", err)
		}
		defer probs.Close()
	}
	inputs[d.input], inputs[d.h], inputs[d.c] = frames, in[0], in[1]
	outputs[d.probs], outputs[d.hn], outputs[d.cn] = probs, out[0], out[1]
	if err := d.session.Run(ctx, inputs, outputs); err != nil {
		return nil, fmt.Errorf("detect speech: %w", err)
	}
	s.current = 1 - s.current
	return s.probs.Data()[:n], nil
}

// samplesOf is the number of samples of a number of frames.
func samplesOf(frames int) int { return frames * FrameSamples }

// framesOf is the number of whole frames in so many milliseconds.
func framesOf(milliseconds int) int {
	return milliseconds * speech.SampleRate / 1000 / FrameSamples
}
