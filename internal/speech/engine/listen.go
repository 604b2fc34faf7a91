package engine

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/live"
	"github.com/dictum/dictum/internal/speech/moonshine"
)

var _ speech.LiveRecognizer = (*Engine)(nil)

const (
	// moonshineDir is the folder of the low-latency recogniser in Config.Models, and moonshineLanguage what it knows.
	moonshineDir      = "moonshine-tiny-en"
	moonshineLanguage = "en"
)

// Listen implements speech.LiveRecognizer. English is recognised by the low-latency model, other languages by Whisper,
// utterance by utterance and before all other work. With Config.BestFinals Whisper makes finals of English too.
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
		m, err := moonshine.Open(filepath.Join(e.config.Models, moonshineDir), 1)
		if err != nil {
			return nil, fmt.Errorf("load live model from %s (dictum models pull installs it): %w", e.config.Models, err)
		}
		e.models.english = &live.English{Model: m, Lane: e.lane}
	}
	if !e.config.BestFinals {
		return e.models.english, nil
	}
	return &refined{engine: e, models: e.models, quick: e.models.english}, nil
}
