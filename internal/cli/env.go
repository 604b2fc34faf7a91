package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/server"
)

// EnvCmd prints the exports that AWS tools need: eval "$(dictum env --data DIR)".
type EnvCmd struct {
	Data string        `help:"Data folder of the server." default:"${data}" type:"path"`
	Wait time.Duration `help:"How long to wait for a server that is making its data folder." default:"10s"`
}

// Run implements the command.
func (c *EnvCmd) Run(ctx context.Context, s *streams) error {
	access, addresses, err := c.read(ctx)
	if err != nil {
		return err
	}
	config, err := c.writeConfig(addresses.Region)
	if err != nil {
		return err
	}
	exports := [][2]string{
		{"AWS_ENDPOINT_URL", addresses.API},
		{"AWS_ACCESS_KEY_ID", access.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", access.SecretAccessKey},
		{"AWS_REGION", addresses.Region},
		{"AWS_DEFAULT_REGION", addresses.Region},
		{"AWS_CONFIG_FILE", config},
	}
	if addresses.Authority != "" {
		for _, name := range []string{"AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"} {
			exports = append(exports, [2]string{name, addresses.Authority})
		}
	}
	var out strings.Builder
	for _, e := range exports {
		fmt.Fprintf(&out, "export %s=%s\n", e[0], shellQuote(e[1]))
	}
	// Left over from another account, these would win over the key above.
	out.WriteString("unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE\n")
	_, err = s.out.Write([]byte(out.String()))
	return err
}

// read waits until the server's first start has left what is needed.
func (c *EnvCmd) read(ctx context.Context) (server.Access, server.Addresses, error) {
	deadline := time.Now().Add(c.Wait)
	for {
		access, err := server.ReadAccess(ctx, c.Data)
		var addresses server.Addresses
		if err == nil {
			addresses, err = server.ReadAddresses(c.Data)
		}
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return access, addresses, err
		}
		if time.Now().After(deadline) {
			return access, addresses, &exitError{exitSetup, fmt.Errorf("no server has run in %s yet: start one with: dictum serve --data %s", c.Data, c.Data)}
		}
		select {
		case <-ctx.Done():
			return access, addresses, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// writeConfig makes the AWS configuration file, so that `aws configure get region` answers.
func (c *EnvCmd) writeConfig(region string) (string, error) {
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return "", err
	}
	name := filepath.Join(data, "aws-config")
	if err := os.WriteFile(name, []byte("[default]\nregion = "+region+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write AWS configuration: %w", err)
	}
	return name, nil
}

// shellQuote makes a word of text for POSIX shells.
func shellQuote(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/:._-+=@%,", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
