package vocabularyfilters

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/dictum/dictum/internal/transcribe/job"
)

// Tags implements job.TagStore.
func (s *Filters) Tags(ctx context.Context, sc job.Scope, name string) ([]job.Tag, error) {
	id, _, err := find(ctx, s.db.Read(), sc, name)
	if err != nil {
		return nil, err
	}
	return tagsOf(ctx, s.db.Read(), id)
}

// SetTags implements job.TagStore.
func (s *Filters) SetTags(ctx context.Context, sc job.Scope, name string, tags []job.Tag, most int) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		id, _, err := find(ctx, tx, sc, name)
		if err != nil {
			return err
		}
		if err := putTags(ctx, tx, id, tags); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM vocabulary_filter_tags WHERE filter_id = ?`, id).Scan(&n); err != nil {
			return fmt.Errorf("count tags: %w", err)
		}
		if n > most {
			return job.ErrTooManyTags
		}
		return nil
	})
}

// RemoveTags implements job.TagStore.
func (s *Filters) RemoveTags(ctx context.Context, sc job.Scope, name string, keys []string) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		id, _, err := find(ctx, tx, sc, name)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if _, err := tx.ExecContext(ctx, `DELETE FROM vocabulary_filter_tags WHERE filter_id = ? AND key = ?`, id, k); err != nil {
				return fmt.Errorf("delete tag: %w", err)
			}
		}
		return nil
	})
}

func tagsOf(ctx context.Context, db *sql.DB, id int64) ([]job.Tag, error) {
	rows, err := db.QueryContext(ctx, `SELECT key, value FROM vocabulary_filter_tags WHERE filter_id = ? ORDER BY rowid`, id)
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

func putTags(ctx context.Context, tx *sql.Tx, id int64, tags []job.Tag) error {
	for _, t := range tags {
		if _, err := tx.ExecContext(ctx, `INSERT INTO vocabulary_filter_tags (filter_id, key, value) VALUES (?, ?, ?)
			ON CONFLICT (filter_id, key) DO UPDATE SET value = excluded.value`, id, t.Key, t.Value); err != nil {
			return fmt.Errorf("write tag: %w", err)
		}
	}
	return nil
}
