package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/audit/export"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/store"
	"github.com/dictum/dictum/internal/store/identity"
	"github.com/dictum/dictum/internal/store/keys"
	"github.com/dictum/dictum/internal/store/progress"
	"github.com/dictum/dictum/internal/store/sessions"
	"github.com/dictum/dictum/internal/sts"
)

// AuditDir is where a data folder has its audit log.
func AuditDir(data string) string { return filepath.Join(data, "audit") }

// security says who callers are, decides what they may do, keeps their keys, and records what they did.
type security struct {
	// admin is the first account's administrator; it is zero when nobody is that any more.
	admin     iam.Credential
	directory *iam.Directory
	// authorizer decides; policies are what it goes by, and can say why.
	authorizer iam.Authorizer
	policies   *iam.PolicyAuthorizer
	// credentials are whose signatures count; links sign what the server hands out.
	credentials iam.Credentials
	links       *iam.ServiceCredentials
	sts         *sts.Service
	keys        *kms.Service
	audit       *audit.Log
	// progress notes how far the audit has come.
	progress *progress.Progress
}

const (
	// auditLog is the audit's name in the table of progress.
	auditLog = "audit"
	// auditNotes is how often that is noted: what is cut off the log's end since then, together with its anchor, goes
	// unnoticed.
	auditNotes = 10 * time.Second
)

// openSecurity puts the security plane together over an open key hierarchy and database.
func openSecurity(ctx context.Context, c *Config, root *kms.Root, db *store.DB, log *slog.Logger) (_ *security, err error) {
	s := &security{}
	retention := c.AuditRetention
	if retention == 0 {
		retention = -1
	}
	if s.progress, err = progress.Open(ctx, db); err != nil {
		return nil, err
	}
	reached, err := s.progress.Reached(ctx, auditLog)
	if err != nil {
		return nil, err
	}
	s.audit, err = audit.Open(audit.Config{
		Dir: AuditDir(c.Data), Keys: audit.DeriveKeys(root), Retention: retention, Reached: reached, SyncAll: c.AuditSync == "all", Log: log,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.audit.Close())
		}
	}()
	if err := s.openIdentities(ctx, root, db, log); err != nil {
		return nil, err
	}
	table, err := keys.Open(ctx, db)
	if err != nil {
		return nil, err
	}
	s.keys = kms.NewService(kms.Config{
		Store: table, Sealer: root, Authorizer: s.authorizer, Recorder: s.audit, Names: s.directory, Log: log,
	})
	return s, nil
}

// openIdentities opens the accounts, makes the first one at the first start, and sets whose signatures count.
func (s *security) openIdentities(ctx context.Context, root *kms.Root, db *store.DB, log *slog.Logger) error {
	identities, err := identity.Open(ctx, db, root)
	if err != nil {
		return err
	}
	var created bool
	s.admin, created, err = iam.Bootstrap(ctx, identities, time.Now())
	switch {
	case errors.Is(err, iam.ErrNoSuchKey):
		log.Warn("the first account's administrator has no access key: dictum env has none to print", "err", err)
	case err != nil:
		return fmt.Errorf("make the first account: %w", err)
	case created:
		log.Info("made the first account", "account", s.admin.Principal.AccountID, "user", s.admin.Principal.ARN)
	}
	s.directory = iam.NewDirectory(identities, nil)
	s.policies = iam.NewAuthorizer(s.directory, iam.WithServiceBuckets(objects.IsServiceBucket))
	s.authorizer = sts.Limits{Next: s.policies}
	if s.links, err = iam.NewServiceCredentials(root.Derive("iam/service-credentials/v1", 32), nil); err != nil {
		return err
	}
	temporary, err := sessions.Open(ctx, db, root, 0, nil)
	if err != nil {
		return err
	}
	remembered := iam.NewResolver(iam.DefaultCacheTime, temporary, s.links, s.directory)
	s.directory.OnKeyChange(remembered.Forget)
	s.credentials = remembered
	s.sts, err = sts.New(sts.Config{Directory: s.directory, Sessions: temporary, Authorizer: s.authorizer, Forget: remembered.Forget, Log: log})
	return err
}

// used notes the use of a long-term key, and of a role by its session.
func (s *security) used(c iam.Caller, service string) {
	p := c.Principal
	switch {
	case p.Session == nil && (p.Kind == iam.KindUser || p.Kind == iam.KindRoot):
		s.directory.Used(iam.Use{AccountID: p.AccountID, ID: p.AccessKeyID, At: c.Time, Service: service, Region: c.Region})
	case p.Session != nil && p.Session.RoleID != "":
		s.directory.Used(iam.Use{AccountID: p.AccountID, ID: p.Session.RoleID, At: c.Time, Region: c.Region})
	}
}

// run does what the security plane does by itself, until ctx ends.
func (s *security) run(ctx context.Context, exporter *export.Exporter) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { s.directory.Run(ctx); return nil })
	group.Go(func() error { s.keys.Run(ctx, kms.DefaultSweepInterval); return nil })
	group.Go(func() error { return s.sts.Run(ctx) })
	group.Go(func() error { s.noteAudit(ctx); return nil })
	if exporter != nil {
		group.Go(func() error { return exporter.Run(ctx) })
	}
	return group.Wait()
}

// noteAudit notes how far the audit has come, until ctx ends.
func (s *security) noteAudit(ctx context.Context) {
	ticker := time.NewTicker(auditNotes)
	defer ticker.Stop()
	noted := uint64(0)
	for {
		if last := s.audit.Last(); last > noted {
			if err := s.progress.Note(ctx, auditLog, last); err != nil && ctx.Err() == nil {
				slog.Error("audit's progress was not noted", "err", err)
			} else {
				noted = last
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// exporter copies the audit to where --audit-export says; nil when it says nothing.
func (c *Config) exporter(source export.Source, store objects.ReadWriter, log *slog.Logger) (*export.Exporter, error) {
	e := &export.Exporter{Source: source, Position: filepath.Join(c.Data, "audit-export.position"), Log: log}
	switch {
	case c.AuditExport == "":
		return nil, nil
	case c.AuditExport == "stdout":
		e.Sink, e.Interval = export.Lines{W: os.Stdout}, time.Second
		return e, nil
	}
	u, err := url.Parse(c.AuditExport)
	if err != nil || u.Scheme != "s3" || u.Host == "" {
		return nil, errors.New("--audit-export must be stdout, or s3://BUCKET/PREFIX")
	}
	e.Sink = export.Bucket{Objects: store, Name: u.Host, Prefix: strings.Trim(u.Path, "/")}
	return e, nil
}
