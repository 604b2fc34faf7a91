package server

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
)

// Access is what tools need to act as the administrator of the first account.
type Access struct {
	AccountID       string
	AccessKeyID     string
	SecretAccessKey string
}

// accessContext binds the sealed file to its purpose.
var accessContext = kms.Context{"purpose": "dictum env"}

func accessFile(data string) string { return filepath.Join(data, "admin-access.sealed") }

// ReadAccess opens the administrator's key that the server left, sealed under the root key, in the
// data folder; fs.ErrNotExist before the first start.
func ReadAccess(ctx context.Context, data string) (Access, error) {
	var a Access
	sealed, err := os.ReadFile(accessFile(data))
	if err != nil {
		return a, err
	}
	root, err := OpenRoot(ctx, data)
	if err != nil {
		return a, err
	}
	plain, err := root.Open(sealed, accessContext)
	if err != nil {
		return a, fmt.Errorf("open %s: %w", accessFile(data), err)
	}
	if err := json.Unmarshal(plain, &a); err != nil {
		return a, fmt.Errorf("read %s: %w", accessFile(data), err)
	}
	return a, nil
}

// writeAccess leaves the administrator's key for dictum env: only one process can have the
// database open, and whoever may read the root key could read the key there too.
func (d *dataDir) writeAccess(root *kms.Root, c iam.Credential) error {
	if c.AccessKeyID == "" {
		return ignoreMissing(os.Remove(accessFile(d.path)))
	}
	plain, err := json.Marshal(Access{AccountID: c.Principal.AccountID, AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey})
	if err != nil {
		return err
	}
	sealed, err := root.Seal(plain, accessContext)
	if err != nil {
		return fmt.Errorf("seal administrator's key: %w", err)
	}
	return writeFile(accessFile(d.path), sealed)
}
