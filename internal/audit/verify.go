package audit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"
)

// maxFindings bounds a report; a log that is wrong throughout needs no longer list.
const maxFindings = 1000

// Report is what Verify found.
type Report struct {
	Files, Records, Digests int
	// First and Last are the numbers of the first and the last frame; records and digests count together.
	First, Last uint64
	// From and To are when the first and the last record were made.
	From, To time.Time
	// Findings are what is wrong; a sound log has none.
	Findings []Finding
	// Notes are what is worth knowing and proves nothing wrong: an unfinished last record, records
	// that a crash left without an anchor.
	Notes []string
}

// Finding is one thing that is wrong with a log.
type Finding struct {
	// File is the base name, empty when it is about none; Offset is in bytes.
	File   string
	Offset int64
	// First and Last are the numbers of the records concerned; zero when unknown.
	First, Last uint64
	Problem     string
}

// String says it in a line.
func (f Finding) String() string {
	text := f.Problem
	switch {
	case f.First == 0:
	case f.First == f.Last:
		text = fmt.Sprintf("record %d: %s", f.First, text)
	default:
		text = fmt.Sprintf("records %d to %d: %s", f.First, f.Last, text)
	}
	if f.File != "" {
		text = fmt.Sprintf("%s at byte %d: %s", f.File, f.Offset, text)
	}
	return text
}

// ErrNoLog means that there is nothing to verify.
var ErrNoLog = errors.New("no audit log")

// Verify reads a whole log and finds records that were changed, removed, put elsewhere or cut off. It
// changes nothing, and may be used while the log is being written. An error is one of reading: what is
// wrong with the log is in the report. It fails with ErrNoLog when the folder holds none.
//
// What it can't find: that the whole folder was emptied or put back to an earlier state, files and anchor together
// (Config.Reached finds that at the next start, and comparing Last with what was exported does); that records were cut
// which a power failure had left beyond the last anchor; and whatever someone wrote who has the root key.
func Verify(ctx context.Context, dir string, keys Keys) (Report, error) {
	v := &verifier{keys: keys, missing: map[uint64]uint64{}}
	// The anchor first: a log that is being written is ahead of it, never behind.
	var err error
	v.anchor, v.anchorErr = readAnchor(dir, keys)
	files, err := segments(dir)
	if err != nil {
		if missing(err) {
			return v.report, fmt.Errorf("verify %s: %w", dir, ErrNoLog)
		}
		return v.report, err
	}
	if len(files) == 0 && missing(v.anchorErr) {
		return v.report, fmt.Errorf("verify %s: %w", dir, ErrNoLog)
	}
	if v.anchorErr != nil {
		problem := v.anchorErr.Error()
		if missing(v.anchorErr) {
			problem = "the anchor is missing: whether the end is cut can't be told"
		}
		v.find(Finding{Problem: problem})
	}
	for i, s := range files {
		if err := v.file(ctx, dir, s, i == len(files)-1); err != nil {
			return v.report, err
		}
	}
	v.end()
	return v.report, nil
}

// verifier walks through a log.
type verifier struct {
	keys      Keys
	anchor    anchor
	anchorErr error
	report    Report
	// tip is the last frame seen in order; known tells that its hash is.
	tip   tip
	known bool
	begun bool
	// missing are gaps, first number to last, that a frame out of order may still fill.
	missing map[uint64]uint64
	// Of the last digest.
	digestSeq       uint64
	digestSignature string
	// place is where the walk is.
	place string
}

func (v *verifier) find(f Finding) {
	if len(v.report.Findings) < maxFindings {
		v.report.Findings = append(v.report.Findings, f)
	}
}

func (v *verifier) at(f frame, format string, args ...any) {
	v.find(Finding{File: v.place, Offset: f.at, First: f.seq, Last: f.seq, Problem: fmt.Sprintf(format, args...)})
}

// file walks through one file.
func (v *verifier) file(ctx context.Context, dir string, s segment, last bool) error {
	v.place = filepath.Base(s.path)
	o, err := s.open(v.keys)
	if missing(err) {
		// Retention may have taken it since it was listed; then the anchor says so.
		if a, anchorErr := readAnchor(dir, v.keys); anchorErr == nil && s.first < a.first {
			return nil
		}
		v.find(Finding{File: v.place, Problem: "the file is missing"})
		return nil
	}
	if err != nil {
		v.report.Files++
		v.find(Finding{File: v.place, Problem: err.Error()})
		v.known = false
		return nil
	}
	defer o.close()
	v.report.Files++
	if o.header.first != s.first {
		v.find(Finding{File: v.place, Problem: fmt.Sprintf("the file was named %020d when it was made", o.header.first)})
	}
	// A file that is begun anew after damage goes on above all numbers before, which the walk finds itself.
	scan := o.scan(o.size)
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		f, d, err := scan.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", v.place, err)
		case d != nil:
			v.damaged(*d, last)
		default:
			v.frame(f, o.keys)
		}
	}
}

// damaged takes note of bytes that are no frame.
func (v *verifier) damaged(d damage, lastFile bool) {
	if d.last && lastFile && v.anchorErr == nil && v.begun && v.tip.seq >= v.anchor.last {
		v.report.Notes = append(v.report.Notes, fmt.Sprintf("%s ends with %d bytes of an unfinished record that was not acknowledged", v.place, d.size))
		return
	}
	f := Finding{File: v.place, Offset: d.at, Problem: fmt.Sprintf("%d bytes are not what was written", d.size)}
	if d.named {
		f.First, f.Last, f.Problem = d.seq, d.seq, "changed, or not of this place"
		if d.seq == v.tip.seq+1 {
			// Found wrong already; it need not count as missing too.
			v.tip.seq = d.seq
		}
	}
	v.known = false
	v.find(f)
}

func (v *verifier) frame(f frame, keys keyPair) {
	v.order(f)
	h := f.hash()
	if v.anchorErr == nil && f.seq == v.anchor.last && h != v.anchor.hash {
		v.at(f, "changed: not the one that the anchor names")
	}
	switch f.kind {
	case kindRecord:
		v.record(f)
	case kindDigest:
		v.digest(f, keys)
	}
	if f.seq >= v.tip.seq {
		v.tip, v.known = tip{f.seq, h}, true
	}
	v.report.Last = max(v.report.Last, f.seq)
}

// order holds a frame's number and the hash it names against the frame before.
func (v *verifier) order(f frame) {
	switch {
	case !v.begun:
		v.begun = true
		v.report.First = f.seq
		v.beginning(f)
	case f.seq == v.tip.seq+1:
		if v.known && f.prev != v.tip.hash {
			v.at(f, "record %d was changed: this one names another hash", v.tip.seq)
		}
	case f.seq > v.tip.seq+1:
		v.missing[v.tip.seq+1] = f.seq - 1
	case v.fill(f.seq):
		v.at(f, "out of order: it stands behind record %d", v.tip.seq)
	default:
		v.at(f, "occurs again, behind record %d", v.tip.seq)
	}
}

// beginning holds the first frame against what retention has left.
func (v *verifier) beginning(f frame) {
	if f.kind != kindDigest {
		v.at(f, "the log does not begin with a digest")
	}
	if v.anchorErr != nil {
		return
	}
	if f.seq > v.anchor.first {
		v.missing[v.anchor.first] = f.seq - 1
	}
}

// fill takes a number out of the gaps, and tells whether it was in one.
func (v *verifier) fill(seq uint64) bool {
	for from, to := range v.missing {
		if seq < from || seq > to {
			continue
		}
		delete(v.missing, from)
		if from < seq {
			v.missing[from] = seq - 1
		}
		if seq < to {
			v.missing[seq+1] = to
		}
		return true
	}
	return false
}

func (v *verifier) record(f frame) {
	v.report.Records++
	e, err := parseEntry(f.body)
	if err != nil {
		v.at(f, "%v", err)
		return
	}
	if v.report.From.IsZero() {
		v.report.From = e.recorded
	}
	v.report.To = e.recorded
}

// digest checks the signature and what it signs.
func (v *verifier) digest(f frame, keys keyPair) {
	v.report.Digests++
	d, signature, err := parseDigest(f.body, keys)
	if err != nil {
		v.at(f, "digest: %v", err)
		return
	}
	switch {
	case d.Sequence != f.seq:
		v.at(f, "digest: signed as record %d", d.Sequence)
	case d.ChainHash != hex.EncodeToString(f.prev[:]):
		v.at(f, "digest: signed for another chain: records since %d were changed", d.PreviousSequence)
	case v.digestSignature != "" && d.PreviousSignature != v.digestSignature && f.seq > v.digestSeq:
		v.at(f, "digest: names another digest before than the one at %d", v.digestSeq)
	}
	if d.Damage {
		v.at(f, "found when the log was opened at %s: %s", stamp(d.EndTime), d.Notice)
	} else if d.Notice != "" {
		v.report.Notes = append(v.report.Notes, fmt.Sprintf("at %s: %s", stamp(d.EndTime), d.Notice))
	}
	v.digestSeq, v.digestSignature = f.seq, hex.EncodeToString(signature)
}

// end holds the end of the log against the anchor, and tells the gaps that nothing filled.
func (v *verifier) end() {
	if v.anchorErr == nil {
		if v.report.Last < v.anchor.last {
			from := v.tip.seq + 1
			if !v.begun {
				from = v.anchor.first
			}
			if from <= v.anchor.last {
				v.missing[from] = v.anchor.last
			}
		} else if beyond := v.report.Last - v.anchor.last; beyond > 0 {
			v.report.Notes = append(v.report.Notes, fmt.Sprintf("%d records follow the last anchor: a log in use, or one that a power failure ended", beyond))
		}
	}
	gaps := make([]uint64, 0, len(v.missing))
	for from := range v.missing {
		gaps = append(gaps, from)
	}
	slices.Sort(gaps)
	for _, from := range gaps {
		v.find(Finding{First: from, Last: v.missing[from], Problem: "missing"})
	}
}
