package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/pii"
	"github.com/dictum/dictum/internal/text/pii/ner"
)

// entitiesDir is the place in Config.Models of the model that finds entities in text.
const entitiesDir = "rampart-pii"

var _ pii.Tagger = (*Engine)(nil)

// Tag implements pii.Tagger; see ner.Model. The model is loaded at the first use, and needs none of those for speech.
// It runs beside recognition and does not wait in its queue: a turn of 20 words takes some milliseconds. Tag returns
// speech.ErrInterrupted when the engine is closed.
func (e *Engine) Tag(ctx context.Context, texts []string) ([][]pii.Entity, error) {
	m, err := e.enterTagger(ctx)
	if err != nil {
		return nil, err
	}
	defer e.callers.Done()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	stop := context.AfterFunc(e.ctx, func() { fail(speech.ErrInterrupted) })
	defer stop()
	entities, err := m.Tag(ctx, texts)
	if err != nil && errors.Is(context.Cause(ctx), speech.ErrInterrupted) {
		return nil, fmt.Errorf("tag entities: %w", speech.ErrInterrupted)
	}
	return entities, err
}

// enterTagger counts a caller in and returns the model, loading it when that has not been done. A failed load may be
// repeated.
func (e *Engine) enterTagger(ctx context.Context) (*ner.Model, error) {
	select {
	case e.load <- struct{}{}:
		defer func() { <-e.load }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if e.closed {
		return nil, fmt.Errorf("engine is closed: %w", speech.ErrInterrupted)
	}
	if e.entities == nil {
		m, err := e.openTagger()
		if err != nil {
			return nil, fmt.Errorf("load the entity model from %s (dictum models pull installs it): %w", e.config.Models, err)
		}
		e.entities = m
	}
	e.callers.Add(1)
	return e.entities, nil
}

func (e *Engine) openTagger() (*ner.Model, error) {
	if err := inference.Init(filepath.Join(e.config.Models, runtimeFile)); err != nil {
		return nil, err
	}
	return ner.Open(filepath.Join(e.config.Models, entitiesDir), e.config.Threads)
}

// closeTagger frees the model; nobody may be inside Tag.
func (e *Engine) closeTagger() error {
	if e.entities == nil {
		return nil
	}
	err := e.entities.Close()
	e.entities = nil
	return err
}
