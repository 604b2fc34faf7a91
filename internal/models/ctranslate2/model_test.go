package ctranslate2_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/dictum/dictum/internal/models/ctranslate2"
)

// file writes a model of one 2×2 variable of 16-bit floats with an alias.
func file() []byte {
	var b bytes.Buffer
	le := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) } // a buffer takes all
	str := func(s string) { le(uint16(len(s) + 1)); b.WriteString(s + "\x00") }
	le(uint32(6))
	str("WhisperSpec")
	le(uint32(3))
	le(uint32(1))
	str("a/weight")
	le(uint8(2))
	le([]uint32{2, 2})
	le(uint8(4))
	le(uint32(8))
	le([]uint16{0x3c00, 0xc000, 0x3800, 0x0000}) // 1, -2, 0.5, 0
	le(uint32(1))
	str("b/weight")
	str("a/weight")
	return b.Bytes()
}

func TestReadVariablesAndAliases(t *testing.T) {
	data := file()
	m, err := ctranslate2.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if m.Spec != "WhisperSpec" || m.Revision != 3 || !slices.Equal(m.Names(), []string{"a/weight", "b/weight"}) {
		t.Errorf("read %+v with %v", m, m.Names())
	}
	v, err := m.Variable("b/weight")
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Floats()
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{1, -2, 0.5, 0}; !slices.Equal(got, want) {
		t.Errorf("b/weight is %v, want %v", got, want)
	}
}

func TestEveryCutIsRefused(t *testing.T) {
	data := file()
	for n := range data {
		if _, err := ctranslate2.Read(bytes.NewReader(data[:n]), int64(n)); !errors.Is(err, ctranslate2.ErrFormat) {
			t.Fatalf("the first %d of %d bytes give %v", n, len(data), err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file())
	f.Add([]byte{})
	f.Add([]byte{6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ctranslate2.Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, name := range m.Names() {
			v, err := m.Variable(name)
			if err != nil {
				t.Fatal(err)
			}
			if x, err := v.Floats(); err != nil || len(x) != v.Len() {
				t.Fatalf("%s reads %d of %d: %v", name, len(x), v.Len(), err)
			}
		}
	})
}
