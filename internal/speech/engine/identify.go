package engine

import (
	"errors"
	"slices"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/lid"
	"github.com/dictum/dictum/internal/speech/vad"
)

// identify asks which language is spoken in windows, at most maxIdentify. They are released by the caller.
func (j *job) identify(tasks []*task) ([]lid.Evidence, error) {
	for _, t := range tasks {
		t.identify = true
		j.engine.queue.push(t)
	}
	var err error
	evidence := make([]lid.Evidence, len(tasks))
	for range tasks {
		// Tasks come back even when the job is cancelled: they have memory to release.
		t := <-j.identified
		t.identify = false
		if t.err != nil {
			err = errors.Join(err, t.err)
			continue
		}
		evidence[slices.Index(tasks, t)] = lid.Evidence{Probabilities: t.row.Languages(), Speech: t.window.SpeechSamples()}
	}
	return evidence, err
}

// identifier holds the first windows of a job back until their language is known.
type identifier struct {
	job        *job
	candidates []string
	held       []*task
	speech     int
}

// submit passes a window on, or holds it when the language is not known yet.
func (i *identifier) submit(w vad.Window) error {
	t := i.job.task(w)
	if i.job.language != "" {
		return i.job.submit(t, i.job.language)
	}
	i.held = append(i.held, t)
	i.speech += t.window.SpeechSamples()
	if i.speech < identifySpeech && len(i.held) < maxIdentify {
		return nil
	}
	return i.decide()
}

// end identifies the language of audio that was short.
func (i *identifier) end() error {
	if i.job.language != "" {
		return nil
	}
	return i.decide()
}

// decide has the language of the windows held identified, and passes them on.
func (i *identifier) decide() error {
	j := i.job
	if i.speech < lid.MinSpeech {
		return speech.ErrTooLittleSpeech
	}
	evidence, err := j.identify(i.held)
	var scores []speech.LanguageScore
	if err == nil {
		scores, err = lid.Decide(j.models.whisper.Languages(), evidence, i.candidates)
	}
	if err != nil {
		for _, t := range i.held {
			t.release()
		}
		return err
	}
	j.scores, j.language = scores, scores[0].Language
	for n, t := range i.held {
		if err := j.submit(t, j.language); err != nil {
			for _, t := range i.held[n+1:] {
				t.release()
			}
			return err
		}
	}
	i.held = nil
	return nil
}
