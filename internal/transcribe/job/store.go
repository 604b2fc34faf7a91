package job

import (
	"context"
	"errors"
	"time"
)

// The errors of a Store and a Queue; compare with errors.Is.
var (
	ErrNotFound    = errors.New("no such job")
	ErrExists      = errors.New("job name is taken")
	ErrBadToken    = errors.New("not a token of this list")
	ErrTooManyTags = errors.New("too many tags")
	// ErrNoWork means that no job is waiting for a worker.
	ErrNoWork = errors.New("no job is waiting")
	// ErrLostLease means that the job is another worker's by now, or deleted: drop everything.
	ErrLostLease = errors.New("lease is lost")
	// ErrIllegalMove means a change of status that a job's life does not have.
	ErrIllegalMove = errors.New("illegal change of status")
)

// Store keeps jobs. Each method is one transaction, durable when it returns.
type Store interface {
	// Create stores a new job under its name, or returns ErrExists. It passes the scope's load, as
	// it is in the same transaction, to admit, which gives the job its status or refuses it.
	Create(ctx context.Context, j Job, admit func(Load, *Job) error) (Job, error)
	// Get returns a job with its tags, or ErrNotFound.
	Get(ctx context.Context, s Scope, name string) (Job, error)
	// List returns a page of jobs without tags, newest first; ErrBadToken.
	List(ctx context.Context, s Scope, q Query) (Page, error)
	// Delete removes a job by its id and remembers the objects that are to be removed after it; ErrNotFound.
	Delete(ctx context.Context, id string, garbage []Garbage) error
	// Expired returns up to limit terminal jobs that were completed before t.
	Expired(ctx context.Context, t time.Time, limit int) ([]Job, error)
	// ExpiredOutput returns up to limit terminal jobs with service-managed output that were completed before t.
	ExpiredOutput(ctx context.Context, t time.Time, limit int) ([]Job, error)
	// DropOutput marks a job's output as expired and remembers the objects that are to be removed; ErrNotFound.
	DropOutput(ctx context.Context, id string, garbage []Garbage) error
	// Garbage returns up to limit objects that are due for removal, Collected forgets one.
	Garbage(ctx context.Context, now time.Time, limit int) ([]Garbage, error)
	Collected(ctx context.Context, g Garbage) error
}

// TagStore keeps the tags of jobs. Its methods return ErrNotFound for a job that is not there.
type TagStore interface {
	Tags(ctx context.Context, s Scope, name string) ([]Tag, error)
	// SetTags adds tags and replaces those of the same key; ErrTooManyTags when more than most would be there.
	SetTags(ctx context.Context, s Scope, name string, tags []Tag, most int) error
	// RemoveTags removes tags by key; keys that are not there are no error.
	RemoveTags(ctx context.Context, s Scope, name string, keys []string) error
}

// Queue hands jobs to workers. A claim is a lease: until it ends nobody else gets the job, and its
// fence, a number that grows with every claim, must be current for every later write.
type Queue interface {
	// Claim leases the next waiting job, or returns ErrNoWork. Accounts take turns; within one the
	// oldest goes first.
	Claim(ctx context.Context, owner string, now, until time.Time) (Claim, error)
	// Extend moves the end of the lease; ErrLostLease.
	Extend(ctx context.Context, c Claim, until time.Time) error
	// Commit changes the job in one transaction, provided that the fence is current; ErrLostLease. A
	// job that is terminal after the change is out of the queue.
	Commit(ctx context.Context, c Claim, change func(*Job) error) error
	// Release ends the lease without an end of the job; ErrLostLease.
	Release(ctx context.Context, c Claim, r Release) error
	// Reclaim ends all leases of an owner that is known to have died.
	Reclaim(ctx context.Context, owner string) (int, error)
	// Promote moves jobs from QUEUED to IN_PROGRESS, first come first served in each scope, as long
	// as admit agrees, and returns how many.
	Promote(ctx context.Context, now time.Time, admit func(Load) bool) (int, error)
	// Depth counts the work there is.
	Depth(ctx context.Context, now time.Time) (Depth, error)
}

// Claim is a job that a worker holds.
type Claim struct {
	Job   Job
	Owner string
	Fence int64
}

// Release says how a job goes back to the queue.
type Release struct {
	// NotBefore is when it may be claimed again; zero for at once.
	NotBefore time.Time
	// Errors is added to the job's errors, Attempts to its attempts (negative for one that did not count).
	Errors, Attempts int
}

// Load is what a scope's jobs take up of its quotas.
type Load struct {
	// InProgress counts all that run, Deferred those of them that came out of the queue.
	InProgress, Deferred, Queued int
}

// Depth is the work in the whole installation.
type Depth struct {
	// Queued jobs wait for their account's quota, Waiting ones for a worker, Running ones have one.
	Queued, Waiting, Running int
}

// Query chooses jobs of a list. Zero members do not restrict.
type Query struct {
	Status       Status
	NameContains string
	Token        string
	Max          int
}

// Page is a part of a list. Next is empty at its end.
type Page struct {
	Jobs []Job
	Next string
}

// Garbage is a service-managed object that must go.
type Garbage struct {
	Location
	// NotBefore keeps it until no worker can still be writing it.
	NotBefore time.Time
}
