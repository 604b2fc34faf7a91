package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// Record is one record of a log.
type Record struct {
	// Sequence numbers records; digests have numbers too, so there are gaps.
	Sequence uint64
	// Recorded is when it was written; the document has when the act began.
	Recorded time.Time
	// Account and Region are whose record it is; both are empty for what nobody owns.
	Account, Region string
	// Data marks a data event.
	Data bool
	// Document is the event in CloudTrail's form.
	Document json.RawMessage
}

// ErrDamaged means that a part of the log could not be read; Verify says which.
var ErrDamaged = errors.New("part of the audit log can't be read; run dictum admin audit verify")

// Scan calls fn with the records of a folder from the number given on, oldest first, and returns the
// number of the last frame it passed. It goes on after damaged parts and returns ErrDamaged at the end. It changes
// nothing, and may be used while the log is being written; an unfinished record at the end is none.
func Scan(ctx context.Context, dir string, keys Keys, from uint64, fn func(Record) error) (last uint64, err error) {
	files, err := segments(dir)
	if err != nil {
		return 0, err
	}
	return scanFiles(ctx, files, keys, from, -1, fn)
}

// Scan is like the function, for what this log has made durable.
func (l *Log) Scan(ctx context.Context, from uint64, fn func(Record) error) (last uint64, err error) {
	if done := l.Last(); from > done {
		return from - 1, nil // nothing new, which is what exporters find most of the time
	}
	files, end := l.view()
	return scanFiles(ctx, files, l.config.Keys, from, end, fn)
}

// scanFiles reads files, the last of them up to end; negative means all of it.
func scanFiles(ctx context.Context, files []segment, keys Keys, from uint64, end int64, fn func(Record) error) (last uint64, err error) {
	last = max(from, 1) - 1
	damaged := false
	for i, s := range files {
		if i+1 < len(files) && files[i+1].first <= from {
			continue
		}
		final := i == len(files)-1
		o, err := s.open(keys)
		if missing(err) {
			continue // retention took it
		}
		if err != nil {
			damaged = true
			continue
		}
		to := o.size
		if final && end >= 0 {
			to = min(to, end)
		}
		lost, err := scanFile(ctx, o, to, from, &last, fn, final)
		o.close()
		if err != nil {
			return last, err
		}
		damaged = damaged || lost
	}
	if damaged {
		return last, ErrDamaged
	}
	return last, nil
}

func scanFile(ctx context.Context, o *openSegment, to int64, from uint64, last *uint64, fn func(Record) error, final bool) (lost bool, err error) {
	begin := int64(fileHeaderSize)
	if o.first < from {
		if at, ok := newBackScanner(o.file, o.aead, to).seek(from); ok {
			begin = at
		}
	}
	scan := newScanner(o.file, o.aead, begin, to)
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return lost, ctx.Err()
		}
		f, d, err := scan.next()
		switch {
		case errors.Is(err, io.EOF):
			return lost, nil
		case err != nil:
			return lost, fmt.Errorf("read %s: %w", filepath.Base(o.path), err)
		case d != nil:
			lost = lost || !d.last || !final
			continue
		case f.seq < from:
			continue
		}
		if f.kind == kindRecord {
			e, err := parseEntry(f.body)
			if err != nil {
				lost = true
				continue
			}
			r := Record{Sequence: f.seq, Recorded: e.recorded, Account: e.account, Region: e.region, Data: e.data, Document: e.document}
			if err := fn(r); err != nil {
				return lost, err
			}
		}
		*last = max(*last, f.seq)
	}
}
