package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/live"
	"github.com/dictum/dictum/internal/speech/moonshine"
)

var _ speech.LiveRecognizer = (*Engine)(nil)

const (
	// moonshineDir is the folder of the low-latency recogniser in Config.Models, and moonshineLanguage what it knows.
	moonshineDir      = "moonshine-tiny-en"
	moonshineLanguage = "en"
	// refineLoad is the load of the low-latency model up to which Whisper is asked for finals of English.
	refineLoad = 0.6
)

// Listen implements speech.LiveRecognizer. English is recognised by the low-latency model, and its finals by Whisper
// too while there is time; other languages by Whisper, utterance by utterance and before all other work.
func (e *Engine) Listen(ctx context.Context, settings speech.LiveSettings) (speech.Listener, error) {
	m, err := e.loaded(ctx)
	if err != nil {
		return nil, err
	}
	for _, language := range append([]string{settings.Language, settings.PreferredLanguage}, settings.LanguageCandidates...) {
		if language != "" && !m.whisper.Knows(language) {
			return nil, fmt.Errorf("listen to %q: %w", language, ErrUnknownLanguage)
		}
	}
	recognizer := &chooser{engine: e, models: m, settings: settings, language: settings.Language}
	if recognizer.mayBe(moonshineLanguage) {
		if recognizer.english, err = e.english(ctx); err != nil {
			return nil, err
		}
	}
	options := live.Options{Settings: settings, VAD: m.vad, Recognizer: recognizer, Told: e.stats.told}
	if settings.MaxSpeakers > 0 {
		diarizer, err := e.diarizer(ctx, settings.MaxSpeakers)
		if err != nil {
			return nil, err
		}
		options.Labeler = live.NewLabeler(diarizer)
	}
	if err := e.enter(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(e.ctx, func() { cancel(speech.ErrInterrupted) })
	e.stats.streams.Add(1)
	options.Ended = func() {
		stop()
		cancel(nil)
		e.stats.streams.Add(-1)
		e.callers.Done()
	}
	l, err := live.Listen(ctx, options)
	if err != nil {
		options.Ended()
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// told counts a result of a live session.
func (c *counters) told(r live.Report) {
	if r.Partial {
		c.partials.Add(1)
		return
	}
	c.finals.Add(1)
	c.spoken.Add(int64(r.Speech))
	c.delay.Add(int64(r.Delay))
	if r.Refined {
		c.refined.Add(1)
	}
}

// english is the low-latency recogniser, which is loaded at first use.
func (e *Engine) english(ctx context.Context) (live.Recognizer, error) {
	select {
	case e.load <- struct{}{}:
		defer func() { <-e.load }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if e.closed {
		return nil, fmt.Errorf("engine is closed: %w", speech.ErrInterrupted)
	}
	if e.models.english == nil {
		m, err := moonshine.Open(filepath.Join(e.config.Models, moonshineDir), e.config.Threads)
		if err != nil {
			return nil, fmt.Errorf("load live model from %s (dictum models pull installs it): %w", e.config.Models, err)
		}
		e.models.english = &live.English{Model: m, Lane: e.lane}
	}
	return &refined{engine: e, models: e.models, quick: e.models.english}, nil
}

// refined recognises English by the low-latency model, and offers Whisper's text for finals.
type refined struct {
	engine *Engine
	models *models
	quick  live.Recognizer
}

// Recognize implements live.Recognizer.
func (r *refined) Recognize(ctx context.Context, u live.Utterance) (live.Hypothesis, error) {
	h, err := r.quick.Recognize(ctx, u)
	if err != nil || !u.Final || !h.Credible || r.engine.lane.Load() > refineLoad {
		return h, err
	}
	u.Samples, u.Speech = slices.Clone(u.Samples), slices.Clone(u.Speech)
	h.Better = func(ctx context.Context) (live.Hypothesis, error) {
		if !r.engine.refining.CompareAndSwap(false, true) {
			return live.Hypothesis{}, nil
		}
		defer r.engine.refining.Store(false)
		better := r.engine.utterance(ctx, r.models, u)
		defer better.release()
		return better.recognise(moonshineLanguage, true)
	}
	return h, nil
}
