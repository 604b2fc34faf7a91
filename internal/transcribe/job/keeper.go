package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
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

// Keeper removes what has had its time: jobs that ended long ago, and output of deleted jobs.
type Keeper struct {
	Service *Service
	// Retention counts from a job's completion; zero means DefaultRetention, negative for ever.
	Retention time.Duration
	// Every is the pause between sweeps; zero means DefaultSweep.
	Every time.Duration
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
	if retention < 0 {
		return nil
	}
	for {
		jobs, err := k.Service.Store.Expired(ctx, k.Service.now().Add(-retention), sweepBatch)
		if err != nil {
			return fmt.Errorf("find expired jobs: %w", err)
		}
		for _, j := range jobs {
			if err := k.Service.remove(ctx, j); err != nil && !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("remove expired job: %w", err)
			}
		}
		if len(jobs) < sweepBatch {
			return nil
		}
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
