package engine

import (
	"slices"
	"sync"

	"github.com/dictum/dictum/internal/speech"
)

// The classes of windows, most urgent first. Live finals, for which somebody waits, go before partials, which are soon
// followed by others.
const (
	classFinal = iota
	classPartial
	classInteractive
	classBatch
	classes
)

// patience is how many windows of more urgent classes may go first while a class waits:
// urgent work is served first, and the rest still moves on.
const patience = 16

// queue holds the windows that wait for the runner. Within a class, jobs take turns.
type queue struct {
	// mu guards what follows.
	mu sync.Mutex
	// jobs are those with windows waiting, by class, the next to be served first.
	jobs [classes][]*job
	// passed counts windows that went before each class since it was last served.
	passed [classes]int

	// ready holds a value when there may be something in the queue.
	ready chan struct{}
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

// class is that of a priority, the nearest one when it is none of ours.
func class(p speech.Priority) int {
	switch {
	case p <= speech.PriorityLive:
		return classFinal
	case p == speech.PriorityInteractive:
		return classInteractive
	}
	return classBatch
}

// push adds a window to its job's.
func (q *queue) push(t *task) {
	q.mu.Lock()
	j := t.job
	j.waiting = append(j.waiting, t)
	if len(j.waiting) == 1 {
		q.jobs[j.class] = append(q.jobs[j.class], j)
	}
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// pop takes the window that is next among some classes: of the most urgent of them, unless another has waited past its
// patience; in it, of the job whose turn it is. It returns nil when none waits. A class past its patience is served
// even when it is less urgent than the least one asked for, but not beyond last.
func (q *queue) pop(first, least, last int) *task {
	q.mu.Lock()
	defer q.mu.Unlock()
	pick := -1
	for c := first; c <= last; c++ {
		if len(q.jobs[c]) == 0 {
			continue
		}
		if q.passed[c] >= patience || pick < 0 && c <= least {
			pick = c
		}
	}
	if pick < 0 {
		return nil
	}
	for c := pick + 1; c <= last; c++ {
		if len(q.jobs[c]) > 0 {
			q.passed[c]++
		}
	}
	q.passed[pick] = 0
	jobs := q.jobs[pick]
	j := jobs[0]
	t := j.waiting[0]
	j.waiting = slices.Delete(j.waiting, 0, 1)
	jobs = slices.Delete(jobs, 0, 1)
	if len(j.waiting) > 0 {
		jobs = append(jobs, j)
	}
	q.jobs[pick] = jobs
	return t
}

// drop takes all windows of a job out and returns them.
func (q *queue) drop(j *job) []*task {
	q.mu.Lock()
	defer q.mu.Unlock()
	dropped := j.waiting
	j.waiting = nil
	q.jobs[j.class] = slices.DeleteFunc(q.jobs[j.class], func(other *job) bool { return other == j })
	return dropped
}

// lengths counts the windows waiting in each class.
func (q *queue) lengths() [classes]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	var n [classes]int
	for c, jobs := range q.jobs {
		for _, j := range jobs {
			n[c] += len(j.waiting)
		}
	}
	return n
}
