package live

import (
	"context"
	"slices"
	"sync"
)

// Lane lets so many runs of a model go on at once, finals before partials and else in order of arrival. Under load
// partials wait, and since a session asks for one at a time, they come less often.
type Lane struct {
	mu      sync.Mutex
	free    int
	waiting [2][]chan struct{} // finals, partials
}

// NewLane makes a lane.
func NewLane(runs int) *Lane { return &Lane{free: runs} }

// Enter waits for a place, and returns what gives it back.
func (l *Lane) Enter(ctx context.Context, final bool) (leave func(), err error) {
	class := 1
	if final {
		class = 0
	}
	l.mu.Lock()
	if l.free > 0 {
		l.free--
		l.mu.Unlock()
		return l.leave, nil
	}
	turn := make(chan struct{})
	l.waiting[class] = append(l.waiting[class], turn)
	l.mu.Unlock()
	select {
	case <-turn:
		return l.leave, nil
	case <-ctx.Done():
		l.mu.Lock()
		at := slices.Index(l.waiting[class], turn)
		if at >= 0 {
			l.waiting[class] = slices.Delete(l.waiting[class], at, at+1)
		}
		l.mu.Unlock()
		if at < 0 { // the place was given in this moment
			l.leave()
		}
		return nil, ctx.Err()
	}
}

func (l *Lane) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for class := range l.waiting {
		if len(l.waiting[class]) > 0 {
			close(l.waiting[class][0])
			l.waiting[class] = slices.Delete(l.waiting[class], 0, 1)
			return
		}
	}
	l.free++
}
