// Package moonshine recognises English with little delay: Useful Sensors' Moonshine (arXiv 2410.15608), whose encoder
// takes as long as the audio is, where Whisper's always takes thirty seconds. It decodes greedily, one utterance a run.
package moonshine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/speech"
)

// The files of a model, in its folder.
const (
	encoderFile   = "encoder_model.ort"
	decoderFile   = "decoder_model_merged.ort"
	tokenizerFile = "tokenizer.bin"
)

// The dimensions of Moonshine tiny.
const (
	layers = 6
	heads  = 8
	width  = 36 // of a head
	hidden = heads * width
	tokens = 32768

	startToken = 1
	endToken   = 2
)

const (
	// MaxSamples is the longest utterance: the model was trained on no longer ones.
	MaxSamples = 30 * speech.SampleRate
	// minSamples is what shorter ones are filled up to with silence.
	minSamples = speech.SampleRate / 2
	// maxTokens bounds the text of an utterance.
	maxTokens = 200
	// tokensPerSecond bounds it by its length: speech has up to 6.5 tokens a second, and a text in circles has more.
	tokensPerSecond = 6.5
)

// Model is a Moonshine model in memory. It is safe for concurrent use.
type Model struct {
	encoder     *inference.Session
	first, next *inference.Session // the decoder's first step, and those after it
	vocabulary  [][]byte
	yes, no     *inference.Flag
	idle        chan *buffers
}

// Open loads the model in the folder dir. Runs use so many threads, one when zero. The inference runtime must have
// been initialised. The caller closes it.
func Open(dir string, threads int) (_ *Model, err error) {
	m := &Model{idle: make(chan *buffers, 2)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("load Moonshine model: %w", err), m.Close())
		}
	}()
	table, err := os.ReadFile(filepath.Join(dir, tokenizerFile))
	if err != nil {
		return nil, err
	}
	if m.vocabulary, err = parseVocabulary(table); err != nil {
		return nil, fmt.Errorf("%s: %w", tokenizerFile, err)
	}
	if len(m.vocabulary) < tokens {
		return nil, fmt.Errorf("%s has %d tokens, not %d", tokenizerFile, len(m.vocabulary), tokens)
	}
	if m.yes, err = inference.NewFlag(true); err != nil {
		return nil, err
	}
	if m.no, err = inference.NewFlag(false); err != nil {
		return nil, err
	}
	if m.encoder, err = inference.Open(filepath.Join(dir, encoderFile), inference.Options{Threads: threads}); err != nil {
		return nil, err
	}
	decoder := filepath.Join(dir, decoderFile)
	if m.first, err = inference.Open(decoder, inference.Options{Threads: threads, Outputs: append([]string{"logits"}, caches("present", true)...)}); err != nil {
		return nil, err
	}
	m.next, err = inference.Open(decoder, inference.Options{Threads: threads, Outputs: append([]string{"logits"}, caches("present", false)...)})
	return m, err
}

// caches are the names of the keys and values of all layers: the decoder's own, and then those of the encoder.
func caches(prefix string, encoder bool) []string {
	var names []string
	for _, side := range []string{"decoder", "encoder"} {
		for layer := range layers {
			for _, part := range []string{"key", "value"} {
				if side == "decoder" || encoder {
					names = append(names, fmt.Sprintf("%s.%d.%s.%s", prefix, layer, side, part))
				}
			}
		}
	}
	return names
}

// Close frees the model, which must not be in use.
func (m *Model) Close() error {
	var errs []error
	for _, s := range []*inference.Session{m.encoder, m.first, m.next} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	errs = append(errs, m.yes.Close(), m.no.Close())
	for {
		select {
		case b := <-m.idle:
			errs = append(errs, b.close())
		default:
			return errors.Join(errs...)
		}
	}
}

// Hypothesis is what the model makes of an utterance.
type Hypothesis struct {
	// Tokens are the bytes of each token, spaces included, and LogProbs their natural log probabilities.
	Tokens   [][]byte
	LogProbs []float64
	// Cut tells that the text was ended because it went on for longer than speech does.
	Cut bool
}

// Text is the text.
func (h *Hypothesis) Text() string {
	var b strings.Builder
	for _, t := range h.Tokens {
		b.Write(t)
	}
	return strings.TrimSpace(b.String())
}

// MeanLogProb is the mean log probability of the tokens, zero without any.
func (h *Hypothesis) MeanLogProb() float64 {
	if len(h.LogProbs) == 0 {
		return 0
	}
	sum := 0.0
	for _, p := range h.LogProbs {
		sum += p
	}
	return sum / float64(len(h.LogProbs))
}

// minLogProb is the least mean log probability of credible tokens. Of silence and noise the model makes single words, of about -1.2.
const minLogProb = -0.9

// Credible tells whether the text is likely to have been said.
func (h *Hypothesis) Credible() bool {
	return len(h.Tokens) > 0 && !h.Cut && h.MeanLogProb() > minLogProb
}

// Transcribe recognises one utterance of English: mono, at speech.SampleRate, at most MaxSamples long.
func (m *Model) Transcribe(ctx context.Context, samples []float32) (h Hypothesis, err error) {
	if len(samples) > MaxSamples {
		return Hypothesis{}, fmt.Errorf("transcribe %d samples: at most %d are taken", len(samples), MaxSamples)
	}
	b, err := m.buffers()
	if err != nil {
		return Hypothesis{}, err
	}
	defer func() {
		select {
		case m.idle <- b:
		default:
			err = errors.Join(err, b.close())
		}
	}()
	u, err := b.utterance(samples)
	if err != nil {
		return Hypothesis{}, err
	}
	defer func() { err = errors.Join(err, u.close()) }()
	if err := m.encoder.Run(ctx, inputs(m.encoder, u.named), []inference.Value{u.states}); err != nil {
		return Hypothesis{}, fmt.Errorf("encode utterance: %w", err)
	}
	return m.decode(ctx, u, int(float64(len(samples))/speech.SampleRate*tokensPerSecond)+5)
}

// decode takes the best token each time.
func (m *Model) decode(ctx context.Context, u *utterance, limit int) (h Hypothesis, err error) {
	limit = min(limit, maxTokens)
	token := startToken
	for n := 0; ; n++ {
		step, err := u.step(n, token)
		if err != nil {
			return Hypothesis{}, err
		}
		session, flag := m.next, m.yes
		if n == 0 {
			session, flag = m.first, m.no
		}
		err = session.Run(ctx, inputs(session, func(name string) inference.Value {
			if name == "use_cache_branch" {
				return flag
			}
			return step.named(name)
		}), step.outputs)
		if err = errors.Join(err, step.close()); err != nil {
			return Hypothesis{}, fmt.Errorf("decode token %d: %w", n, err)
		}
		var p float64
		if token, p = best(u.buffers.logits.Data()); token == endToken {
			return h, nil
		}
		if n >= limit || looping(h.Tokens) {
			h.Cut = true
			return h, nil
		}
		h.Tokens, h.LogProbs = append(h.Tokens, m.bytes(token)), append(h.LogProbs, p)
	}
}

// inputs are the values of a session's inputs, by name.
func inputs(s *inference.Session, named func(string) inference.Value) []inference.Value {
	in := make([]inference.Value, len(s.Inputs()))
	for i, port := range s.Inputs() {
		in[i] = named(port.Name)
	}
	return in
}
