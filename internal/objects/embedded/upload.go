package embedded

import (
	"context"
	"crypto/md5" //nolint:gosec // S3's ETag of ETags
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/checksum"
)

// CreateUpload implements objects.Uploads.
func (s *Store) CreateUpload(ctx context.Context, bucket, key string, meta objects.Metadata) (objects.Upload, error) {
	id, err := newID()
	if err != nil {
		return objects.Upload{}, err
	}
	u := objects.Upload{
		UploadRef: objects.UploadRef{Bucket: bucket, Key: key, ID: id},
		Initiated: s.config.Now(), Metadata: meta,
	}
	return u, s.config.Index.CreateUpload(ctx, u)
}

// Upload implements objects.Uploads.
func (s *Store) Upload(ctx context.Context, ref objects.UploadRef) (objects.Upload, error) {
	return s.config.Index.Upload(ctx, ref)
}

// PutPart implements objects.Uploads.
func (s *Store) PutPart(ctx context.Context, ref objects.UploadRef, number int, body io.Reader) (objects.Part, error) {
	if number < 1 || number > objects.MaxParts {
		return objects.Part{}, fmt.Errorf("part number %d: %w", number, objects.ErrInvalidPart)
	}
	upload, err := s.config.Index.Upload(ctx, ref)
	if err != nil {
		return objects.Part{}, err
	}
	segment, settle, err := s.write(ctx, target{ref.Bucket, ref.Key, upload.Metadata.ChecksumAlgorithm, upload.Metadata.Encryption}, body)
	if err != nil {
		return objects.Part{}, err
	}
	segment.Number = number
	dropped, err := s.config.Index.PutPart(ctx, ref, segment)
	settle(err == nil)
	if err != nil {
		return objects.Part{}, err
	}
	s.remove(dropped)
	return segment.Part, nil
}

// ListParts implements objects.Uploads.
func (s *Store) ListParts(ctx context.Context, ref objects.UploadRef, after, limit int) ([]objects.Part, bool, error) {
	if _, err := s.config.Index.Upload(ctx, ref); err != nil {
		return nil, false, err
	}
	segments, err := s.config.Index.Parts(ctx, ref, after, limit+1)
	if err != nil {
		return nil, false, err
	}
	more := len(segments) > limit
	if more {
		segments = segments[:limit]
	}
	parts := make([]objects.Part, 0, len(segments))
	for _, g := range segments {
		parts = append(parts, g.Part)
	}
	return parts, more, nil
}

// CompleteUpload implements objects.Uploads.
func (s *Store) CompleteUpload(ctx context.Context, ref objects.UploadRef, c objects.Completion) (objects.Object, error) {
	for {
		upload, err := s.config.Index.Upload(ctx, ref)
		if errors.Is(err, objects.ErrNoSuchUpload) {
			// A client whose first answer was lost asks again.
			return s.config.Index.Completed(ctx, ref)
		}
		if err != nil {
			return objects.Object{}, err
		}
		uploaded, err := s.config.Index.Parts(ctx, ref, 0, objects.MaxParts)
		if err != nil {
			return objects.Object{}, err
		}
		keep, err := choose(uploaded, c.Parts)
		if err != nil {
			return objects.Object{}, err
		}
		o, err := assemble(upload, keep, c)
		if err != nil {
			return objects.Object{}, err
		}
		o.Modified = s.config.Now()
		dropped, err := s.config.Index.CompleteUpload(ctx, ref, o, keep, c.Only)
		if errors.Is(err, ErrPartsChanged) {
			continue // A part was uploaded again between the two; what is there now counts.
		}
		if err != nil {
			return objects.Object{}, err
		}
		s.remove(dropped)
		return o, nil
	}
}

// choose returns the uploaded parts that the client named.
func choose(uploaded []Segment, named []objects.Part) ([]Segment, error) {
	byNumber := make(map[int]Segment, len(uploaded))
	for _, g := range uploaded {
		byNumber[g.Number] = g
	}
	keep := make([]Segment, 0, len(named))
	for i, p := range named {
		g, ok := byNumber[p.Number]
		// A checksum that we have none of can't be compared: it was verified when the part came, or never sent.
		other := p.ChecksumValue != "" && g.ChecksumValue != "" && p.ChecksumAlgorithm == g.ChecksumAlgorithm && p.ChecksumValue != g.ChecksumValue
		if !ok || p.ETag != g.ETag || other {
			return nil, &objects.PartError{Err: objects.ErrInvalidPart, Number: p.Number, ETag: p.ETag}
		}
		if i < len(named)-1 && g.Size < objects.MinPart {
			return nil, &objects.PartError{Err: objects.ErrPartTooSmall, Number: p.Number, ETag: p.ETag, Size: g.Size}
		}
		keep = append(keep, g)
	}
	if len(keep) == 0 {
		return nil, fmt.Errorf("complete without parts: %w", objects.ErrInvalidPart)
	}
	return keep, nil
}

// assemble computes what the object of the segments is.
func assemble(upload objects.Upload, keep []Segment, c objects.Completion) (objects.Object, error) {
	o := objects.Object{Bucket: upload.Bucket, Key: upload.Key, Metadata: upload.Metadata}
	etags := md5.New() //nolint:gosec // as above
	parts := make([]checksum.Part, 0, len(keep))
	for _, g := range keep {
		sum, err := hex.DecodeString(g.ETag)
		if err != nil {
			return objects.Object{}, fmt.Errorf("etag of part %d: %w", g.Number, err)
		}
		etags.Write(sum)
		o.Size += g.Size
		parts = append(parts, checksum.Part{Value: g.ChecksumValue, Size: g.Size})
	}
	if o.Size > objects.MaxObject {
		return objects.Object{}, objects.ErrTooLarge
	}
	if c.Size >= 0 && c.Size != o.Size {
		return objects.Object{}, fmt.Errorf("parts have %d bytes, the client counts %d: %w", o.Size, c.Size, objects.ErrBadChecksum)
	}
	o.ETag = hex.EncodeToString(etags.Sum(nil)) + "-" + strconv.Itoa(len(keep))
	m := &o.Metadata
	if m.ChecksumAlgorithm == "" {
		return o, nil
	}
	value, err := checksum.Combine(m.ChecksumAlgorithm, m.ChecksumType, parts)
	if err != nil {
		return objects.Object{}, fmt.Errorf("join checksums of parts: %w", err)
	}
	if c.ChecksumValue != "" && c.ChecksumValue != value {
		return objects.Object{}, fmt.Errorf("%s of the parts is %s: %w", m.ChecksumAlgorithm, value, objects.ErrBadChecksum)
	}
	m.ChecksumValue = value
	return o, nil
}

// AbortUpload implements objects.Uploads.
func (s *Store) AbortUpload(ctx context.Context, ref objects.UploadRef) error {
	dropped, err := s.config.Index.AbortUpload(ctx, ref)
	s.remove(dropped)
	return err
}
