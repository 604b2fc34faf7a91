package live

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// Lane lets so many runs of a model go on at once, finals before partials and else who has been without for longest.
// Under load partials wait, and since a session asks for one at a time, they come less often.
type Lane struct {
	mu      sync.Mutex // guards what follows
	runs    int
	running [2]int        // finals, partials
	waiting [2][]*waiting // finals, partials
	changed chan struct{} // closed and made anew when a run ends
	load    float64       // at the time since
	since   time.Time
}

// waiting is who waits for a place.
type waiting struct {
	turn  chan struct{} // closed when it has one
	since time.Time
}

// The classes of runs.
const (
	laneFinal = iota
	lanePartial
)

// memory is over what time load is told.
const memory = 2 * time.Second

// NewLane makes a lane.
func NewLane(runs int) *Lane {
	return &Lane{runs: runs, changed: make(chan struct{}), since: time.Now()}
}

// Enter waits for a place, and returns what gives it back. Who has been without one since an earlier time goes first.
func (l *Lane) Enter(ctx context.Context, final bool, since time.Time) (leave func(), err error) {
	class := lanePartial
	if final {
		class = laneFinal
	}
	leave = func() { l.leave(class) }
	l.mu.Lock()
	if l.busy() < l.runs {
		l.account()
		l.running[class]++
		l.mu.Unlock()
		return leave, nil
	}
	w := &waiting{make(chan struct{}), since}
	at, _ := slices.BinarySearchFunc(l.waiting[class], w, func(a, b *waiting) int {
		if a.since.After(b.since) {
			return 1
		}
		return -1 // equals in order of arrival
	})
	l.waiting[class] = slices.Insert(l.waiting[class], at, w)
	l.mu.Unlock()
	select {
	case <-w.turn:
		return leave, nil
	case <-ctx.Done():
		l.mu.Lock()
		at := slices.Index(l.waiting[class], w)
		if at >= 0 {
			l.waiting[class] = slices.Delete(l.waiting[class], at, at+1)
		}
		l.mu.Unlock()
		if at < 0 { // the place was given in this moment
			l.leave(class)
		}
		return nil, ctx.Err()
	}
}

func (l *Lane) busy() int { return l.running[laneFinal] + l.running[lanePartial] }

func (l *Lane) leave(class int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.account()
	l.running[class]--
	close(l.changed)
	l.changed = make(chan struct{})
	for class := range l.waiting {
		if len(l.waiting[class]) > 0 {
			close(l.waiting[class][0].turn)
			l.waiting[class] = slices.Delete(l.waiting[class], 0, 1)
			l.running[class]++
			return
		}
	}
}

// account brings load up to now, before what runs changes.
func (l *Lane) account() {
	now := time.Now()
	kept := math.Exp(-now.Sub(l.since).Seconds() / memory.Seconds())
	l.load = kept*l.load + (1-kept)*float64(l.busy())/float64(l.runs)
	l.since = now
}

// Load is which share of the last seconds' places was taken, from 0 to 1.
func (l *Lane) Load() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.account()
	return l.load
}

// Yield waits while there are runs: at most so long for finals, and at most so long for partials. Work that is less
// urgent calls it before it takes the processors.
func (l *Lane) Yield(ctx context.Context, finals, partials time.Duration) {
	began := time.Now()
	for {
		l.mu.Lock()
		limit := partials
		if l.running[laneFinal]+len(l.waiting[laneFinal]) > 0 {
			limit = finals
		}
		left, changed := limit-time.Since(began), l.changed
		idle := l.busy() == 0
		l.mu.Unlock()
		if idle || left <= 0 {
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}
