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
	draft := u.Draft
	if draft.From == 0 {
		draft.Before = u.Before
	}
	h, samples, err := e.read(ctx, u, draft)
	if err == nil && !h.Credible() && len(u.Before.Tokens) > 0 && draft.From == 0 {
		// What was said before may mislead: after a whole sentence the model may see no more, whatever follows.
		draft = Draft{}
		h, samples, err = e.read(ctx, u, draft)
	}
	if err != nil {
		return Hypothesis{}, err
	}
	out := Hypothesis{Credible: h.Credible(), Best: true, Language: "en"}
	out.Items = slices.Concat(draft.Items, items(&h, u, draft))
	if u.Final {
		if tail := h.Tail(contextLength); len(tail.IDs) > 0 {
			out.Context = Context{Samples: slices.Clone(samples[max(0, tail.Start-contextLead):]), Tokens: tail.IDs}
		}
	}
	out.Draft = further(&h, samples, draft, out.Items)
	return out, nil
}

// read decodes what of an utterance comes after a draft's items, and returns what was heard besides: from the draft's
// context on. Unless the text is to be final it is only what has surely been heard.
func (e *English) read(ctx context.Context, u Utterance, draft Draft) (h moonshine.Hypothesis, samples []float32, err error) {
	samples = slices.Concat(draft.Before.Samples, u.Samples[draft.From:])
	encoding, err := e.Model.Encode(ctx, samples)
	if err != nil {
		return h, nil, err
	}
	h, err = encoding.Decode(ctx, moonshine.Text{Prefix: draft.Before.Tokens, Draft: draft.Tokens})
	if !u.Final {
		h = h.Beginning()
	}
	return h, samples, errors.Join(err, encoding.Release())
}

const (
	// contextLength is how much speech is remembered for the next utterance.
	contextLength = speech.SampleRate * 5 / 2
	// contextLead is what is remembered before it, since words begin softly.
	contextLead = speech.SampleRate / 20
	// openLength is how much of the end of an utterance is recognised anew when more of it has been heard, at least.
	openLength = speech.SampleRate * 5 / 2
)

// further is the draft with which more of the utterance is recognised: what it ends with is open, and what came before
// that is kept. So a partial result takes as long however long the utterance is.
func further(h *moonshine.Hypothesis, samples []float32, draft Draft, items []speech.Item) Draft {
	before := len(draft.Before.Samples)
	open := h.Tail(openLength)
	if len(open.IDs) == 0 || open.Start <= before || len(samples) < openLength+contextLength {
		draft.Tokens = h.IDs[len(draft.Before.Tokens):]
		return draft
	}
	context := h.Tail(len(samples) - open.Start + contextLength)
	return Draft{
		Items: slices.Clip(items[:len(draft.Items)+open.Items]),
		From:  draft.From + open.Start - before,
		Before: Context{
			Samples: slices.Clone(samples[max(0, context.Start-contextLead):open.Start]),
			Tokens:  context.IDs[:len(context.IDs)-len(open.IDs)],
		},
		Tokens: open.IDs,
	}
}

// items are the words of a text after what was said before, with times in the utterance.
func items(h *moonshine.Hypothesis, u Utterance, draft Draft) []speech.Item {
	// shift is from places in the utterance to those in what was recognised.
	shift := len(draft.Before.Samples) - draft.From
	var spans []align.Interval
	for _, s := range u.Speech {
		if s.End+shift > 0 {
			spans = append(spans, align.Interval{Start: max(0, s.Start+shift), End: s.End + shift})
		}
	}
	out := h.Items(spans)
	for i := range out {
		if w := &out[i]; w.Kind == speech.Word {
			w.Start, w.End = max(0, w.Start-at(shift)), max(minWord, w.End-at(shift))
		}
	}
	return out
}
