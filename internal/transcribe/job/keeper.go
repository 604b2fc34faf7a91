package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/objects"
)

// Defaults of a Keeper.
const (
	// DefaultRetention is how long AWS keeps the records of jobs and their service-managed output.
	DefaultRetention = 90 * 24 * time.Hour
	// DefaultSweep is how often a Keeper looks.
	DefaultSweep = 5 * time.Minute
	// sweepBatch bounds what one look takes into memory.
	sweepBatch = 200
)

// Keeper removes what has had its time: jobs that ended long ago, service-managed output, and output of deleted
// jobs. With an object go its wrapped data keys, so that no copy of its bytes can be opened any more.
type Keeper struct {
	Service *Service
	// Retention counts from a job's completion; zero means DefaultRetention, negative for ever.
	Retention time.Duration
	// OutputRetention is the same of service-managed output, where that is to go before the job's record; zero means
	// with the record.
	OutputRetention time.Duration
	// Every is the pause between sweeps; zero means DefaultSweep.
	Every time.Duration
	// Audit is optional: it has each removal on record before it happens.
	Audit audit.Recorder
}

// Run sweeps now and then until the context ends.
func (k *Keeper) Run(ctx context.Context) error {
	every := k.Every
	if every == 0 {
		every = DefaultSweep
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := k.Sweep(ctx); err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "sweep jobs", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep removes all that is due now.
func (k *Keeper) Sweep(ctx context.Context) error {
	return errors.Join(k.expire(ctx), k.collect(ctx))
}

func (k *Keeper) expire(ctx context.Context) error {
	retention := k.Retention
	if retention == 0 {
		retention = DefaultRetention
	}
	err := k.each(ctx, retention, k.Service.Store.Expired, func(j Job) error {
		if err := k.record(ctx, j, "DeleteTranscriptionJob", retention); err != nil {
			return err
		}
		return k.Service.remove(ctx, j)
	})
	if err != nil || k.OutputRetention == 0 {
		return err
	}
	return k.each(ctx, k.OutputRetention, k.Service.Store.ExpiredOutput, func(j Job) error {
		if err := k.record(ctx, j, "DeleteTranscript", k.OutputRetention); err != nil {
			return err
		}
		garbage := k.Service.garbage(j)
		if err := k.Service.Store.DropOutput(ctx, j.ID, garbage); err != nil {
			return err
		}
		k.Service.discard(ctx, j, garbage)
		return nil
	})
}

// each removes the jobs that find returns, batch by batch. A job that went in between is fine.
func (k *Keeper) each(ctx context.Context, retention time.Duration, find func(context.Context, time.Time, int) ([]Job, error), remove func(Job) error) error {
	if retention < 0 {
		return nil
	}
	for {
		jobs, err := find(ctx, k.Service.now().Add(-retention), sweepBatch)
		if err != nil {
			return fmt.Errorf("find expired jobs: %w", err)
		}
		for _, j := range jobs {
			if err := remove(j); err != nil && !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("remove expired job: %w", err)
			}
		}
		if len(jobs) < sweepBatch {
			return nil
		}
	}
}

// record has a removal in the audit as the service's own act. A removal that fails is tried, and recorded, again.
func (k *Keeper) record(ctx context.Context, j Job, name string, retention time.Duration) error {
	if k.Audit == nil {
		return nil
	}
	e := ownEvent(j, name, k.Service.now())
	e.Additional["reason"] = "retention"
	e.Additional["retention"] = retention.String()
	for _, g := range k.Service.garbage(j) {
		e.Resources = append(e.Resources, audit.Resource{ARN: objects.ARN(g.Bucket, g.Key), AccountID: j.AccountID, Type: "AWS::S3::Object"})
	}
	if err := k.Audit.Record(ctx, e); err != nil {
		return fmt.Errorf("record removal in the audit: %w", err)
	}
	return nil
}

// ownEvent is an act that nobody asked for at the time: the service's own, in the account of the job.
func ownEvent(j Job, name string, now time.Time) audit.Event {
	return audit.Event{
		Caller: iam.Caller{
			Principal: iam.Principal{Kind: iam.KindService, AccountID: j.AccountID, Service: iam.ServiceTranscribe},
			Region:    j.Region, UserAgent: iam.ServiceTranscribe, Secure: true, Time: now, RequestID: j.ID,
		},
		Source: iam.ServiceTranscribe, Name: name,
		Resources:  []audit.Resource{{ARN: j.ARN(j.Name), AccountID: j.AccountID}},
		Request:    map[string]any{"transcriptionJobName": j.Name},
		Additional: map[string]any{},
	}
}

func (k *Keeper) collect(ctx context.Context) error {
	for {
		due, err := k.Service.Store.Garbage(ctx, k.Service.now(), sweepBatch)
		if err != nil {
			return fmt.Errorf("find output of deleted jobs: %w", err)
		}
		for _, g := range due {
			if err := k.Service.collect(ctx, g); err != nil {
				return err
			}
		}
		if len(due) < sweepBatch {
			return nil
		}
	}
}
