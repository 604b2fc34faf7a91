package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// Rekey encrypts a database file, that nobody has open, under another key. Whenever it is cut off, the file
// opens under the one key or the other. It returns ErrWrongKey when the file is not under the first.
func Rekey(ctx context.Context, path string, from, to []byte) error {
	if len(to) != KeySize {
		return fmt.Errorf("rekey database: key has %d bytes instead of %d", len(to), KeySize)
	}
	next := path + ".rekeyed"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("rekey database: %w", err)
	}
	if err := copyUnder(ctx, path, from, next, to); err != nil {
		return fmt.Errorf("rekey database: %w", errors.Join(err, ignoreMissing(os.Remove(next))))
	}
	// A log of the old key beside the new file would be taken for its own.
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("rekey database: %s-wal is still there: another process has the database open", path)
	}
	if err := syncFile(next); err != nil {
		return fmt.Errorf("rekey database: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("rekey database: %w", err)
	}
	if err := syncFile(filepath.Dir(path)); err != nil {
		return fmt.Errorf("rekey database: %w", err)
	}
	return nil
}

// copyUnder writes a database's content into a new file under another key.
func copyUnder(ctx context.Context, path string, key []byte, next string, nextKey []byte) (err error) {
	db, err := Open(ctx, path, key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	abs, err := filepath.Abs(next)
	if err != nil {
		return err
	}
	if err := touch(abs); err != nil {
		return err
	}
	query := url.Values{"vfs": {"xts"}, "hexkey": {hex.EncodeToString(nextKey)}}
	target := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: query.Encode()}
	if _, err := db.write.ExecContext(ctx, "VACUUM INTO ?", target.String()); err != nil {
		return errors.New("copy database under the new key") // the cause could quote it
	}
	return nil
}

// syncFile has a file's content, or a folder's names, on disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
