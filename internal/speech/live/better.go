package live

import (
	"context"
	"time"
)

// BetterWithin is how long after the end of speech a final waits for Hypothesis.Better at most.
const BetterWithin = 600 * time.Millisecond

// better is a better text that is being made.
type better struct {
	lastEnd int
	cancel  context.CancelFunc
	done    chan struct{}
	text    Hypothesis // valid when done is closed, as is err
	err     error
}

// improve has a better text made of the utterance up to the pause, beside what else is done.
func (h *hearing) improve(ctx context.Context, guess Hypothesis) {
	if guess.Better == nil {
		return
	}
	h.drop()
	ctx, cancel := context.WithCancel(ctx)
	b := &better{lastEnd: h.lastEnd, cancel: cancel, done: make(chan struct{})}
	h.better = b
	h.making.Go(func() {
		defer close(b.done)
		b.text, b.err = guess.Better(ctx)
	})
}

// drop gives up the better text that is being made, since more has been said.
func (h *hearing) drop() {
	if h.better != nil {
		h.better.cancel()
		h.better = nil
	}
}

// abandon ends all that goes on beside the session.
func (h *hearing) abandon() {
	h.drop()
	h.making.Wait()
}

// improved is the better text of the utterance, if it comes in time and is one of the same speech.
func (h *hearing) improved(ctx context.Context, guess Hypothesis) (text Hypothesis, ok bool) {
	b := h.better
	if b == nil || b.lastEnd != h.lastEnd {
		return guess, false
	}
	defer h.drop()
	timer := time.NewTimer(time.Until(h.endCame.Add(BetterWithin)))
	defer timer.Stop()
	select {
	case <-b.done:
	case <-timer.C:
		return guess, false
	case <-ctx.Done():
		return guess, false
	}
	if b.err != nil || !b.text.Credible || !alike(b.text.Items, guess.Items) {
		return guess, false
	}
	guess.Items = b.text.Items
	return guess, true
}
