package engine

import (
	"context"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/vad"
	"github.com/dictum/dictum/internal/speech/whisper"
)

// task is one window on its way through the runner.
type task struct {
	job    *job
	number int // of the window in its job
	window vad.Window
	// features are the window's; its samples are no longer held.
	features whisper.Features
	// identify asks only which language is spoken.
	identify bool
	// language is what the window is decoded in.
	language string

	encoding *whisper.Encoding
	row      *whisper.Row
	attempt  int
	// best is the most credible text of earlier attempts.
	best *whisper.Row
	// beam is the search for a better text than greedy, which is what the first attempt found.
	beam   *whisper.Beam
	greedy *whisper.Row
	// others are the other texts that the search found.
	others []*whisper.Row

	err error
}

// busySteps is how many steps urgent rows are decoded alone, before a window of a less
// urgent class is let in beside them: encoding it stops them all for a moment.
const busySteps = 32

// run is the runner: until the engine closes it encodes windows while there is room for
// them in the batch, and decodes the batch step by step. From then on it hands all work
// back until nobody can give it more.
func (e *Engine) run(m *models) {
	e.stats.loaded.Store(true)
	r := runner{engine: e, models: m}
	for {
		// With nothing under way all that waits is let in: then the queue is empty, and
		// what comes next announces itself.
		r.admit()
		if len(r.tasks) > 0 {
			r.step()
			continue
		}
		select {
		case <-e.stopped:
			return
		case <-e.queue.ready:
		}
	}
}

// runner is the state of run.
type runner struct {
	engine *Engine
	models *models
	// tasks are those being decoded, in no order.
	tasks []*task
	// searching are those that wait for room for a beam search.
	searching []*task
	// since counts steps since a window was let in.
	since int
}

// admit lets windows in while there is room.
func (r *runner) admit() {
	for len(r.searching) > 0 {
		if r.models.batch.Free() < r.searching[0].width(r.models.batch.Capacity()) {
			return // what was begun is ended first
		}
		t := r.searching[0]
		r.searching = r.searching[1:]
		if err := r.search(t); err != nil {
			t.finish(err)
			continue
		}
		r.tasks = append(r.tasks, t)
	}
	for r.models.batch.Free() > 0 {
		least := classes - 1
		if r.since < busySteps {
			for _, t := range r.tasks {
				least = min(least, t.job.class)
			}
		}
		t := r.engine.queue.pop(least)
		if t == nil {
			return
		}
		if err := r.start(t); err != nil {
			t.finish(err)
			continue
		}
		r.since = 0
		r.tasks = append(r.tasks, t)
	}
}

// start encodes a window, unless that has been done, and adds it to the batch.
func (r *runner) start(t *task) error {
	if t.job.ctx.Err() != nil {
		return context.Cause(t.job.ctx)
	}
	begin := time.Now()
	defer func() { r.engine.stats.encode.Add(int64(time.Since(begin))) }()
	if t.encoding == nil {
		encoding, err := r.models.whisper.Encode(r.engine.ctx, t.features, t.positions(r.models.whisper))
		if err != nil {
			return err
		}
		t.encoding = encoding
	}
	return r.decode(t)
}

// decode adds a window that is encoded to the batch.
func (r *runner) decode(t *task) error {
	row, err := r.models.batch.Add(t.encoding, t.decoding())
	if err != nil {
		return err
	}
	t.row = row
	return nil
}

// search starts a beam search for a window that is encoded.
func (r *runner) search(t *task) error {
	if t.job.ctx.Err() != nil {
		return context.Cause(t.job.ctx)
	}
	beam, err := r.models.batch.AddBeam(t.encoding, t.decoding(), t.width(r.models.batch.Capacity()))
	if err != nil {
		return err
	}
	t.beam = beam
	return nil
}

// leave takes the task's rows out of the batch.
func (r *runner) leave(t *task) {
	if t.beam != nil {
		r.models.batch.RemoveBeam(t.beam)
		return
	}
	r.models.batch.Remove(t.row)
}

// decoded reports whether the task's decoding has ended.
func (t *task) decoded() bool {
	if t.beam != nil {
		return t.beam.Done()
	}
	return t.row.Done()
}

// step decodes one token of each row and sees to those that ended.
func (r *runner) step() {
	e := r.engine
	begin := time.Now()
	err := r.models.batch.Step(e.ctx)
	e.stats.decode.Add(int64(time.Since(begin)))
	e.stats.steps.Add(1)
	r.since++
	still := r.tasks[:0]
	for _, t := range r.tasks {
		switch {
		case err != nil:
			r.leave(t)
			t.finish(err)
		case t.job.ctx.Err() != nil:
			r.leave(t)
			t.finish(context.Cause(t.job.ctx))
		case !t.decoded():
			still = append(still, t)
		default:
			r.leave(t)
			if again, err := r.judge(t); err != nil {
				t.finish(err)
			} else if again {
				still = append(still, t)
			}
		}
	}
	clear(r.tasks[len(still):])
	r.tasks = still
	e.stats.active.Store(int64(len(still)))
}

// judge looks at a window whose decoding has ended: it hands it back to its job, or
// starts it again and returns true.
func (r *runner) judge(t *task) (again bool, err error) {
	e := r.engine
	if t.beam != nil {
		t.row = t.better()
	} else if !t.identify && r.models.batch.Capacity() >= beamWidth && t.searches(r.models.whisper) {
		t.greedy = t.row
		r.searching = append(r.searching, t)
		e.stats.searches.Add(1)
		return false, nil
	}
	e.stats.tokens.Add(int64(len(t.row.Tokens())))
	if t.identify || !t.retry(r.models.whisper) {
		if !t.identify {
			e.stats.windows.Add(1)
		}
		t.finish(nil)
		return false, nil
	}
	e.stats.retries.Add(1)
	if t.encoding == nil {
		return true, r.start(t)
	}
	return true, r.decode(t)
}

// finish hands the task back to its job.
func (t *task) finish(err error) {
	if err != nil && t.job.engine.ctx.Err() != nil {
		err = speech.ErrInterrupted
	}
	t.err = err
	t.job.done(t)
}
