package objects

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/embedded"
)

const uploadColumns = `bucket, key, id, initiated_ms, metadata`

func scanUpload(s scanner) (u objects.Upload, err error) {
	var key []byte
	var initiated int64
	var metadata string
	if err := s.Scan(&u.Bucket, &key, &u.ID, &initiated, &metadata); err != nil {
		return objects.Upload{}, err
	}
	u.Key, u.Initiated = string(key), fromMillis(initiated)
	return u, wrap("decode metadata", json.Unmarshal([]byte(metadata), &u.Metadata))
}

// CreateUpload implements embedded.UploadIndex.
func (x *Index) CreateUpload(ctx context.Context, u objects.Upload) error {
	metadata, err := encode("metadata", u.Metadata)
	if err != nil {
		return err
	}
	return x.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := bucket(ctx, tx, u.Bucket); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO uploads (`+uploadColumns+`) VALUES (?, ?, ?, ?, ?)`,
			u.Bucket, []byte(u.Key), u.ID, u.Initiated.UnixMilli(), metadata)
		return wrap("insert upload", err)
	})
}

// Upload implements embedded.UploadIndex.
func (x *Index) Upload(ctx context.Context, ref objects.UploadRef) (objects.Upload, error) {
	return upload(ctx, x.db.Read(), ref)
}

func upload(ctx context.Context, q queryer, ref objects.UploadRef) (objects.Upload, error) {
	u, err := scanUpload(q.QueryRowContext(ctx, `SELECT `+uploadColumns+` FROM uploads WHERE bucket = ? AND key = ? AND id = ?`,
		ref.Bucket, []byte(ref.Key), ref.ID))
	if !errors.Is(err, sql.ErrNoRows) {
		return u, wrap("select upload", err)
	}
	if _, err := bucket(ctx, q, ref.Bucket); err != nil {
		return objects.Upload{}, err
	}
	return objects.Upload{}, objects.ErrNoSuchUpload
}

// PutPart implements embedded.UploadIndex.
func (x *Index) PutPart(ctx context.Context, ref objects.UploadRef, g embedded.Segment) (dropped []string, err error) {
	err = x.db.Tx(ctx, func(tx *sql.Tx) (err error) {
		if _, err := upload(ctx, tx, ref); err != nil {
			return err
		}
		if dropped, err = collect(ctx, tx, scanString, `DELETE FROM segments WHERE content = ? AND number = ? RETURNING blob`, ref.ID, g.Number); err != nil {
			return err
		}
		return insertSegment(ctx, tx, ref.ID, g)
	})
	return committed(dropped, err)
}

// Parts implements embedded.UploadIndex.
func (x *Index) Parts(ctx context.Context, ref objects.UploadRef, after, limit int) ([]embedded.Segment, error) {
	return collect(ctx, x.db.Read(), scanSegment,
		`SELECT `+segmentColumns+` FROM segments WHERE content = ? AND number > ? ORDER BY number LIMIT ?`, ref.ID, after, limit)
}

// Uploads implements embedded.UploadIndex.
func (x *Index) Uploads(ctx context.Context, bucket, from, afterID, before string, limit int) ([]objects.Upload, error) {
	query := `SELECT ` + uploadColumns + ` FROM uploads WHERE bucket = ? AND (key, id) > (?, ?)`
	args := []any{bucket, []byte(from), afterID}
	if before != "" {
		query, args = query+` AND key < ?`, append(args, []byte(before))
	}
	return collect(ctx, x.db.Read(), scanUpload, query+` ORDER BY key, id LIMIT ?`, append(args, limit)...)
}

// CompleteUpload implements embedded.UploadIndex.
func (x *Index) CompleteUpload(ctx context.Context, ref objects.UploadRef, o objects.Object, keep []embedded.Segment, only objects.Condition) (dropped []string, err error) {
	err = x.db.Tx(ctx, func(tx *sql.Tx) (err error) {
		if _, err := upload(ctx, tx, ref); err != nil {
			return err
		}
		if dropped, err = replace(ctx, tx, o, ref.ID, only); err != nil {
			return err
		}
		unused, err := dropUnkept(ctx, tx, ref.ID, keep)
		if err != nil {
			return err
		}
		dropped = append(dropped, unused...)
		_, err = tx.ExecContext(ctx, `DELETE FROM uploads WHERE id = ?`, ref.ID)
		return wrap("delete upload", err)
	})
	return committed(dropped, err)
}

// dropUnkept deletes the segments of a content that are not to be kept, and holds the others against
// what they were.
func dropUnkept(ctx context.Context, tx *sql.Tx, content string, keep []embedded.Segment) (dropped []string, err error) {
	segments, err := collect(ctx, tx, scanSegment, `SELECT `+segmentColumns+` FROM segments WHERE content = ?`, content)
	if err != nil {
		return nil, err
	}
	kept := make(map[string]bool, len(keep))
	for _, g := range keep {
		kept[g.Blob] = true
	}
	for _, g := range segments {
		if kept[g.Blob] {
			delete(kept, g.Blob)
			continue
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM segments WHERE content = ? AND number = ?`, content, g.Number); err != nil {
			return nil, wrap("delete segment", err)
		}
		dropped = append(dropped, g.Blob)
	}
	if len(kept) > 0 {
		return nil, embedded.ErrPartsChanged
	}
	return dropped, nil
}

// Completed implements embedded.UploadIndex.
func (x *Index) Completed(ctx context.Context, ref objects.UploadRef) (objects.Object, error) {
	r, err := find(ctx, x.db.Read(), ref.Bucket, ref.Key)
	if errors.Is(err, objects.ErrNoSuchKey) || (err == nil && r.content != ref.ID) {
		return objects.Object{}, objects.ErrNoSuchUpload
	}
	return r.Object, err
}

// AbortUpload implements embedded.UploadIndex.
func (x *Index) AbortUpload(ctx context.Context, ref objects.UploadRef) (dropped []string, err error) {
	err = x.db.Tx(ctx, func(tx *sql.Tx) (err error) {
		if _, err := upload(ctx, tx, ref); err != nil {
			return err
		}
		if dropped, err = dropContent(ctx, tx, ref.ID, nil); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM uploads WHERE id = ?`, ref.ID)
		return wrap("delete upload", err)
	})
	return committed(dropped, err)
}

// Stale implements embedded.UploadIndex.
func (x *Index) Stale(ctx context.Context, before time.Time, limit int) ([]objects.UploadRef, error) {
	uploads, err := collect(ctx, x.db.Read(), scanUpload,
		`SELECT `+uploadColumns+` FROM uploads WHERE initiated_ms < ? ORDER BY initiated_ms LIMIT ?`, before.UnixMilli(), limit)
	refs := make([]objects.UploadRef, 0, len(uploads))
	for _, u := range uploads {
		refs = append(refs, u.UploadRef)
	}
	return refs, err
}
