package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

const (
	fileSuffix = ".audit"
	// unfinishedSuffix follows while a file is being made.
	unfinishedSuffix = ".new"
)

// segment is one file of the log.
type segment struct {
	// first is the number of its first frame; its name too.
	first uint64
	path  string
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, fileSuffix))
}

// segments are the files of a folder in order.
func segments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list audit files: %w", err)
	}
	var all []segment
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), fileSuffix)
		if !ok || len(name) != 20 {
			continue
		}
		first, err := strconv.ParseUint(name, 10, 64)
		if err != nil {
			continue
		}
		all = append(all, segment{first: first, path: filepath.Join(dir, e.Name())})
	}
	slices.SortFunc(all, func(a, b segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return all, nil
}

// openSegment opens a file for reading.
type openSegment struct {
	segment
	file   *os.File
	header fileHeader
	keys   keyPair
	aead   *subtle.AESGCM
	size   int64
}

func (s segment) open(keys Keys) (*openSegment, error) {
	file, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	o := &openSegment{segment: s, file: file}
	if err := o.read(keys); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", filepath.Base(s.path), err), file.Close())
	}
	return o, nil
}

func (o *openSegment) read(keys Keys) error {
	info, err := o.file.Stat()
	if err != nil {
		return err
	}
	o.size = info.Size()
	b := make([]byte, fileHeaderSize)
	if _, err := o.file.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if o.size < fileHeaderSize {
		return errors.New("shorter than its header")
	}
	if o.header, err = parseFileHeader(b); err != nil {
		return err
	}
	var ok bool
	if o.keys, ok = keys.pair(o.header.key); !ok {
		return errUnknownKey
	}
	o.aead, err = o.keys.cipher("file", o.header.salt[:])
	return err
}

func (o *openSegment) scan(to int64) *scanner { return newScanner(o.file, o.aead, fileHeaderSize, to) }

func (o *openSegment) close() { o.file.Close() }

// begins returns when a file was begun: the time of the digest that it begins with.
func (s segment) begins(keys Keys) (time.Time, error) {
	o, err := s.open(keys)
	if err != nil {
		return time.Time{}, err
	}
	defer o.close()
	f, d, err := o.scan(min(o.size, fileHeaderSize+frameOverhead+maxSealed)).next()
	if err != nil || d != nil || f.kind != kindDigest {
		return time.Time{}, fmt.Errorf("open %s: %w", filepath.Base(s.path), errDigest)
	}
	first, _, err := parseDigest(f.body, o.keys)
	return first.EndTime, err
}

// over returns when a file's last record was made, or a little later: when the next one begins, or when
// the file was last written to where that can't be read.
func (s segment) over(next segment, keys Keys) (time.Time, error) {
	if began, err := next.begins(keys); err == nil {
		return began, nil
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// createSegment makes a file durable whole: its header and first frame are there once its name is.
func createSegment(dir string, first uint64, content []byte) (*os.File, error) {
	path := segmentPath(dir, first)
	temp := path + unfinishedSuffix
	file, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make audit file: %w", err)
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		// Unlike Rename, Link never replaces a file that is there.
		err = os.Link(temp, path)
	}
	err = errors.Join(err, os.Remove(temp))
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make audit file: %w", err), file.Close())
	}
	return file, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
