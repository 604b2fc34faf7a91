// Package ctranslate2 reads model.bin, the weights file of CTranslate2: names, shapes and
// numbers of variables, in the layout that ctranslate2/specs/model_spec.py writes
// (binary version 6). It holds no policy about what the variables mean. Start reading at
// Read.
package ctranslate2

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/x448/float16"
)

// Version is the binary version of the files that Read takes.
const Version = 6

// Bounds of what a file may declare. The largest Whisper has 1,300 variables.
const (
	maxVariables = 1 << 16
	maxRank      = 8
	maxElements  = 1 << 31
)

// ErrFormat is wrapped by errors about a file that is not, or is no longer, a model.
var ErrFormat = errors.New("not a CTranslate2 model")

// Type is the element type of a variable, numbered as in the file.
type Type uint8

// The element types.
const (
	Float32 Type = iota
	Int8
	Int16
	Int32
	Float16
)

func (t Type) size() int64 {
	switch t {
	case Float32, Int32:
		return 4
	case Int16, Float16:
		return 2
	default:
		return 1
	}
}

// Variable is a named tensor in the file. Its numbers are read when asked for.
type Variable struct {
	Name  string
	Type  Type
	Shape []int
	file  io.ReaderAt
	at    int64
	bytes int64
}

// Model is the table of contents of a file.
type Model struct {
	// Spec names the architecture, as "WhisperSpec".
	Spec      string
	Revision  int
	variables map[string]Variable
}

// Read reads the table of contents of a model.bin of the given size. The file must stay
// open while variables are read. It returns an error that wraps ErrFormat for anything
// that is no such file.
func Read(file io.ReaderAt, size int64) (*Model, error) {
	r := &reader{file: file, size: size}
	r.seek(0)
	if version := r.u32(); r.err == nil && version != Version {
		return nil, fmt.Errorf("%w: binary version %d, this reads %d", ErrFormat, version, Version)
	}
	m := &Model{Spec: r.str(), Revision: int(r.u32()), variables: make(map[string]Variable)}
	count := r.u32()
	if count > maxVariables {
		return nil, fmt.Errorf("%w: %d variables", ErrFormat, count)
	}
	for range count {
		v := r.variable()
		if r.err != nil {
			return nil, fmt.Errorf("read variable after %d: %w", len(m.variables), r.err)
		}
		m.variables[v.Name] = v
	}
	aliases := r.u32()
	if aliases > maxVariables {
		return nil, fmt.Errorf("%w: %d aliases", ErrFormat, aliases)
	}
	for range aliases {
		alias, name := r.str(), r.str()
		v, ok := m.variables[name]
		if r.err == nil && !ok {
			return nil, fmt.Errorf("%w: alias %q of an unknown variable", ErrFormat, alias)
		}
		m.variables[alias] = v
	}
	if r.err != nil {
		return nil, fmt.Errorf("read model: %w", r.err)
	}
	return m, nil
}

// Has tells whether the model has a variable of that name.
func (m *Model) Has(name string) bool {
	_, ok := m.variables[name]
	return ok
}

// Variable finds a variable by its name or alias.
func (m *Model) Variable(name string) (Variable, error) {
	v, ok := m.variables[name]
	if !ok {
		return Variable{}, fmt.Errorf("%w: no variable %q", ErrFormat, name)
	}
	return v, nil
}

// Names lists all variables and aliases in alphabetical order.
func (m *Model) Names() []string {
	names := make([]string, 0, len(m.variables))
	for name := range m.variables {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Len is the number of elements.
func (v Variable) Len() int {
	n := 1
	for _, d := range v.Shape {
		n *= d
	}
	return n
}

// Raw reads the bytes as they are in the file, little-endian.
func (v Variable) Raw() ([]byte, error) {
	b := make([]byte, v.bytes)
	if _, err := io.ReadFull(io.NewSectionReader(v.file, v.at, v.bytes), b); err != nil {
		return nil, fmt.Errorf("read variable %s: %w", v.Name, err)
	}
	return b, nil
}

// Floats reads the elements, whatever their type, as 32-bit floats.
func (v Variable) Floats() ([]float32, error) {
	raw, err := v.Raw()
	if err != nil {
		return nil, err
	}
	out := make([]float32, v.Len())
	for i := range out {
		switch v.Type {
		case Float32:
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		case Float16:
			out[i] = float16.Frombits(binary.LittleEndian.Uint16(raw[2*i:])).Float32()
		case Int32:
			out[i] = float32(int32(binary.LittleEndian.Uint32(raw[4*i:])))
		case Int16:
			out[i] = float32(int16(binary.LittleEndian.Uint16(raw[2*i:])))
		default:
			out[i] = float32(int8(raw[i]))
		}
	}
	return out, nil
}

// reader reads the file from front to back and keeps the first error.
type reader struct {
	file io.ReaderAt
	size int64
	at   int64
	buf  *bufio.Reader
	err  error
}

func (r *reader) seek(at int64) {
	r.at = at
	r.buf = bufio.NewReaderSize(io.NewSectionReader(r.file, at, max(0, r.size-at)), 4096)
}

func (r *reader) take(n int) []byte {
	if r.err != nil {
		return make([]byte, n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r.buf, b); err != nil {
		r.err = fmt.Errorf("%w: it ends at byte %d", ErrFormat, r.size)
	}
	r.at += int64(n)
	return b
}

func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }

// str reads a string: its length with the closing NUL, then the bytes.
func (r *reader) str() string {
	n := int(r.u16())
	if n == 0 || r.err != nil {
		r.fail("a string without an end")
		return ""
	}
	b := r.take(n)
	if b[n-1] != 0 {
		r.fail("a string without an end")
	}
	return string(b[:n-1])
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrFormat, what)
	}
}

func (r *reader) variable() Variable {
	v := Variable{Name: r.str(), file: r.file}
	rank := int(r.u8())
	if rank > maxRank {
		r.fail("a variable of too many dimensions")
		return v
	}
	elements := int64(1)
	for range rank {
		d := int64(r.u32())
		if d > maxElements || elements*d > maxElements {
			r.fail("a variable too large")
			return v
		}
		elements *= d
		v.Shape = append(v.Shape, int(d))
	}
	v.Type = Type(r.u8())
	v.bytes = int64(r.u32())
	v.at = r.at
	switch {
	case r.err != nil:
		return v
	case v.Type > Float16:
		r.fail("a variable of unknown type")
	case v.bytes != elements*v.Type.size():
		r.fail("a variable whose size does not fit its shape")
	case v.bytes > r.size-r.at:
		r.fail("a variable that ends beyond the file")
	default:
		r.seek(r.at + v.bytes)
	}
	return v
}
