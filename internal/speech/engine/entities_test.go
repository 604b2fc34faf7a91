package engine_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/engine"
)

func TestTaggingLoadsNoSpeechModels(t *testing.T) {
	e, err := engine.New(engine.Config{Models: filepath.Dir(modelstest.Path(t, models.RampartPII))})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const text = "my name is maria gonzales"
	got, err := e.Tag(t.Context(), []string{text})
	if err != nil {
		t.Fatal(err)
	}
	if len(got[0]) != 1 || text[got[0][0].Start:got[0][0].End] != "maria gonzales" {
		t.Errorf("got %v", got)
	}
	if e.Stats().Loaded {
		t.Error("the speech models were loaded")
	}
}

func TestTaggingWithoutTheModelSaysHowToGetIt(t *testing.T) {
	e, err := engine.New(engine.Config{Models: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	_, err = e.Tag(t.Context(), []string{"hello"})
	if err == nil || !strings.Contains(err.Error(), "dictum models pull") {
		t.Errorf("got %v", err)
	}
}

func TestTaggingEndsWithTheEngine(t *testing.T) {
	e, err := engine.New(engine.Config{Models: filepath.Dir(modelstest.Path(t, models.RampartPII))})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a cancelled context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := e.Tag(ctx, []string{"hello"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a closed engine", func(t *testing.T) {
		ended := make(chan error)
		go func() {
			for {
				if _, err := e.Tag(context.Background(), []string{strings.Repeat("hello maria ", 1000)}); err != nil {
					ended <- err
					return
				}
			}
		}()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, speech.ErrInterrupted) {
			t.Errorf("got %v, want ErrInterrupted", err)
		}
	})
}
