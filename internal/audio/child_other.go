//go:build !linux

package audio

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
)

// child is a confined process, which needs Linux.
type child struct{ stdout *os.File }

func sealedCopy(io.Reader) (*os.File, error) {
	return nil, fmt.Errorf("confining ffmpeg on %s: %w", runtime.GOOS, ErrUnsupported)
}

func startChild(context.Context, string, []string, *os.File) (*child, error) {
	return nil, fmt.Errorf("confining ffmpeg on %s: %w", runtime.GOOS, ErrUnsupported)
}

func (*child) stop() error      { return nil }
func (*child) kill()            {}
func (*child) messages() string { return "" }
