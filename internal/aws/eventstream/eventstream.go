// Package eventstream frames messages as application/vnd.amazon.eventstream has them: a prelude with two lengths and a
// checksum, headers, a payload and a checksum of all (Smithy's event stream specification). The codec is the AWS SDK's;
// this package bounds it, and refuses what it would let pass: headers that occur twice, lengths that contradict each
// other, bytes behind the last header.
package eventstream

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// ContentType is the media type of a stream of messages.
const ContentType = "application/vnd.amazon.eventstream"

// MaxMessage is the largest message that is read, in bytes: more than a second of stereo at 48 kHz with its headers.
const MaxMessage = 256 << 10

const (
	preludeLen = 12
	minMessage = preludeLen + 4
)

var (
	// ErrTooLarge means that a message is announced as larger than MaxMessage.
	ErrTooLarge = errors.New("the message is too large")
	// ErrMalformed means that the bytes are no message: a checksum, a length or a header is wrong.
	ErrMalformed = errors.New("the message is malformed")
)

// Message is one message.
type Message struct{ eventstream.Message }

// Read reads the next message. At the end between two messages it returns io.EOF, within one io.ErrUnexpectedEOF.
// Errors of the reader come as they are; others wrap ErrTooLarge or ErrMalformed. The reader's buffer has at least 16 bytes.
func Read(r *bufio.Reader) (Message, error) {
	prelude, err := r.Peek(preludeLen)
	if errors.Is(err, io.EOF) && len(prelude) > 0 {
		return Message{}, io.ErrUnexpectedEOF
	}
	if err != nil {
		return Message{}, err
	}
	size, err := checkPrelude(prelude)
	if err != nil {
		return Message{}, err
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(r, raw); err != nil {
		return Message{}, err
	}
	return Parse(raw)
}

// Parse reads bytes that are exactly one message.
func Parse(raw []byte) (Message, error) {
	if len(raw) > MaxMessage {
		return Message{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(raw))
	}
	if len(raw) < minMessage {
		return Message{}, fmt.Errorf("%w: %d bytes are too few", ErrMalformed, len(raw))
	}
	size, err := checkPrelude(raw[:preludeLen])
	if err != nil {
		return Message{}, err
	}
	if size != len(raw) {
		return Message{}, fmt.Errorf("%w: its length is wrong", ErrMalformed)
	}
	// What the codec makes room for is what it reads.
	m, err := eventstream.NewDecoder().Decode(bytes.NewReader(raw), make([]byte, 0, size+bytes.MinRead))
	if err != nil {
		// The bytes are whole, so an end of input is a header that is longer than the headers: io.EOF must not show.
		return Message{}, fmt.Errorf("%w: %v", ErrMalformed, err) //nolint:errorlint // as said
	}
	// The codec keeps the last of two headers with one name, and takes a name that is cut for the end. What it writes
	// of what it read is then not what was there.
	var headers bytes.Buffer
	if err := eventstream.EncodeHeaders(&headers, m.Headers); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if end := preludeLen + int(binary.BigEndian.Uint32(raw[4:])); !bytes.Equal(headers.Bytes(), raw[preludeLen:end]) {
		return Message{}, fmt.Errorf("%w: its headers are not unique or not whole", ErrMalformed)
	}
	return Message{m}, nil
}

// checkPrelude returns the size of the message that a prelude begins. The checksum comes first: a length that was
// damaged on the way is not to be called too large.
func checkPrelude(prelude []byte) (int, error) {
	size, headers := binary.BigEndian.Uint32(prelude), binary.BigEndian.Uint32(prelude[4:])
	switch {
	case crc32.ChecksumIEEE(prelude[:8]) != binary.BigEndian.Uint32(prelude[8:]):
		return 0, fmt.Errorf("%w: the checksum of its prelude is wrong", ErrMalformed)
	case size < minMessage || headers > size-minMessage:
		return 0, fmt.Errorf("%w: %d bytes with %d of headers", ErrMalformed, size, headers)
	case size > MaxMessage:
		return 0, fmt.Errorf("%w: %d bytes", ErrTooLarge, size)
	}
	return int(size), nil
}

// Text returns a header of type string, or "".
func (m Message) Text(name string) string {
	if v, ok := m.Headers.Get(name).(eventstream.StringValue); ok {
		return string(v)
	}
	return ""
}

// Signature returns the date and the signature of a signed message, which has another one as its payload. A signed
// message has these two headers and no others.
func (m Message) Signature() (date time.Time, signature []byte, ok bool) {
	d, dated := m.Headers.Get(dateHeader).(eventstream.TimestampValue)
	s, signed := m.Headers.Get(signatureHeader).(eventstream.BytesValue)
	return time.Time(d), s, dated && signed && len(m.Headers) == 2
}

const (
	dateHeader      = ":date"
	signatureHeader = ":chunk-signature"
)

// Event encodes a message that tells of something.
func Event(kind, contentType string, payload []byte) ([]byte, error) {
	return encode(payload, ":message-type", "event", ":event-type", kind, ":content-type", contentType)
}

// Exception encodes a message that ends a stream.
func Exception(kind, contentType string, payload []byte) ([]byte, error) {
	return encode(payload, ":message-type", "exception", ":exception-type", kind, ":content-type", contentType)
}

func encode(payload []byte, headers ...string) ([]byte, error) {
	m := eventstream.Message{Payload: payload}
	for i := 0; i+1 < len(headers); i += 2 {
		m.Headers.Set(headers[i], eventstream.StringValue(headers[i+1]))
	}
	var out bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&out, m); err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	return out.Bytes(), nil
}
