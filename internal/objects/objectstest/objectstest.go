// Package objectstest opens real object stores and keys for tests; start at Open.
package objectstest

import (
	"testing"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects/embedded"
	"github.com/dictum/dictum/internal/store"
	"github.com/dictum/dictum/internal/store/keys"
	index "github.com/dictum/dictum/internal/store/objects"
)

// Open returns an empty object store over the database that is gone after the test. It has no customers' keys.
func Open(t testing.TB, db *store.DB) *embedded.Store {
	t.Helper()
	return open(t, db, RootOnly(root(t)))
}

// OpenWithKeys returns an empty object store, and the keys of customers that it can encrypt under.
func OpenWithKeys(t testing.TB, db *store.DB, who iam.Authorizer, recorder audit.Recorder) (*embedded.Store, *kms.Service) {
	t.Helper()
	table, err := keys.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	r := root(t)
	service := kms.NewService(kms.Config{Store: table, Sealer: r, Authorizer: who, Recorder: recorder})
	return open(t, db, kms.NewKeys(r, service)), service
}

func root(t testing.TB) *kms.Root {
	t.Helper()
	r, err := kms.NewRoot(make([]byte, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func open(t testing.TB, db *store.DB, wrapper kms.Wrapper) *embedded.Store {
	t.Helper()
	x, err := index.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	s, err := embedded.Open(embedded.Config{Dir: t.TempDir(), Index: x, Keys: wrapper})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
