package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/dictum/dictum/internal/admin"
	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/store/identity"
)

// Operate lets f act on the accounts of a data folder: through the server that runs there, or on the folder itself
// when none does. It returns fs.ErrNotExist for a folder that no server has run in yet.
func Operate(ctx context.Context, data string, f func(admin.Operator) error) error {
	err := f(admin.Dial(data))
	if !errors.Is(err, admin.ErrNotRunning) {
		return err
	}
	return operateStopped(ctx, data, f)
}

// operateStopped opens what the server would open, holding its lock, and has what f changes in the audit.
func operateStopped(ctx context.Context, data string, f func(admin.Operator) error) (err error) {
	if _, err := os.Stat(databaseFile(data)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no server has run in %s yet: %w", data, fs.ErrNotExist)
	}
	d, err := openDataDir(data)
	if err != nil {
		return err
	}
	defer d.close()
	root, err := OpenRoot(ctx, data)
	if err != nil {
		return err
	}
	db, err := openDatabase(ctx, data, root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	identities, err := identity.Open(ctx, db, root)
	if err != nil {
		return err
	}
	log, err := audit.Open(audit.Config{Dir: AuditDir(data), Keys: audit.DeriveKeys(root), Retention: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	return f(admin.Local{Directory: iam.NewDirectory(identities, nil), Recorder: log, Keys: rotator{data, root}})
}
