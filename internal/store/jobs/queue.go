package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dictum/dictum/internal/transcribe/job"
)

// nextJob finds the oldest waiting job of the account that has fewest jobs in work. With one account
// it is the oldest job; with several they take turns, however long one's queue is.
const nextJob = `
	WITH work AS (SELECT account_id, owner, available_ms, seq FROM transcription_jobs WHERE status = 'IN_PROGRESS'),
	     busy AS (SELECT account_id, count(*) AS jobs FROM work WHERE owner <> '' AND available_ms > ?1 GROUP BY account_id),
	     head AS (SELECT account_id, min(seq) AS seq FROM work WHERE available_ms <= ?1 GROUP BY account_id)
	SELECT head.seq FROM head LEFT JOIN busy USING (account_id) ORDER BY coalesce(busy.jobs, 0), head.seq LIMIT 1`

// Claim implements job.Queue.
func (s *Jobs) Claim(ctx context.Context, owner string, now, until time.Time) (job.Claim, error) {
	// Most looks find nothing; they need no write lock.
	var waiting bool
	err := s.db.Read().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM transcription_jobs WHERE status = 'IN_PROGRESS' AND available_ms <= ?)`, millis(now)).Scan(&waiting)
	if err != nil {
		return job.Claim{}, fmt.Errorf("look for a job: %w", err)
	}
	if !waiting {
		return job.Claim{}, job.ErrNoWork
	}
	c := job.Claim{Owner: owner}
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		var seq int64
		err := tx.QueryRowContext(ctx, nextJob, millis(now)).Scan(&seq)
		if errors.Is(err, sql.ErrNoRows) {
			return job.ErrNoWork
		}
		if err != nil {
			return fmt.Errorf("find the next job: %w", err)
		}
		c.Job, err = scan(tx.QueryRowContext(ctx, `UPDATE transcription_jobs
			SET owner = ?, fence = fence + 1, available_ms = ?, attempts = attempts + 1 WHERE seq = ? RETURNING `+columns+`, fence`,
			owner, millis(until), seq), &c.Fence)
		if err != nil {
			return fmt.Errorf("lease job: %w", err)
		}
		return nil
	})
	if err != nil {
		return job.Claim{}, err
	}
	return c, nil
}

// held is the condition under which a claim is current.
const held = ` WHERE id = ? AND fence = ? AND owner <> '' AND status = 'IN_PROGRESS'`

// Extend implements job.Queue.
func (s *Jobs) Extend(ctx context.Context, c job.Claim, until time.Time) error {
	return s.ifHeld(ctx, `UPDATE transcription_jobs SET available_ms = ?`+held, millis(until), c.Job.ID, c.Fence)
}

// Release implements job.Queue.
func (s *Jobs) Release(ctx context.Context, c job.Claim, r job.Release) error {
	return s.ifHeld(ctx, `UPDATE transcription_jobs SET owner = '', available_ms = ?, errors = errors + ?, attempts = max(0, attempts + ?)`+held,
		millis(r.NotBefore), r.Errors, r.Attempts, c.Job.ID, c.Fence)
}

func (s *Jobs) ifHeld(ctx context.Context, update string, args ...any) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, update, args...))
		if err != nil {
			return fmt.Errorf("change lease: %w", err)
		}
		if n == 0 {
			return job.ErrLostLease
		}
		return nil
	})
}

// Commit implements job.Queue.
func (s *Jobs) Commit(ctx context.Context, c job.Claim, change func(*job.Job) error) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		j, err := scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM transcription_jobs`+held, c.Job.ID, c.Fence))
		if errors.Is(err, sql.ErrNoRows) {
			return job.ErrLostLease
		}
		if err != nil {
			return fmt.Errorf("read claimed job: %w", err)
		}
		if err := change(&j); err != nil {
			return err
		}
		return update(ctx, tx, j)
	})
}

// update writes what changes in a job's life. A job that is no longer in progress has no lease.
func update(ctx context.Context, tx *sql.Tx, j job.Job) error {
	var languages []byte
	if len(j.Detected.Languages) > 0 {
		var err error
		if languages, err = json.Marshal(j.Detected.Languages); err != nil {
			return fmt.Errorf("encode languages: %w", err)
		}
	}
	_, err := tx.ExecContext(ctx, `UPDATE transcription_jobs SET status = ?, started_ms = ?, completed_ms = ?,
		failure_kind = ?, failure_reason = ?, media_format = ?, sample_rate = ?, language_code = ?, language_score = ?, languages = ?,
		owner = CASE WHEN ?1 = 'IN_PROGRESS' THEN owner ELSE '' END WHERE id = ?`,
		string(j.Status), millis(j.Started), millis(j.Completed),
		j.Failure.Kind, j.Failure.Reason, j.Detected.MediaFormat, j.Detected.SampleRate, j.Detected.LanguageCode, j.Detected.LanguageScore, string(languages), j.ID)
	if err != nil {
		return fmt.Errorf("write job: %w", err)
	}
	return nil
}

// Reclaim implements job.Queue.
func (s *Jobs) Reclaim(ctx context.Context, owner string) (int, error) {
	n := 0
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		var err error
		n, err = affected(tx.ExecContext(ctx, `UPDATE transcription_jobs SET owner = '', available_ms = 0 WHERE status = 'IN_PROGRESS' AND owner = ?`, owner))
		if err != nil {
			return fmt.Errorf("end leases: %w", err)
		}
		return nil
	})
	return n, err
}

// affected is how many rows a statement changed.
func affected(res sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// Promote implements job.Queue.
func (s *Jobs) Promote(ctx context.Context, now time.Time, admit func(job.Load) bool) (int, error) {
	scopes, err := s.queuedScopes(ctx)
	if err != nil || len(scopes) == 0 {
		return 0, err
	}
	promoted := 0
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, sc := range scopes {
			n, err := promoteScope(ctx, tx, sc, now, admit)
			if err != nil {
				return err
			}
			promoted += n
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return promoted, nil
}

func (s *Jobs) queuedScopes(ctx context.Context) ([]job.Scope, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT DISTINCT account_id, region FROM transcription_jobs WHERE status = 'QUEUED'`)
	if err != nil {
		return nil, fmt.Errorf("look for queued jobs: %w", err)
	}
	defer rows.Close()
	var out []job.Scope
	for rows.Next() {
		var sc job.Scope
		if err := rows.Scan(&sc.AccountID, &sc.Region); err != nil {
			return nil, fmt.Errorf("look for queued jobs: %w", err)
		}
		out = append(out, sc)
	}
	return out, rows.Err()
}

func promoteScope(ctx context.Context, tx *sql.Tx, sc job.Scope, now time.Time, admit func(job.Load) bool) (int, error) {
	load, err := loadOf(ctx, tx, sc)
	if err != nil {
		return 0, err
	}
	n := 0
	for load.Queued > 0 && admit(load) {
		j, err := scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM transcription_jobs
			WHERE account_id = ? AND region = ? AND status = 'QUEUED' ORDER BY seq LIMIT 1`, sc.AccountID, sc.Region))
		if err != nil {
			return 0, fmt.Errorf("find the next queued job: %w", err)
		}
		if err := j.Promote(now); err != nil {
			return 0, err
		}
		if err := update(ctx, tx, j); err != nil {
			return 0, err
		}
		load.Queued--
		load.InProgress++
		load.Deferred++
		n++
	}
	return n, nil
}

// Depth implements job.Queue.
func (s *Jobs) Depth(ctx context.Context, now time.Time) (job.Depth, error) {
	var d job.Depth
	err := s.db.Read().QueryRowContext(ctx, `SELECT
		count(*) FILTER (WHERE status = 'QUEUED'),
		count(*) FILTER (WHERE status = 'IN_PROGRESS' AND (owner = '' OR available_ms <= ?1)),
		count(*) FILTER (WHERE status = 'IN_PROGRESS' AND owner <> '' AND available_ms > ?1)
		FROM transcription_jobs WHERE status IN ('QUEUED', 'IN_PROGRESS')`, millis(now)).Scan(&d.Queued, &d.Waiting, &d.Running)
	if err != nil {
		return job.Depth{}, fmt.Errorf("count jobs: %w", err)
	}
	return d, nil
}
