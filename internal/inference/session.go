package inference

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// Options says how a session runs its graph.
type Options struct {
	// Threads is how many threads one Run uses. Zero means one. The result of a run does
	// not depend on it.
	Threads int
	// Spin lets idle threads wait actively between operators: some percent faster alone,
	// at the cost of everything else on the machine. Off by default.
	Spin bool
	// Outputs are the names of those wanted, in the order in which Run takes them; empty means all. The graph's parts
	// that only make others are not run.
	Outputs []string
}

// Port describes an input or output of a graph.
type Port struct {
	Name string
	// Type is the element type as ONNX names it: "float32", "int64".
	Type string
	// Shape holds the dimensions, -1 where a run decides.
	Shape []int64
}

// Session is one graph, loaded and optimised. It is safe for concurrent use; runs of the
// same session share its threads.
type Session struct {
	inputs, outputs []Port

	// mu is held for reading by each run, and for writing by Close.
	mu     sync.RWMutex
	native *ort.DynamicAdvancedSession

	// idle holds run options for the next runs; a run that finds none makes its own.
	idle chan *ort.RunOptions
}

// Open loads the ONNX graph in the file at path. Init must have been called. The caller
// closes the session. Loading reads and lays out all weights: seconds for large models.
func Open(path string, options Options) (*Session, error) {
	if !initialised() {
		return nil, ErrNotInitialised
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open graph: %w", err)
	}
	s, err := open(path, options)
	if err != nil {
		return nil, fmt.Errorf("open graph %s: %w", path, err)
	}
	return s, nil
}

func open(path string, options Options) (_ *Session, err error) {
	native, err := sessionOptions(options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, native.Destroy()) }()

	// The names are needed before the session is made; without optimisation and
	// threads this first look costs a read of the file.
	look, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("make session options: %w", err)
	}
	defer func() { err = errors.Join(err, look.Destroy()) }()
	for _, set := range []error{
		look.SetGraphOptimizationLevel(ort.GraphOptimizationLevelDisableAll),
		look.SetIntraOpNumThreads(1),
		look.AddSessionConfigEntry("session.disable_prepacking", "1"),
	} {
		if set != nil {
			return nil, fmt.Errorf("set session options: %w", set)
		}
	}
	in, out, err := ort.GetInputOutputInfoWithOptions(path, look)
	if err != nil {
		return nil, fmt.Errorf("read inputs and outputs: %w", err)
	}
	s := &Session{inputs: ports(in), outputs: ports(out), idle: make(chan *ort.RunOptions, 8)}
	if len(options.Outputs) > 0 {
		if s.outputs, err = chosen(s.outputs, options.Outputs); err != nil {
			return nil, err
		}
	}
	s.native, err = ort.NewDynamicAdvancedSession(path, names(s.inputs), names(s.outputs), native)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func sessionOptions(options Options) (*ort.SessionOptions, error) {
	native, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("make session options: %w", err)
	}
	spin := "0"
	if options.Spin {
		spin = "1"
	}
	err = errors.Join(
		native.SetIntraOpNumThreads(max(1, options.Threads)),
		native.SetInterOpNumThreads(1),
		native.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		// The arena keeps scratch memory between runs; patterns of dynamic shapes would
		// only make it grow.
		native.SetMemPattern(false),
		native.AddSessionConfigEntry("session.intra_op.allow_spinning", spin),
		// Processors without VNNI add pairs of unsigned by signed products in 16 bits
		// and saturate; this has the runtime use unsigned weights there. No effect elsewhere.
		native.AddSessionConfigEntry("session.x64quantprecision", "1"),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set session options: %w", err), native.Destroy())
	}
	return native, nil
}

func ports(infos []ort.InputOutputInfo) []Port {
	ps := make([]Port, len(infos))
	for i, info := range infos {
		ps[i] = Port{Name: info.Name, Type: typeName(info.DataType), Shape: slices.Clone(info.Dimensions)}
	}
	return ps
}

// chosen are the ports of these names, in their order.
func chosen(ps []Port, names []string) ([]Port, error) {
	out := make([]Port, len(names))
	for i, name := range names {
		at := slices.IndexFunc(ps, func(p Port) bool { return p.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("the graph has no output %q", name)
		}
		out[i] = ps[at]
	}
	return out, nil
}

func typeName(t ort.TensorElementDataType) string {
	switch t {
	case ort.TensorElementDataTypeFloat:
		return "float32"
	case ort.TensorElementDataTypeDouble:
		return "float64"
	case ort.TensorElementDataTypeInt8:
		return "int8"
	case ort.TensorElementDataTypeUint8:
		return "uint8"
	case ort.TensorElementDataTypeInt32:
		return "int32"
	case ort.TensorElementDataTypeInt64:
		return "int64"
	default:
		return t.String()
	}
}

func names(ps []Port) []string {
	ns := make([]string, len(ps))
	for i, p := range ps {
		ns[i] = p.Name
	}
	return ns
}

// Inputs are the graph's inputs, in the order that Run takes them.
func (s *Session) Inputs() []Port { return s.inputs }

// Outputs are the graph's outputs, in the order that Run takes them.
func (s *Session) Outputs() []Port { return s.outputs }

// Input is the place of the named input among Inputs, or -1.
func (s *Session) Input(name string) int {
	return slices.IndexFunc(s.inputs, func(p Port) bool { return p.Name == name })
}

// Output is the place of the named output among Outputs, or -1.
func (s *Session) Output(name string) int {
	return slices.IndexFunc(s.outputs, func(p Port) bool { return p.Name == name })
}

// Run computes outputs from inputs, both in the order of Inputs and Outputs. The graph
// writes into the output tensors, whose shapes must be what the graph produces. The same
// tensor may be an input and an output where the graph updates it in place (a key or
// value cache). When ctx ends, the run stops at the next operator and Run returns the
// context's error; the outputs then hold nothing of use.
func (s *Session) Run(ctx context.Context, inputs, outputs []Value) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.native == nil {
		return fmt.Errorf("run graph: session is %w", ErrClosed)
	}
	in, err := natives("input", s.inputs, inputs)
	if err != nil {
		return err
	}
	out, err := natives("output", s.outputs, outputs)
	if err != nil {
		return err
	}
	if err := s.run(ctx, in, out); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("run graph: %w", err)
	}
	return nil
}

func (s *Session) run(ctx context.Context, in, out []ort.Value) error {
	if ctx.Done() == nil {
		return s.native.Run(in, out)
	}
	options, err := s.runOptions()
	if err != nil {
		return err
	}
	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(terminated)
		_ = options.Terminate() // fails only on a nil handle
	})
	err = s.native.RunWithOptions(in, out, options)
	if !stop() {
		<-terminated
		return errors.Join(err, options.Destroy())
	}
	select {
	case s.idle <- options:
		return err
	default:
		return errors.Join(err, options.Destroy())
	}
}

func (s *Session) runOptions() (*ort.RunOptions, error) {
	select {
	case options := <-s.idle:
		return options, nil
	default:
	}
	options, err := ort.NewRunOptions()
	if err != nil {
		return nil, fmt.Errorf("make run options: %w", err)
	}
	return options, nil
}

func natives(kind string, ports []Port, values []Value) ([]ort.Value, error) {
	if len(values) != len(ports) {
		return nil, fmt.Errorf("run graph: %d %ss given, the graph has %d", len(values), kind, len(ports))
	}
	ns := make([]ort.Value, len(values))
	for i, v := range values {
		if v == nil {
			return nil, fmt.Errorf("run graph: %s %s is missing", kind, ports[i].Name)
		}
		if ns[i] = v.value(); ns[i] == nil {
			return nil, fmt.Errorf("run graph: %s %s is %w", kind, ports[i].Name, ErrClosed)
		}
	}
	return ns, nil
}

// Close waits for runs to end and frees the session with its weights and threads.
// Closing twice is harmless.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.native == nil {
		return nil
	}
	err := s.native.Destroy()
	s.native = nil
	close(s.idle)
	for options := range s.idle {
		err = errors.Join(err, options.Destroy())
	}
	if err != nil {
		return fmt.Errorf("close graph: %w", err)
	}
	return nil
}
