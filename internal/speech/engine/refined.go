package engine

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dictum/dictum/internal/speech/live"
)

const (
	// refineLoad is the load of the low-latency model up to which Whisper is asked for finals of English.
	refineLoad = 0.6
	// refineBudget is how long Whisper may take for one: it is asked in the pause, once the low-latency model has its
	// text, about 250 ms after the end of speech.
	refineBudget = live.BetterWithin - 250*time.Millisecond
)

// refined recognises English by the low-latency model, and offers Whisper's text for finals.
type refined struct {
	engine *Engine
	models *models
	quick  live.Recognizer
}

// Recognize implements live.Recognizer.
func (r *refined) Recognize(ctx context.Context, u live.Utterance) (live.Hypothesis, error) {
	h, err := r.quick.Recognize(ctx, u)
	if err != nil || !u.Final || !h.Credible || r.engine.lane.Load() > refineLoad || !r.engine.refining.worth() {
		return h, err
	}
	u.Samples, u.Speech = slices.Clone(u.Samples), slices.Clone(u.Speech)
	h.Better = func(ctx context.Context) (live.Hypothesis, error) {
		done, ok := r.engine.refining.begin()
		if !ok {
			return live.Hypothesis{}, nil
		}
		better := r.engine.utterance(ctx, r.models, u)
		defer better.release()
		h, err := better.recognise(moonshineLanguage, true)
		done(err == nil)
		return h, err
	}
	return h, nil
}

// refining is what is known of Whisper's finals of English: one is made at a time, since two would be late, and none
// while they take too long on this machine to be in time.
type refining struct {
	busy atomic.Bool
	// expected is how long one is likely to take, in nanoseconds.
	expected atomic.Int64
}

// worth tells whether a final is likely to be in time. Each that is not asked for makes the next more likely, so that
// Whisper is tried again now and then.
func (r *refining) worth() bool {
	expected := r.expected.Load()
	if time.Duration(expected) <= refineBudget {
		return true
	}
	r.expected.CompareAndSwap(expected, expected*15/16)
	return false
}

// begin starts one, unless one is under way; done tells whether its text came.
func (r *refining) begin() (done func(came bool), ok bool) {
	if !r.busy.CompareAndSwap(false, true) {
		return nil, false
	}
	began := time.Now()
	return func(came bool) {
		defer r.busy.Store(false)
		took, before := int64(time.Since(began)), r.expected.Load()
		switch {
		case came:
			r.expected.Store((before + took) / 2)
		case took > before: // given up: it would have taken longer still
			r.expected.Store(took)
		}
	}, true
}
