package live

import (
	"context"
	"math"
	"time"
	"unicode/utf8"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/align"
	"github.com/dictum/dictum/internal/speech/moonshine"
	"github.com/dictum/dictum/internal/speech/vad"
)

// English recognises English by Moonshine.
type English struct {
	Model *moonshine.Model
	Lane  *Lane
}

// patience is how long a partial result waits for the model: who waits hears no pause in the meantime.
const patience = 120 * time.Millisecond

// Recognize implements Recognizer. Whatever is said is taken for English.
func (e *English) Recognize(ctx context.Context, u Utterance) (Hypothesis, error) {
	entering, cancel := ctx, context.CancelFunc(func() {})
	if !u.Final {
		entering, cancel = context.WithTimeout(ctx, patience)
	}
	leave, err := e.Lane.Enter(entering, u.Final)
	cancel()
	if err != nil {
		if ctx.Err() == nil { // others are served: this partial is left out, and the audio goes on
			return Hypothesis{}, nil
		}
		return Hypothesis{}, err
	}
	defer leave()
	h, err := e.Model.Transcribe(ctx, u.Samples)
	if err != nil {
		return Hypothesis{}, err
	}
	return Hypothesis{Items: items(h, u), Credible: h.Credible(), Best: true}, nil
}

// items splits a text into words with times. The model tells none: characters are spread over the speech evenly.
func items(h moonshine.Hypothesis, u Utterance) []speech.Item {
	pieces := align.Split(h.Tokens)
	total := 0
	for _, p := range pieces {
		total += weight(p)
	}
	out := make([]speech.Item, len(pieces))
	said := 0
	for i, p := range pieces {
		out[i] = speech.Item{Text: p.Text, NoSpaceBefore: p.NoSpaceBefore}
		if p.Punctuation {
			out[i].Kind = speech.Punctuation
			said += weight(p)
			continue
		}
		out[i].Start = moment(u.Speech, float64(said)/float64(total))
		said += weight(p)
		out[i].End = max(moment(u.Speech, float64(said)/float64(total)), out[i].Start+minWord)
		sum, n := 0.0, 0
		for k := p.First; k <= p.Last && k < len(h.LogProbs); k++ {
			sum += h.LogProbs[k]
			n++
		}
		if n > 0 {
			out[i].Confidence = math.Exp(sum / float64(n))
		}
	}
	return out
}

// weight is how long a piece takes to say, in characters: short words take longer than their letters do.
func weight(p align.Piece) int {
	if p.Punctuation {
		return 0
	}
	return utf8.RuneCountInString(p.Text) + 2
}

// moment is when a share of the speech has been said.
func moment(spans []vad.Span, share float64) time.Duration {
	total := 0
	for _, s := range spans {
		total += s.Len()
	}
	left := int(share * float64(total))
	for i, s := range spans {
		if left <= s.Len() || i == len(spans)-1 {
			return at(s.Start + min(left, s.Len()))
		}
		left -= s.Len()
	}
	return 0
}
