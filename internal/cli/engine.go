package cli

import (
	"context"
	"fmt"

	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/server"
	"github.com/dictum/dictum/internal/speech/engine"
	"github.com/dictum/dictum/internal/speech/engine/process"
)

// EngineCmd is the child process of dictum serve that recognises speech.
type EngineCmd struct {
	Models  string `required:"" help:"Models folder."`
	Threads int    `help:"Processor threads." default:"0"`
	// LiveFinals is as in server.Config.
	LiveFinals string `name:"live-finals" help:"Finals of live English: quick or best." enum:"quick,best" default:"quick"`
}

// Run implements the command: it serves the parent until the parent hangs up.
func (c *EngineCmd) Run(ctx context.Context) error {
	conn, err := process.Inherited()
	if err != nil {
		return err
	}
	defer conn.Close()
	backend, err := engine.New(engine.Config{Models: c.Models, Threads: c.Threads, BestFinals: c.LiveFinals == server.BestFinals})
	if err != nil {
		return err
	}
	defer backend.Close()
	process.Serve(ctx, conn, backend)
	return nil
}

// openEngine makes an engine in this process, over the models in its folder or where they usually are.
func openEngine(config engine.Config) (*engine.Engine, error) {
	var err error
	if config.Models, err = modelsDir(config.Models); err != nil {
		return nil, err
	}
	return engine.New(config)
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
