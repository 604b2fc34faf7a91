package objects

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/embedded"
)

const objectColumns = `bucket, key, content, size, etag, modified_ms, metadata`

// row is an object and where its content is.
type row struct {
	objects.Object
	content string
}

func scanRow(s scanner) (r row, err error) {
	var key []byte
	var modified int64
	var metadata string
	if err := s.Scan(&r.Bucket, &key, &r.content, &r.Size, &r.ETag, &modified, &metadata); err != nil {
		return row{}, err
	}
	r.Key, r.Modified = string(key), fromMillis(modified)
	return r, wrap("decode metadata", json.Unmarshal([]byte(metadata), &r.Metadata))
}

func scanObject(s scanner) (objects.Object, error) {
	r, err := scanRow(s)
	return r.Object, err
}

// find returns a row, ErrNoSuchBucket or ErrNoSuchKey.
func find(ctx context.Context, q queryer, name, key string) (row, error) {
	r, err := scanRow(q.QueryRowContext(ctx, `SELECT `+objectColumns+` FROM objects WHERE bucket = ? AND key = ?`, name, []byte(key)))
	if !errors.Is(err, sql.ErrNoRows) {
		return r, wrap("select object", err)
	}
	if _, err := bucket(ctx, q, name); err != nil {
		return row{}, err
	}
	return row{}, objects.ErrNoSuchKey
}

// Object implements embedded.ObjectIndex.
func (x *Index) Object(ctx context.Context, bucket, key string) (objects.Object, error) {
	r, err := find(ctx, x.db.Read(), bucket, key)
	return r.Object, err
}

// Content implements embedded.ObjectIndex.
func (x *Index) Content(ctx context.Context, bucket, key string) (o objects.Object, segments []embedded.Segment, err error) {
	err = x.db.View(ctx, func(tx *sql.Tx) error {
		r, err := find(ctx, tx, bucket, key)
		if err != nil {
			return err
		}
		o = r.Object
		segments, err = collect(ctx, tx, scanSegment, `SELECT `+segmentColumns+` FROM segments WHERE content = ? ORDER BY number`, r.content)
		return err
	})
	return o, segments, err
}

// PutObject implements embedded.ObjectIndex.
func (x *Index) PutObject(ctx context.Context, o objects.Object, content string, g embedded.Segment, only objects.Condition) (dropped []string, err error) {
	err = x.db.Tx(ctx, func(tx *sql.Tx) (err error) {
		if dropped, err = replace(ctx, tx, o, content, only); err != nil {
			return err
		}
		return insertSegment(ctx, tx, content, g)
	})
	return committed(dropped, err)
}

// replace makes the object row, whatever was there, when the condition holds.
func replace(ctx context.Context, tx *sql.Tx, o objects.Object, content string, only objects.Condition) (dropped []string, err error) {
	old, err := find(ctx, tx, o.Bucket, o.Key)
	absent := errors.Is(err, objects.ErrNoSuchKey)
	if err != nil && !absent {
		return nil, err
	}
	switch {
	case only.IfAbsent && !absent:
		return nil, objects.ErrPreconditionFailed
	case only.IfMatch != "" && absent:
		return nil, objects.ErrNoSuchKey
	case only.IfMatch != "" && only.IfMatch != "*" && only.IfMatch != old.ETag:
		return nil, objects.ErrPreconditionFailed
	}
	if !absent {
		if dropped, err = dropContent(ctx, tx, old.content, nil); err != nil {
			return nil, err
		}
	}
	metadata, err := encode("metadata", o.Metadata)
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO objects (`+objectColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		o.Bucket, []byte(o.Key), content, o.Size, o.ETag, o.Modified.UnixMilli(), metadata)
	return dropped, wrap("insert object", err)
}

// DeleteObjects implements embedded.ObjectIndex.
func (x *Index) DeleteObjects(ctx context.Context, name string, keys []string) (dropped []string, err error) {
	err = x.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := bucket(ctx, tx, name); err != nil {
			return err
		}
		for _, key := range keys {
			var content string
			err := tx.QueryRowContext(ctx, `DELETE FROM objects WHERE bucket = ? AND key = ? RETURNING content`, name, []byte(key)).Scan(&content)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return wrap("delete object", err)
			}
			if dropped, err = dropContent(ctx, tx, content, dropped); err != nil {
				return err
			}
		}
		return nil
	})
	return committed(dropped, err)
}

// SetTags implements embedded.ObjectIndex.
func (x *Index) SetTags(ctx context.Context, bucket, key string, tags map[string]string) error {
	return x.db.Tx(ctx, func(tx *sql.Tx) error {
		r, err := find(ctx, tx, bucket, key)
		if err != nil {
			return err
		}
		r.Metadata.Tags = tags
		metadata, err := encode("metadata", r.Metadata)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE objects SET metadata = ? WHERE bucket = ? AND key = ?`, metadata, bucket, []byte(key))
		return wrap("update tags", err)
	})
}

// Objects implements embedded.ObjectIndex.
func (x *Index) Objects(ctx context.Context, bucket, from, before string, limit int) ([]objects.Object, error) {
	query, args := `SELECT `+objectColumns+` FROM objects WHERE bucket = ? AND key >= ?`, []any{bucket, []byte(from)}
	if before != "" {
		query, args = query+` AND key < ?`, append(args, []byte(before))
	}
	return collect(ctx, x.db.Read(), scanObject, query+` ORDER BY key LIMIT ?`, append(args, limit)...)
}
