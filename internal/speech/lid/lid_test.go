package lid_test

import (
	"errors"
	"math"
	"testing"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/lid"
)

var languages = []string{"en", "fr", "zh"}

func TestDecideWeighsBySpeech(t *testing.T) {
	got, err := lid.Decide(languages, []lid.Evidence{
		{Probabilities: []float64{0.9, 0.1, 0}, Speech: 10000},
		{Probabilities: []float64{0.1, 0.8, 0.1}, Speech: 30000},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Language != "fr" || math.Abs(got[0].Score-0.625) > 1e-9 {
		t.Errorf("got %v, want fr at 0.625", got[0])
	}
	if len(got) != 3 || got[2].Language != "zh" {
		t.Errorf("got %v, want all three in order", got)
	}
}

func TestDecideAmongCandidates(t *testing.T) {
	evidence := []lid.Evidence{{Probabilities: []float64{0.7, 0.1, 0.2}, Speech: 20000}}
	got, err := lid.Decide(languages, evidence, []string{"fr", "zh"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Language != "zh" || math.Abs(got[0].Score-2.0/3) > 1e-9 {
		t.Errorf("got %v, want zh at 0.667 and fr", got)
	}
	if _, err := lid.Decide(languages, evidence, []string{"tlh"}); err == nil {
		t.Error("an unknown candidate was accepted")
	}
}

func TestDecideNeedsSpeech(t *testing.T) {
	for _, evidence := range [][]lid.Evidence{nil, {{Probabilities: []float64{1, 0, 0}, Speech: 15999}}} {
		if _, err := lid.Decide(languages, evidence, nil); !errors.Is(err, speech.ErrTooLittleSpeech) {
			t.Errorf("got %v, want ErrTooLittleSpeech", err)
		}
	}
}

func TestDecideWithoutAnyProbability(t *testing.T) {
	got, err := lid.Decide(languages, []lid.Evidence{{Probabilities: []float64{1, 0, 0}, Speech: 16000}}, []string{"fr", "zh"})
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Score != 0.5 || got[1].Score != 0.5 {
		t.Errorf("got %v, want equal scores", got)
	}
}
