package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/dictum/dictum/internal/certs"
	"github.com/dictum/dictum/internal/server"
)

// TLSCmd makes certificates for installations that have none.
type TLSCmd struct {
	Init TLSInitCmd `cmd:"" help:"Make an authority and a server certificate in the data folder; serve then uses them."`
}

// TLSInitCmd makes an authority and a server certificate.
type TLSInitCmd struct {
	Data    string   `help:"Data folder." default:"${data}" type:"path"`
	Host    []string `help:"Names and addresses that clients use; repeatable." default:"localhost,127.0.0.1,::1"`
	Replace bool     `help:"Replace existing certificates."`
}

// Run implements the command.
func (c *TLSInitCmd) Run(s *streams) error {
	files, err := certs.Init(server.TLSDir(c.Data), c.Host, c.Replace, time.Now())
	if errors.Is(err, certs.ErrExists) {
		return fmt.Errorf("%w; --replace makes new ones", err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "authority    %s  (clients must trust it: AWS_CA_BUNDLE; dictum env sets that)\ncertificate  %s\nkey          %s\n",
		files.Authority, files.Certificate, files.Key)
	return err
}
