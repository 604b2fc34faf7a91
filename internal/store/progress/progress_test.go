package progress_test

import (
	"testing"

	"github.com/dictum/dictum/internal/store/progress"
	"github.com/dictum/dictum/internal/store/storetest"
)

func TestProgressOnlyGrows(t *testing.T) {
	p, err := progress.Open(t.Context(), storetest.Open(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ note, want uint64 }{{5, 5}, {3, 5}, {9, 9}} {
		if err := p.Note(t.Context(), "audit", step.note); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Reached(t.Context(), "audit"); err != nil || got != step.want {
			t.Errorf("after %d: %d, %v, want %d", step.note, got, err, step.want)
		}
	}
	if got, err := p.Reached(t.Context(), "other"); err != nil || got != 0 {
		t.Errorf("another log: %d, %v", got, err)
	}
}
