package eventstream_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"testing"
	"testing/iotest"
	"time"

	codec "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/dictum/dictum/internal/aws/eventstream"
)

const most = 4096

// frame writes a message by the book: §3 of the spec, with any lengths.
func frame(total, headersLen uint32, headers, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, total)
	b = binary.BigEndian.AppendUint32(b, headersLen)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func whole(headers, payload []byte) []byte {
	return frame(uint32(16+len(headers)+len(payload)), uint32(len(headers)), headers, payload)
}

func header(name string, kind byte, value ...byte) []byte {
	return append(append([]byte{byte(len(name))}, name...), append([]byte{kind}, value...)...)
}

func TestEveryTypeOfHeader(t *testing.T) {
	id := bytes.Repeat([]byte{7}, 16)
	parts := [][]byte{
		header("t", 0),
		header("f", 1),
		header("byte", 2, 0xff),
		header("short", 3, 0, 2),
		header("int", 4, 0, 0, 0, 3),
		header("long", 5, 0, 0, 0, 0, 0, 0, 0, 4),
		header("bytes", 6, 0, 2, 9, 8),
		header("text", 7, 0, 2, 'h', 'i'),
		header("time", 8, 0, 0, 0, 0, 0, 0, 3, 232),
		header("uuid", 9, id...),
	}
	m, err := eventstream.Parse(whole(bytes.Join(parts, nil), []byte("payload")), most)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"t": true, "f": false, "byte": int8(-1), "short": int16(2), "int": int32(3), "long": int64(4),
		"text": "hi", "time": time.UnixMilli(1000),
	}
	for name, value := range want {
		switch got := m.Headers.Get(name).Get().(type) {
		case time.Time:
			if !got.Equal(value.(time.Time)) {
				t.Errorf("%s is %v, want %v", name, got, value)
			}
		default:
			if got != value {
				t.Errorf("%s is %v, want %v", name, got, value)
			}
		}
	}
	if got := m.Headers.Get("bytes").Get().([]byte); !bytes.Equal(got, []byte{9, 8}) {
		t.Errorf("bytes is %v", got)
	}
	if string(m.Payload) != "payload" || len(m.Headers) != len(parts) {
		t.Errorf("payload %q, %d headers", m.Payload, len(m.Headers))
	}
	again, err := eventstream.Encode(m)
	if err != nil || !bytes.Equal(again, whole(bytes.Join(parts, nil), []byte("payload"))) {
		t.Errorf("it is not written as it was read: %v", err)
	}
}

func TestRefused(t *testing.T) {
	text := header("a", 7, 0, 1, 'x')
	damaged := func(at int) []byte {
		b := whole(text, []byte("payload"))
		b[at] ^= 1
		return b
	}
	tests := []struct {
		name  string
		frame []byte
		want  error
	}{
		{"a wrong total length", damaged(3), eventstream.ErrMalformed},
		{"a wrong prelude checksum", damaged(9), eventstream.ErrMalformed},
		{"a changed header", damaged(15), eventstream.ErrMalformed},
		{"a changed payload", damaged(20), eventstream.ErrMalformed},
		{"a wrong message checksum", damaged(len(whole(text, []byte("payload"))) - 1), eventstream.ErrMalformed},
		{"no length at all", frame(0, 0, nil, nil), eventstream.ErrMalformed},
		{"a length below the overhead", frame(15, 0, nil, nil), eventstream.ErrMalformed},
		{"headers longer than the message", frame(20, 5, nil, make([]byte, 4)), eventstream.ErrMalformed},
		{"headers of 4 GB", frame(16, 0xffffffff, nil, nil), eventstream.ErrMalformed},
		{"a header twice", whole(append(bytes.Clone(text), text...), nil), eventstream.ErrMalformed},
		{"a name that is cut", whole(append(bytes.Clone(text), 5), nil), eventstream.ErrMalformed},
		{"a value that is cut", whole(header("a", 7, 0, 9, 'x'), nil), eventstream.ErrMalformed},
		{"an unknown type", whole(header("a", 10), nil), eventstream.ErrMalformed},
		{"4 GB", frame(0xffffffff, 0, nil, nil), eventstream.ErrTooLarge},
		{"one byte too many", whole(nil, make([]byte, most-15)), eventstream.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := eventstream.NewReader(bytes.NewReader(tt.frame), most).Next(); !errors.Is(err, tt.want) || errors.Is(err, io.EOF) {
				t.Errorf("a reader says %v, want %v", err, tt.want)
			}
			if _, err := eventstream.Parse(tt.frame, most); !errors.Is(err, tt.want) {
				t.Errorf("Parse says %v, want %v", err, tt.want)
			}
		})
	}
}

func TestReader(t *testing.T) {
	stream := bytes.Join([][]byte{whole(nil, []byte("one")), whole(header("a", 0), []byte("two")), whole(nil, nil)}, nil)
	t.Run("messages come one after the other, whatever the pieces", func(t *testing.T) {
		r := eventstream.NewReader(iotest.OneByteReader(bytes.NewReader(stream)), most)
		for _, want := range []string{"one", "two", ""} {
			if m, err := r.Next(); err != nil || string(m.Payload) != want {
				t.Fatalf("%q, %v; want %q", m.Payload, err, want)
			}
		}
		if _, err := r.Next(); err != io.EOF { //nolint:errorlint // the end is io.EOF itself
			t.Errorf("the end is %v", err)
		}
	})
	t.Run("an end within a message is no end", func(t *testing.T) {
		for n := 1; n < 19; n++ {
			_, err := eventstream.NewReader(bytes.NewReader(stream[:n]), most).Next()
			if !errors.Is(err, eventstream.ErrMalformed) || errors.Is(err, io.EOF) {
				t.Errorf("after %d bytes: %v", n, err)
			}
		}
	})
	t.Run("a failure of the stream shows", func(t *testing.T) {
		broken := errors.New("broken")
		for n := range 19 {
			r := io.MultiReader(bytes.NewReader(stream[:n]), iotest.ErrReader(broken))
			if _, err := eventstream.NewReader(r, most).Next(); !errors.Is(err, broken) {
				t.Errorf("after %d bytes: %v", n, err)
			}
		}
	})
}

func TestEnvelope(t *testing.T) {
	date := time.UnixMilli(1_700_000_000_123).UTC()
	sealed := eventstream.Seal(eventstream.Envelope{Date: date, Signature: bytes.Repeat([]byte{1}, 32), Payload: []byte("in")})
	if e, signed, err := eventstream.Open(sealed); err != nil || !signed || !e.Date.Equal(date) || string(e.Payload) != "in" {
		t.Errorf("%+v, %v, %v", e, signed, err)
	}
	var headers bytes.Buffer
	if err := codec.EncodeHeaders(&headers, sealed.Headers[:1]); err != nil || !bytes.Equal(headers.Bytes(), eventstream.EncodedDate(date)) {
		t.Errorf("the date is encoded as %x, want %x (%v)", eventstream.EncodedDate(date), headers.Bytes(), err)
	}
	if _, signed, err := eventstream.Open(eventstream.Message{Headers: codec.Headers{eventstream.String(":event-type", "AudioEvent")}}); signed || err != nil {
		t.Errorf("a bare event: %v, %v", signed, err)
	}
	for name, headers := range map[string]codec.Headers{
		"a date alone":        sealed.Headers[:1],
		"a signature alone":   sealed.Headers[1:],
		"a third header":      append(sealed.Headers.Clone(), eventstream.String("x", "y")),
		"a short signature":   {sealed.Headers[0], {Name: ":chunk-signature", Value: codec.BytesValue("short")}},
		"a date that is text": {eventstream.String(":date", "today"), sealed.Headers[1]},
	} {
		if _, signed, err := eventstream.Open(eventstream.Message{Headers: headers}); !signed || !errors.Is(err, eventstream.ErrMalformed) {
			t.Errorf("%s: %v, %v", name, signed, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(whole(header(":event-type", 7, 0, 2, 'A', 'B'), []byte("payload")))
	f.Add(whole(append(header(":date", 8, 0, 0, 1, 0, 0, 0, 0, 0), header(":chunk-signature", 6, append([]byte{0, 32}, make([]byte, 32)...)...)...), nil))
	f.Add(whole(header("u", 9, make([]byte, 16)...), nil))
	f.Add(append(whole(nil, nil), whole(nil, []byte("x"))...))
	f.Add(frame(16, 0xffffffff, nil, nil))
	f.Add(frame(0xffffffff, 0, nil, nil))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := eventstream.NewReader(bytes.NewReader(stream), most)
		read := 0
		for {
			m, err := r.Next()
			if err != nil {
				return
			}
			again, err := eventstream.Encode(m)
			if err != nil {
				t.Fatalf("what was read can't be written: %v", err)
			}
			if read+len(again) > len(stream) || !bytes.Equal(again, stream[read:read+len(again)]) {
				t.Fatalf("%x was read as %x", stream[read:], again)
			}
			read += len(again)
			_, _, _ = eventstream.Open(m)
		}
	})
}
