package process_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/engine"
	"github.com/dictum/dictum/internal/text/pii/ner"
)

func TestTheChildTagsAsAnEngineInThisProcessDoes(t *testing.T) {
	dir, err := models.Dir()
	if err != nil {
		t.Fatal(err)
	}
	local, err := engine.New(engine.Config{Models: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	texts := []string{
		"my name is maria gonzales", "", "\xff Jörg Müller\x00 lives at 12 Harbour Street",
		strings.Repeat(" ", ner.MaxText/2) + "this is John Smith", // the texts need more than one request
		strings.Repeat(" ", ner.MaxText/2) + strings.Repeat("this is John Smith again. ", 100),
	}
	want, err := local.Tag(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	got, err := start(t).Tag(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the child's entities are not those of an engine in this process")
	}
	if len(got[0]) != 1 || len(got[2]) != 2 || len(got[3]) != 1 || len(got[4]) != 100 {
		t.Errorf("got %v, %v, %v and %d entities", got[0], got[2], got[3], len(got[4]))
	}
}

func TestTaggingEndsAsItShould(t *testing.T) {
	s := start(t)
	t.Run("no texts have no entities", func(t *testing.T) {
		if got, err := s.Tag(t.Context(), nil); err != nil || len(got) != 0 {
			t.Errorf("got %v, %v", got, err)
		}
	})
	t.Run("a text that is too long is refused", func(t *testing.T) {
		_, err := s.Tag(t.Context(), []string{strings.Repeat("a", ner.MaxText+1)})
		if !errors.Is(err, ner.ErrTooLong) {
			t.Errorf("got %v, want ErrTooLong", err)
		}
	})
	t.Run("a cancelled context ends it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Tag(ctx, []string{"hello"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
	t.Run("a closed supervisor says so", func(t *testing.T) {
		s.Close()
		if _, err := s.Tag(t.Context(), []string{"hello"}); !errors.Is(err, speech.ErrInterrupted) {
			t.Errorf("got %v, want ErrInterrupted", err)
		}
	})
}
