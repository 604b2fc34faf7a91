// Package inference runs ONNX graphs. It is the only package that touches native code:
// ONNX Runtime, loaded from a shared library that the models package installs, driven
// through onnxruntime_go.
//
// It knows nothing of speech: tensors go in, tensors come out. Tensor data lives outside
// the Go heap, graphs write straight into it, and nothing is copied between Go and the
// runtime, so a decoder's key and value caches stay where they are from step to step.
// Start reading at Session.
package inference

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

var (
	// ErrNotInitialised means that Init has not been called, or failed.
	ErrNotInitialised = errors.New("the inference runtime is not loaded")
	// ErrClosed means that a session or tensor was used after Close.
	ErrClosed = errors.New("closed")
	// ErrOtherRuntime means that Init was called with a second library; a process has one.
	ErrOtherRuntime = errors.New("another inference runtime is already loaded")
)

// runtime is the process's one ONNX Runtime. The mutex guards path.
var runtime struct {
	sync.Mutex
	path string // of the library loaded, "" before
}

// disableTelemetry is the variable by which ONNX Runtime is told to report nothing.
const disableTelemetry = "ORT_DISABLE_TELEMETRY"

// Init loads ONNX Runtime from the shared library at path (libonnxruntime.so, 1.24 or
// later) and starts its environment. It may be called again with the same path, by any
// goroutine; a failed call may be repeated. The runtime stays for the life of the
// process: its threads belong to sessions, which are closed one by one.
func Init(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find inference runtime: %w", err)
	}
	runtime.Lock()
	defer runtime.Unlock()
	if runtime.path == path {
		return nil
	}
	if runtime.path != "" {
		return fmt.Errorf("load %s: %w: %s", path, ErrOtherRuntime, runtime.path)
	}
	// ONNX Runtime from 1.32 on reports the machine and the process to its vendor, by way of a database in the user's
	// cache folder. The variable is read when the library starts; the call below also holds for builds that know only that.
	if err := os.Setenv(disableTelemetry, "1"); err != nil {
		return fmt.Errorf("turn off the runtime's telemetry: %w", err)
	}
	ort.SetSharedLibraryPath(path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return fmt.Errorf("load inference runtime %s: %w", path, err)
	}
	if err := ort.DisableTelemetry(); err != nil {
		return fmt.Errorf("turn off the runtime's telemetry: %w", err)
	}
	runtime.path = path
	return nil
}

// Version is the version of the runtime that Init loaded, like "1.32.0", else "".
func Version() string {
	if !initialised() {
		return ""
	}
	return ort.GetVersion()
}

func initialised() bool {
	runtime.Lock()
	defer runtime.Unlock()
	return runtime.path != ""
}
