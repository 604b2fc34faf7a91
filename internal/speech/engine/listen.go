package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
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
// utterance by utterance and before all other work.
func (e *Engine) Listen(ctx context.Context, settings speech.LiveSettings) (speech.Listener, error) {
	m, err := e.loaded(ctx)
	if err != nil {
		return nil, err
	}
	for _, language := range append([]string{settings.Language}, settings.LanguageCandidates...) {
		if language != "" && !m.whisper.Knows(language) {
			return nil, fmt.Errorf("listen to %q: %w", language, ErrUnknownLanguage)
		}
	}
	options := live.Options{Settings: settings, VAD: m.vad, Recognizer: &whisperRecognizer{engine: e}}
	if settings.Language == moonshineLanguage {
		if options.Recognizer, err = e.english(ctx); err != nil {
			return nil, err
		}
	}
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
		m, err := moonshine.Open(filepath.Join(e.config.Models, moonshineDir), e.config.Threads)
		if err != nil {
			return nil, fmt.Errorf("load live model from %s (dictum models pull installs it): %w", e.config.Models, err)
		}
		e.models.english = &live.English{Model: m, Lane: live.NewLane(1)}
	}
	return e.models.english, nil
}

// whisperRecognizer recognises utterances by Whisper.
type whisperRecognizer struct{ engine *Engine }

// Recognize implements live.Recognizer.
func (w *whisperRecognizer) Recognize(ctx context.Context, u live.Utterance) (live.Hypothesis, error) {
	settings := speech.Settings{Language: u.Language, Priority: speech.PriorityLive}
	if u.Language == "" {
		settings.LanguageCandidates = u.Candidates
	}
	transcript, err := w.engine.Recognize(ctx, &sliceReader{u.Samples}, settings, nil)
	if errors.Is(err, speech.ErrTooLittleSpeech) {
		return live.Hypothesis{}, nil
	}
	if err != nil {
		return live.Hypothesis{}, err
	}
	h := live.Hypothesis{Languages: transcript.Languages, Best: true}
	for _, s := range transcript.Segments {
		h.Items = append(h.Items, s.Items...)
	}
	h.Credible = len(h.Items) > 0 // the engine throws away what is not
	return h, nil
}

// sliceReader reads samples from memory.
type sliceReader struct{ samples []float32 }

// ReadSamples implements speech.SampleReader.
func (r *sliceReader) ReadSamples(dst []float32) (int, error) {
	n := copy(dst, r.samples)
	if r.samples = r.samples[n:]; len(r.samples) == 0 {
		return n, io.EOF
	}
	return n, nil
}
