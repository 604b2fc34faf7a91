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
	// quick asks for the greedy text of the first attempt or none: there is no time for more.
	quick bool
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

const (
	// busySteps is how many steps urgent rows are decoded alone, before a window of a less
	// urgent class is let in beside them: encoding it stops them all for a moment.
	busySteps = 32
	// liveSteps is how many steps of live rows there are to one of the others while both are there.
	liveSteps = 16
	// liveRows is how many windows of live sessions are decoded side by side.
	liveRows = 4
	// finalHold and partialHold are how long work that is not live waits at most, before each run of a graph, for a live
	// final or partial that the low-latency model is at: it moves on in any case.
	finalHold   = 250 * time.Millisecond
	partialHold = 40 * time.Millisecond
)

// run is the runner: until the engine closes it encodes windows while there is room for
// them in a batch, and decodes the batches step by step, that of live windows first. From then on it hands all work
// back until nobody can give it more.
func (e *Engine) run(m *models) {
	e.stats.loaded.Store(true)
	r := runner{
		engine: e, models: m,
		live:  side{batch: m.live, first: classFinal, last: classPartial},
		other: side{batch: m.batch, first: classInteractive, last: classBatch},
	}
	for {
		// With nothing under way all that waits is let in: then the queue is empty, and
		// what comes next announces itself.
		r.admit(&r.live)
		switch {
		case len(r.live.tasks) == 0:
			r.admit(&r.other)
			if len(r.other.tasks) > 0 {
				r.yield()
				r.step(&r.other)
				continue
			}
			select {
			case <-e.stopped:
				return
			case <-e.queue.ready:
			}
		default:
			r.step(&r.live)
			if r.beside++; r.beside%liveSteps == 0 {
				if r.beside >= busySteps {
					r.beside = 0
					r.admit(&r.other)
				}
				r.step(&r.other)
			}
		}
	}
}

// runner is the state of run.
type runner struct {
	engine *Engine
	models *models
	// live are windows of live sessions, other all others. Each has a batch, so that steps of what is live do not take
	// the time of those beside it.
	live, other side
	// beside counts steps of live rows since the others were given room.
	beside int
}

// side is a batch and what is decoded in it.
type side struct {
	batch *whisper.Batch
	// first and last are the classes of its windows.
	first, last int
	// tasks are those being decoded, in no order.
	tasks []*task
	// searching are those that wait for room for a beam search.
	searching []*task
	// since counts steps since a window was let in.
	since int
}

// yield lets what the low-latency model is at go first.
func (r *runner) yield() {
	r.engine.lane.Yield(r.engine.ctx, finalHold, partialHold)
}

// admit lets windows in while there is room.
func (r *runner) admit(s *side) {
	for len(s.searching) > 0 {
		if s.batch.Free() < s.searching[0].width(s.batch.Capacity()) {
			return // what was begun is ended first
		}
		t := s.searching[0]
		s.searching = s.searching[1:]
		if err := s.search(t); err != nil {
			t.finish(err)
			continue
		}
		s.tasks = append(s.tasks, t)
	}
	for s.batch.Free() > 0 {
		least := s.last
		if s == &r.other && s.since < busySteps {
			for _, t := range s.tasks {
				least = min(least, t.job.class)
			}
		}
		t := r.engine.queue.pop(s.first, least, s.last)
		if t == nil {
			return
		}
		if s == &r.other {
			r.yield()
		}
		if err := r.start(s, t); err != nil {
			t.finish(err)
			continue
		}
		s.since = 0
		s.tasks = append(s.tasks, t)
		if s == &r.other {
			return // encoding takes long, and what came in the meantime may be live
		}
	}
}

// start encodes a window, unless that has been done, and adds it to the batch.
func (r *runner) start(s *side, t *task) error {
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
	return s.decode(t)
}

// decode adds a window that is encoded to the batch.
func (s *side) decode(t *task) error {
	row, err := s.batch.Add(t.encoding, t.decoding())
	if err != nil {
		return err
	}
	t.row = row
	return nil
}

// search starts a beam search for a window that is encoded.
func (s *side) search(t *task) error {
	if t.job.ctx.Err() != nil {
		return context.Cause(t.job.ctx)
	}
	beam, err := s.batch.AddBeam(t.encoding, t.decoding(), t.width(s.batch.Capacity()))
	if err != nil {
		return err
	}
	t.beam = beam
	return nil
}

// leave takes the task's rows out of the batch.
func (s *side) leave(t *task) {
	if t.beam != nil {
		s.batch.RemoveBeam(t.beam)
		return
	}
	s.batch.Remove(t.row)
}

// decoded reports whether the task's decoding has ended.
func (t *task) decoded() bool {
	if t.beam != nil {
		return t.beam.Done()
	}
	return t.row.Done()
}

// step decodes one token of each row and sees to those that ended.
func (r *runner) step(s *side) {
	if len(s.tasks) == 0 {
		return
	}
	e := r.engine
	begin := time.Now()
	err := s.batch.Step(e.ctx)
	e.stats.decode.Add(int64(time.Since(begin)))
	e.stats.steps.Add(1)
	s.since++
	still := s.tasks[:0]
	for _, t := range s.tasks {
		switch {
		case err != nil:
			s.leave(t)
			t.finish(err)
		case t.job.ctx.Err() != nil:
			s.leave(t)
			t.finish(context.Cause(t.job.ctx))
		case !t.decoded():
			still = append(still, t)
		default:
			s.leave(t)
			if again, err := r.judge(s, t); err != nil {
				t.finish(err)
			} else if again {
				still = append(still, t)
			}
		}
	}
	clear(s.tasks[len(still):])
	s.tasks = still
	e.stats.active.Store(int64(len(r.live.tasks) + len(r.other.tasks)))
}

// judge looks at a window whose decoding has ended: it hands it back to its job, or
// starts it again and returns true.
func (r *runner) judge(s *side, t *task) (again bool, err error) {
	e := r.engine
	if t.beam != nil {
		t.row = t.better()
	} else if !t.identify && !t.quick && s.batch.Capacity() >= beamWidth && t.searches(r.models.whisper) {
		t.greedy = t.row
		s.searching = append(s.searching, t)
		e.stats.searches.Add(1)
		return false, nil
	}
	e.stats.tokens.Add(int64(len(t.row.Tokens())))
	if t.quick && !t.identify && !credible(r.models.whisper, t.row) {
		t.row = nil
	}
	if t.identify || t.quick || !t.retry(r.models.whisper) {
		if !t.identify {
			e.stats.windows.Add(1)
		}
		t.finish(nil)
		return false, nil
	}
	e.stats.retries.Add(1)
	if t.encoding == nil {
		return true, r.start(s, t)
	}
	return true, s.decode(t)
}

// finish hands the task back to its job.
func (t *task) finish(err error) {
	if err != nil && t.job.engine.ctx.Err() != nil {
		err = speech.ErrInterrupted
	}
	t.err = err
	t.job.done(t)
}
