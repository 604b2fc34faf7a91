// Package storetest opens real databases for tests; start at Open.
package storetest

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/dictum/dictum/internal/store"
)

// Open returns a new, encrypted database that is gone after the test.
func Open(t testing.TB) *store.DB {
	t.Helper()
	return OpenAt(t, filepath.Join(t.TempDir(), "dictum.db"))
}

// OpenAt opens the database file at path, always under the same key, and closes it after the test.
func OpenAt(t testing.TB, path string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), path, bytes.Repeat([]byte{7}, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
