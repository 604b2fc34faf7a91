// Package objects keeps buckets, objects and multipart uploads in SQL: everything of the
// embedded object store but content. Each method is one transaction. Start at Index.
package objects

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/embedded"
	"github.com/dictum/dictum/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Index implements embedded.Index.
type Index struct{ db *store.DB }

var _ embedded.Index = (*Index)(nil)

// Open brings the tables up to date and returns the index. The database stays the caller's to close.
func Open(ctx context.Context, db *store.DB) (*Index, error) {
	if err := db.Migrate(ctx, "objects", migrations); err != nil {
		return nil, err
	}
	return &Index{db: db}, nil
}

// queryer is a transaction or a pool.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

type scanner interface{ Scan(dest ...any) error }

// CreateBucket implements embedded.BucketIndex.
func (x *Index) CreateBucket(ctx context.Context, b objects.Bucket) error {
	return x.db.Tx(ctx, func(tx *sql.Tx) error {
		existing, err := bucket(ctx, tx, b.Name)
		switch {
		case err == nil && existing.AccountID == b.AccountID:
			return objects.ErrBucketOwned
		case err == nil:
			return objects.ErrBucketExists
		case !errors.Is(err, objects.ErrNoSuchBucket):
			return err
		}
		settings, err := encode("settings", b.Settings)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO buckets (`+bucketColumns+`) VALUES (?, ?, ?, ?, ?)`,
			b.Name, b.AccountID, b.Region, b.Created.UnixMilli(), settings)
		return wrap("insert bucket", err)
	})
}

// Bucket implements embedded.BucketIndex.
func (x *Index) Bucket(ctx context.Context, name string) (objects.Bucket, error) {
	return bucket(ctx, x.db.Read(), name)
}

const bucketColumns = `name, account_id, region, created_ms, settings`

func bucket(ctx context.Context, q queryer, name string) (objects.Bucket, error) {
	b, err := scanBucket(q.QueryRowContext(ctx, `SELECT `+bucketColumns+` FROM buckets WHERE name = ?`, name))
	if errors.Is(err, sql.ErrNoRows) {
		return b, objects.ErrNoSuchBucket
	}
	return b, wrap("select bucket", err)
}

func scanBucket(row scanner) (b objects.Bucket, err error) {
	var created int64
	var settings string
	if err := row.Scan(&b.Name, &b.AccountID, &b.Region, &created, &settings); err != nil {
		return objects.Bucket{}, err
	}
	b.Created = fromMillis(created)
	return b, wrap("decode settings", json.Unmarshal([]byte(settings), &b.Settings))
}

// Configure implements embedded.BucketIndex.
func (x *Index) Configure(ctx context.Context, name string, change func(*objects.Settings) error) error {
	return x.db.Tx(ctx, func(tx *sql.Tx) error {
		b, err := bucket(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := change(&b.Settings); err != nil {
			return err
		}
		settings, err := encode("settings", b.Settings)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE buckets SET settings = ? WHERE name = ?`, settings, name)
		return wrap("update bucket", err)
	})
}

// Buckets implements embedded.BucketIndex.
func (x *Index) Buckets(ctx context.Context, accountID string) ([]objects.Bucket, error) {
	return collect(ctx, x.db.Read(), scanBucket,
		`SELECT `+bucketColumns+` FROM buckets WHERE account_id = ? ORDER BY name`, accountID)
}

// DeleteBucket implements embedded.BucketIndex.
func (x *Index) DeleteBucket(ctx context.Context, name string) (dropped []string, err error) {
	err = x.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := bucket(ctx, tx, name); err != nil {
			return err
		}
		var full bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM objects WHERE bucket = ?)`, name).Scan(&full); err != nil {
			return wrap("look into bucket", err)
		}
		if full {
			return objects.ErrBucketNotEmpty
		}
		ids, err := collect(ctx, tx, scanString, `SELECT id FROM uploads WHERE bucket = ?`, name)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if dropped, err = dropContent(ctx, tx, id, dropped); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM uploads WHERE bucket = ?`, name); err != nil {
			return wrap("delete uploads", err)
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM buckets WHERE name = ?`, name)
		return wrap("delete bucket", err)
	})
	return committed(dropped, err)
}

// Known implements embedded.ObjectIndex.
func (x *Index) Known(ctx context.Context, blobs []string) (map[string]bool, error) {
	known := make(map[string]bool, len(blobs))
	if len(blobs) == 0 {
		return known, nil
	}
	args := make([]any, len(blobs))
	for i, b := range blobs {
		args[i] = b
	}
	found, err := collect(ctx, x.db.Read(), scanString,
		`SELECT blob FROM segments WHERE blob IN (?`+strings.Repeat(", ?", len(args)-1)+`)`, args...)
	for _, b := range found {
		known[b] = true
	}
	return known, err
}

// dropContent deletes the segments of a content and adds their blobs to dropped.
func dropContent(ctx context.Context, tx *sql.Tx, content string, dropped []string) ([]string, error) {
	blobs, err := collect(ctx, tx, scanString, `DELETE FROM segments WHERE content = ? RETURNING blob`, content)
	return append(dropped, blobs...), err
}

const segmentColumns = `number, blob, size, etag, checksum_algorithm, checksum_value, modified_ms, key_id, data_key`

func scanSegment(row scanner) (g embedded.Segment, err error) {
	var modified int64
	err = row.Scan(&g.Number, &g.Blob, &g.Size, &g.ETag, &g.ChecksumAlgorithm, &g.ChecksumValue, &modified, &g.Key.KeyID, &g.Key.Blob)
	g.Modified = fromMillis(modified)
	return g, err
}

func insertSegment(ctx context.Context, tx *sql.Tx, content string, g embedded.Segment) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO segments (content, `+segmentColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		content, g.Number, g.Blob, g.Size, g.ETag, g.ChecksumAlgorithm, g.ChecksumValue, g.Modified.UnixMilli(), g.Key.KeyID, g.Key.Blob)
	return wrap("insert segment", err)
}

// collect runs a query and scans all its rows.
func collect[T any](ctx context.Context, q queryer, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("query objects: %w", err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("scan objects: %w", err)
		}
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("query objects: %w", err)
	}
	return all, nil
}

func scanString(row scanner) (s string, err error) {
	err = row.Scan(&s)
	return s, err
}

// committed returns what a transaction dropped, and nothing when it failed: then all is still there.
func committed(dropped []string, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	return dropped, nil
}

func encode(what string, v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), wrap("encode "+what, err)
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
