// Package sealed writes and reads files that are encrypted and authenticated in chunks, so that any
// range can be read without the rest and in constant memory. Start at Writer and Reader.
//
// A file is a sequence of AES-256-GCM ciphertexts (NIST SP 800-38D) of ChunkSize bytes of content each, the last
// one shorter or as long; an empty content is one empty chunk. The nonce is the chunk's number, which is sound
// because a key seals one file once. Each chunk's associated data is the file's id, the chunk's
// number and whether it is the last: exchanged, reordered, repeated, dropped and added chunks are
// all found, and so is any changed byte.
package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// KeySize is the length of a file's key in bytes.
	KeySize = 32
	// ChunkSize is how many bytes of content are sealed together, and so the least that a read
	// decrypts: 64 KiB cost about 20 µs.
	ChunkSize = 64 << 10

	tagSize    = 16
	sealedSize = ChunkSize + tagSize
	version    = 1
)

// ErrDamaged means that a file is not what was written under this id and key.
var ErrDamaged = errors.New("sealed file is damaged or was tampered with")

// coder seals and opens the chunks of one file.
type coder struct {
	aead cipher.AEAD
	data []byte // associated data: version, last, number, id
}

func newCoder(key []byte, id string) (coder, error) {
	if len(key) != KeySize {
		return coder{}, fmt.Errorf("sealed file: key has %d bytes instead of %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return coder{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return coder{}, err
	}
	return coder{aead: aead, data: append([]byte{version, 0, 0, 0, 0, 0, 0, 0, 0, 0}, id...)}, nil
}

// bind returns the nonce and associated data of a chunk. The data is a copy: readers share a coder.
func (c coder) bind(number int64, last bool) (nonce [12]byte, data []byte) {
	binary.BigEndian.PutUint64(nonce[4:], uint64(number))
	data = append([]byte(nil), c.data...)
	if last {
		data[1] = 1
	}
	binary.BigEndian.PutUint64(data[2:], uint64(number))
	return nonce, data
}

// Writer seals what is written to it. Close writes the last chunk; without it the file is not readable.
type Writer struct {
	coder  coder
	to     io.Writer
	buffer []byte // content of the chunk under way; the same array holds it sealed
	number int64
	size   int64
	err    error
}

// NewWriter returns a Writer to a file. The key must never seal anything else. The id is not stored;
// a reader must know it.
func NewWriter(to io.Writer, key []byte, id string) (*Writer, error) {
	c, err := newCoder(key, id)
	if err != nil {
		return nil, err
	}
	return &Writer{coder: c, to: to, buffer: make([]byte, 0, sealedSize)}, nil
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 && w.err == nil {
		if len(w.buffer) == ChunkSize {
			w.flush(false) // More follows, so this chunk is not the last.
			continue
		}
		m := min(len(p), ChunkSize-len(w.buffer))
		w.buffer = append(w.buffer, p[:m]...)
		p = p[m:]
		n += m
	}
	w.size += int64(n)
	return n, w.err
}

// Size is how many bytes of content were written.
func (w *Writer) Size() int64 { return w.size }

// Close seals the last chunk. It does not close or sync the file.
func (w *Writer) Close() error {
	if w.err == nil {
		w.flush(true)
	}
	err := w.err
	w.err = errors.New("sealed file: already closed")
	return err
}

func (w *Writer) flush(last bool) {
	nonce, data := w.coder.bind(w.number, last)
	sealed := w.coder.aead.Seal(w.buffer[:0], nonce[:], w.buffer, data)
	if _, err := w.to.Write(sealed); err != nil {
		w.err = fmt.Errorf("write sealed chunk: %w", err)
	}
	w.buffer = w.buffer[:0]
	w.number++
}

// FileSize returns the length of the sealed file of a content of size bytes.
func FileSize(size int64) int64 {
	return size + chunks(size)*tagSize
}

// chunks returns how many chunks a content has: at least one.
func chunks(size int64) int64 {
	return max(1, (size+ChunkSize-1)/ChunkSize)
}

// Reader reads a sealed file. ReadAt is safe for concurrent use.
type Reader struct {
	coder coder
	from  io.ReaderAt
	size  int64
}

var _ io.ReaderAt = (*Reader)(nil)

// NewReader returns a Reader of a file whose content has size bytes. Nothing is read yet.
func NewReader(from io.ReaderAt, key []byte, id string, size int64) (*Reader, error) {
	if size < 0 {
		return nil, fmt.Errorf("sealed file: size %d", size)
	}
	c, err := newCoder(key, id)
	if err != nil {
		return nil, err
	}
	return &Reader{coder: c, from: from, size: size}, nil
}

// Size is the length of the content.
func (r *Reader) Size() int64 { return r.size }

// ReadAt implements io.ReaderAt over the content. It returns nothing that was not authenticated,
// and ErrDamaged where authentication fails.
func (r *Reader) ReadAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, errors.New("sealed file: negative offset")
	}
	if len(p) == 0 {
		return 0, nil
	}
	if offset >= r.size {
		return 0, io.EOF
	}
	buffer := make([]byte, sealedSize)
	for n < len(p) && offset < r.size {
		content, err := r.chunk(buffer, offset/ChunkSize)
		if err != nil {
			return n, err
		}
		m := copy(p[n:], content[offset%ChunkSize:])
		n += m
		offset += int64(m)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Verify authenticates the chunk that holds the end of the content, which an empty content has
// too: it finds a file of another length.
func (r *Reader) Verify() error {
	_, err := r.chunk(make([]byte, sealedSize), chunks(r.size)-1)
	return err
}

// chunk returns the content of one chunk, within the buffer of sealedSize bytes.
func (r *Reader) chunk(buffer []byte, number int64) ([]byte, error) {
	last := number == chunks(r.size)-1
	sealed := buffer
	if last {
		sealed = buffer[:r.size-number*ChunkSize+tagSize]
	}
	if n, err := r.from.ReadAt(sealed, number*sealedSize); n < len(sealed) {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("chunk %d is cut short: %w", number, ErrDamaged)
		}
		return nil, fmt.Errorf("read sealed chunk %d: %w", number, err)
	}
	nonce, data := r.coder.bind(number, last)
	content, err := r.coder.aead.Open(sealed[:0], nonce[:], sealed, data)
	if err != nil {
		return nil, fmt.Errorf("chunk %d: %w", number, ErrDamaged)
	}
	return content, nil
}
