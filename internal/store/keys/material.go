package keys

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dictum/dictum/internal/kms"
)

// Material implements kms.Store.
func (s *Keys) Material(ctx context.Context, keyID string, version uint32) (kms.Material, error) {
	m := kms.Material{KeyID: keyID, Version: version}
	var created int64
	err := s.db.Read().QueryRowContext(ctx, `SELECT id, created, rotation, sealed FROM kms_material WHERE key_id = ? AND version = ?`,
		keyID, version).Scan(&m.ID, &created, &m.Rotation, &m.Sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return m, kms.ErrKeyGone
	}
	if err != nil {
		return m, fmt.Errorf("read key material: %w", err)
	}
	m.Created = time.UnixMilli(created).UTC()
	return m, nil
}

// Materials implements kms.Store.
func (s *Keys) Materials(ctx context.Context, keyID string) ([]kms.Material, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT version, id, created, rotation FROM kms_material WHERE key_id = ? ORDER BY version`, keyID)
	if err != nil {
		return nil, fmt.Errorf("list key material: %w", err)
	}
	defer rows.Close()
	var materials []kms.Material
	for rows.Next() {
		m := kms.Material{KeyID: keyID}
		var created int64
		if err := rows.Scan(&m.Version, &m.ID, &created, &m.Rotation); err != nil {
			return nil, fmt.Errorf("list key material: %w", err)
		}
		m.Created = time.UnixMilli(created).UTC()
		materials = append(materials, m)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list key material: %w", err)
	}
	return materials, nil
}
