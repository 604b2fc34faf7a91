package embedded

import (
	"context"
	"crypto/md5" //nolint:gosec // S3's ETag is an MD5; it protects nothing here
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/checksum"
	"github.com/dictum/dictum/internal/objects/sealed"
)

// copySize is how much of a body is read at a time.
const copySize = 128 << 10

func (s *Store) path(blob string) string {
	return filepath.Join(s.config.Dir, blob[:2], blob)
}

// binding returns the key to wrap a file's data key under, and its encryption context: under a customer's
// key what KMS shows for S3; under Dictum's own the file's name as well. The file's name is bound to its
// chunks in either case.
func binding(bucket, key, blob string, e objects.Encryption) (keyID string, context kms.Context) {
	if e.Customer() {
		return e.KeyARN, e.Bind(bucket, key)
	}
	return kms.RootKeyID, kms.Context{objects.ContextKey: objects.ARN(bucket, key), "blob": blob}
}

// target is what a body is written for.
type target struct {
	bucket, key string
	// algorithm, when not empty, is that of a checksum to compute.
	algorithm  string
	encryption objects.Encryption
}

// write seals body into a new file and returns it as a segment without a number, synced to disk, together with a
// function that must be called once its fate in the index is known.
func (s *Store) write(ctx context.Context, t target, body io.Reader) (Segment, func(kept bool), error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return Segment{}, nil, err
	}
	blob := hex.EncodeToString(id[:])
	s.mu.Lock()
	s.fresh[blob] = true
	s.mu.Unlock()
	settle := func(kept bool) {
		if !kept {
			s.unlink(blob)
		}
		s.mu.Lock()
		delete(s.fresh, blob)
		s.mu.Unlock()
	}
	segment, err := s.seal(ctx, blob, t, body)
	if err != nil {
		settle(false)
		return Segment{}, nil, err
	}
	segment.Modified = s.config.Now()
	return segment, settle, nil
}

func (s *Store) seal(ctx context.Context, blob string, t target, body io.Reader) (_ Segment, err error) {
	keyID, bound := binding(t.bucket, t.key, blob, t.encryption)
	key, wrapped, err := s.config.Keys.NewDataKey(ctx, keyID, bound)
	if err != nil {
		return Segment{}, fmt.Errorf("make data key: %w", objects.FailKey(err))
	}
	defer clear(key)
	f, err := os.OpenFile(s.path(blob), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Segment{}, fmt.Errorf("make content file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w, err := sealed.NewWriter(f, key, blob)
	if err != nil {
		return Segment{}, err
	}
	sums, err := newSums(t.algorithm)
	if err != nil {
		return Segment{}, err
	}
	if err := pour(ctx, io.MultiWriter(sums, w), body); err != nil {
		return Segment{}, err
	}
	if err := w.Close(); err != nil {
		return Segment{}, err
	}
	if err := f.Sync(); err != nil {
		return Segment{}, fmt.Errorf("sync content file: %w", err)
	}
	if err := syncDir(filepath.Dir(f.Name())); err != nil {
		return Segment{}, err
	}
	segment := Segment{Blob: blob, Key: wrapped}
	segment.Size, segment.ETag = w.Size(), hex.EncodeToString(sums.md5.Sum(nil))
	if t.encryption.Customer() {
		// An MD5 would let whoever may list, but not decrypt, guess at the content.
		var opaque [16]byte
		if _, err := rand.Read(opaque[:]); err != nil {
			return Segment{}, err
		}
		segment.ETag = hex.EncodeToString(opaque[:])
	}
	segment.ChecksumAlgorithm, segment.ChecksumValue = sums.checksum(body)
	return segment, nil
}

// pour copies body until its end, and no more than MaxPut.
func pour(ctx context.Context, to io.Writer, body io.Reader) error {
	buffer := make([]byte, copySize)
	for total := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := body.Read(buffer)
		if total += int64(n); total > objects.MaxPut {
			return objects.ErrTooLarge
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err // As it is: the body's errors are the client's.
		}
	}
}

// sums are the digests of a content under way.
type sums struct {
	md5       hash.Hash
	algorithm string
	extra     hash.Hash // nil without an algorithm
}

func newSums(algorithm string) (*sums, error) {
	s := &sums{md5: md5.New(), algorithm: algorithm} //nolint:gosec // as above
	if algorithm == "" {
		return s, nil
	}
	var err error
	s.extra, err = checksum.New(algorithm)
	return s, err
}

// Write implements io.Writer.
func (s *sums) Write(p []byte) (int, error) {
	s.md5.Write(p)
	if s.extra != nil {
		s.extra.Write(p)
	}
	return len(p), nil
}

// checksum returns what was asked for, else what the body's client sent.
func (s *sums) checksum(body io.Reader) (algorithm, value string) {
	if s.extra != nil {
		return s.algorithm, base64.StdEncoding.EncodeToString(s.extra.Sum(nil))
	}
	if c, ok := body.(objects.Checksummed); ok {
		return c.Checksum()
	}
	return "", ""
}

// pin keeps the blobs from removal until as many calls of unpin.
func (s *Store) pin(segments []Segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range segments {
		s.pinned[g.Blob]++
	}
}

func (s *Store) unpin(segments []Segment) {
	var free []string
	s.mu.Lock()
	for _, g := range segments {
		if s.pinned[g.Blob]--; s.pinned[g.Blob] > 0 {
			continue
		}
		delete(s.pinned, g.Blob)
		if s.doomed[g.Blob] {
			delete(s.doomed, g.Blob)
			free = append(free, g.Blob)
		}
	}
	s.mu.Unlock()
	for _, blob := range free {
		s.unlink(blob)
	}
}

// remove removes files that the index dropped, now or when their last reader closes.
func (s *Store) remove(dropped []string) {
	if len(dropped) == 0 {
		return
	}
	s.access.Lock() // Whoever found these blobs in the index has pinned them by now.
	s.mu.Lock()
	var free []string
	for _, blob := range dropped {
		if s.pinned[blob] > 0 {
			s.doomed[blob] = true
		} else {
			free = append(free, blob)
		}
	}
	s.mu.Unlock()
	s.access.Unlock()
	for _, blob := range free {
		s.unlink(blob)
	}
}

// unlink removes a file that nothing refers to. When that fails, the next start tries again.
func (s *Store) unlink(blob string) {
	if err := os.Remove(s.path(blob)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.config.Log.Warn("content file stays until the next start", "err", err)
	}
}
