package live

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/align"
	"github.com/dictum/dictum/internal/speech/moonshine"
)

// English recognises English by Moonshine.
type English struct {
	Model *moonshine.Model
	Lane  *Lane
}

// patience is how long a partial result waits for the model: who waits hears no pause in the meantime. It keeps its place
// by Utterance.Since.
const patience = 120 * time.Millisecond

// Recognize implements Recognizer. Whatever is said is taken for English.
func (e *English) Recognize(ctx context.Context, u Utterance) (Hypothesis, error) {
	entering, cancel, since := ctx, context.CancelFunc(func() {}), u.Since
	if u.Final {
		since = time.Now()
	} else {
		entering, cancel = context.WithTimeout(ctx, patience)
	}
	leave, err := e.Lane.Enter(entering, u.Final, since)
	cancel()
	if err != nil {
		if ctx.Err() == nil { // others are served, and the audio goes on
			return Hypothesis{LeftOut: true}, nil
		}
		return Hypothesis{}, err
	}
	defer leave()
	before, text := u.Before, moonshine.Text{Prefix: u.Before.Draft, Draft: u.Draft}
	samples := slices.Concat(before.Samples, u.Samples)
	encoding, err := e.Model.Encode(ctx, samples)
	if err != nil {
		return Hypothesis{}, err
	}
	h, err := encoding.Decode(ctx, text)
	if err := errors.Join(err, encoding.Release()); err != nil {
		return Hypothesis{}, err
	}
	out := Hypothesis{Items: items(h, u), Credible: h.Credible(), Draft: h.IDs[len(text.Prefix):], Best: true, Language: "en"}
	if u.Final {
		from, ids := h.Tail(contextLength)
		if len(ids) == 0 {
			return out, nil
		}
		out.Context = Context{Samples: slices.Clone(samples[max(0, from-contextLead):]), Draft: ids}
	}
	return out, nil
}

const (
	// contextLength is how much speech is remembered for the next utterance.
	contextLength = speech.SampleRate * 5 / 2
	// contextLead is what is remembered before it, since words begin softly.
	contextLead = speech.SampleRate / 20
)

// items are the words of a text after what was said before, with times in the utterance.
func items(h moonshine.Hypothesis, u Utterance) []speech.Item {
	spans := make([]align.Interval, len(u.Speech))
	for i, s := range u.Speech {
		spans[i] = align.Interval{Start: s.Start + len(u.Before.Samples), End: s.End + len(u.Before.Samples)}
	}
	out := h.Items(spans)
	for i := range out {
		if w := &out[i]; w.Kind == speech.Word {
			w.Start, w.End = max(0, w.Start-at(len(u.Before.Samples))), max(minWord, w.End-at(len(u.Before.Samples)))
		}
	}
	return out
}
