package audit

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// What tests need to forge logs as someone would who has keys: frames taken apart and sealed again.

// Frame is a decoded frame.
type Frame struct {
	Kind byte
	Seq  uint64
	Prev [32]byte
	Body []byte
	// Raw are its bytes in the file.
	Raw []byte
}

// Hash is what the next frame names.
func (f Frame) Hash() [32]byte { return chain(f.Prev, kind(f.Kind), f.Seq, f.Body) }

// ReadFrames returns the header and the frames of a sound file.
func ReadFrames(path string, keys Keys) (header []byte, frames []Frame, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	o, err := segment{path: path}.open(keys)
	if err != nil {
		return nil, nil, err
	}
	defer o.close()
	scan := o.scan(o.size)
	for {
		f, d, err := scan.next()
		if errors.Is(err, io.EOF) {
			return raw[:fileHeaderSize], frames, nil
		}
		if err != nil || d != nil {
			return nil, nil, errors.Join(err, errFrame)
		}
		frames = append(frames, Frame{byte(f.kind), f.seq, f.prev, f.body, raw[f.at : f.at+f.size]})
	}
}

// Seal encrypts a frame for the file with this header, as someone can who has the key of encryption.
func Seal(header []byte, keys Keys, f Frame) ([]byte, error) {
	h, err := parseFileHeader(header)
	if err != nil {
		return nil, err
	}
	aead, err := keys.current.cipher("file", h.salt[:])
	if err != nil {
		return nil, err
	}
	return appendFrame(nil, aead, kind(f.Kind), f.Seq, f.Prev, f.Body)
}

// ScanBytes walks through what would be a file's frames, forwards and backwards, and returns how many bytes
// the forward walk accounted for.
func ScanBytes(keys Keys, content []byte) (accounted int64, frames int, err error) {
	aead, err := keys.current.cipher("file", nil)
	if err != nil {
		return 0, 0, err
	}
	forward := newScanner(bytes.NewReader(content), aead, 0, int64(len(content)))
	for {
		f, d, err := forward.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return accounted, frames, err
		}
		if d != nil {
			accounted += d.size
			continue
		}
		accounted += f.size
		frames++
		if f.kind == kindRecord {
			if e, err := parseEntry(f.body); err == nil && !bytes.Equal(e.body(), f.body) {
				return accounted, frames, errEntry
			}
		}
	}
	backward := newBackScanner(bytes.NewReader(content), aead, int64(len(content)))
	backward.low = 0
	for {
		before := backward.at
		_, _, err := backward.next()
		if errors.Is(err, io.EOF) {
			return accounted, frames, nil
		}
		if err != nil {
			return accounted, frames, err
		}
		if backward.at >= before {
			return accounted, frames, errors.New("the walk backwards does not go on")
		}
	}
}

// SampleFrames are frames as ScanBytes reads them.
func SampleFrames(keys Keys) ([]byte, error) {
	aead, err := keys.current.cipher("file", nil)
	if err != nil {
		return nil, err
	}
	e := entry{account: "111122223333", region: "us-east-1", document: []byte(`{"eventName":"A"}`)}
	b, err := appendFrame(nil, aead, kindRecord, 1, hash{}, e.body())
	if err != nil {
		return nil, err
	}
	return appendFrame(b, aead, kindDigest, 2, hash{}, []byte("no digest"))
}

// DocumentOf is the JSON of an event.
func DocumentOf(e Event) ([]byte, error) { return encode(documentOf(e)) }

// SecretName is secretName.
func SecretName(name string) bool { return secretName(name) }

// ParseBodies runs the parsers of bodies, anchors and headers.
func ParseBodies(content []byte, keys Keys) {
	_, _ = parseEntry(content)
	_, _, _ = parseDigest(content, keys.current)
	_, _ = parseAnchor(content, keys)
	_, _ = parseFileHeader(content)
	_, _ = foundOf(content)
}

// WithSync has the log make its data durable by another function.
func WithSync(c Config, sync func(*os.File) error) Config {
	c.sync = sync
	return c
}

// Waiting is how many events are in the queue.
func (l *Log) Waiting() int { return len(l.queue) }
