package job

import (
	"errors"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// Quotas limits what an account may do in a region. Zero members do not limit: off by default,
// since whoever runs Dictum owns its machines.
type Quotas struct {
	// ConcurrentJobs is how many jobs may be IN_PROGRESS.
	ConcurrentJobs int `yaml:"concurrent_jobs"`
	// QueuedJobs is how many jobs may be QUEUED.
	QueuedJobs int `yaml:"queued_jobs"`
	// QueueShare is the part of ConcurrentJobs, 0 to 1, that jobs out of the queue may take; 0 means all.
	QueueShare float64 `yaml:"queue_share"`
	// VocabularyFilters is how many vocabulary filters there may be.
	VocabularyFilters int `yaml:"vocabulary_filters"`
	// StartRate, GetRate, DeleteRate and ListRate are requests a second.
	StartRate  float64 `yaml:"start_rate"`
	GetRate    float64 `yaml:"get_rate"`
	DeleteRate float64 `yaml:"delete_rate"`
	ListRate   float64 `yaml:"list_rate"`
}

// AWSQuotas are AWS's defaults (spec transcribe-batch.md §11).
var AWSQuotas = Quotas{
	ConcurrentJobs: 250, QueuedJobs: 10_000, QueueShare: 0.9, VocabularyFilters: 100,
	StartRate: 25, GetRate: 30, DeleteRate: 5, ListRate: 5,
}

// errQueueFull and errConcurrency are refusals at Start; AWS's documentation has a name of its own
// for a full queue that its model lacks.
var (
	errConcurrency = &awserr.Error{Code: "LimitExceededException", Status: 400, Message: "You have too many jobs running at the same time. Try your request again later."}
	errQueueFull   = &awserr.Error{Code: "LimitExceededException", Status: 400, Message: "You have too many jobs in the queue. Try your request again later."}
)

// first decides on a new job: its status, or why it is refused.
func (q Quotas) first(l Load, mayWait bool) (Status, error) {
	if q.ConcurrentJobs <= 0 {
		return InProgress, nil
	}
	full := l.InProgress >= q.ConcurrentJobs
	// A job that may wait goes behind those that wait already.
	if !full && (l.Queued == 0 || !mayWait) {
		return InProgress, nil
	}
	if !mayWait {
		return "", errConcurrency
	}
	if q.QueuedJobs > 0 && l.Queued >= q.QueuedJobs {
		return "", errQueueFull
	}
	return Queued, nil
}

// promotes decides whether the next job may leave the queue.
func (q Quotas) promotes(l Load) bool {
	if q.ConcurrentJobs <= 0 {
		return true
	}
	share := q.ConcurrentJobs
	if q.QueueShare > 0 {
		share = max(1, int(q.QueueShare*float64(q.ConcurrentJobs)))
	}
	return l.InProgress < q.ConcurrentJobs && l.Deferred < share
}

// Validate says what is wrong with configured quotas.
func (q Quotas) Validate() error {
	if q.ConcurrentJobs < 0 || q.QueuedJobs < 0 || q.VocabularyFilters < 0 || q.StartRate < 0 || q.GetRate < 0 || q.DeleteRate < 0 || q.ListRate < 0 {
		return errors.New("quotas: a limit is negative")
	}
	if q.QueueShare < 0 || q.QueueShare > 1 {
		return errors.New("quotas: queue_share is not between 0 and 1")
	}
	return nil
}
