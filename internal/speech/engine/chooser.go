package engine

import (
	"context"
	"math"
	"slices"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/lid"
	"github.com/dictum/dictum/internal/speech/live"
)

const (
	// decideSpeech is how much speech one language is settled by, and moreSpeech how much more of it there must be for the
	// language to be asked for again before that.
	decideSpeech = 3 * speech.SampleRate
	moreSpeech   = speech.SampleRate / 2
	// doubt is the score up to which the preferred language is taken instead of the most probable one.
	doubt = 0.75
)

// chooser is the recogniser of one session: it finds out which language is spoken, as far as that was not told, and has
// each utterance recognised by the model for it. Of one language for all it is sure after three seconds of speech;
// where people may change it, each utterance has its own, of which it is sure after a second and a half.
type chooser struct {
	engine   *Engine
	models   *models
	english  live.Recognizer // nil when nobody may speak English
	settings speech.LiveSettings

	// language is what is spoken, once that is sure: in the utterance that is open, when there may be several.
	language string
	scores   []speech.LanguageScore

	// open is the place of the open utterance, asked how much speech of it was known at the last question.
	open, asked int
	began       bool
	latest      lid.Evidence
	// ended is the evidence of the utterances before, one language for all, and before the log probabilities of the
	// languages up to them where there may be several.
	ended  lid.Evidence
	before []float64
}

// mayBe tells whether a language may be spoken.
func (c *chooser) mayBe(language string) bool {
	if c.settings.Language != "" {
		return c.settings.Language == language
	}
	return len(c.settings.LanguageCandidates) == 0 || slices.Contains(c.settings.LanguageCandidates, language)
}

// Recognize implements live.Recognizer.
func (c *chooser) Recognize(ctx context.Context, u live.Utterance) (live.Hypothesis, error) {
	if c.settings.Language != "" {
		return c.in(ctx, c.language, u, nil)
	}
	if !c.began || u.Start != c.open {
		c.next()
		c.began, c.open = true, u.Start
	}
	var whisper *utterance
	language := c.language
	if language == "" {
		if u.Spoken()-c.asked >= moreSpeech || c.asked == 0 {
			whisper = c.engine.utterance(ctx, c.models, u)
			defer whisper.release()
			evidence, err := whisper.identify()
			if err != nil {
				return live.Hypothesis{}, err
			}
			c.latest, c.asked = evidence, u.Spoken()
		}
		var err error
		if language, err = c.decide(); err != nil {
			return live.Hypothesis{}, err
		}
	}
	h, err := c.in(ctx, language, u, whisper)
	h.Languages, h.Unsure = c.scores, c.language == ""
	return h, err
}

// in has an utterance recognised in a language; whisper is the utterance when it was encoded already.
func (c *chooser) in(ctx context.Context, language string, u live.Utterance, whisper *utterance) (live.Hypothesis, error) {
	if language == moonshineLanguage && c.english != nil {
		return c.english.Recognize(ctx, u)
	}
	if whisper == nil {
		whisper = c.engine.utterance(ctx, c.models, u)
		defer whisper.release()
	}
	return whisper.recognise(language, !u.Final)
}

// next goes on to another utterance.
func (c *chooser) next() {
	if c.began && c.asked > 0 {
		if c.settings.MultipleLanguages {
			c.before, _ = step(c.prior(), c.latest)
			top := slices.Max(c.before)
			for l := range c.before {
				c.before[l] -= top
			}
		} else {
			c.ended = c.heard()
		}
	}
	if c.settings.MultipleLanguages {
		c.language = ""
	}
	c.asked, c.latest = 0, lid.Evidence{}
}

// heard is the evidence so far, of one language for all.
func (c *chooser) heard() lid.Evidence {
	if c.ended.Speech == 0 {
		return c.latest
	}
	total := c.ended.Speech + c.latest.Speech
	sum := lid.Evidence{Speech: total, Probabilities: slices.Clone(c.ended.Probabilities)}
	for l := range sum.Probabilities {
		sum.Probabilities[l] *= float64(c.ended.Speech) / float64(total)
		if c.latest.Speech > 0 {
			sum.Probabilities[l] += c.latest.Probabilities[l] * float64(c.latest.Speech) / float64(total)
		}
	}
	return sum
}

// prior is how probable languages are before the open utterance, as logarithms.
func (c *chooser) prior() []float64 {
	if c.before != nil {
		return c.before
	}
	known := c.models.whisper.Languages()
	score := make([]float64, len(known))
	for l, language := range known {
		if !c.mayBe(language) {
			score[l] = math.Inf(-1)
		}
	}
	return score
}

// decide is the language that is most probably spoken, and settles it when that is sure.
func (c *chooser) decide() (string, error) {
	known := c.models.whisper.Languages()
	heard, enough := c.heard(), decideSpeech
	if c.settings.MultipleLanguages {
		heard, enough = c.latest, sureSpeech
	}
	var err error
	if c.scores, err = lid.Weigh(known, []lid.Evidence{heard}, c.settings.LanguageCandidates); err != nil {
		return "", err
	}
	language := c.scores[0].Language
	if c.settings.MultipleLanguages {
		score, _ := step(c.prior(), heard)
		language = known[argmax(score)]
	} else if preferred := c.settings.PreferredLanguage; preferred != "" && (c.scores[0].Score < doubt || heard.Speech < lid.MinSpeech) {
		language = preferred
	}
	if heard.Speech >= enough {
		c.language = language
	}
	return language, nil
}
