// Package progress keeps, in the database, how far logs outside of it have come, so that one that was emptied
// or put back is noticed. Start at Open.
package progress

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/dictum/dictum/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Progress is a table of numbers that only grow. It is safe for concurrent use.
type Progress struct{ db *store.DB }

// Open brings the table up to date and returns it.
func Open(ctx context.Context, db *store.DB) (*Progress, error) {
	if err := db.Migrate(ctx, "progress", migrations); err != nil {
		return nil, err
	}
	return &Progress{db}, nil
}

// Reached returns the highest number noted for the log; zero when there is none.
func (p *Progress) Reached(ctx context.Context, log string) (uint64, error) {
	var n int64
	err := p.db.Read().QueryRowContext(ctx, `SELECT reached FROM progress WHERE log = ?`, log).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read progress of %s: %w", log, err)
	}
	return uint64(n), nil
}

// Note keeps the number when it is higher than what was noted.
func (p *Progress) Note(ctx context.Context, log string, reached uint64) error {
	err := p.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO progress (log, reached) VALUES (?, ?)
			ON CONFLICT (log) DO UPDATE SET reached = max(reached, excluded.reached)`, log, int64(reached))
		return err
	})
	if err != nil {
		return fmt.Errorf("note progress of %s: %w", log, err)
	}
	return nil
}
