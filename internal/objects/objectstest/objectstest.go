// Package objectstest opens real object stores for tests; start at Open.
package objectstest

import (
	"testing"

	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects/embedded"
	"github.com/dictum/dictum/internal/store"
	index "github.com/dictum/dictum/internal/store/objects"
)

// Open returns an empty object store over the database that is gone after the test.
func Open(t testing.TB, db *store.DB) *embedded.Store {
	t.Helper()
	x, err := index.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	root, err := kms.NewRoot(make([]byte, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	s, err := embedded.Open(embedded.Config{Dir: t.TempDir(), Index: x, Keys: embedded.RootOnly(root)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
