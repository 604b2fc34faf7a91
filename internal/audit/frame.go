package audit

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

// A file is a header and frames. The header is
//
//	magic "DICTAUD1" · first sequence number u64 · key id [8] · salt [32]
//
// and a frame
//
//	magic u16 · kind u8 · version u8 · length u32 · sequence number u64 · sealed [length] · length u32
//
// with all numbers big-endian. What is sealed (AES-256-GCM, the first 16 bytes as associated data) is the
// hash of the frame before and the body. The length at the end lets readers walk backwards.
const (
	fileMagic      = "DICTAUD1"
	fileHeaderSize = 8 + 8 + 8 + 32

	frameMagic      = 0xDA7E
	frameVersion    = 1
	frameHeaderSize = 16
	frameOverhead   = frameHeaderSize + 4
	// sealedOverhead are the nonce and the tag.
	sealedOverhead = 12 + 16
	// maxSealed bounds what a reader allocates for a frame.
	maxSealed = 1 << 20
)

// kind is what a frame holds.
type kind byte

const (
	kindRecord kind = 'R'
	kindDigest kind = 'D'
)

// hash chains frames.
type hash [sha256.Size]byte

// frame is a decoded one.
type frame struct {
	kind kind
	seq  uint64
	// prev is the hash of the frame before.
	prev hash
	body []byte
	// at is where the frame begins in its file, size its length.
	at, size int64
}

func (f *frame) hash() hash { return chain(f.prev, f.kind, f.seq, f.body) }

// chain is the hash of a frame: SHA-256 over the hash before, kind, sequence number and plain body.
func chain(prev hash, k kind, seq uint64, body []byte) hash {
	h := sha256.New()
	h.Write(prev[:])
	h.Write([]byte{byte(k)})
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], seq)
	h.Write(n[:])
	h.Write(body)
	return hash(h.Sum(nil))
}

// The errors of decoding.
var (
	// errShort: the bytes end within a frame.
	errShort = errors.New("ends within a record")
	// errFrame: the bytes are no frame.
	errFrame = errors.New("not a record")
	// errSealed: the frame does not open: changed bytes, another place or another key.
	errSealed = errors.New("does not open")
)

// fileHeader begins a file.
type fileHeader struct {
	first uint64
	key   keyID
	salt  [32]byte
}

func newFileHeader(first uint64, key keyID) fileHeader {
	h := fileHeader{first: first, key: key}
	_, _ = rand.Read(h.salt[:]) // never fails: crypto/rand
	return h
}

func (h fileHeader) bytes() []byte {
	b := append(make([]byte, 0, fileHeaderSize), fileMagic...)
	b = binary.BigEndian.AppendUint64(b, h.first)
	b = append(b, h.key[:]...)
	return append(b, h.salt[:]...)
}

func parseFileHeader(b []byte) (fileHeader, error) {
	var h fileHeader
	if len(b) < fileHeaderSize || string(b[:8]) != fileMagic {
		return h, errors.New("not an audit file")
	}
	h.first = binary.BigEndian.Uint64(b[8:])
	copy(h.key[:], b[16:])
	copy(h.salt[:], b[24:])
	return h, nil
}

// appendFrame seals a body and appends the frame.
func appendFrame(dst []byte, aead *subtle.AESGCM, k kind, seq uint64, prev hash, body []byte) ([]byte, error) {
	length := len(prev) + len(body) + sealedOverhead
	if length > maxSealed {
		return nil, fmt.Errorf("audit record of %d bytes is too large", len(body))
	}
	var header [frameHeaderSize]byte
	binary.BigEndian.PutUint16(header[:], frameMagic)
	header[2], header[3] = byte(k), frameVersion
	binary.BigEndian.PutUint32(header[4:], uint32(length))
	binary.BigEndian.PutUint64(header[8:], seq)
	sealed, err := aead.Encrypt(append(prev[:len(prev):len(prev)], body...), header[:])
	if err != nil {
		return nil, fmt.Errorf("encrypt audit record: %w", err)
	}
	dst = append(dst, header[:]...)
	dst = append(dst, sealed...)
	return binary.BigEndian.AppendUint32(dst, uint32(len(sealed))), nil
}

// sealedLength reads a frame's header.
func sealedLength(header []byte) (int, error) {
	if len(header) < frameHeaderSize {
		return 0, errShort
	}
	length := binary.BigEndian.Uint32(header[4:])
	k := kind(header[2])
	if binary.BigEndian.Uint16(header) != frameMagic || (k != kindRecord && k != kindDigest) || header[3] != frameVersion ||
		length > maxSealed || length < sealedOverhead+sha256.Size {
		return 0, errFrame
	}
	return int(length), nil
}

// parseFrame decodes the frame that b begins with.
func parseFrame(b []byte, aead *subtle.AESGCM) (frame, error) {
	length, err := sealedLength(b)
	if err != nil {
		return frame{}, err
	}
	if len(b) < length+frameOverhead {
		return frame{}, errShort
	}
	f := frame{kind: kind(b[2]), seq: binary.BigEndian.Uint64(b[8:]), size: int64(length + frameOverhead)}
	if binary.BigEndian.Uint32(b[frameHeaderSize+length:]) != uint32(length) {
		return f, errFrame
	}
	plain, err := aead.Decrypt(b[frameHeaderSize:frameHeaderSize+length], b[:frameHeaderSize])
	if err != nil {
		return f, errSealed // The cause says no more.
	}
	f.body = plain[copy(f.prev[:], plain):]
	return f, nil
}

// damage is a stretch of a file that holds no frame.
type damage struct {
	at, size int64
	err      error
	// seq is what the frame there said its number was, when its header was one.
	seq   uint64
	named bool
	// last tells that no frame follows.
	last bool
}

// scanner reads a file's frames forwards, and goes on after damage.
type scanner struct {
	r    *bufio.Reader
	aead *subtle.AESGCM
	at   int64
	end  int64
}

// newScanner reads the frames of file between two offsets.
func newScanner(file io.ReaderAt, aead *subtle.AESGCM, from, to int64) *scanner {
	const window = 2 * (maxSealed + frameOverhead) // two frames: what a resynchronisation looks at
	return &scanner{r: bufio.NewReaderSize(io.NewSectionReader(file, from, to-from), min(window, int(max(to-from, 16)))), aead: aead, at: from, end: to}
}

// next returns a frame, or where there is none, or io.EOF. A frame's body stays valid.
func (s *scanner) next() (frame, *damage, error) {
	f, err := s.try()
	switch {
	case err == nil:
		f.at = s.at
		return f, nil, s.skip(f.size)
	case errors.Is(err, io.EOF):
		return frame{}, nil, io.EOF
	case errors.Is(err, errSealed):
		// Its borders hold, so what follows is the next frame. When it is not, the walk finds that.
		d := &damage{at: s.at, size: f.size, err: err, seq: f.seq, named: true}
		if err := s.skip(f.size); err != nil {
			return frame{}, nil, err
		}
		d.last = s.at >= s.end
		return frame{}, d, nil
	case errors.Is(err, errFrame), errors.Is(err, errShort):
		return s.resynchronise(err)
	}
	return frame{}, nil, err
}

// try decodes the frame at the present place without going on.
func (s *scanner) try() (frame, error) {
	header, err := s.r.Peek(frameHeaderSize)
	if len(header) == 0 && err != nil {
		return frame{}, err
	}
	length, parseErr := sealedLength(header)
	if parseErr != nil {
		if err != nil && !errors.Is(err, io.EOF) {
			return frame{}, err
		}
		return frame{}, parseErr
	}
	b, err := s.r.Peek(length + frameOverhead)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return frame{}, err
	}
	return parseFrame(b, s.aead)
}

// resynchronise looks for the next frame that opens.
func (s *scanner) resynchronise(cause error) (frame, *damage, error) {
	d := &damage{at: s.at, err: cause}
	mark := []byte{frameMagic >> 8, frameMagic & 0xff}
	if err := s.skip(1); err != nil {
		return frame{}, nil, err
	}
	for {
		b, err := s.r.Peek(s.r.Size())
		if err != nil && !errors.Is(err, io.EOF) {
			return frame{}, nil, err
		}
		i := bytes.Index(b, mark)
		if i < 0 {
			i = max(0, len(b)-1) // the last byte may be half a mark
			if errors.Is(err, io.EOF) {
				i = len(b)
			}
		}
		if err := s.skip(int64(i)); err != nil {
			return frame{}, nil, err
		}
		if s.at >= s.end || len(b) == 0 {
			d.size, d.last = s.at-d.at, true
			return frame{}, d, nil
		}
		if _, err := s.try(); err == nil {
			d.size = s.at - d.at
			return frame{}, d, nil
		}
		if err := s.skip(1); err != nil {
			return frame{}, nil, err
		}
	}
}

func (s *scanner) skip(n int64) error {
	discarded, err := s.r.Discard(int(n))
	s.at += int64(discarded)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// backScanner reads a file's frames backwards, and passes over damage.
type backScanner struct {
	file io.ReaderAt
	aead *subtle.AESGCM
	// at is the end of the next frame; low is where the frames begin.
	at, low int64
	// window holds the bytes from base on.
	window []byte
	base   int64
}

// backWindow is how much is read at once: about a hundred records.
const backWindow = 256 << 10

func newBackScanner(file io.ReaderAt, aead *subtle.AESGCM, end int64) *backScanner {
	return &backScanner{file: file, aead: aead, at: end, low: fileHeaderSize}
}

// next returns the frame before, or io.EOF at the beginning. damaged tells that bytes before it, or up to the
// beginning, were passed over.
func (s *backScanner) next() (f frame, damaged bool, err error) {
	for s.at > s.low {
		f, err = s.try()
		switch {
		case err == nil:
			s.at -= f.size
			f.at = s.at
			return f, damaged, nil
		case errors.Is(err, errSealed):
			s.at -= f.size // its borders hold
		case errors.Is(err, errFrame), errors.Is(err, errShort):
			if err := s.resynchronise(); err != nil {
				return frame{}, true, err
			}
		default:
			return frame{}, damaged, err
		}
		damaged = true
	}
	return frame{}, damaged, io.EOF
}

// try decodes the frame that ends at the present place.
func (s *backScanner) try() (frame, error) {
	tail, err := s.bytes(4)
	if err != nil {
		return frame{}, err
	}
	length := int64(binary.BigEndian.Uint32(tail))
	if length > maxSealed {
		return frame{}, errFrame
	}
	b, err := s.bytes(length + frameOverhead)
	if err != nil {
		return frame{}, err
	}
	f, err := parseFrame(b, s.aead)
	if f.size != int64(len(b)) {
		return frame{}, errFrame
	}
	return f, err
}

// resynchronise goes back to the end of the last frame before the present place, which a walk forwards finds.
func (s *backScanner) resynchronise() error {
	forwards, end := newScanner(s.file, s.aead, s.low, s.at), s.low
	for {
		f, d, err := forwards.next()
		switch {
		case errors.Is(err, io.EOF):
			s.at = end
			return nil
		case err != nil:
			return err
		case d == nil:
			end = f.at + f.size
		}
	}
}

// seek goes back, without opening what it passes, to where the frame with this number begins, or one a little
// before. It is false when what it passes is not whole: then only a walk forwards finds the place.
func (s *backScanner) seek(seq uint64) (at int64, ok bool) {
	for s.at > s.low {
		tail, err := s.bytes(4)
		if err != nil {
			return 0, false
		}
		length := int64(binary.BigEndian.Uint32(tail))
		if length > maxSealed {
			return 0, false
		}
		b, err := s.bytes(length + frameOverhead)
		if err != nil {
			return 0, false
		}
		if said, err := sealedLength(b); err != nil || int64(said) != length {
			return 0, false
		}
		if binary.BigEndian.Uint64(b[8:]) < seq {
			// The number is in clear: only what opens is sure to be before the place.
			f, err := parseFrame(b, s.aead)
			return s.at, err == nil && f.seq < seq
		}
		s.at -= int64(len(b))
	}
	return s.low, true
}

// bytes returns the n bytes before the present place.
func (s *backScanner) bytes(n int64) ([]byte, error) {
	from := s.at - n
	if from < s.low {
		return nil, errFrame
	}
	if s.window == nil || from < s.base {
		base := max(s.low, s.at-max(n, backWindow))
		window := make([]byte, s.at-base)
		if _, err := s.file.ReadAt(window, base); err != nil {
			return nil, err
		}
		s.window, s.base = window, base
	}
	return s.window[from-s.base : s.at-s.base], nil
}
