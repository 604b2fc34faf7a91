package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"sync"

	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/sealed"
)

// reader reads a content of one or many segments. It opens the file it needs; only the
// sequential side keeps one open, and a content of one segment has it open for both.
type reader struct {
	store    *Store
	object   objects.Object
	segments []Segment
	starts   []int64 // the offset of each segment in the content
	ctx      context.Context

	whole *segmentFile // of a content of one segment

	position int64
	current  *segmentFile // the sequential side's file
	buffer   []byte       // content at position, already opened
	room     []byte       // what buffer lies in

	close sync.Once
}

// segmentFile is an open segment.
type segmentFile struct {
	*sealed.Reader
	file  *os.File
	index int
}

func (s *Store) newReader(ctx context.Context, o objects.Object, segments []Segment) (*reader, error) {
	r := &reader{store: s, object: o, segments: segments, ctx: context.WithoutCancel(ctx)}
	var total int64
	for _, g := range segments {
		r.starts = append(r.starts, total)
		total += g.Size
	}
	if total != o.Size || len(segments) == 0 {
		return nil, fmt.Errorf("segments have %d bytes, the object %d: %w", total, o.Size, sealed.ErrDamaged)
	}
	first, err := r.open(0)
	if err != nil {
		return nil, err
	}
	// This finds missing and cut files before the first byte is answered.
	if err := first.Verify(); err != nil {
		first.file.Close()
		return nil, err
	}
	r.current = first
	if len(segments) == 1 {
		r.whole = first
	}
	return r, nil
}

func (r *reader) open(index int) (*segmentFile, error) {
	g := r.segments[index]
	_, bound := binding(r.object.Bucket, r.object.Key, g.Blob, r.object.Metadata.Encryption)
	key, err := r.store.config.Keys.Unwrap(r.ctx, g.Key, bound)
	if err != nil {
		return nil, fmt.Errorf("open data key: %w", objects.FailKey(err))
	}
	defer clear(key)
	f, err := os.Open(r.store.path(g.Blob))
	if err != nil {
		return nil, fmt.Errorf("open content file: %w", err)
	}
	opened, err := sealed.NewReader(f, key, g.Blob, g.Size)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &segmentFile{Reader: opened, file: f, index: index}, nil
}

// at returns the index of the segment that holds an offset before the content's end.
func (r *reader) at(offset int64) int {
	// Of several that begin there, all but the last are empty.
	return sort.Search(len(r.starts), func(i int) bool { return r.starts[i] > offset }) - 1
}

// ReadAt implements io.ReaderAt.
func (r *reader) ReadAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, errors.New("read object: negative offset")
	}
	for n < len(p) && offset < r.object.Size {
		m, err := r.readSegment(p[n:], offset)
		n, offset = n+m, offset+int64(m)
		if err != nil {
			return n, fmt.Errorf("read object: %w", err)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readSegment fills p from one segment, as far as that goes.
func (r *reader) readSegment(p []byte, offset int64) (int, error) {
	f := r.whole
	if f == nil {
		var err error
		if f, err = r.open(r.at(offset)); err != nil {
			return 0, err
		}
		defer f.file.Close()
	}
	return readWithin(f, p, offset-r.starts[f.index])
}

func readWithin(f *segmentFile, p []byte, offset int64) (int, error) {
	n, err := f.ReadAt(p, offset)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Read implements io.Reader. It opens every chunk once.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.buffer) == 0 {
		if r.position >= r.object.Size {
			return 0, io.EOF
		}
		if err := r.fill(); err != nil {
			return 0, fmt.Errorf("read object: %w", err)
		}
	}
	n := copy(p, r.buffer)
	r.buffer = r.buffer[n:]
	r.position += int64(n)
	return n, nil
}

// fill opens the rest of the chunk at position.
func (r *reader) fill() error {
	if index := r.at(r.position); r.current == nil || r.current.index != index {
		next, err := r.open(index)
		if err != nil {
			return err
		}
		if r.current != nil {
			r.current.file.Close()
		}
		r.current = next
	}
	offset := r.position - r.starts[r.current.index]
	if r.room == nil {
		r.room = make([]byte, sealed.ChunkSize)
	}
	n, err := readWithin(r.current, r.room[:sealed.ChunkSize-offset%sealed.ChunkSize], offset)
	r.buffer = r.room[:n]
	return err
}

// Seek implements io.Seeker.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.position
	case io.SeekEnd:
		offset += r.object.Size
	}
	if offset < 0 {
		return 0, errors.New("seek object: negative position")
	}
	if offset != r.position {
		r.buffer = nil
	}
	r.position = offset
	return offset, nil
}

// Close implements io.Closer. Closing again does nothing.
func (r *reader) Close() error {
	r.close.Do(func() {
		if r.current != nil {
			r.current.file.Close()
		}
		r.store.unpin(r.segments)
	})
	return nil
}
