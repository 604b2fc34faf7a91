// Package lid decides which language is spoken, from what a recogniser says of several
// windows of audio. Start reading at Decide.
package lid

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/dictum/dictum/internal/speech"
)

// Evidence is what was heard in one window.
type Evidence struct {
	// Probabilities are those of the recogniser's languages, in its order.
	Probabilities []float64
	// Speech is how much speech the window holds, in samples: its weight.
	Speech int
}

// MinSpeech is the least speech, in samples, that a language is told from: one second.
// The recogniser was seen to take shorter words for almost any language.
const MinSpeech = speech.SampleRate

// Decide weighs the evidence, restricts it to the candidates (all languages when there
// are none) and returns scores that sum to one, the most probable first. It returns
// speech.ErrTooLittleSpeech when there are less than MinSpeech samples of speech, and an
// error when a candidate is not among languages.
func Decide(languages []string, evidence []Evidence, candidates []string) ([]speech.LanguageScore, error) {
	total := 0
	for _, e := range evidence {
		total += e.Speech
	}
	if total < MinSpeech {
		return nil, speech.ErrTooLittleSpeech
	}
	return Weigh(languages, evidence, candidates)
}

// Weigh is Decide for whatever little speech there is. With none at all, all are as probable.
func Weigh(languages []string, evidence []Evidence, candidates []string) ([]speech.LanguageScore, error) {
	total := 0
	for _, e := range evidence {
		total += e.Speech
	}
	for _, c := range candidates {
		if !slices.Contains(languages, c) {
			return nil, fmt.Errorf("identify language: the model does not know %q", c)
		}
	}
	var scores []speech.LanguageScore
	sum := 0.0
	for i, language := range languages {
		if len(candidates) > 0 && !slices.Contains(candidates, language) {
			continue
		}
		score := 0.0
		for _, e := range evidence {
			score += e.Probabilities[i] * float64(e.Speech) / float64(max(1, total))
		}
		sum += score
		scores = append(scores, speech.LanguageScore{Language: language, Score: score})
	}
	for i := range scores {
		if sum > 0 && !math.IsInf(1/sum, 0) {
			scores[i].Score /= sum
		} else {
			scores[i].Score = 1 / float64(len(scores))
		}
	}
	slices.SortStableFunc(scores, func(a, b speech.LanguageScore) int { return cmp.Compare(b.Score, a.Score) })
	return scores, nil
}
