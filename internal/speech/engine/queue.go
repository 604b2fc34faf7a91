package engine

import (
	"slices"
	"sync"

	"github.com/dictum/dictum/internal/speech"
)

// classes is the number of priorities.
const classes = int(speech.PriorityBatch) + 1

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

// class is the place of a priority, the nearest one when it is none of ours.
func class(p speech.Priority) int {
	return min(max(int(p), 0), classes-1)
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

// pop takes the window that is next: of the most urgent class, unless another has waited
// past its patience; in it, of the job whose turn it is. It returns nil when none waits,
// or none of a class up to the least urgent one given.
func (q *queue) pop(least int) *task {
	q.mu.Lock()
	defer q.mu.Unlock()
	pick := -1
	for c := range q.jobs {
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
	for c := pick + 1; c < classes; c++ {
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
