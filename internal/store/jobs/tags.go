package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/dictum/dictum/internal/transcribe/job"
)

// Tags implements job.TagStore.
func (s *Jobs) Tags(ctx context.Context, sc job.Scope, name string) ([]job.Tag, error) {
	seq, err := find(ctx, s.db.Read(), sc, name)
	if err != nil {
		return nil, err
	}
	return tagsOf(ctx, s.db.Read(), seq)
}

// SetTags implements job.TagStore.
func (s *Jobs) SetTags(ctx context.Context, sc job.Scope, name string, tags []job.Tag, most int) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		seq, err := find(ctx, tx, sc, name)
		if err != nil {
			return err
		}
		if err := putTags(ctx, tx, seq, tags); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM transcription_job_tags WHERE job_seq = ?`, seq).Scan(&n); err != nil {
			return fmt.Errorf("count tags: %w", err)
		}
		if n > most {
			return job.ErrTooManyTags
		}
		return nil
	})
}

// RemoveTags implements job.TagStore.
func (s *Jobs) RemoveTags(ctx context.Context, sc job.Scope, name string, keys []string) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		seq, err := find(ctx, tx, sc, name)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if _, err := tx.ExecContext(ctx, `DELETE FROM transcription_job_tags WHERE job_seq = ? AND key = ?`, seq, k); err != nil {
				return fmt.Errorf("delete tag: %w", err)
			}
		}
		return nil
	})
}

func find(ctx context.Context, q querier, sc job.Scope, name string) (int64, error) {
	var seq int64
	err := q.QueryRowContext(ctx, `SELECT seq FROM transcription_jobs WHERE account_id = ? AND region = ? AND name = ?`,
		sc.AccountID, sc.Region, name).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, job.ErrNotFound
	}
	if err != nil {
		return 0, fmt.Errorf("find job: %w", err)
	}
	return seq, nil
}

func tagsOf(ctx context.Context, db *sql.DB, seq int64) ([]job.Tag, error) {
	rows, err := db.QueryContext(ctx, `SELECT key, value FROM transcription_job_tags WHERE job_seq = ? ORDER BY rowid`, seq)
	if err != nil {
		return nil, fmt.Errorf("read tags: %w", err)
	}
	defer rows.Close()
	var out []job.Tag
	for rows.Next() {
		var t job.Tag
		if err := rows.Scan(&t.Key, &t.Value); err != nil {
			return nil, fmt.Errorf("read tags: %w", err)
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

func putTags(ctx context.Context, tx *sql.Tx, seq int64, tags []job.Tag) error {
	for _, t := range tags {
		if _, err := tx.ExecContext(ctx, `INSERT INTO transcription_job_tags (job_seq, key, value) VALUES (?, ?, ?)
			ON CONFLICT (job_seq, key) DO UPDATE SET value = excluded.value`, seq, t.Key, t.Value); err != nil {
			return fmt.Errorf("write tag: %w", err)
		}
	}
	return nil
}
