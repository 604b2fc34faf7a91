// Package eventstream frames messages as application/vnd.amazon.eventstream has them: a prelude with two lengths and a
// checksum, headers, a payload and a checksum of all (Smithy's event stream specification). The codec is the AWS SDK's;
// this package bounds it.
package eventstream

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
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
	size := binary.BigEndian.Uint32(prelude)
	if size > MaxMessage {
		return Message{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, size)
	}
	if size < minMessage {
		return Message{}, fmt.Errorf("%w: %d bytes are too few", ErrMalformed, size)
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
	if len(raw) < minMessage || int(binary.BigEndian.Uint32(raw)) != len(raw) {
		return Message{}, fmt.Errorf("%w: its length is wrong", ErrMalformed)
	}
	in := bytes.NewReader(raw)
	m, err := eventstream.NewDecoder().Decode(in, nil)
	if err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if in.Len() > 0 {
		return Message{}, fmt.Errorf("%w: there is more behind it", ErrMalformed)
	}
	return Message{m}, nil
}

// Text returns a header of type string, or "".
func (m Message) Text(name string) string {
	if v, ok := m.Headers.Get(name).(eventstream.StringValue); ok {
		return string(v)
	}
	return ""
}

// Signature returns the date and the signature of a signed message, which has another one as its payload.
func (m Message) Signature() (date time.Time, signature []byte, ok bool) {
	d, dated := m.Headers.Get(dateHeader).(eventstream.TimestampValue)
	s, signed := m.Headers.Get(signatureHeader).(eventstream.BytesValue)
	return time.Time(d), s, dated && signed
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
