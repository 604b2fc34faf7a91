package sealed_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/dictum/dictum/internal/objects/sealed"
)

var key = bytes.Repeat([]byte{5}, sealed.KeySize)

func content(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func seal(t testing.TB, b []byte, id string) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := sealed.NewWriter(&file, key, id)
	if err != nil {
		t.Fatal(err)
	}
	// Odd pieces, so that pieces and chunks do not line up.
	for p := b; len(p) > 0; {
		n := min(len(p), 7919)
		if _, err := w.Write(p[:n]); err != nil {
			t.Fatal(err)
		}
		p = p[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := int64(file.Len()), sealed.FileSize(int64(len(b))); got != want {
		t.Fatalf("file has %d bytes, FileSize says %d", got, want)
	}
	return file.Bytes()
}

func read(file []byte, id string, size int) ([]byte, error) {
	r, err := sealed.NewReader(bytes.NewReader(file), key, id, int64(size))
	if err != nil {
		return nil, err
	}
	if err := r.Verify(); err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
}

func TestRoundTrip(t *testing.T) {
	const c = sealed.ChunkSize
	for _, size := range []int{0, 1, c - 1, c, c + 1, 2*c - 1, 2 * c, 3*c + 17} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			want := content(size)
			got, err := read(seal(t, want, "a"), "a", size)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes back, %v", len(got), err)
			}
		})
	}
}

func TestRangesEqualSlices(t *testing.T) {
	const c = sealed.ChunkSize
	b := content(3*c + 1000)
	r, err := sealed.NewReader(bytes.NewReader(seal(t, b, "a")), key, "a", int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var edges []int
	for _, at := range []int{0, c, 2 * c, 3 * c, len(b)} {
		for d := -2; d <= 2; d++ {
			if at+d >= 0 {
				edges = append(edges, at+d)
			}
		}
	}
	for _, from := range edges {
		for _, to := range edges {
			if to <= from {
				continue
			}
			p := make([]byte, to-from)
			n, err := r.ReadAt(p, int64(from))
			want := b[min(from, len(b)):min(to, len(b))]
			if !bytes.Equal(p[:n], want) {
				t.Fatalf("[%d, %d): other bytes", from, to)
			}
			if short := n < len(p); short != errors.Is(err, io.EOF) || (!short && err != nil) {
				t.Fatalf("[%d, %d): %d bytes, %v", from, to, n, err)
			}
		}
	}
}

func TestTampering(t *testing.T) {
	const c = sealed.ChunkSize
	const sealedChunk = c + 16
	b := content(2*c + 100)
	file := seal(t, b, "a")
	damaged := func(t *testing.T, file []byte, id string, size int) {
		t.Helper()
		if _, err := read(file, id, size); !errors.Is(err, sealed.ErrDamaged) {
			t.Errorf("got %v", err)
		}
	}
	t.Run("any byte changed", func(t *testing.T) {
		small := seal(t, b[:300], "a")
		for i := range small {
			bad := bytes.Clone(small)
			bad[i] ^= 0x20
			damaged(t, bad, "a", 300)
		}
		for i := 0; i < len(file); i += 997 {
			bad := bytes.Clone(file)
			bad[i] ^= 1
			damaged(t, bad, "a", len(b))
		}
	})
	t.Run("chunks exchanged", func(t *testing.T) {
		bad := bytes.Clone(file)
		copy(bad, file[sealedChunk:2*sealedChunk])
		copy(bad[sealedChunk:], file[:sealedChunk])
		damaged(t, bad, "a", len(b))
	})
	t.Run("cut in a chunk", func(t *testing.T) { damaged(t, file[:len(file)-1], "a", len(b)) })
	t.Run("cut after a chunk, and the size with it", func(t *testing.T) { damaged(t, file[:2*sealedChunk], "a", 2*c) })
	t.Run("a longer size than was written", func(t *testing.T) { damaged(t, file, "a", len(b)+1) })
	t.Run("a shorter size than was written", func(t *testing.T) { damaged(t, file, "a", len(b)-1) })
	t.Run("emptied", func(t *testing.T) { damaged(t, nil, "a", 0) })
	t.Run("another file's content", func(t *testing.T) { damaged(t, seal(t, b, "b"), "a", len(b)) })
}

func TestWriteErrorIsKept(t *testing.T) {
	full := errors.New("disk full")
	w, err := sealed.NewWriter(failing{full}, key, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 3*sealed.ChunkSize)); !errors.Is(err, full) {
		t.Errorf("write: %v", err)
	}
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("close: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func BenchmarkWrite(b *testing.B) {
	p := content(1 << 20)
	w, err := sealed.NewWriter(io.Discard, key, "a")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if _, err := w.Write(p); err != nil {
			b.Fatal(err)
		}
	}
}
