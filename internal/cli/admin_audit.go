package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/server"
)

// AdminAuditCmd reads the audit log of a server, whether it runs or not.
type AdminAuditCmd struct {
	Verify AdminAuditVerifyCmd `cmd:"" help:"Find records that were changed, removed, moved or cut off."`
	Export AdminAuditExportCmd `cmd:"" help:"Print the records as JSON lines, oldest first."`
}

// AdminAuditVerifyCmd verifies the audit log. It changes nothing.
type AdminAuditVerifyCmd struct {
	Data string `help:"Data folder of the server." default:"${data}" type:"path"`
}

// Run implements the command.
func (c *AdminAuditVerifyCmd) Run(ctx context.Context, s *streams) error {
	keys, err := auditKeys(ctx, c.Data)
	if err != nil {
		return err
	}
	report, err := audit.Verify(ctx, server.AuditDir(c.Data), keys)
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		fmt.Fprintln(s.out, f)
	}
	for _, n := range report.Notes {
		fmt.Fprintln(s.out, "note:", n)
	}
	fmt.Fprintf(s.out, "%d records, %d digests, %d files; numbers %d to %d, from %s to %s; %d findings\n", report.Records, report.Digests, report.Files,
		report.First, report.Last, moment(report.From), moment(report.To), len(report.Findings))
	if n := len(report.Findings); n > 0 {
		return fmt.Errorf("the audit log is not as it was written: %d findings", n)
	}
	return nil
}

// AdminAuditExportCmd prints the audit log.
type AdminAuditExportCmd struct {
	Data  string `help:"Data folder of the server." default:"${data}" type:"path"`
	Since string `help:"Only records made since then: RFC 3339, a date, or how long ago (24h)." placeholder:"TIME"`
}

// Run implements the command.
func (c *AdminAuditExportCmd) Run(ctx context.Context, s *streams) error {
	since, err := sinceTime(c.Since, time.Now())
	if err != nil {
		return &exitError{exitUsage, err}
	}
	keys, err := auditKeys(ctx, c.Data)
	if err != nil {
		return err
	}
	_, err = audit.Scan(ctx, server.AuditDir(c.Data), keys, 0, func(r audit.Record) error {
		if r.Recorded.Before(since) {
			return nil
		}
		_, err := fmt.Fprintf(s.out, "%s\n", r.Document)
		return err
	})
	return err
}

// sinceTime reads --since; empty is the beginning.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("--since %q is none of 2026-01-31, 2026-01-31T12:00:00Z, 24h", text)
}

// auditKeys derives the log's keys as the server did. It makes neither a root key nor a log where there is none.
func auditKeys(ctx context.Context, data string) (audit.Keys, error) {
	if _, err := os.Stat(server.AuditDir(data)); errors.Is(err, fs.ErrNotExist) {
		return audit.Keys{}, &exitError{exitSetup, fmt.Errorf("no server has run in %s yet: it has no audit log", data)}
	}
	root, err := server.OpenRoot(ctx, data)
	if err != nil {
		return audit.Keys{}, fmt.Errorf("open the audit log's keys: %w", err)
	}
	return audit.DeriveKeys(root), nil
}

// moment shows a time; "never" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}
