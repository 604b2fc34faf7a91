package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/pii"
	"github.com/dictum/dictum/internal/transcribe/language"
)

// Defaults of PoolConfig.
const (
	// DefaultWorkers is how many jobs run at a time. The engine batches windows of several jobs, so
	// that more jobs than cores pay; each costs one decoder's memory.
	DefaultWorkers = 4
	// DefaultLease is how long a claim lasts without a heartbeat. A killed server's jobs resume after it.
	DefaultLease = 30 * time.Second
	// DefaultGrace is how long a shutdown waits for jobs to finish before it hands them back.
	DefaultGrace = 20 * time.Second
	// DefaultStall ends an attempt that makes no progress.
	DefaultStall = 30 * time.Minute
	// DefaultPoll is how often workers look for jobs that nobody told them of.
	DefaultPoll = time.Second
	// DefaultMaxErrors is how many attempts may end in an error of ours before the job fails.
	DefaultMaxErrors = 5
	// DefaultMaxAttempts is how often a job may be claimed in all: it bounds what kills the process or
	// the engine time and again. It is generous, since a server that is restarted often is not the job's fault.
	DefaultMaxAttempts = 20
)

// PoolConfig sets up a Pool. Queue, Rights, Objects and Recognizer must be set; zero values of the rest take the defaults.
type PoolConfig struct {
	Queue Queue
	// Rights reach customers' objects; Objects are the service's own.
	Rights     *Rights
	Objects    objects.ReadWriter
	Recognizer speech.Recognizer
	Languages  *language.Set
	// Filters are the vocabulary filters that jobs name; without, such a job fails.
	Filters Filters
	// Redactor finds personal information; the zero value goes by rules alone.
	Redactor pii.Detector
	Audio    audio.Options
	Quotas   Quotas
	Observer Observer
	// Audit is optional: it has each end of a job on record before the end is stored.
	Audit audit.Recorder
	// Owner names this process among those that share the queue, and is the same after a restart, so
	// that a new process takes back at once what its predecessor held. Empty means a random name; then
	// a predecessor's jobs resume when their leases end.
	Owner       string
	Workers     int
	Lease       time.Duration
	Grace       time.Duration
	Stall       time.Duration
	Poll        time.Duration
	MaxErrors   int
	MaxAttempts int
	Now         func() time.Time
}

// Pool runs jobs: it claims them, keeps their leases alive, and commits their ends.
type Pool struct {
	cfg  PoolConfig
	wake chan struct{}

	mu sync.Mutex
	// running holds the cancel functions of the jobs in work by id; guarded by mu.
	running map[string]context.CancelCauseFunc
}

// NewPool makes a pool; Run starts it.
func NewPool(cfg PoolConfig) *Pool {
	setDefault(&cfg.Workers, DefaultWorkers)
	setDefault(&cfg.Lease, DefaultLease)
	setDefault(&cfg.Grace, DefaultGrace)
	setDefault(&cfg.Stall, DefaultStall)
	setDefault(&cfg.Poll, DefaultPoll)
	setDefault(&cfg.MaxErrors, DefaultMaxErrors)
	setDefault(&cfg.MaxAttempts, DefaultMaxAttempts)
	if cfg.Observer == nil {
		cfg.Observer = Unobserved{}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Languages == nil {
		all := language.NewSet()
		cfg.Languages = &all
	}
	return &Pool{cfg: cfg, wake: make(chan struct{}, cfg.Workers), running: map[string]context.CancelCauseFunc{}}
}

func setDefault[T int | time.Duration](v *T, to T) {
	if *v == 0 {
		*v = to
	}
}

// The causes for which an attempt is cancelled.
var (
	errShutdown = errors.New("server is stopping")
	errDeleted  = errors.New("job was deleted")
	errStalled  = errors.New("no progress")
)

// Wake tells the workers that there may be work.
func (p *Pool) Wake() {
	select {
	case p.wake <- struct{}{}:
	default: // enough wake-ups are on their way
	}
}

// Cancel stops work on a job that was deleted, if this pool has it.
func (p *Pool) Cancel(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cancel := p.running[id]; cancel != nil {
		cancel(errDeleted)
	}
}

// Run works until the context ends, then gives running jobs the grace period to finish and hands the
// others back. It returns when all workers have stopped.
func (p *Pool) Run(ctx context.Context) error {
	owner := p.cfg.Owner
	if owner == "" {
		owner = uuid.NewString()
	} else if n, err := p.cfg.Queue.Reclaim(ctx, owner); err != nil {
		return fmt.Errorf("take back jobs of the last run: %w", err)
	} else if n > 0 {
		slog.InfoContext(ctx, "resuming jobs that the last run held", "jobs", n)
	}
	// Work outlives ctx by the grace period.
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	var workers sync.WaitGroup
	for range p.cfg.Workers {
		workers.Go(func() { p.work(ctx, work, owner) })
	}
	workers.Go(func() { p.watch(ctx) })
	done := make(chan struct{})
	go func() { workers.Wait(); close(done) }()

	<-ctx.Done()
	grace := time.NewTimer(p.cfg.Grace)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
		stop(errShutdown)
		<-done
	}
	return nil
}

// work is one worker: it claims until ctx ends and runs each job under the longer-lived context.
func (p *Pool) work(ctx, work context.Context, owner string) {
	poll := time.NewTicker(p.cfg.Poll)
	defer poll.Stop()
	for ctx.Err() == nil {
		now := p.cfg.Now()
		claim, err := p.cfg.Queue.Claim(ctx, owner, now, now.Add(p.cfg.Lease))
		if err == nil {
			p.Wake() // there may be more for a colleague
			p.runOne(work, claim)
			continue
		}
		if !errors.Is(err, ErrNoWork) && ctx.Err() == nil {
			slog.ErrorContext(ctx, "claim job", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-poll.C:
		}
	}
}

// watch promotes queued jobs and reports the queue's depth.
func (p *Pool) watch(ctx context.Context) {
	tick := time.NewTicker(p.cfg.Poll)
	defer tick.Stop()
	for {
		p.promote(ctx)
		if d, err := p.cfg.Queue.Depth(ctx, p.cfg.Now()); err == nil {
			p.cfg.Observer.Depth(d)
		} else if ctx.Err() == nil {
			slog.ErrorContext(ctx, "count jobs", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *Pool) promote(ctx context.Context) {
	n, err := p.cfg.Queue.Promote(ctx, p.cfg.Now(), p.cfg.Quotas.promotes)
	if err != nil && ctx.Err() == nil {
		slog.ErrorContext(ctx, "promote queued jobs", "error", err)
	}
	for range min(n, p.cfg.Workers) {
		p.Wake()
	}
}

// finalTime bounds the last writes about an attempt, which must happen even when it was cancelled.
const finalTime = 10 * time.Second

// runOne carries a claimed job as far as it gets and says so to the queue.
func (p *Pool) runOne(ctx context.Context, c Claim) {
	log := slog.With("job", c.Job.ID, "name", c.Job.Name, "account", c.Job.AccountID, "attempt", c.Job.Attempts)
	begun := p.cfg.Now()
	p.cfg.Observer.Claimed(c.Job, begun.Sub(c.Job.Started))

	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.mu.Lock()
	p.running[c.Job.ID] = cancel
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.running, c.Job.ID)
		p.mu.Unlock()
	}()

	a := &attempt{pool: p, claim: c, moved: make(chan struct{}, 1)}
	a.touch()
	var heart sync.WaitGroup
	heartCtx, stopHeart := context.WithCancel(ctx)
	heart.Go(func() { a.heartbeat(heartCtx, cancel) })
	end, err := a.run(work)
	if cause := context.Cause(work); err != nil && cause != nil {
		err = cause
	}
	// The lease is kept until the end is committed.
	final, stopFinal := context.WithTimeout(context.WithoutCancel(ctx), finalTime)
	defer stopFinal()
	p.conclude(final, log, c, end, err, begun)
	stopHeart()
	heart.Wait()
}

// conclude commits what an attempt came to.
func (p *Pool) conclude(ctx context.Context, log *slog.Logger, c Claim, end ending, err error, begun time.Time) {
	var failure *Failure
	switch {
	case err == nil, errors.As(err, &failure):
	case errors.Is(err, ErrLostLease), errors.Is(err, errDeleted):
		log.InfoContext(ctx, "drop a job that is no longer ours", "reason", err)
		p.cfg.Observer.Retried(c.Job, "lost_lease")
		return
	case errors.Is(err, errShutdown):
		p.release(ctx, log, c, "shutdown", Release{Attempts: -1})
		return
	case errors.Is(err, speech.ErrInterrupted) && c.Job.Attempts < p.cfg.MaxAttempts:
		log.WarnContext(ctx, "recognition was interrupted", "error", err)
		p.release(ctx, log, c, "interrupted", Release{NotBefore: p.cfg.Now().Add(backoff(c.Job.Attempts))})
		return
	case c.Job.Errors+1 < p.cfg.MaxErrors && c.Job.Attempts < p.cfg.MaxAttempts:
		log.ErrorContext(ctx, "attempt failed", "error", err)
		p.release(ctx, log, c, "error", Release{Errors: 1, NotBefore: p.cfg.Now().Add(backoff(c.Job.Errors + 1))})
		return
	default:
		log.ErrorContext(ctx, "giving up on job", "error", err)
		failure = &failInternal
	}

	now := p.cfg.Now()
	if err := p.record(ctx, c, failure, now); err != nil {
		if errors.Is(err, ErrLostLease) {
			log.InfoContext(ctx, "drop a result that came too late")
			p.cfg.Observer.Retried(c.Job, "lost_lease")
			return
		}
		// Not on record, not done: the job runs again, to the same result.
		log.ErrorContext(ctx, "record the end of a job", "error", err)
		p.release(ctx, log, c, "audit", Release{NotBefore: now.Add(backoff(c.Job.Attempts))})
		return
	}
	finished := c.Job
	commitErr := p.cfg.Queue.Commit(ctx, c, func(j *Job) error {
		d := end.detected
		if d.LanguageCode == "" {
			d.LanguageCode, d.LanguageScore = j.Detected.LanguageCode, j.Detected.LanguageScore
		}
		var err error
		if failure != nil {
			err = j.Fail(now, *failure, d)
		} else {
			err = j.Complete(now, d)
		}
		finished = *j
		return err
	})
	if errors.Is(commitErr, ErrLostLease) {
		log.InfoContext(ctx, "drop a result that came too late")
		p.cfg.Observer.Retried(c.Job, "lost_lease")
		return
	}
	if commitErr != nil {
		// The lease ends by itself and the job runs again, to the same result.
		log.ErrorContext(ctx, "commit the end of a job", "error", commitErr)
		p.cfg.Observer.Retried(c.Job, "commit")
		return
	}
	log.InfoContext(ctx, "job finished", "status", finished.Status, "failure", finished.Failure.Kind,
		"audio", end.audio, "took", now.Sub(begun))
	p.cfg.Observer.Finished(Report{
		Job: finished, Audio: end.audio, Speech: end.speech, Busy: now.Sub(begun), Latency: now.Sub(finished.Created),
	})
	p.promote(ctx)
}

// record has the end of a job in the audit, provided that the job is still ours.
func (p *Pool) record(ctx context.Context, c Claim, failure *Failure, now time.Time) error {
	if p.cfg.Audit == nil {
		return nil
	}
	if err := p.cfg.Queue.Extend(ctx, c, now.Add(p.cfg.Lease)); err != nil {
		return err
	}
	e := ownEvent(c.Job, "TranscriptionJobStateChange", now)
	status := Completed
	if failure != nil {
		status = Failed
		e.Additional["failureReason"] = failure.Reason
	}
	e.Additional["transcriptionJobStatus"] = string(status)
	return p.cfg.Audit.Record(ctx, e)
}

func (p *Pool) release(ctx context.Context, log *slog.Logger, c Claim, cause string, r Release) {
	p.cfg.Observer.Retried(c.Job, cause)
	if err := p.cfg.Queue.Release(ctx, c, r); err != nil && !errors.Is(err, ErrLostLease) {
		log.ErrorContext(ctx, "hand back job", "error", err)
	}
}

// backoff is the pause before attempt n+1: 1 s, 2 s, 4 s … one minute.
func backoff(n int) time.Duration {
	return min(time.Second<<min(max(n-1, 0), 6), time.Minute)
}
