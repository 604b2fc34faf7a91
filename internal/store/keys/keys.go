// Package keys keeps customers' KMS keys, the versions of their material and their aliases in SQL. Material
// comes here sealed; what it means is package kms's. Start at Open.
package keys

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dictum/dictum/internal/aws/arn"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Keys is a kms.Store on the database.
type Keys struct{ db *store.DB }

var _ kms.Store = (*Keys)(nil)

// Open brings the tables up to date and returns the store.
func Open(ctx context.Context, db *store.DB) (*Keys, error) {
	if err := db.Migrate(ctx, "kms", migrations); err != nil {
		return nil, err
	}
	return &Keys{db: db}, nil
}

// CreateKey implements kms.Store.
func (s *Keys) CreateKey(ctx context.Context, k kms.CustomerKey, m kms.Material, alias *kms.AliasOf) error {
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := insertKey(ctx, tx, k); err != nil {
			return err
		}
		if err := insertMaterial(ctx, tx, m); err != nil {
			return err
		}
		if alias == nil {
			return nil
		}
		return insertAlias(ctx, tx, kms.Alias{AliasOf: *alias, KeyID: k.ID, Created: k.Created, Updated: k.Created})
	})
	if err != nil {
		return fmt.Errorf("create key %s: %w", k.ID, err)
	}
	return nil
}

func insertKey(ctx context.Context, tx *sql.Tx, k kms.CustomerKey) error {
	values, err := mutable(k)
	if err != nil {
		return err
	}
	values = append([]any{k.ID, k.AccountID, k.Region, k.Spec, string(k.Usage), k.Manager, k.Created.UnixMilli()}, values...)
	if _, err := tx.ExecContext(ctx, `INSERT INTO kms_keys (id, account_id, region, spec, usage, manager, created,
		state, description, deletion, pending_days, policy, tags, rotation_days, rotation_next, version, material_id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, values...); err != nil {
		return fmt.Errorf("insert key: %w", err)
	}
	return nil
}

// mutable are the columns that can change, from state to material_id.
func mutable(k kms.CustomerKey) ([]any, error) {
	tags, err := json.Marshal(k.Tags)
	if err != nil {
		return nil, fmt.Errorf("encode tags: %w", err)
	}
	next := milli(k.Rotation.Next)
	if !k.Rotation.Enabled {
		next = sql.NullInt64{}
	}
	return []any{
		string(k.State), k.Description, milli(k.Deletion), k.PendingDays, k.Policy, string(tags), k.Rotation.PeriodDays, next, k.Version, k.MaterialID,
	}, nil
}

func milli(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

func insertMaterial(ctx context.Context, tx *sql.Tx, m kms.Material) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO kms_material (key_id, version, id, created, rotation, sealed) VALUES (?, ?, ?, ?, ?, ?)`,
		m.KeyID, m.Version, m.ID, m.Created.UnixMilli(), m.Rotation, m.Sealed); err != nil {
		return fmt.Errorf("insert key material: %w", err)
	}
	return nil
}

const selectKey = `SELECT id, account_id, region, spec, usage, manager, created, state, description, deletion,
	pending_days, policy, tags, rotation_days, rotation_next, version, material_id FROM kms_keys `

// scanner is a row or rows.
type scanner interface{ Scan(into ...any) error }

func scanKey(row scanner) (kms.CustomerKey, error) {
	var k kms.CustomerKey
	var created int64
	var deletion, next sql.NullInt64
	var tags string
	err := row.Scan(&k.ID, &k.AccountID, &k.Region, &k.Spec, &k.Usage, &k.Manager, &created, &k.State, &k.Description, &deletion,
		&k.PendingDays, &k.Policy, &tags, &k.Rotation.PeriodDays, &next, &k.Version, &k.MaterialID)
	if errors.Is(err, sql.ErrNoRows) {
		return k, kms.ErrKeyGone
	}
	if err != nil {
		return k, fmt.Errorf("read key: %w", err)
	}
	if err := json.Unmarshal([]byte(tags), &k.Tags); err != nil {
		return k, fmt.Errorf("read tags of key %s: %w", k.ID, err)
	}
	k.ARN = arn.New("kms", k.Region, k.AccountID, "key/"+k.ID).String()
	k.Symmetric = k.Spec == kms.SymmetricDefault
	k.Created = time.UnixMilli(created).UTC()
	if deletion.Valid {
		k.Deletion = time.UnixMilli(deletion.Int64).UTC()
	}
	if next.Valid {
		k.Rotation.Enabled, k.Rotation.Next = true, time.UnixMilli(next.Int64).UTC()
	}
	return k, nil
}

// Key implements kms.Store.
func (s *Keys) Key(ctx context.Context, id string) (kms.CustomerKey, error) {
	return scanKey(s.db.Read().QueryRowContext(ctx, selectKey+`WHERE id = ?`, id))
}

// Keys implements kms.Store.
func (s *Keys) Keys(ctx context.Context, accountID, region, after string, limit int) ([]kms.CustomerKey, error) {
	return s.list(ctx, selectKey+`WHERE account_id = ? AND region = ? AND id > ? ORDER BY id LIMIT ?`, accountID, region, after, limit)
}

// Due implements kms.Store.
func (s *Keys) Due(ctx context.Context, now time.Time, limit int) ([]kms.CustomerKey, error) {
	ms := now.UnixMilli()
	return s.list(ctx, selectKey+`WHERE id IN (
		SELECT id FROM kms_keys WHERE deletion <= ? UNION SELECT id FROM kms_keys WHERE rotation_next <= ? AND state = 'Enabled'
	) ORDER BY id LIMIT ?`, ms, ms, limit)
}

func (s *Keys) list(ctx context.Context, query string, args ...any) ([]kms.CustomerKey, error) {
	rows, err := s.db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	defer rows.Close()
	var keys []kms.CustomerKey
	for rows.Next() {
		k, err := scanKey(rows)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return keys, nil
}

// UpdateKey implements kms.Store.
func (s *Keys) UpdateKey(ctx context.Context, id string, change func(*kms.CustomerKey) (*kms.Material, error)) (kms.CustomerKey, error) {
	var k kms.CustomerKey
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		var err error
		if k, err = scanKey(tx.QueryRowContext(ctx, selectKey+`WHERE id = ?`, id)); err != nil {
			return err
		}
		m, err := change(&k)
		if err != nil {
			return err
		}
		if m != nil {
			if err := insertMaterial(ctx, tx, *m); err != nil {
				return err
			}
		}
		values, err := mutable(k)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE kms_keys SET state = ?, description = ?, deletion = ?, pending_days = ?, policy = ?, tags = ?,
			rotation_days = ?, rotation_next = ?, version = ?, material_id = ? WHERE id = ?`, append(values, id)...); err != nil {
			return fmt.Errorf("update key: %w", err)
		}
		return nil
	})
	if err != nil {
		return kms.CustomerKey{}, fmt.Errorf("change key %s: %w", id, err)
	}
	return k, nil
}

// DeleteKey implements kms.Store.
func (s *Keys) DeleteKey(ctx context.Context, id string, check func(kms.CustomerKey) error) error {
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		k, err := scanKey(tx.QueryRowContext(ctx, selectKey+`WHERE id = ?`, id))
		if errors.Is(err, kms.ErrKeyGone) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := check(k); err != nil {
			return err
		}
		// Written over first: what a row held stays in the file's free pages otherwise.
		if _, err := tx.ExecContext(ctx, `UPDATE kms_material SET sealed = zeroblob(length(sealed)) WHERE key_id = ?`, id); err != nil {
			return fmt.Errorf("wipe key material: %w", err)
		}
		// Material and aliases go with it.
		if _, err := tx.ExecContext(ctx, `DELETE FROM kms_keys WHERE id = ?`, id); err != nil {
			return fmt.Errorf("delete key: %w", err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("destroy key %s: %w", id, err)
	}
	return nil
}
