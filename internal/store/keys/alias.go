package keys

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store"
)

const selectAlias = `SELECT account_id, region, name, key_id, created, updated FROM kms_aliases `

func scanAlias(row scanner) (kms.Alias, error) {
	var a kms.Alias
	var created, updated int64
	err := row.Scan(&a.AccountID, &a.Region, &a.Name, &a.KeyID, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return a, kms.ErrNoAlias
	}
	if err != nil {
		return a, fmt.Errorf("read alias: %w", err)
	}
	a.Created, a.Updated = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	return a, nil
}

// Alias implements kms.Store.
func (s *Keys) Alias(ctx context.Context, a kms.AliasOf) (kms.Alias, error) {
	return scanAlias(s.db.Read().QueryRowContext(ctx, selectAlias+`WHERE account_id = ? AND region = ? AND name = ?`, a.AccountID, a.Region, a.Name))
}

// Aliases implements kms.Store.
func (s *Keys) Aliases(ctx context.Context, accountID, region, keyID, after string, limit int) ([]kms.Alias, error) {
	query, args := selectAlias+`WHERE account_id = ? AND region = ? AND name > ? ORDER BY name LIMIT ?`, []any{accountID, region, after, limit}
	if keyID != "" {
		// The plus keeps SQLite on the index of the key, which has few aliases; an account may have many.
		query = selectAlias + `WHERE key_id = ? AND +account_id = ? AND +region = ? AND +name > ? ORDER BY name LIMIT ?`
		args = append([]any{keyID}, args...)
	}
	rows, err := s.db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list aliases: %w", err)
	}
	defer rows.Close()
	var aliases []kms.Alias
	for rows.Next() {
		a, err := scanAlias(rows)
		if err != nil {
			return nil, err
		}
		aliases = append(aliases, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list aliases: %w", err)
	}
	return aliases, nil
}

// CreateAlias implements kms.Store.
func (s *Keys) CreateAlias(ctx context.Context, a kms.Alias) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error { return insertAlias(ctx, tx, a) })
}

func insertAlias(ctx context.Context, tx *sql.Tx, a kms.Alias) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO kms_aliases (account_id, region, name, key_id, created, updated) VALUES (?, ?, ?, ?, ?, ?)`,
		a.AccountID, a.Region, a.Name, a.KeyID, a.Created.UnixMilli(), a.Updated.UnixMilli())
	switch {
	case store.IsConflict(err):
		return kms.ErrAliasExists
	case errors.Is(err, sqlite3.CONSTRAINT_FOREIGNKEY):
		return kms.ErrKeyGone
	case err != nil:
		return fmt.Errorf("insert alias: %w", err)
	}
	return nil
}

// UpdateAlias implements kms.Store.
func (s *Keys) UpdateAlias(ctx context.Context, a kms.AliasOf, keyID string, now time.Time) error {
	return s.changeAlias(ctx, `UPDATE kms_aliases SET key_id = ?, updated = ? WHERE account_id = ? AND region = ? AND name = ?`,
		keyID, now.UnixMilli(), a.AccountID, a.Region, a.Name)
}

// DeleteAlias implements kms.Store.
func (s *Keys) DeleteAlias(ctx context.Context, a kms.AliasOf) error {
	return s.changeAlias(ctx, `DELETE FROM kms_aliases WHERE account_id = ? AND region = ? AND name = ?`, a.AccountID, a.Region, a.Name)
}

func (s *Keys) changeAlias(ctx context.Context, statement string, args ...any) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, statement, args...)
		if errors.Is(err, sqlite3.CONSTRAINT_FOREIGNKEY) {
			return kms.ErrKeyGone
		}
		if err != nil {
			return fmt.Errorf("change alias: %w", err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return fmt.Errorf("change alias: %w", err)
		}
		if n == 0 {
			return kms.ErrNoAlias
		}
		return nil
	})
}
