package iam

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/bounded"
)

// DefaultCacheTime is how long a Resolver believes what it read: how late a change that it was not
// told of takes effect.
const DefaultCacheTime = 30 * time.Second

// Resolver finds credentials in several places, first come first served, and remembers the ones
// it found. Unknown ids are not remembered: a new key works at once, and guessing fills no memory.
type Resolver struct {
	places []Credentials
	ttl    time.Duration
	now    func() time.Time
	cache  *bounded.Cache[string, cached]

	mu sync.Mutex // guards forgotten, and that nothing is put after it was forgotten
	// forgotten counts calls of Forget.
	forgotten uint64
}

type cached struct {
	credential Credential
	until      time.Time
}

var _ Credentials = (*Resolver)(nil)

// NewResolver looks in these places. A ttl of zero means DefaultCacheTime.
func NewResolver(ttl time.Duration, places ...Credentials) *Resolver {
	if ttl == 0 {
		ttl = DefaultCacheTime
	}
	return &Resolver{places: places, ttl: ttl, now: time.Now, cache: bounded.NewCache[string, cached](1024)}
}

// Lookup implements Credentials.
func (r *Resolver) Lookup(ctx context.Context, accessKeyID string) (Credential, error) {
	now := r.now()
	if hit, ok := r.cache.Get(accessKeyID); ok && now.Before(hit.until) {
		return hit.credential, nil
	}
	r.mu.Lock()
	before := r.forgotten
	r.mu.Unlock()
	for _, place := range r.places {
		c, err := place.Lookup(ctx, accessKeyID)
		if errors.Is(err, ErrNoSuchKey) {
			continue
		}
		if err != nil {
			return Credential{}, err
		}
		r.remember(accessKeyID, cached{credential: c, until: now.Add(r.ttl)}, before)
		return c, nil
	}
	r.cache.Delete(accessKeyID)
	return Credential{}, ErrNoSuchKey
}

// remember keeps what was read unless something was forgotten since: it may be what was read.
func (r *Resolver) remember(accessKeyID string, c cached, before uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.forgotten == before {
		r.cache.Put(accessKeyID, c)
	}
}

// Forget makes the next Lookup of the key read anew: to be called when a key was disabled or deleted.
// No Lookup that began before it has its answer remembered.
func (r *Resolver) Forget(accessKeyID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgotten++
	r.cache.Delete(accessKeyID)
}
