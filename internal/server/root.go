package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store"
)

// RootSource reads where the root of trust is: a file's path, "env:NAME" for an environment variable, or
// "vault:https://host:8200/mount/key" for the key of a Vault transit engine, whose token, namespace and authority are in
// Vault's own variables: VAULT_TOKEN or VAULT_TOKEN_FILE, VAULT_NAMESPACE, VAULT_CACERT. Empty is the file root.key in the
// data folder.
func RootSource(data, where string) (kms.Source, error) {
	if where == "" {
		return kms.File(rootKeyFile(data)), nil
	}
	if variable, ok := strings.CutPrefix(where, "env:"); ok {
		if variable == "" {
			return nil, errors.New("--root-key env: lacks the name of the variable")
		}
		return kms.Environment(variable), nil
	}
	address, ok := strings.CutPrefix(where, "vault:")
	if !ok {
		return kms.File(where), nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("--root-key: %w", err)
	}
	mount, key := filepath.Split(strings.Trim(u.Path, "/"))
	if u.Host == "" || key == "" || u.User != nil {
		return nil, errors.New("--root-key vault: must be followed by https://host:8200/mount/key")
	}
	config := kms.VaultConfig{
		URL: u.Scheme + "://" + u.Host, Mount: strings.Trim(mount, "/"), Key: key,
		Namespace: os.Getenv("VAULT_NAMESPACE"), Authority: os.Getenv("VAULT_CACERT"),
		TokenFile: os.Getenv("VAULT_TOKEN_FILE"),
	}
	if config.TokenFile == "" {
		config.TokenVariable = "VAULT_TOKEN"
	}
	return kms.Vault(config)
}

// RootPlace is where made independent of the working folder: a file's path is made absolute.
func RootPlace(where string) (string, error) {
	if where == "" || !isFile(where) {
		return where, nil
	}
	return filepath.Abs(where)
}

func rootKeyFile(data string) string { return filepath.Join(data, "root.key") }

// rootNote is where a data folder says what opens it, for the commands that read it. It is no secret.
func rootNote(data string) string { return filepath.Join(data, "root-of-trust") }

// OpenRoot opens the key hierarchy of a data folder as its server last did; fs.ErrNotExist before the first start.
func OpenRoot(ctx context.Context, data string) (*kms.Root, error) {
	where, err := os.ReadFile(rootNote(data))
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(rootKeyFile(data)) // a folder from before there was a choice
	}
	if err != nil {
		return nil, err
	}
	source, err := RootSource(data, strings.TrimSpace(string(where)))
	if err != nil {
		return nil, err
	}
	return kms.Open(ctx, data, source)
}

// openRoot opens the key hierarchy for the server.
func (c *Config) openRoot(ctx context.Context) (*kms.Root, error) {
	where, err := RootPlace(c.RootKey)
	if err != nil {
		return nil, err
	}
	source, err := RootSource(c.Data, where)
	if err != nil {
		return nil, err
	}
	root, err := kms.Open(ctx, c.Data, source)
	if err != nil {
		if note, readErr := os.ReadFile(rootNote(c.Data)); readErr == nil && strings.TrimSpace(string(note)) != where {
			err = fmt.Errorf("%w; the folder was last opened with --root-key %q", err, strings.TrimSpace(string(note)))
		}
		return nil, err
	}
	return root, writeFile(rootNote(c.Data), []byte(where+"\n"))
}

func databaseFile(data string) string { return filepath.Join(data, "dictum.db") }

// openDatabase opens the database under the key that it is under.
func openDatabase(ctx context.Context, data string, root *kms.Root) (db *store.DB, err error) {
	for _, key := range root.DatabaseKeys(store.KeySize) {
		if db, err = store.Open(ctx, databaseFile(data), key); !errors.Is(err, store.ErrWrongKey) {
			return db, err
		}
	}
	return nil, err
}

// RotateDatabaseKey puts the database of a data folder that no server has open under a new key.
func RotateDatabaseKey(ctx context.Context, data string) error {
	d, err := openDataDir(data)
	if err != nil {
		return err
	}
	defer d.close()
	root, err := OpenRoot(ctx, data)
	if err != nil {
		return err
	}
	if _, err := os.Stat(databaseFile(data)); err != nil {
		return err
	}
	return root.RotateDatabaseKey(ctx, func() (err error) {
		keys := root.DatabaseKeys(store.KeySize)
		for _, old := range keys[1:] {
			if err = store.Rekey(ctx, databaseFile(data), old, keys[0]); !errors.Is(err, store.ErrWrongKey) {
				return err
			}
		}
		return err
	})
}

// rotator rotates the key hierarchy of a data folder.
type rotator struct {
	data string
	root *kms.Root
}

// RotateWrappingKey implements admin.Rotator.
func (r rotator) RotateWrappingKey(ctx context.Context) (string, error) {
	if err := r.root.RotateWrappingKey(ctx); err != nil {
		return "", err
	}
	return r.root.WrappingKeyID(), nil
}

// RotateRoot implements admin.Rotator.
func (r rotator) RotateRoot(ctx context.Context, to string) error {
	now, err := os.ReadFile(rootNote(r.data))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	where := strings.TrimSpace(string(now))
	if to == "" && isFile(where) {
		if where == "" {
			where = rootKeyFile(r.data)
		}
		return r.root.RotateRootFile(ctx, where)
	}
	if to == "" {
		to = where // a Vault key has versions of its own, and wraps by the newest
	}
	source, err := RootSource(r.data, to)
	if err != nil {
		return err
	}
	if err := r.root.RotateRoot(ctx, source); err != nil {
		return err
	}
	return writeFile(rootNote(r.data), []byte(to+"\n"))
}

// isFile tells whether the root of trust is a file.
func isFile(where string) bool {
	return !strings.HasPrefix(where, "env:") && !strings.HasPrefix(where, "vault:")
}
