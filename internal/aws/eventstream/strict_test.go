package eventstream_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"testing"
	"testing/iotest"

	codec "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/dictum/dictum/internal/aws/eventstream"
)

// prelude writes two lengths with their checksum.
func prelude(total, headers uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, total)
	b = binary.BigEndian.AppendUint32(b, headers)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// frame writes a message by the book (spec streaming.md §3), with any lengths.
func frame(total, headersLen uint32, headers, payload []byte) []byte {
	b := append(append(prelude(total, headersLen), headers...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func whole(headers, payload []byte) []byte {
	return frame(uint32(16+len(headers)+len(payload)), uint32(len(headers)), headers, payload)
}

func header(name string, kind byte, value ...byte) []byte {
	return append(append([]byte{byte(len(name))}, name...), append([]byte{kind}, value...)...)
}

func TestEveryTypeOfHeader(t *testing.T) {
	headers := bytes.Join([][]byte{
		header("t", 0), header("f", 1), header("byte", 2, 0xff), header("short", 3, 0, 2), header("int", 4, 0, 0, 0, 3),
		header("long", 5, 0, 0, 0, 0, 0, 0, 0, 4), header("bytes", 6, 0, 2, 9, 8), header("text", 7, 0, 2, 'h', 'i'),
		header("time", 8, 0, 0, 0, 0, 0, 0, 3, 232), header("uuid", 9, bytes.Repeat([]byte{7}, 16)...),
	}, nil)
	m, err := eventstream.Parse(whole(headers, []byte("payload")))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"t": true, "f": false, "byte": int8(-1), "short": int16(2), "int": int32(3), "long": int64(4), "text": "hi"}
	for name, value := range want {
		if got := m.Headers.Get(name).Get(); got != value {
			t.Errorf("%s is %v, want %v", name, got, value)
		}
	}
	if len(m.Headers) != 10 || string(m.Payload) != "payload" {
		t.Errorf("%d headers, payload %q", len(m.Headers), m.Payload)
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
		{"a length that was damaged", damaged(0), eventstream.ErrMalformed},
		{"a wrong prelude checksum", damaged(9), eventstream.ErrMalformed},
		{"a changed header", damaged(15), eventstream.ErrMalformed},
		{"a changed payload", damaged(20), eventstream.ErrMalformed},
		{"no length at all", frame(0, 0, nil, nil), eventstream.ErrMalformed},
		{"a length below the overhead", frame(15, 0, nil, nil), eventstream.ErrMalformed},
		{"headers longer than the message", frame(20, 5, nil, make([]byte, 4)), eventstream.ErrMalformed},
		{"headers of 4 GB", frame(16, 0xffffffff, nil, nil), eventstream.ErrMalformed},
		{"a header twice", whole(append(bytes.Clone(text), text...), nil), eventstream.ErrMalformed},
		{"a name that is cut", whole(append(bytes.Clone(text), 5), nil), eventstream.ErrMalformed},
		{"a value that is cut", whole(header("a", 7, 0, 9, 'x'), nil), eventstream.ErrMalformed},
		{"an unknown type", whole(header("a", 10), nil), eventstream.ErrMalformed},
		{"4 GB", frame(0xffffffff, 0, nil, nil), eventstream.ErrTooLarge},
		{"a byte too many", whole(nil, make([]byte, eventstream.MaxMessage-15)), eventstream.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := eventstream.Read(bufio.NewReader(bytes.NewReader(tt.frame))); !errors.Is(err, tt.want) || errors.Is(err, io.EOF) {
				t.Errorf("Read says %v, want %v", err, tt.want)
			}
			if _, err := eventstream.Parse(tt.frame); !errors.Is(err, tt.want) || errors.Is(err, io.EOF) {
				t.Errorf("Parse says %v, want %v", err, tt.want)
			}
		})
	}
}

func TestPieces(t *testing.T) {
	stream := bytes.Join([][]byte{whole(nil, []byte("one")), whole(header("a", 0), []byte("two")), whole(nil, nil)}, nil)
	r := bufio.NewReader(iotest.OneByteReader(bytes.NewReader(stream)))
	for _, want := range []string{"one", "two", ""} {
		if m, err := eventstream.Read(r); err != nil || string(m.Payload) != want {
			t.Fatalf("%q, %v; want %q", m.Payload, err, want)
		}
	}
	broken := errors.New("broken")
	for n := range 19 {
		r := io.MultiReader(bytes.NewReader(stream[:n]), iotest.ErrReader(broken))
		if _, err := eventstream.Read(bufio.NewReader(r)); !errors.Is(err, broken) {
			t.Errorf("a failure after %d bytes shows as %v", n, err)
		}
	}
}

func TestSignatureStandsAlone(t *testing.T) {
	date, signature := header(":date", 8, 0, 0, 1, 0, 0, 0, 0, 0), header(":chunk-signature", 6, append([]byte{0, 32}, make([]byte, 32)...)...)
	for name, tt := range map[string]struct {
		headers []byte
		want    bool
	}{
		"both":              {append(bytes.Clone(date), signature...), true},
		"in other order":    {append(bytes.Clone(signature), date...), true},
		"a date alone":      {date, false},
		"a signature alone": {signature, false},
		"with another":      {append(append(bytes.Clone(date), signature...), header("x", 0)...), false},
	} {
		m, err := eventstream.Parse(whole(tt.headers, nil))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok := m.Signature(); ok != tt.want {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole(header(":event-type", 7, 0, 2, 'A', 'B'), []byte("payload")))
	f.Add(whole(header("u", 9, make([]byte, 16)...), nil))
	f.Add(whole(append(header("a", 0), header("a", 0)...), nil))
	f.Add(frame(16, 0xffffffff, nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := eventstream.Parse(b)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := codec.NewEncoder().Encode(&again, m.Message); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Fatalf("%x was read as %x (%v)", b, again.Bytes(), err)
		}
	})
}
