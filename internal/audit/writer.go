package audit

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

// writer owns the end of the log: one goroutine writes, syncs and signs.
type writer struct {
	log    *Log
	config Config
	anchor *anchorFile
	file   *os.File
	aead   *subtle.AESGCM
	// first is the number of the file's first frame, day when it was begun.
	first uint64
	day   string
	state position
	// buf is reused from commit to commit.
	buf []byte
	// due fires when what was written without a sync is to be synced; nil when nothing is.
	due <-chan time.Time
	// failed is why nothing is written any more.
	failed error
}

// position is where the chain stands.
type position struct {
	tip
	// end is where the next frame goes in the file.
	end int64
	// Of the last digest: its number, its signature, its time, and how many records came since.
	digestSeq       uint64
	digestSignature []byte
	digestTime      time.Time
	records         uint64
}

// run writes until the queue is closed.
func (w *writer) run() {
	defer close(w.log.done)
	ticker := time.NewTicker(min(w.config.DigestInterval, time.Minute))
	defer ticker.Stop()
	for {
		select {
		case p, ok := <-w.log.queue:
			if !ok {
				w.close()
				return
			}
			batch := w.collect(p)
			err := w.commit(batch)
			for _, p := range batch {
				p.done <- err
			}
		case <-w.due:
			w.settle()
		case <-ticker.C:
			w.tick()
		}
	}
}

// settle syncs what was written without.
func (w *writer) settle() {
	w.due = nil
	if w.failed != nil {
		return
	}
	if err := w.config.sync(w.file); err != nil {
		_ = w.stop(fmt.Errorf("sync: %w", err)) // the next Record returns it
	}
}

// collect takes what else is waiting, as far as one commit goes.
func (w *writer) collect(first *pending) []*pending {
	batch := []*pending{first}
	records, size := len(first.entries), 0
	for records < batchRecords && size < batchBytes {
		select {
		case p, ok := <-w.log.queue:
			if !ok {
				return batch
			}
			batch = append(batch, p)
			records += len(p.entries)
			for _, e := range p.entries {
				size += len(e.document)
			}
		default:
			return batch
		}
	}
	return batch
}

// commit makes events durable.
func (w *writer) commit(batch []*pending) error {
	if w.failed != nil {
		return w.failed
	}
	if err := w.rollover(); err != nil {
		return err
	}
	next := w.state
	buf := w.buf[:0]
	var err error
	sync := false
	for _, p := range batch {
		sync = sync || p.sync
		for _, e := range p.entries {
			if buf, err = w.appendRecord(buf, &next, e); err != nil {
				return err
			}
		}
	}
	if next.records >= uint64(w.config.DigestRecords) || w.config.Now().Sub(next.digestTime) >= w.config.DigestInterval {
		reason := reasonInterval
		if next.records >= uint64(w.config.DigestRecords) {
			reason = reasonRecords
		}
		if buf, err = w.appendDigest(buf, &next, digest{Reason: reason}); err != nil {
			return err
		}
	}
	return w.write(buf, next, sync)
}

func (w *writer) appendRecord(buf []byte, p *position, e entry) ([]byte, error) {
	buf, err := w.appendFrame(buf, p, kindRecord, e.body())
	if err == nil {
		p.records++
	}
	return buf, err
}

// appendDigest completes a digest of the chain so far.
func (w *writer) appendDigest(buf []byte, p *position, d digest) ([]byte, error) {
	now := w.config.Now().UTC()
	d.Sequence, d.Records, d.StartTime, d.EndTime = p.seq+1, p.records, p.digestTime, now
	d.ChainHash = hex.EncodeToString(p.hash[:])
	d.PreviousSequence, d.PreviousSignature = p.digestSeq, hex.EncodeToString(p.digestSignature)
	if d.StartTime.IsZero() {
		d.StartTime = now
	}
	body, signature, err := d.body(w.config.Keys.current)
	if err != nil {
		return buf, err
	}
	if buf, err = w.appendFrame(buf, p, kindDigest, body); err != nil {
		return buf, err
	}
	p.digestSeq, p.digestSignature, p.digestTime, p.records = p.seq, signature, now, 0
	return buf, nil
}

func (w *writer) appendFrame(buf []byte, p *position, k kind, body []byte) ([]byte, error) {
	before := len(buf)
	buf, err := appendFrame(buf, w.aead, k, p.seq+1, p.hash, body)
	if err != nil {
		return buf, err
	}
	p.seq, p.hash = p.seq+1, chain(p.hash, k, p.seq+1, body)
	p.end += int64(len(buf) - before)
	return buf, nil
}

// write writes frames, which then survive the process, and with sync the machine's power too; then it vouches for them
// in the anchor, and lets readers see them. Without sync they are synced in lazySync at the latest. When the write fails (a full disk), the file is as it was and the next commit may succeed; when the sync or the
// anchor fails, nobody knows what is on the disk and nothing more is written.
func (w *writer) write(buf []byte, next position, sync bool) error {
	if cap(buf) <= 2*batchBytes {
		w.buf = buf
	}
	if _, err := w.file.WriteAt(buf, w.state.end); err != nil {
		if cut := w.file.Truncate(w.state.end); cut != nil {
			return w.stop(errors.Join(err, cut))
		}
		return fmt.Errorf("write audit log: %w", err)
	}
	switch {
	case sync:
		if err := w.config.sync(w.file); err != nil {
			return w.stop(fmt.Errorf("sync: %w", err))
		}
		w.due = nil
	case w.due == nil:
		w.due = time.After(lazySync)
	}
	if err := w.anchor.write(next.tip); err != nil {
		return w.stop(err)
	}
	w.state = next
	w.publish()
	return nil
}

func (w *writer) publish() {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	w.log.last, w.log.end = w.state.tip, w.state.end
}

// stop refuses everything from now on.
func (w *writer) stop(cause error) error {
	w.failed = fmt.Errorf("%w: %w", ErrFailed, cause)
	w.config.Log.Error("audit log failed; requests are refused until the server starts again", "err", cause)
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	w.log.fail = w.failed
	return w.failed
}

// rollover begins the next file when the present one is full or of yesterday.
func (w *writer) rollover() error {
	if w.state.end < w.config.MaxFile && dayOf(w.config.Now()) == w.day {
		return nil
	}
	if err := w.sign(reasonRollover); err != nil {
		return err
	}
	if err := w.begin(w.state, digest{Reason: reasonBegin}); err != nil {
		return err
	}
	w.retain()
	return nil
}

// begin makes the next file of the chain that stands at p, beginning with d.
func (w *writer) begin(p position, d digest) error {
	header := newFileHeader(p.seq+1, w.config.Keys.current.id)
	aead, err := w.config.Keys.current.cipher("file", header.salt[:])
	if err != nil {
		return err
	}
	before := w.aead
	w.aead = aead
	p.end = fileHeaderSize
	content, err := w.appendDigest(header.bytes(), &p, d)
	if err != nil {
		w.aead = before
		return err
	}
	file, err := createSegment(w.config.Dir, header.first, content)
	if err != nil {
		w.aead = before
		return err
	}
	closeFile(w.file)
	w.file, w.first, w.day, w.state = file, header.first, dayOf(w.config.Now()), p
	w.log.mu.Lock()
	// Readers keep the slice that they have.
	w.log.segments = append(w.log.segments[:len(w.log.segments):len(w.log.segments)], segment{header.first, segmentPath(w.config.Dir, header.first)})
	w.log.last, w.log.end = p.tip, p.end
	w.log.mu.Unlock()
	if w.anchor == nil {
		return nil // Open writes the first
	}
	if err := w.anchor.write(p.tip); err != nil {
		return w.stop(err)
	}
	return nil
}

// sign writes a digest of its own.
func (w *writer) sign(reason string) error {
	next := w.state
	buf, err := w.appendDigest(w.buf[:0], &next, digest{Reason: reason})
	if err != nil {
		return err
	}
	return w.write(buf, next, true)
}

// tick signs what has waited long enough, and removes what is too old.
func (w *writer) tick() {
	if w.failed != nil {
		return
	}
	var err error
	if dayOf(w.config.Now()) != w.day {
		err = w.rollover()
	} else if w.state.records > 0 && w.config.Now().Sub(w.state.digestTime) >= w.config.DigestInterval {
		err = w.sign(reasonInterval)
	}
	if err != nil {
		w.config.Log.Error("can't sign the audit log", "err", err)
	}
}

func (w *writer) close() {
	defer func() {
		closeFile(w.file)
		closeFile(w.anchor.file)
	}()
	if w.failed != nil {
		return
	}
	err := w.sign(reasonShutdown)
	if err == nil {
		err = w.anchor.file.Sync()
	}
	if err != nil && w.failed == nil {
		_ = w.stop(err) // Close returns it
	}
}

// retain removes files that hold nothing younger than the retention: first the anchor says so, durably,
// then a record, then they go. A crash between leaves files that the next call removes.
func (w *writer) retain() {
	if w.config.Retention < 0 || w.failed != nil {
		return
	}
	files, _ := w.log.view()
	oldest := w.config.Now().Add(-w.config.Retention)
	keep := 0
	for keep < len(files)-1 && files[keep+1].first <= w.anchor.first {
		keep++
	}
	for keep < len(files)-1 {
		over, err := files[keep].over(files[keep+1], w.config.Keys)
		if err != nil || !over.Before(oldest) {
			break
		}
		keep++
	}
	if keep == 0 {
		return
	}
	if err := w.expire(files[:keep], files[keep].first); err != nil {
		w.config.Log.Error("can't remove old audit files", "err", err)
	}
}

func (w *writer) expire(old []segment, first uint64) error {
	if w.anchor.first < first {
		e, err := ownEvent("ExpireAuditRecords", map[string]any{
			"firstSequence": old[0].first, "lastSequence": first - 1, "files": len(old),
		}, w.config.Now())
		if err != nil {
			return err
		}
		next := w.state
		buf, err := w.appendRecord(w.buf[:0], &next, e)
		if err != nil {
			return err
		}
		w.anchor.first = first
		if err := w.write(buf, next, true); err != nil {
			return err
		}
	}
	if err := w.anchor.file.Sync(); err != nil {
		return w.stop(fmt.Errorf("sync anchor: %w", err))
	}
	w.log.mu.Lock()
	w.log.segments = append([]segment(nil), w.log.segments[len(old):]...)
	w.log.mu.Unlock()
	for _, s := range old {
		if err := os.Remove(s.path); err != nil && !missing(err) {
			return err
		}
		w.config.Log.Info("removed audit file past its retention", "file", filepath.Base(s.path))
	}
	return syncDir(w.config.Dir)
}

func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }
