package cli

import (
	"context"
	"fmt"

	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/speech/engine"
	"github.com/dictum/dictum/internal/speech/engine/process"
)

// EngineCmd is the child process of dictum serve that recognises speech.
type EngineCmd struct {
	Models  string `required:"" help:"Models folder."`
	Threads int    `help:"Processor threads." default:"0"`
}

// Run implements the command: it serves the parent until the parent hangs up.
func (c *EngineCmd) Run(ctx context.Context) error {
	conn, err := process.Inherited()
	if err != nil {
		return err
	}
	defer conn.Close()
	backend, err := engine.New(engine.Config{Models: c.Models, Threads: c.Threads})
	if err != nil {
		return err
	}
	defer backend.Close()
	process.Serve(ctx, conn, backend)
	return nil
}

// openEngine makes an engine in this process, over the models in dir or where they usually are.
func openEngine(dir string, threads int) (*engine.Engine, error) {
	dir, err := modelsDir(dir)
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Config{Models: dir, Threads: threads})
}

// modelsDir is dir, or the usual folder, once it was seen to hold what recognition needs.
func modelsDir(dir string) (string, error) {
	if dir == "" {
		var err error
		if dir, err = models.Dir(); err != nil {
			return "", err
		}
	}
	library, err := models.Open(dir)
	if err != nil {
		return "", &exitError{exitSetup, err}
	}
	for _, name := range []string{"onnxruntime", "silero-vad", engine.DefaultModel} {
		if _, err := library.Path(name); err != nil {
			return "", &exitError{exitSetup, fmt.Errorf("in %s: %w", dir, err)}
		}
	}
	return dir, nil
}
