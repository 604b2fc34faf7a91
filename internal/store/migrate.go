package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

// Migrate brings the tables of one domain up to date. files holds its goose migrations in a
// folder named migrations: migrations/00001_create.sql, each run in a transaction of its own. Each domain
// counts its versions in a table of its own (schema_<domain>), so that domains do not depend on
// each other. It is safe to call again, and after a crash in the middle.
func (db *DB) Migrate(ctx context.Context, domain string, files fs.FS) error {
	folder, err := fs.Sub(files, "migrations")
	if err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db.write, folder,
		goose.WithTableName("schema_"+domain), goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	if current > target {
		return fmt.Errorf("migrate %s from version %d, known up to %d: %w", domain, current, target, ErrNewerSchema)
	}
	results, err := p.Up(ctx)
	var partial *goose.PartialError
	if errors.As(err, &partial) && partial.Failed != nil {
		return fmt.Errorf("migrate %s to version %d: %w", domain, partial.Failed.Source.Version, partial.Err)
	}
	if err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	for _, r := range results {
		slog.DebugContext(ctx, "migrated", "domain", domain, "version", r.Source.Version, "took", r.Duration)
	}
	return nil
}
