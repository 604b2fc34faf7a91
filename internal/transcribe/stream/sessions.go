package stream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// DefaultConcurrent is how many streams of each transport an account has at once, as with AWS.
const DefaultConcurrent = 25

// maxRemembered bounds the sessions that may be resumed, of all accounts.
const maxRemembered = 10_000

// ErrStopping is the end of all streams when the server stops.
var ErrStopping = &awserr.Error{Code: "ServiceUnavailableException", Status: 503, Message: "The service is currently unavailable. Try your request later."}

// Transport is how a client streams.
type Transport string

// The transports, whose streams are counted apart.
const (
	HTTP2     Transport = "HTTP/2"
	WebSocket Transport = "WebSocket"
)

// Sessions are the open streams of all accounts. It is safe for concurrent use.
type Sessions struct {
	limit int
	// ctx ends when the server stops; empty is closed, once it has, with the last stream.
	ctx   context.Context
	stop  context.CancelFunc
	empty chan struct{}

	mu    sync.Mutex // guards what follows
	count map[holder]int
	ids   map[string]bool
	// connected is how many have not hung up.
	connected int
	// begun is when sessions that can be resumed began first, and ended when they no longer can be.
	begun map[string]window
}

// holder is who has streams. Regions are not told apart: every name is one here, and nobody is to have as many streams
// as there are names.
type holder struct {
	account   string
	transport Transport
}

// window is the time in which a session can be resumed.
type window struct{ begun, ends time.Time }

// NewSessions makes a registry that lets each account have so many streams of each transport; zero means
// DefaultConcurrent.
func NewSessions(limit int) *Sessions {
	if limit == 0 {
		limit = DefaultConcurrent
	}
	s := &Sessions{limit: limit, empty: make(chan struct{}), count: map[holder]int{}, ids: map[string]bool{}, begun: map[string]window{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Entry is a stream that was counted in.
type Entry struct {
	// Leave counts it out, and frees its session id. HungUp tells that its client has been told how it ended: a server
	// that stops waits for that. Both may be called again.
	Leave, HungUp func()
	// Resumed says that it takes up a session that began at another time, which is still within its window.
	Resumed bool
	// Begun is when the session began first.
	Begun time.Time
}

// Enter counts a stream in. It refuses one too many, an id that is in use, and all when the server stops. An id with a
// resume window is remembered until that ends, counted from the session's first start.
func (s *Sessions) Enter(account, region string, transport Transport, p Parameters, now time.Time) (Entry, error) {
	h, key := holder{account, transport}, account+"/"+region+"/"+p.SessionID
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return Entry{}, ErrStopping
	}
	if s.ids[key] {
		return Entry{}, &awserr.Error{Code: "ConflictException", Status: 409, Message: "A stream with this session ID is open already. End it, or use another session ID."}
	}
	if s.count[h] >= s.limit {
		return Entry{}, &awserr.Error{Code: "LimitExceededException", Status: 429, Message: fmt.Sprintf("You have reached your limit of concurrent streams, %d. Try again later.", s.limit)}
	}
	e := Entry{Begun: now}
	if before, ok := s.begun[key]; ok && now.Before(before.ends) {
		e.Resumed, e.Begun = true, before.begun
	} else if p.ResumeWindow > 0 {
		s.remember(key, window{now, now.Add(p.ResumeWindow)})
	}
	s.ids[key] = true
	s.count[h]++
	s.connected++
	e.Leave = sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.ids, key)
		if s.count[h]--; s.count[h] == 0 {
			delete(s.count, h)
		}
	})
	e.HungUp = sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.connected--
		s.checkEmpty()
	})
	return e, nil
}

// remember keeps a window, and forgets those that have ended when there are too many; then some that have not.
func (s *Sessions) remember(key string, w window) {
	if len(s.begun) >= maxRemembered {
		for k, old := range s.begun {
			if !w.begun.Before(old.ends) {
				delete(s.begun, k)
			}
		}
		for k := range s.begun {
			if len(s.begun) < maxRemembered {
				break
			}
			delete(s.begun, k)
		}
	}
	s.begun[key] = w
}

// Open is how many streams there are.
func (s *Sessions) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ids)
}

// Stopping is done when the server stops: every stream is then to end with ErrStopping.
func (s *Sessions) Stopping() context.Context { return s.ctx }

// Stop takes no more streams, and waits until those that are open have hung up or ctx has ended.
func (s *Sessions) Stop(ctx context.Context) {
	s.stop()
	s.mu.Lock()
	s.checkEmpty()
	s.mu.Unlock()
	select {
	case <-s.empty:
	case <-ctx.Done():
	}
}

// checkEmpty notes that the last stream has hung up. The caller holds the lock.
func (s *Sessions) checkEmpty() {
	if s.ctx.Err() == nil || s.connected > 0 {
		return
	}
	select {
	case <-s.empty:
	default:
		close(s.empty)
	}
}
