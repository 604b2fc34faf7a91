package moonshine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models/spec"
	"github.com/dictum/dictum/internal/speech"
)

const (
	// maxTokens bounds the text of an utterance.
	maxTokens = 200
	// tokensPerSecond bounds it by its length: speech has up to 6.5 tokens a second, and a text in circles has more.
	tokensPerSecond = 6.5
	// spareTokens are allowed beyond that, for short utterances.
	spareTokens = 5
)

// Text is what is known of a text before it is decoded.
type Text struct {
	// Prefix is what the text begins with, as Hypothesis.IDs has it. It counts as right: its tokens have the probability
	// that the model gives them.
	Prefix []int
	// Draft is what may come next, such as the text of the same utterance when less of it had been heard. Tokens that the
	// model would have chosen are read several at once, which takes a fraction of the time; from the first other one on it
	// is left. Reading at once and by steps differ in the last bits of sums, and so, rarely, in what is best.
	Draft []int
}

// Decode takes the best token each time.
func (e *Encoding) Decode(ctx context.Context, known Text) (h Hypothesis, err error) {
	if e.released {
		return Hypothesis{}, errors.New("decode utterance: its encoding was released")
	}
	limit := min(maxTokens, int(float64(e.samples)/speech.SampleRate*tokensPerSecond)+spareTokens)
	if len(known.Prefix) > maxTokens {
		return Hypothesis{}, fmt.Errorf("decode utterance: a prefix of %d tokens, at most %d are taken", len(known.Prefix), maxTokens)
	}
	tokens := slices.Concat([]int{spec.Moonshine.Start}, known.Prefix, known.Draft[:min(len(known.Draft), maxTokens-len(known.Prefix))])
	for _, id := range tokens {
		if id < 0 || id >= len(e.model.vocabulary) {
			return Hypothesis{}, fmt.Errorf("decode utterance: there is no token %d", id)
		}
	}
	defer func() {
		if err != nil {
			h, err = Hypothesis{}, fmt.Errorf("decode utterance: %w", err)
		}
	}()
	h = Hypothesis{samples: e.samples, states: e.states, prefix: len(known.Prefix)}
	run := &reading{encoding: e}
	defer func() { err = errors.Join(err, closeAll(run.views)) }()

	// What is read is tokens[:len(h.IDs)+1], since each token read tells the next.
	for at := 0; ; {
		part := tokens[at:min(at+chunk, len(tokens))]
		if err := run.read(ctx, at, part); err != nil {
			return h, err
		}
		for i := range part {
			logits, next := run.logits(i), len(h.IDs)
			at++
			if next < len(known.Prefix) {
				h.add(e.model, known.Prefix[next], logProb(logits, known.Prefix[next]))
				continue
			}
			id := best(logits)
			h.Cut = id != spec.Moonshine.End && (len(h.IDs) >= limit || looping(h.IDs))
			if id == spec.Moonshine.End || h.Cut {
				h.attention, h.steps = e.attention(run.queriesOf(at)), at
				return h, nil
			}
			h.add(e.model, id, logProb(logits, id))
			if at == len(tokens) || tokens[at] != id {
				tokens = append(tokens[:at], id)
				break // what was read beyond it is read anew
			}
		}
	}
}

// reading is one text that is being read.
type reading struct {
	encoding *Encoding
	length   int // of the values bound
	in, out  []inference.Value
	queries  []float32 // of the alignment heads, by step
	views    []inference.Value
}

// read has the decoder read tokens that stand from a place on.
func (r *reading) read(ctx context.Context, at int, tokens []int) error {
	e := r.encoding
	if err := r.bind(len(tokens)); err != nil {
		return err
	}
	e.past.Data()[0] = int32(at)
	for i, id := range tokens {
		e.ids.Data()[i] = int64(id)
	}
	if err := e.model.decoder.Run(ctx, r.in, r.out); err != nil {
		return fmt.Errorf("read token %d: %w", at, err)
	}
	r.queries = append(r.queriesOf(at), e.align.Data()[:len(tokens)*len(spec.Moonshine.AlignmentHeads)*spec.Moonshine.HeadWidth]...)
	return nil
}

// queriesOf are those of the first tokens.
func (r *reading) queriesOf(tokens int) []float32 {
	return r.queries[:tokens*len(spec.Moonshine.AlignmentHeads)*spec.Moonshine.HeadWidth]
}

// bind prepares runs over so many tokens.
func (r *reading) bind(tokens int) (err error) {
	if r.length == tokens {
		return nil
	}
	e, s, n := r.encoding, spec.Moonshine, int64(tokens)
	text := make([]inference.Value, len(e.text))
	for i, t := range e.text {
		text[i] = t
	}
	named := e.caches("cross", "", e.attended)
	for _, suffix := range []string{"", "_out"} {
		for name, v := range e.caches("self", suffix, text) {
			named[name] = v
		}
	}
	named["past_len"] = e.past
	named["input_ids"] = view(e.ids, &r.views, &err, 1, n)
	named["logits"] = view(e.logits, &r.views, &err, 1, n, int64(s.Vocabulary))
	named["align_q"] = view(e.align, &r.views, &err, 1, n, int64(len(s.AlignmentHeads)), int64(s.HeadWidth))
	if err != nil {
		return err
	}
	if r.in, err = bind(e.model.decoder.Inputs(), named); err != nil {
		return err
	}
	r.out, err = bind(e.model.decoder.Outputs(), named)
	r.length = tokens
	return err
}

// logits are those of the i-th token last read.
func (r *reading) logits(i int) []float32 {
	v := spec.Moonshine.Vocabulary
	return r.encoding.logits.Data()[i*v:][:v]
}

// attention is how much the alignment heads attend to each state when they decide on each token and on the end: heads ×
// steps × states, before the softmax.
func (e *Encoding) attention(queries []float32) []float32 {
	s := spec.Moonshine
	steps := len(queries) / (len(s.AlignmentHeads) * s.HeadWidth)
	out := make([]float32, 0, len(s.AlignmentHeads)*steps*e.states)
	scale := float32(1 / math.Sqrt(float64(s.HeadWidth)))
	for i, head := range s.AlignmentHeads {
		keys := e.keys[2*head.Layer].Data()[head.Head*e.states*s.HeadWidth:][:e.states*s.HeadWidth]
		for step := range steps {
			q := queries[(step*len(s.AlignmentHeads)+i)*s.HeadWidth:][:s.HeadWidth]
			for state := range e.states {
				var sum float32
				for j, k := range keys[state*s.HeadWidth:][:s.HeadWidth] {
					sum += q[j] * k
				}
				out = append(out, sum*scale)
			}
		}
	}
	return out
}

// best is the most probable token.
func best(logits []float32) int {
	token := 0
	for i, v := range logits {
		if v > logits[token] {
			token = i
		}
	}
	return token
}

// negligible is how far below the best a token adds nothing to a sum of probabilities: 32,768 of them add 1e-5.
const negligible = 22

// logProb is the natural logarithm of a token's probability.
func logProb(logits []float32, token int) float64 {
	top := slices.Max(logits)
	sum := 0.0
	for _, v := range logits {
		if d := v - top; d > -negligible {
			sum += math.Exp(float64(d))
		}
	}
	return float64(logits[token]-top) - math.Log(sum)
}

// A text is in circles when it ends with one phrase so many times, of so many tokens in all. Counting, spelling and
// "no, no, no" stay below.
const (
	loopRounds = 4
	loopTokens = 16
	loopPeriod = 20
)

// looping tells that a text goes round in circles.
func looping(ids []int) bool {
	for period := 1; period <= loopPeriod; period++ {
		need := max(loopTokens, loopRounds*period)
		if need > len(ids) {
			return false
		}
		tail, same := ids[len(ids)-need:], true
		for i := period; i < need && same; i++ {
			same = tail[i] == tail[i-period]
		}
		if same {
			return true
		}
	}
	return false
}
