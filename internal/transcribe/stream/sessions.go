package stream

import (
	"fmt"
	"sync"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// DefaultConcurrent is how many streams of each transport an account has at once, as with AWS.
const DefaultConcurrent = 25

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

	mu    sync.Mutex // guards what follows
	count map[holder]int
	ids   map[string]bool
}

type holder struct {
	account, region string
	transport       Transport
}

// NewSessions makes a registry that lets each account have so many streams of each transport in a region; zero means
// DefaultConcurrent.
func NewSessions(limit int) *Sessions {
	if limit == 0 {
		limit = DefaultConcurrent
	}
	return &Sessions{limit: limit, count: map[holder]int{}, ids: map[string]bool{}}
}

// Enter counts a stream in, and returns what counts it out. It refuses one too many, and an id that is in use.
func (s *Sessions) Enter(account, region string, transport Transport, id string) (leave func(), err error) {
	h, key := holder{account, region, transport}, account+"/"+region+"/"+id
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids[key] {
		return nil, &awserr.Error{Code: "ConflictException", Status: 409, Message: "A stream with this session ID is open already. End it, or use another session ID."}
	}
	if s.count[h] >= s.limit {
		return nil, &awserr.Error{Code: "LimitExceededException", Status: 429, Message: fmt.Sprintf("You have reached your limit of concurrent streams, %d. Try again later.", s.limit)}
	}
	s.ids[key] = true
	s.count[h]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.ids, key)
		if s.count[h]--; s.count[h] == 0 {
			delete(s.count, h)
		}
	}), nil
}

// Open is how many streams there are.
func (s *Sessions) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ids)
}
