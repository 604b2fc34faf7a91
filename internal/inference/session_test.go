package inference_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/models/onnx"
)

// write puts a graph into a file.
func write(t testing.TB, g *onnx.Graph) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := g.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "graph.onnx")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// affine is y = x·w + b for x of [N,2].
func affine(t testing.TB) *inference.Session {
	t.Helper()
	modelstest.Runtime(t)
	var g onnx.Graph
	x := g.Input("x", onnx.Float, onnx.Any("N"), onnx.N(2))
	y := g.Op("MatMul", []string{x, g.Floats("w", []float32{1, 2, 3, 4, 5, 6}, 2, 3)})
	g.Node("Add", []string{y, g.Floats("b", []float32{10, 20, 30}, 3)}, []string{"y"})
	g.Output("y", onnx.Float, onnx.Any("N"), onnx.N(3))
	s, err := inference.Open(write(t, &g), inference.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func tensor(t testing.TB, data []float32, shape ...int64) *inference.Tensor[float32] {
	t.Helper()
	v, err := inference.TensorOf(data, shape...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func run(s *inference.Session, x, y inference.Value) error {
	return s.Run(context.Background(), []inference.Value{x}, []inference.Value{y})
}

func TestRunWritesIntoTheOutputTensor(t *testing.T) {
	s := affine(t)
	y := tensor(t, make([]float32, 6), 2, 3)
	if err := run(s, tensor(t, []float32{1, 0, 1, 1}, 2, 2), y); err != nil {
		t.Fatal(err)
	}
	if want := []float32{11, 22, 33, 15, 27, 39}; !slices.Equal(y.Data(), want) {
		t.Errorf("y is %v, want %v", y.Data(), want)
	}
}

func TestViewsShareMemory(t *testing.T) {
	s := affine(t)
	all := tensor(t, make([]float32, 9), 3, 3)
	row, err := all.View(6, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer row.Close()
	if err := run(s, tensor(t, []float32{0, 0}, 1, 2), row); err != nil {
		t.Fatal(err)
	}
	if want := []float32{0, 0, 0, 0, 0, 0, 10, 20, 30}; !slices.Equal(all.Data(), want) {
		t.Errorf("the tensor is %v, want %v", all.Data(), want)
	}
	for _, bad := range []struct{ offset, size int64 }{{-1, 1}, {7, 3}, {10, 0}} {
		if _, err := all.View(int(bad.offset), bad.size); err == nil {
			t.Errorf("a view of %d from %d on was made", bad.size, bad.offset)
		}
	}
}

func TestPortsTellNamesAndShapes(t *testing.T) {
	s := affine(t)
	if got := fmt.Sprint(s.Inputs(), s.Outputs()); got != "[{x float32 [-1 2]}] [{y float32 [-1 3]}]" {
		t.Errorf("ports are %s", got)
	}
	if s.Input("x") != 0 || s.Output("x") != -1 {
		t.Error("ports are not found by name")
	}
}

func TestWrongUseIsAnErrorAndNotACrash(t *testing.T) {
	s := affine(t)
	x, y := tensor(t, []float32{1, 2}, 1, 2), tensor(t, make([]float32, 3), 1, 3)
	if err := run(s, tensor(t, []float32{1, 2, 3}, 1, 3), y); err == nil {
		t.Error("an input of the wrong shape was taken")
	}
	if err := run(s, x, tensor(t, make([]float32, 2), 1, 2)); err == nil {
		t.Error("an output of the wrong shape was taken")
	}
	if err := s.Run(context.Background(), nil, []inference.Value{y}); err == nil {
		t.Error("a run without inputs was made")
	}
	closed := tensor(t, []float32{1, 2}, 1, 2)
	_ = closed.Close()
	if err := run(s, closed, y); !errors.Is(err, inference.ErrClosed) {
		t.Errorf("a closed tensor gives %v", err)
	}
	if _, err := inference.NewTensor[float32](1<<30, 1<<30); err == nil {
		t.Error("an impossible tensor was made")
	}
	_ = s.Close()
	if err := run(s, x, y); !errors.Is(err, inference.ErrClosed) {
		t.Errorf("a closed session gives %v", err)
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	s := affine(t)
	ctx, cancel := context.WithCancel(context.Background())
	x, y := tensor(t, []float32{1, 2}, 1, 2), tensor(t, make([]float32, 3), 1, 3)
	if err := s.Run(ctx, []inference.Value{x}, []inference.Value{y}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.Run(ctx, []inference.Value{x}, []inference.Value{y}); !errors.Is(err, context.Canceled) {
		t.Errorf("a run after the end of its context gives %v", err)
	}
}

// A graph that would run for minutes ends soon after its context does.
func TestLongRunIsInterrupted(t *testing.T) {
	modelstest.Runtime(t)
	var g onnx.Graph
	x := g.Input("x", onnx.Float, onnx.N(1000), onnx.N(1000))
	for range 3000 {
		x = g.Op("MatMul", []string{x, "x"})
	}
	g.Node("Identity", []string{x}, []string{"y"})
	g.Output("y", onnx.Float, onnx.N(1000), onnx.N(1000))
	s, err := inference.Open(write(t, &g), inference.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	in, out := tensor(t, make([]float32, 1e6), 1000, 1000), tensor(t, make([]float32, 1e6), 1000, 1000)
	done := make(chan error)
	go func() { done <- s.Run(ctx, []inference.Value{in}, []inference.Value{out}) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the run ended with %v", err)
	}
}

func TestConcurrentRuns(t *testing.T) {
	s := affine(t)
	var wg sync.WaitGroup
	for i := range 4 {
		x := tensor(t, []float32{float32(i), 0}, 1, 2)
		y := tensor(t, make([]float32, 3), 1, 3)
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for range 200 {
				if err := s.Run(ctx, []inference.Value{x}, []inference.Value{y}); err != nil {
					t.Error(err)
					return
				}
				if y.Data()[0] != float32(10+i) {
					t.Errorf("run %d gives %v", i, y.Data())
					return
				}
			}
		})
	}
	wg.Wait()
}

// Tensors, sessions and runs give all their memory back.
func TestMemoryStaysFlat(t *testing.T) {
	s := affine(t)
	round := func(n int) {
		for range n {
			x, err := inference.NewTensor[float32](50000, 2)
			if err != nil {
				t.Fatal(err)
			}
			y, err := inference.NewTensor[float32](50000, 3)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			if err := s.Run(ctx, []inference.Value{x}, []inference.Value{y}); err != nil {
				t.Fatal(err)
			}
			cancel()
			if err := errors.Join(x.Close(), y.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	round(200)
	before := resident(t)
	round(2000) // 1 MB of tensors each
	if grown := resident(t) - before; grown > 64<<20 {
		t.Errorf("2000 runs left %d bytes", grown)
	}
}

// resident is the process's resident memory in bytes.
func resident(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func TestSecondRuntimeIsRefused(t *testing.T) {
	modelstest.Runtime(t)
	if err := inference.Init("/nowhere/libonnxruntime.so"); !errors.Is(err, inference.ErrOtherRuntime) {
		t.Errorf("another library gives %v", err)
	}
	if v := inference.Version(); !strings.HasPrefix(v, "1.") {
		t.Errorf("the version is %q", v)
	}
}
