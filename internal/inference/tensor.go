package inference

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"
	"golang.org/x/sys/unix"
)

// Element is a type that tensors hold.
type Element interface {
	float32 | float64 | int8 | uint8 | int32 | int64
}

// Value is a tensor of any element type, as Session.Run takes them.
type Value interface {
	// Shape is the tensor's dimensions, outermost first. The caller must not change it.
	Shape() []int64
	// Close frees the tensor. Closing twice is harmless.
	Close() error

	value() ort.Value
}

// Tensor is a dense array, row-major, outside the Go heap: the garbage collector neither
// moves nor scans nor delays it. A tensor belongs to one goroutine at a time.
type Tensor[T Element] struct {
	shape  []int64
	data   []T
	native *ort.Tensor[T]
	owned  []byte // the mapping that Close gives back; nil for a view
}

// maxTensorBytes bounds one tensor: larger sizes come from a bug or a hostile file.
const maxTensorBytes = 1 << 36

// hugePage is the size from which a mapping asks for transparent huge pages: attention
// walks whole caches each step, and 4 KiB pages cost it table walks.
const hugePage = 2 << 20

// NewTensor allocates a tensor of zeros. Init must have been called. The caller closes it.
func NewTensor[T Element](shape ...int64) (*Tensor[T], error) {
	n, err := elements[T](shape)
	if err != nil {
		return nil, err
	}
	size := n * int(unsafe.Sizeof(*new(T)))
	mapping, err := unix.Mmap(-1, 0, max(size, 1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("allocate tensor of %d bytes: %w", size, err)
	}
	if size >= hugePage {
		_ = unix.Madvise(mapping, unix.MADV_HUGEPAGE) // advice: a kernel may decline
	}
	t, err := newView(shape, unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(mapping))), n))
	if err != nil {
		return nil, errors.Join(err, unix.Munmap(mapping))
	}
	t.owned = mapping
	return t, nil
}

// TensorOf allocates a tensor and copies data into it.
func TensorOf[T Element](data []T, shape ...int64) (*Tensor[T], error) {
	n, err := elements[T](shape)
	if err != nil {
		return nil, err
	}
	if n != len(data) {
		return nil, fmt.Errorf("tensor of shape %v wants %d elements, not %d", shape, n, len(data))
	}
	t, err := NewTensor[T](shape...)
	if err != nil {
		return nil, err
	}
	copy(t.data, data)
	return t, nil
}

// View gives a tensor of another shape over the elements from offset on, in the same
// memory: one row of a batch, or the first rows of a large buffer. Close the view before
// the tensor it looks at.
func (t *Tensor[T]) View(offset int, shape ...int64) (*Tensor[T], error) {
	n, err := elements[T](shape)
	if err != nil {
		return nil, err
	}
	if offset < 0 || offset > len(t.data) || n > len(t.data)-offset {
		return nil, fmt.Errorf("view of shape %v at element %d leaves the tensor of shape %v", shape, offset, t.shape)
	}
	return newView(shape, t.data[offset:offset+n:offset+n])
}

func newView[T Element](shape []int64, data []T) (*Tensor[T], error) {
	if !initialised() {
		return nil, ErrNotInitialised
	}
	shape = slices.Clone(shape)
	native, err := ort.NewTensor(ort.Shape(shape), data)
	if err != nil {
		return nil, fmt.Errorf("make tensor of shape %v: %w", shape, err)
	}
	return &Tensor[T]{shape: shape, data: data, native: native}, nil
}

// Shape is the tensor's dimensions, outermost first. The caller must not change it.
func (t *Tensor[T]) Shape() []int64 { return t.shape }

// Data is the tensor's memory itself, row-major. It is nil after Close and must not be
// kept beyond it.
func (t *Tensor[T]) Data() []T { return t.data }

// Close frees the tensor at once.
func (t *Tensor[T]) Close() error {
	if t == nil || t.native == nil {
		return nil
	}
	err := t.native.Destroy()
	t.native, t.data = nil, nil
	if t.owned != nil {
		err = errors.Join(err, unix.Munmap(t.owned))
		t.owned = nil
	}
	if err != nil {
		return fmt.Errorf("free tensor: %w", err)
	}
	return nil
}

func (t *Tensor[T]) value() ort.Value {
	if t == nil || t.native == nil {
		return nil
	}
	return t.native
}

// Scalar is a tensor of rank 0, which never changes.
type Scalar[T Element] struct{ native *ort.Scalar[T] }

// NewScalar makes a scalar. Init must have been called. The caller closes it.
func NewScalar[T Element](v T) (*Scalar[T], error) {
	if !initialised() {
		return nil, ErrNotInitialised
	}
	native, err := ort.NewScalar(v)
	if err != nil {
		return nil, fmt.Errorf("make scalar: %w", err)
	}
	return &Scalar[T]{native: native}, nil
}

// Shape is empty: a scalar has no dimensions.
func (s *Scalar[T]) Shape() []int64 { return nil }

// Close frees the scalar.
func (s *Scalar[T]) Close() error {
	if s == nil || s.native == nil {
		return nil
	}
	err := s.native.Destroy()
	s.native = nil
	return err
}

func (s *Scalar[T]) value() ort.Value {
	if s == nil || s.native == nil {
		return nil
	}
	return s.native
}

// Flag is a tensor of shape [1] that holds a truth, which never changes.
type Flag struct{ native *ort.CustomDataTensor }

// NewFlag makes a flag. Init must have been called. The caller closes it.
func NewFlag(v bool) (*Flag, error) {
	if !initialised() {
		return nil, ErrNotInitialised
	}
	data := []byte{0}
	if v {
		data[0] = 1
	}
	native, err := ort.NewCustomDataTensor(ort.NewShape(1), data, ort.TensorElementDataTypeBool)
	if err != nil {
		return nil, fmt.Errorf("make flag: %w", err)
	}
	return &Flag{native: native}, nil
}

// Shape is [1].
func (f *Flag) Shape() []int64 { return []int64{1} }

// Close frees the flag.
func (f *Flag) Close() error {
	if f == nil || f.native == nil {
		return nil
	}
	err := f.native.Destroy()
	f.native = nil
	return err
}

func (f *Flag) value() ort.Value {
	if f == nil || f.native == nil {
		return nil
	}
	return f.native
}

// elements is how many elements a shape holds, or an error when it is no sane shape.
func elements[T Element](shape []int64) (int, error) {
	if len(shape) == 0 {
		return 0, errors.New("a tensor has at least one dimension: use NewScalar")
	}
	n, limit := int64(1), int64(maxTensorBytes)/int64(unsafe.Sizeof(*new(T)))
	for _, d := range shape {
		if d < 0 || d > math.MaxInt32 || (d > 0 && n > limit/d) {
			return 0, fmt.Errorf("tensor shape %v is not possible", shape)
		}
		n *= d
	}
	return int(n), nil
}
