package transcribe

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/transcribe/job"
)

// limits holds each account, in each region, to the rates of requests that are configured.
type limits struct {
	rates map[string]rate.Limit
	now   func() time.Time

	mu sync.Mutex
	// buckets are the token buckets by account, region and operation; guarded by mu. Accounts are
	// few and made by the operator; regions are whatever clients name, hence the bound.
	buckets map[limitKey]*rate.Limiter
}

type limitKey struct{ account, region, operation string }

// maxBuckets bounds the memory of buckets. Beyond it all are forgotten, which lets a burst pass.
const maxBuckets = 10_000

func newLimits(q job.Quotas, now func() time.Time) *limits {
	if now == nil {
		now = time.Now
	}
	l := &limits{rates: map[string]rate.Limit{}, now: now, buckets: map[limitKey]*rate.Limiter{}}
	for operation, perSecond := range map[string]float64{
		"StartTranscriptionJob": q.StartRate, "GetTranscriptionJob": q.GetRate,
		"DeleteTranscriptionJob": q.DeleteRate, "ListTranscriptionJobs": q.ListRate,
	} {
		if perSecond > 0 {
			l.rates[operation] = rate.Limit(perSecond)
		}
	}
	return l
}

// take uses up one request of the caller's, or returns a ThrottlingException.
func (l *limits) take(c *gateway.Call, operation string) error {
	perSecond, limited := l.rates[operation]
	if !limited {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := limitKey{c.Principal.AccountID, c.Region, operation}
	bucket := l.buckets[key]
	if bucket == nil {
		if len(l.buckets) >= maxBuckets {
			clear(l.buckets)
		}
		// A second's worth may come at once.
		bucket = rate.NewLimiter(perSecond, max(1, int(perSecond)))
		l.buckets[key] = bucket
	}
	if !bucket.AllowN(l.now(), 1) {
		return awserr.Fail(awserr.Throttled)
	}
	return nil
}
