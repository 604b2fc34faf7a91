package audit

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
)

func newEventID() string { return uuid.NewString() }

// found is how Open finds the end of the log.
type found struct {
	position
	// segment is the file that the end is in; nil when a new one must begin.
	segment *openSegment
	// cut is how many bytes of an unfinished write follow the end.
	cut int64
	// notices say what is wrong, in order; damage that it is more than an unfinished write.
	notices []string
	damage  bool
}

func (end *found) notice(damage bool, format string, args ...any) {
	end.notices = append(end.notices, fmt.Sprintf(format, args...))
	end.damage = end.damage || damage
}

// openWriter finds the end of the log and makes it ready to be written to.
func openWriter(l *Log) (*writer, error) {
	w := &writer{log: l, config: l.config}
	if err := os.MkdirAll(w.config.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := removeUnfinished(w.config.Dir); err != nil {
		return nil, err
	}
	files, err := segments(w.config.Dir)
	if err != nil {
		return nil, err
	}
	l.segments = files
	old, anchorErr := readAnchor(w.config.Dir, w.config.Keys)
	end, err := findEnd(files, w.config, old, anchorErr)
	if err != nil {
		return nil, err
	}
	if end.segment != nil {
		defer end.segment.close()
	}
	if old.first == 0 {
		old.first = 1
		if len(files) > 0 {
			old.first = files[0].first
		}
	}
	if err := w.resume(end, old); err != nil {
		closeFile(w.file)
		return nil, err
	}
	w.retain()
	return w, nil
}

// removeUnfinished removes files whose making a crash interrupted.
func removeUnfinished(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), fileSuffix+unfinishedSuffix) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// findEnd reads the last file and holds its end against the anchor.
func findEnd(files []segment, config Config, a anchor, anchorErr error) (*found, error) {
	end := &found{}
	if len(files) > 0 {
		if err := end.readLast(files, config.Keys, a); err != nil {
			return nil, err
		}
	}
	switch {
	case anchorErr == nil && a.last > end.seq:
		end.notice(true, "%s missing at the end", span(end.seq+1, a.last))
		end.tip = tip{a.last, a.hash}
	case anchorErr != nil && !missing(anchorErr):
		end.notice(true, "%v", anchorErr)
	case anchorErr != nil && len(files) > 0:
		end.notice(true, "the anchor is missing")
	}
	if end.seq < config.Reached {
		end.notice(true, "the log had reached record %d and ends at %d", config.Reached, end.seq)
		end.seq = config.Reached
	}
	if end.segment == nil {
		return end, nil
	}
	name := filepath.Base(end.segment.path)
	switch {
	case end.damage:
		// What is there stays as it is, for whoever looks into it.
		if end.cut > 0 {
			end.notice(true, "%s ends with %d bytes that are no record", name, end.cut)
		}
		end.segment.close()
		end.segment, end.cut = nil, 0
	case end.cut > 0:
		end.notice(false, "%s: cut %d bytes of an unfinished record after %d", name, end.cut, end.seq)
	}
	return end, nil
}

// span names records.
func span(first, last uint64) string {
	if first == last {
		return fmt.Sprintf("record %d is", first)
	}
	return fmt.Sprintf("records %d to %d are", first, last)
}

// readLast walks through the last file to its end.
func (end *found) readLast(files []segment, keys Keys, a anchor) error {
	last := files[len(files)-1]
	name := filepath.Base(last.path)
	// The next number must be above all that a name has claimed.
	end.seq = last.first
	o, err := last.open(keys)
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			return err // the disk's failure, not the content's
		}
		end.notice(true, "%v", err)
		return nil
	}
	scan := o.scan(o.size)
	end.position.end = fileHeaderSize
	var torn *damage
	frames := 0
	for {
		f, d, err := scan.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			o.close()
			return fmt.Errorf("read %s: %w", name, err)
		}
		if d != nil {
			torn = d
			if !d.last {
				end.notice(true, "%s: damaged at byte %d", name, d.at)
			}
			continue
		}
		if frames > 0 && torn == nil && (f.seq != end.seq+1 || f.prev != end.hash) {
			end.notice(true, "%s: record %d does not follow %d", name, f.seq, end.seq)
		}
		frames++
		end.take(f, o.keys)
		if f.seq == a.last && end.hash != a.hash {
			end.notice(true, "%s: record %d is not the one that the anchor names", name, f.seq)
		}
	}
	end.segment = o
	if torn != nil && torn.last {
		end.cut = o.size - torn.at
	}
	if frames == 0 {
		end.notice(true, "%s: holds no records", name)
	}
	return nil
}

// take moves the end behind a frame.
func (end *found) take(f frame, keys keyPair) {
	end.tip, end.position.end = tip{f.seq, f.hash()}, f.at+f.size
	if f.kind != kindDigest {
		end.records++
		return
	}
	d, signature, err := parseDigest(f.body, keys)
	if err != nil {
		end.notice(true, "record %d: %v", f.seq, err)
		return
	}
	end.digestSeq, end.digestSignature, end.digestTime, end.records = f.seq, signature, d.EndTime, 0
}

// resume opens the end for writing, or begins a new file, and puts on record what was found.
func (w *writer) resume(end *found, old anchor) error {
	d := digest{Reason: reasonOpen, Notice: strings.Join(end.notices, "; "), Damage: end.damage}
	for _, n := range end.notices {
		w.config.Log.Warn("audit log", "found", n)
	}
	w.state = end.position
	err := w.cut(end)
	if err != nil {
		return err
	}
	// What a later root key signs is in files of its own.
	if end.segment == nil || !end.segment.keys.equal(w.config.Keys.current) {
		err = w.begin(w.state, d)
	} else {
		err = w.reopen(end, d)
	}
	if err != nil {
		return err
	}
	// The counter goes on, so that a slot of before never wins.
	if w.anchor, err = createAnchor(w.config.Dir, w.config.Keys.current, anchor{
		counter: old.counter, first: old.first, last: w.state.seq, hash: w.state.hash,
	}); err != nil {
		return err
	}
	if len(end.notices) == 0 {
		return nil
	}
	name := "RecoverAuditLog"
	if end.damage {
		name = "DamagedAuditLog"
	}
	e, err := ownEvent(name, map[string]any{"findings": toAny(end.notices), "lastSequence": end.seq, "lastHash": hex.EncodeToString(end.hash[:])}, w.config.Now())
	if err != nil {
		return err
	}
	next := w.state
	buf, err := w.appendRecord(nil, &next, e)
	if err != nil {
		return err
	}
	return w.write(buf, next, true)
}

// cut removes an unfinished record.
func (w *writer) cut(end *found) error {
	if end.segment == nil || end.cut == 0 {
		return nil
	}
	file, err := os.OpenFile(end.segment.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Truncate(end.position.end), file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("cut unfinished record: %w", err)
	}
	return nil
}

// reopen goes on in the last file.
func (w *writer) reopen(end *found, d digest) error {
	file, err := os.OpenFile(end.segment.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	w.file, w.aead, w.first = file, end.segment.aead, end.segment.first
	if began, err := end.segment.begins(w.config.Keys); err == nil {
		w.day = dayOf(began)
	}
	buf, err := w.appendDigest(nil, &w.state, d)
	if err != nil {
		return err
	}
	if _, err := file.WriteAt(buf, end.position.end); err != nil {
		return err
	}
	if err := w.config.sync(file); err != nil {
		return err
	}
	w.publish()
	return nil
}

func toAny(texts []string) []any {
	all := make([]any, len(texts))
	for i, t := range texts {
		all[i] = t
	}
	return all
}
