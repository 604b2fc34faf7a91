package embedded

import (
	"context"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/checksum"
)

// Head implements objects.Store.
func (s *Store) Head(ctx context.Context, bucket, key string) (objects.Object, error) {
	return s.config.Index.Object(ctx, bucket, key)
}

// Open implements objects.ReadWriter.
func (s *Store) Open(ctx context.Context, bucket, key string) (objects.Object, objects.Reader, error) {
	s.access.RLock()
	o, segments, err := s.config.Index.Content(ctx, bucket, key)
	if err == nil {
		s.pin(segments)
	}
	s.access.RUnlock()
	if err != nil {
		return objects.Object{}, nil, err
	}
	r, err := s.newReader(ctx, o, segments)
	if err != nil {
		s.unpin(segments)
		return objects.Object{}, nil, fmt.Errorf("open object: %w", err)
	}
	return o, r, nil
}

// Put implements objects.ReadWriter.
func (s *Store) Put(ctx context.Context, bucket, key string, body io.Reader, meta objects.Metadata) (objects.Object, error) {
	return s.PutIf(ctx, bucket, key, body, meta, objects.Condition{})
}

// PutIf implements objects.Store. With a checksum algorithm but no value in the metadata, the
// checksum is computed.
func (s *Store) PutIf(ctx context.Context, bucket, key string, body io.Reader, meta objects.Metadata, only objects.Condition) (objects.Object, error) {
	// Refuse before the content is read where that is possible; PutObject decides.
	if _, err := s.config.Index.Bucket(ctx, bucket); err != nil {
		return objects.Object{}, err
	}
	compute := ""
	if meta.ChecksumValue == "" {
		compute = meta.ChecksumAlgorithm
	}
	segment, settle, err := s.write(ctx, target{bucket, key, compute, meta.Encryption}, body)
	if err != nil {
		return objects.Object{}, err
	}
	if meta.ChecksumValue == "" && segment.ChecksumValue != "" {
		meta.ChecksumAlgorithm, meta.ChecksumValue, meta.ChecksumType = segment.ChecksumAlgorithm, segment.ChecksumValue, checksum.FullObject
	}
	segment.Number = 1
	o := objects.Object{
		Bucket: bucket, Key: key, Size: segment.Size, ETag: segment.ETag, Modified: segment.Modified, Metadata: meta,
	}
	content, err := newID()
	if err != nil {
		settle(false)
		return objects.Object{}, err
	}
	dropped, err := s.config.Index.PutObject(ctx, o, content, segment, only)
	settle(err == nil)
	if err != nil {
		return objects.Object{}, err
	}
	s.remove(dropped)
	return o, nil
}

// Delete implements objects.ReadWriter.
func (s *Store) Delete(ctx context.Context, bucket, key string) error {
	return s.DeleteAll(ctx, bucket, []string{key})
}

// DeleteAll implements objects.Store.
func (s *Store) DeleteAll(ctx context.Context, bucket string, keys []string) error {
	dropped, err := s.config.Index.DeleteObjects(ctx, bucket, keys)
	s.remove(dropped)
	return err
}

// SetTags implements objects.Store.
func (s *Store) SetTags(ctx context.Context, bucket, key string, tags map[string]string) error {
	return s.config.Index.SetTags(ctx, bucket, key, tags)
}

// newID returns an id that sorts by time (RFC 9562 UUID version 7).
func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return id.String(), nil
}
