package cli

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/dictum/dictum/internal/server"
)

// ServeCmd runs the service until SIGTERM or SIGINT.
type ServeCmd struct {
	server.Config `embed:""`
}

// Run implements the command.
func (c *ServeCmd) Run(ctx context.Context, s *streams) error {
	dir, err := modelsDir(c.Models)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program for the engine process: %w", err)
	}
	c.Models = dir
	return server.Run(ctx, c.Config, server.Parts{
		Version:       version(),
		EngineCommand: []string{program, "engine", "--models", dir, "--threads", strconv.Itoa(c.Threads), "--live-finals", c.LiveFinals},
		Ready: func(a server.Addresses) {
			fmt.Fprintf(s.err, "dictum is ready\n  API      %s\n  console  %s\n  ops      %s\nUse it from a shell: eval \"$(dictum env --data %s)\"\n", a.API, a.Console, a.Ops, c.Data)
		},
	})
}
