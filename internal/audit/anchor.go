package audit

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// anchor is the signed word, outside the files of the log, on how far the log goes. It is written
// after each commit, so that a cut tail or a removed file is found. It is kept in two slots that are written in
// turn: one is always whole.
type anchor struct {
	counter uint64
	// first is the lowest sequence number that retention has left; last and hash are of the last frame.
	first, last uint64
	hash        hash
	time        time.Time
	key         keyID
}

const (
	anchorName  = "anchor"
	anchorMagic = "DICTANC1"
	anchorBody  = 8 + 8 + 8 + 8 + 32 + 8 + 8
	anchorSize  = anchorBody + ed25519.SignatureSize
	// anchorSlot keeps the slots in sectors of their own.
	anchorSlot = 4096
)

func (a anchor) bytes(keys keyPair) []byte {
	b := append(make([]byte, 0, anchorSize), anchorMagic...)
	b = binary.BigEndian.AppendUint64(b, a.counter)
	b = binary.BigEndian.AppendUint64(b, a.first)
	b = binary.BigEndian.AppendUint64(b, a.last)
	b = append(b, a.hash[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(a.time.UnixNano()))
	b = append(b, keys.id[:]...)
	return append(b, keys.sign(signsAnchor, b)...)
}

func parseAnchor(b []byte, keys Keys) (anchor, error) {
	var a anchor
	if len(b) < anchorSize || string(b[:8]) != anchorMagic {
		return a, errors.New("not an anchor")
	}
	a.counter = binary.BigEndian.Uint64(b[8:])
	a.first = binary.BigEndian.Uint64(b[16:])
	a.last = binary.BigEndian.Uint64(b[24:])
	copy(a.hash[:], b[32:])
	a.time = time.Unix(0, int64(binary.BigEndian.Uint64(b[64:]))).UTC()
	copy(a.key[:], b[72:])
	pair, ok := keys.pair(a.key)
	if !ok {
		return a, errUnknownKey
	}
	if !pair.verify(signsAnchor, b[:anchorBody], b[anchorBody:anchorSize]) {
		return a, errors.New("wrong signature")
	}
	return a, nil
}

// readAnchor returns the newer of the two slots that holds: fs.ErrNotExist when there is no file, another
// error when neither holds.
func readAnchor(dir string, keys Keys) (anchor, error) {
	b, err := os.ReadFile(filepath.Join(dir, anchorName))
	if err != nil {
		return anchor{}, err
	}
	var best anchor
	found := false
	for slot := range 2 {
		if len(b) < slot*anchorSlot+anchorSize {
			continue
		}
		a, slotErr := parseAnchor(b[slot*anchorSlot:], keys)
		if slotErr != nil {
			err = slotErr
			continue
		}
		if !found || a.counter > best.counter {
			best, found = a, true
		}
	}
	if found {
		return best, nil
	}
	if err == nil {
		err = errors.New("too short")
	}
	return anchor{}, fmt.Errorf("read anchor: %w", err)
}

// anchorFile writes anchors.
type anchorFile struct {
	file    *os.File
	keys    keyPair
	counter uint64
	// first is the lowest sequence number kept.
	first uint64
}

// createAnchor makes the file durable with a first anchor in both slots.
func createAnchor(dir string, keys keyPair, a anchor) (*anchorFile, error) {
	name := filepath.Join(dir, anchorName)
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open anchor: %w", err)
	}
	w := &anchorFile{file: file, keys: keys, counter: a.counter, first: a.first}
	for range 2 {
		if err := w.write(tip{a.last, a.hash}); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	if err := errors.Join(file.Sync(), syncDir(dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("write anchor: %w", err), file.Close())
	}
	return w, nil
}

// write puts the next anchor into the page cache, where it outlives the process.
func (w *anchorFile) write(t tip) error {
	w.counter++
	a := anchor{counter: w.counter, first: w.first, last: t.seq, hash: t.hash, time: time.Now()}
	if _, err := w.file.WriteAt(a.bytes(w.keys), int64(w.counter%2)*anchorSlot); err != nil {
		return fmt.Errorf("write anchor: %w", err)
	}
	return nil
}

// missing tells that a file is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
