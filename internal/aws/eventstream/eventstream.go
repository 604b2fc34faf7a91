// Package eventstream frames messages as Amazon's event streams do: a prelude with lengths and its checksum,
// headers with types, a payload, a checksum of it all. It is wire format only: which messages there are, and who
// signed them, is the business of others. The codec is that of AWS's SDK for Go; this package bounds what it is
// given before anything is allocated, and refuses what it would let pass: headers that occur twice, lengths that
// contradict each other, bytes behind the last header. Start at Reader.
//
// Source: https://smithy.io/2.0/aws/amazon-eventstream.html, spec streaming.md §3.
package eventstream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	codec "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

var (
	// ErrTooLarge means that a message says that it is larger than the reader takes.
	ErrTooLarge = errors.New("event stream message is too large")
	// ErrMalformed means that the bytes are no message: wrong lengths, checksums or headers. What follows them
	// in a stream can't be read either.
	ErrMalformed = errors.New("malformed event stream message")
)

const (
	preludeSize = 12 // both lengths and their checksum
	crcSize     = 4
	// Overhead is what a message without headers and payload takes, in bytes.
	Overhead = preludeSize + crcSize
	// spare is what the codec's buffer wants to have free after the last byte.
	spare = bytes.MinRead
)

// Message is one message.
type Message = codec.Message

// Header is one header of a message; its Value is one of package eventstream of AWS's SDK.
type Header = codec.Header

// Reader reads messages from a stream. It is for one goroutine.
type Reader struct {
	src     io.Reader
	most    int
	frame   []byte
	payload []byte
	headers bytes.Buffer
}

// NewReader returns a reader of messages of at most most bytes, overhead and headers included.
func NewReader(src io.Reader, most int) *Reader { return &Reader{src: src, most: most} }

// Next returns the next message, which is good until the next call. It returns io.EOF where the stream ends between
// messages, and errors that wrap ErrTooLarge, ErrMalformed or that of the stream.
func (r *Reader) Next() (Message, error) {
	var prelude [preludeSize]byte
	n, err := io.ReadFull(r.src, prelude[:])
	if n == 0 && errors.Is(err, io.EOF) {
		return Message{}, io.EOF
	}
	if err != nil {
		return Message{}, fmt.Errorf("read prelude: %w", cut(err))
	}
	size, err := checkPrelude(prelude[:], r.most)
	if err != nil {
		return Message{}, err
	}
	if cap(r.frame) < size {
		r.frame = make([]byte, size)
	}
	r.frame = r.frame[:size]
	copy(r.frame, prelude[:])
	if _, err := io.ReadFull(r.src, r.frame[preludeSize:]); err != nil {
		return Message{}, fmt.Errorf("read message: %w", cut(err))
	}
	return r.decode(r.frame)
}

// Parse returns the one message that b is. Its errors wrap ErrTooLarge, above most bytes, or ErrMalformed.
func Parse(b []byte, most int) (Message, error) {
	if len(b) > most {
		return Message{}, fmt.Errorf("%d bytes: %w", len(b), ErrTooLarge)
	}
	if len(b) < Overhead {
		return Message{}, fmt.Errorf("%d bytes: %w", len(b), ErrMalformed)
	}
	size, err := checkPrelude(b[:preludeSize], most)
	if err != nil {
		return Message{}, err
	}
	if size != len(b) {
		return Message{}, fmt.Errorf("length of %d in %d bytes: %w", size, len(b), ErrMalformed)
	}
	return new(Reader).decode(b)
}

// cut tells the end of the stream within a message from failures of the stream.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", ErrMalformed, io.ErrUnexpectedEOF)
	}
	return err
}

// checkPrelude returns the size of the message that a prelude begins. The checksum is looked at first: a length that
// was damaged on the way is not to be called too large.
func checkPrelude(prelude []byte, most int) (int, error) {
	total, headers := binary.BigEndian.Uint32(prelude), binary.BigEndian.Uint32(prelude[4:])
	if crc32.ChecksumIEEE(prelude[:8]) != binary.BigEndian.Uint32(prelude[8:]) {
		return 0, fmt.Errorf("prelude checksum: %w", ErrMalformed)
	}
	if total < Overhead || headers > total-Overhead {
		return 0, fmt.Errorf("length of %d with %d of headers: %w", total, headers, ErrMalformed)
	}
	if uint64(total) > uint64(most) {
		return 0, fmt.Errorf("%d bytes: %w", total, ErrTooLarge)
	}
	return int(total), nil
}

// decode reads a message whose prelude is right.
func (r *Reader) decode(frame []byte) (Message, error) {
	if cap(r.payload) < len(frame)+spare {
		r.payload = make([]byte, 0, len(frame)+spare)
	}
	m, err := codec.NewDecoder().Decode(bytes.NewReader(frame), r.payload)
	if err != nil {
		// The frame is whole, so an end of input is a header that is longer than the headers.
		return Message{}, fmt.Errorf("%w: %v", ErrMalformed, err) //nolint:errorlint // io.EOF must not show through
	}
	// The codec keeps the last of two headers with one name, and takes a cut name for the end. What it writes of what
	// it read is then not what was there.
	r.headers.Reset()
	if err := codec.EncodeHeaders(&r.headers, m.Headers); err != nil {
		return Message{}, fmt.Errorf("%w: headers: %w", ErrMalformed, err)
	}
	end := preludeSize + int(binary.BigEndian.Uint32(frame[4:]))
	if !bytes.Equal(r.headers.Bytes(), frame[preludeSize:end]) {
		return Message{}, fmt.Errorf("headers are not unique or not whole: %w", ErrMalformed)
	}
	return m, nil
}

// Encode returns the bytes of a message.
func Encode(m Message) ([]byte, error) {
	var b bytes.Buffer
	if err := codec.NewEncoder().Encode(&b, m); err != nil {
		return nil, fmt.Errorf("encode event stream message: %w", err)
	}
	return b.Bytes(), nil
}

// Text returns a header of type string; empty when there is none.
func Text(m Message, name string) string {
	if v, ok := m.Headers.Get(name).(codec.StringValue); ok {
		return string(v)
	}
	return ""
}

// String makes a header of type string.
func String(name, value string) Header { return Header{Name: name, Value: codec.StringValue(value)} }

// The headers of a signed envelope (spec streaming.md §3.2).
const (
	headerDate      = ":date"
	headerSignature = ":chunk-signature"
)

// Envelope is what a signed message says of the message in its payload.
type Envelope struct {
	// Date is when it was signed, to the millisecond.
	Date time.Time
	// Signature is raw, 32 bytes.
	Signature []byte
	// Payload is the bytes of the message inside; none at the end of the stream.
	Payload []byte
}

// Open returns the envelope that a message is, or false for a message that is none. One with a part of an envelope's
// headers, or with others besides, is an error that wraps ErrMalformed.
func Open(m Message) (e Envelope, signed bool, err error) {
	date, signature := m.Headers.Get(headerDate), m.Headers.Get(headerSignature)
	if date == nil && signature == nil {
		return Envelope{}, false, nil
	}
	d, isTime := date.(codec.TimestampValue)
	s, isBytes := signature.(codec.BytesValue)
	if !isTime || !isBytes || len(m.Headers) != 2 || len(s) != 32 {
		return Envelope{}, true, fmt.Errorf("a signed envelope has :date and :chunk-signature alone: %w", ErrMalformed)
	}
	return Envelope{Date: time.Time(d).UTC(), Signature: s, Payload: m.Payload}, true, nil
}

// Seal is Open backwards.
func Seal(e Envelope) Message {
	return Message{
		Headers: codec.Headers{
			{Name: headerDate, Value: codec.TimestampValue(e.Date)},
			{Name: headerSignature, Value: codec.BytesValue(e.Signature)},
		},
		Payload: e.Payload,
	}
}

// EncodedDate is the :date header as it stands on the wire, which is what is signed of it.
func EncodedDate(date time.Time) []byte {
	b := append([]byte{byte(len(headerDate))}, headerDate...)
	b = append(b, 8) // the type of a timestamp
	return binary.BigEndian.AppendUint64(b, uint64(date.UnixMilli()))
}
