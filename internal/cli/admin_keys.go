package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dictum/dictum/internal/admin"
	"github.com/dictum/dictum/internal/server"
)

// AdminKeysCmd rotates the keys above all customers' keys, whether the server runs or not.
type AdminKeysCmd struct {
	RotateRoot        AdminRotateRootCmd        `cmd:"" name:"rotate-root" help:"Make a new root key, or move the root of trust elsewhere."`
	RotateWrappingKey AdminRotateWrappingKeyCmd `cmd:"" name:"rotate-wrapping-key" help:"Have new data keys and secrets wrapped by a new key."`
	RotateDatabaseKey AdminRotateDatabaseKeyCmd `cmd:"" name:"rotate-database-key" help:"Put the database under a new key; the server must be stopped."`
}

// AdminRotateRootCmd rotates the root of trust.
type AdminRotateRootCmd struct {
	Data string `help:"Data folder of the server." default:"${data}" type:"path"`
	To   string `help:"Where the root of trust moves, as serve's --root-key has it; a new key in the same file when empty." placeholder:"WHERE"`
}

// Run implements the command.
func (c *AdminRotateRootCmd) Run(ctx context.Context, s *streams) error {
	to, err := server.RootPlace(c.To)
	if err != nil {
		return err
	}
	return operate(ctx, c.Data, func(o admin.Operator) error {
		if err := o.RotateRoot(ctx, to); err != nil {
			return err
		}
		if to == "" {
			fmt.Fprintln(s.out, "the root key is a new one; destroy copies of the old one, and of the keyring it opened")
			return nil
		}
		fmt.Fprintf(s.out, "the root of trust is now %s; start the server with --root-key %s from now on\n", to, shellQuote(to))
		return nil
	})
}

// AdminRotateWrappingKeyCmd rotates the wrapping key.
type AdminRotateWrappingKeyCmd struct {
	Data string `help:"Data folder of the server." default:"${data}" type:"path"`
}

// Run implements the command.
func (c *AdminRotateWrappingKeyCmd) Run(ctx context.Context, s *streams) error {
	return operate(ctx, c.Data, func(o admin.Operator) error {
		id, err := o.RotateWrappingKey(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "new data keys are wrapped by %s\n", id)
		return nil
	})
}

// AdminRotateDatabaseKeyCmd rotates the database's key.
type AdminRotateDatabaseKeyCmd struct {
	Data string `help:"Data folder of the stopped server." default:"${data}" type:"path"`
}

// Run implements the command.
func (c *AdminRotateDatabaseKeyCmd) Run(ctx context.Context, s *streams) error {
	err := server.RotateDatabaseKey(ctx, c.Data)
	if errors.Is(err, fs.ErrNotExist) {
		return &exitError{exitSetup, fmt.Errorf("no server has run in %s yet: %w", c.Data, err)}
	}
	if err == nil {
		fmt.Fprintln(s.out, "the database is under a new key, and the old one is forgotten")
	}
	return err
}
