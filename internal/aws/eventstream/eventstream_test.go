package eventstream_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/dictum/dictum/internal/aws/eventstream"
)

func message(t testing.TB) []byte {
	t.Helper()
	b, err := eventstream.Event("AudioEvent", "application/octet-stream", []byte("sound"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRead(t *testing.T) {
	one := message(t)
	broken := bytes.Clone(one)
	broken[len(broken)-5]++
	large := prelude(0x7f000000, 0)
	for name, test := range map[string]struct {
		stream []byte
		want   []error
	}{
		"two messages":      {append(bytes.Clone(one), one...), []error{nil, nil, io.EOF}},
		"nothing":           {nil, []error{io.EOF}},
		"cut in a prelude":  {one[:7], []error{io.ErrUnexpectedEOF}},
		"cut in a payload":  {one[:len(one)-6], []error{io.ErrUnexpectedEOF}},
		"a wrong checksum":  {broken, []error{eventstream.ErrMalformed}},
		"too large":         {large, []error{eventstream.ErrTooLarge}},
		"smaller than none": {prelude(8, 0), []error{eventstream.ErrMalformed}},
	} {
		t.Run(name, func(t *testing.T) {
			r := bufio.NewReaderSize(bytes.NewReader(test.stream), 16)
			for i, want := range test.want {
				m, err := eventstream.Read(r)
				if !errors.Is(err, want) {
					t.Fatalf("message %d: %v, want %v", i, err, want)
				}
				if err == nil && (m.Text(":event-type") != "AudioEvent" || string(m.Payload) != "sound") {
					t.Errorf("message %d: %q with %q", i, m.Text(":event-type"), m.Payload)
				}
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(message(f))
	f.Add(message(f)[:20])
	f.Add([]byte{0, 0, 0, 16, 0, 0, 0, 0, 5, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(b), 16)
		for {
			m, err := eventstream.Read(r)
			if err != nil {
				break
			}
			_, _, _ = m.Signature()
		}
		if _, err := eventstream.Parse(b); err == nil && len(b) > eventstream.MaxMessage {
			t.Error("larger than the bound")
		}
	})
}
