package kms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
)

const (
	// DefaultSweepInterval is how often Run looks for keys to delete and to rotate. Both are due on a day.
	DefaultSweepInterval = 15 * time.Minute
	// sweepBatch is how many keys are looked at together.
	sweepBatch = 100
)

// Enable makes a disabled key usable again.
func (s *Service) Enable(ctx context.Context, t Target) error { return s.setState(ctx, t, Enabled) }

// Disable makes a key unusable until it is enabled.
func (s *Service) Disable(ctx context.Context, t Target) error { return s.setState(ctx, t, Disabled) }

func (s *Service) setState(ctx context.Context, t Target, state State) error {
	return s.change(ctx, t, func(k *CustomerKey) error {
		if err := k.notPending(); err != nil {
			return err
		}
		k.State = state
		return nil
	})
}

// ScheduleDeletion makes a key unusable now, and has its material destroyed after a number of days; zero means
// DefaultPendingDays.
func (s *Service) ScheduleDeletion(ctx context.Context, t Target, days int) (CustomerKey, error) {
	if days == 0 {
		days = DefaultPendingDays
	}
	if days < minPendingDays || days > maxPendingDays {
		return CustomerKey{}, validation(fmt.Sprintf("PendingWindowInDays must be between %d and %d, inclusive", minPendingDays, maxPendingDays))
	}
	return s.changeWith(ctx, t, func(k *CustomerKey) (*Material, error) {
		if err := k.notPending(); err != nil {
			return nil, err
		}
		k.State, k.PendingDays, k.Deletion = PendingDeletion, days, s.config.Now().UTC().Add(time.Duration(days)*day)
		return nil, nil
	})
}

// CancelDeletion leaves a key that was to be deleted disabled.
func (s *Service) CancelDeletion(ctx context.Context, t Target) error {
	return s.change(ctx, t, func(k *CustomerKey) error {
		if k.State != PendingDeletion {
			return invalidState(k.ARN + " is not pending deletion.")
		}
		k.State, k.PendingDays, k.Deletion = Disabled, 0, time.Time{}
		return nil
	})
}

// EnableRotation has a key's material renewed every so many days; zero means what it had, or DefaultRotationDays.
func (s *Service) EnableRotation(ctx context.Context, t Target, days int) error {
	if days != 0 && (days < minRotationDays || days > maxRotationDays) {
		return validation(fmt.Sprintf("RotationPeriodInDays must be between %d and %d, inclusive", minRotationDays, maxRotationDays))
	}
	return s.change(ctx, t, func(k *CustomerKey) error {
		if err := k.rotatable(); err != nil {
			return err
		}
		switch {
		case days != 0:
		case k.Rotation.PeriodDays != 0:
			days = k.Rotation.PeriodDays
		default:
			days = DefaultRotationDays
		}
		if k.Rotation.Enabled && k.Rotation.PeriodDays == days {
			return nil
		}
		k.Rotation = Rotation{Enabled: true, PeriodDays: days, Next: s.config.Now().UTC().Add(time.Duration(days) * day)}
		return nil
	})
}

// DisableRotation ends the automatic rotation.
func (s *Service) DisableRotation(ctx context.Context, t Target) error {
	return s.change(ctx, t, func(k *CustomerKey) error {
		if err := k.rotatable(); err != nil {
			return err
		}
		k.Rotation.Enabled, k.Rotation.Next = false, time.Time{}
		return nil
	})
}

// RotationStatus returns how a key is rotated.
func (s *Service) RotationStatus(_ context.Context, t Target) (CustomerKey, error) {
	if t.err != nil {
		return CustomerKey{}, t.err
	}
	k := t.key
	if !k.Symmetric {
		return k, k.notRotated()
	}
	if k.State == PendingDeletion {
		k.Rotation.Enabled = false
	}
	return k, nil
}

// Rotations returns the versions of a key's material, oldest first, without the secrets.
func (s *Service) Rotations(ctx context.Context, t Target) ([]Material, error) {
	if t.err != nil {
		return nil, t.err
	}
	if !t.key.Symmetric {
		return nil, t.key.notRotated()
	}
	return s.config.Store.Materials(ctx, t.key.ID)
}

// RotateNow gives a key new material at once. What the older versions encrypted opens still.
func (s *Service) RotateNow(ctx context.Context, t Target) (CustomerKey, error) {
	if t.err != nil {
		return CustomerKey{}, t.err
	}
	materials, err := s.config.Store.Materials(ctx, t.key.ID)
	if err != nil {
		return CustomerKey{}, err
	}
	onDemand := 0
	for _, m := range materials {
		if m.Rotation == RotationOnDemand {
			onDemand++
		}
	}
	return s.changeWith(ctx, t, func(k *CustomerKey) (*Material, error) {
		if err := k.rotatable(); err != nil {
			return nil, err
		}
		if onDemand >= maxOnDemand {
			return nil, limitExceeded(fmt.Sprintf("%s has reached the limit of %d on-demand rotations.", k.ARN, maxOnDemand))
		}
		return s.rotate(k, RotationOnDemand)
	})
}

func (s *Service) rotate(k *CustomerKey, reason string) (*Material, error) {
	m, err := newMaterial(s.config.Sealer, *k, k.Version+1, reason, s.config.Now())
	if err != nil {
		return nil, err
	}
	k.Version, k.MaterialID = m.Version, m.ID
	return &m, nil
}

func (k CustomerKey) rotatable() error {
	if !k.Symmetric {
		return k.notRotated()
	}
	return k.usable()
}

func (k CustomerKey) notRotated() error {
	return failure{ErrKeyUsage, unsupportedError(k.ARN + " is not a symmetric encryption key, whose material alone can be rotated.")}
}

// Run sweeps now and then until the context ends.
func (s *Service) Run(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.config.Log.ErrorContext(ctx, "sweep keys", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Sweep destroys the keys whose waiting time is over, with all that they protect, and rotates those whose
// rotation is due. Each act is on record before it is done, so that a crash repeats the record, not the act.
func (s *Service) Sweep(ctx context.Context) error {
	for {
		due, err := s.config.Store.Due(ctx, s.config.Now(), sweepBatch)
		if err != nil {
			return fmt.Errorf("look for keys to sweep: %w", err)
		}
		for _, k := range due {
			if err := s.sweep(ctx, k); err != nil {
				return fmt.Errorf("sweep %s: %w", k.ARN, err)
			}
		}
		if len(due) < sweepBatch {
			return nil
		}
	}
}

// errNotDue means that somebody was faster.
var errNotDue = errors.New("not due any more")

func (s *Service) sweep(ctx context.Context, k CustomerKey) error {
	name := "RotateKey"
	if k.State == PendingDeletion {
		name = "DeleteKey"
	}
	now := s.config.Now()
	err := s.config.Recorder.Record(ctx, audit.Event{
		Caller: iam.Caller{
			Principal: iam.Principal{Kind: iam.KindService, AccountID: k.AccountID, Service: eventSource},
			Region:    k.Region, Time: now, SourceAccount: k.AccountID,
		},
		Source: eventSource, Name: name, Resources: []audit.Resource{resource(k.Key)},
		Request: map[string]any{"keyId": k.ARN},
	})
	if err != nil {
		return fmt.Errorf("record %s in the audit: %w", name, err)
	}
	if k.State == PendingDeletion {
		err = s.config.Store.DeleteKey(ctx, k.ID, func(k CustomerKey) error {
			if k.State != PendingDeletion || k.Deletion.After(now) {
				return errNotDue
			}
			return nil
		})
	} else {
		_, err = s.config.Store.UpdateKey(ctx, k.ID, func(k *CustomerKey) (*Material, error) {
			if k.State != Enabled || !k.Rotation.Enabled || k.Rotation.Next.After(now) {
				return nil, errNotDue
			}
			k.Rotation.Next = now.UTC().Add(time.Duration(k.Rotation.PeriodDays) * day)
			return s.rotate(k, RotationAutomatic)
		})
	}
	if errors.Is(err, errNotDue) || errors.Is(err, ErrKeyGone) {
		return nil
	}
	return err
}
