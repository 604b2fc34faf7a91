package engine

import (
	"context"
	"slices"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/lid"
	"github.com/dictum/dictum/internal/speech/live"
	"github.com/dictum/dictum/internal/speech/vad"
)

// utterance is one utterance of a live session on its way through the runner. Its owner releases it.
type utterance struct {
	job  *job
	task *task
}

// utterance makes an utterance ready for the runner.
func (e *Engine) utterance(ctx context.Context, m *models, u live.Utterance) *utterance {
	j := &job{engine: e, models: m, class: classPartial, results: make(chan result, 1), identified: make(chan *task, 1)}
	if u.Final {
		j.class = classFinal
	}
	j.ctx, j.fail = context.WithCancelCause(ctx)
	return &utterance{job: j, task: &task{
		job: j, features: m.whisper.Features(u.Samples),
		window: vad.Window{Pieces: []vad.Span{{Start: 0, End: len(u.Samples)}}, Speech: u.Speech},
	}}
}

// release frees what the utterance holds; nothing of it is under way.
func (u *utterance) release() {
	u.task.release()
	u.job.fail(nil)
}

// identify asks which language is spoken.
func (u *utterance) identify() (lid.Evidence, error) {
	evidence, err := u.job.identify([]*task{u.task})
	if err != nil {
		return lid.Evidence{}, err
	}
	return evidence[0], nil
}

// recognise asks for the text. A quick one is the best that can be had at once. It is called last.
func (u *utterance) recognise(language string, quick bool) (live.Hypothesis, error) {
	u.task.language, u.task.quick = language, quick
	j := u.job
	j.engine.queue.push(u.task)
	var r result
	select {
	case r = <-j.results:
	case <-j.ctx.Done():
		if dropped := j.engine.queue.drop(j); len(dropped) > 0 {
			return live.Hypothesis{}, context.Cause(j.ctx)
		}
		r = <-j.results // the runner gives it back soon
	}
	j.finishing.Wait()
	if err := context.Cause(j.ctx); err != nil {
		return live.Hypothesis{}, err
	}
	items := slices.Clip(r.items)
	return live.Hypothesis{Items: items, Credible: hasWord(items), Best: !quick, Costly: true, Language: language}, nil
}

func hasWord(items []speech.Item) bool {
	return slices.ContainsFunc(items, func(i speech.Item) bool { return i.Kind == speech.Word })
}
