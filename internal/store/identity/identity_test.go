package identity_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store"
	"github.com/dictum/dictum/internal/store/identity"
	"github.com/dictum/dictum/internal/store/storetest"
)

func openDB(t *testing.T, path string, key byte) (*store.DB, *kms.Root) {
	t.Helper()
	root, err := kms.NewRoot(bytes.Repeat([]byte{key}, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	// The database's own key stays the same, so that the seal of secrets can be tested alone.
	return storetest.OpenAt(t, path), root
}

func TestBootstrapSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, root := openDB(t, path, 1)
	s, err := identity.Open(t.Context(), db, root)
	if err != nil {
		t.Fatal(err)
	}
	first, created, err := iam.Bootstrap(t.Context(), s, time.Now())
	if err != nil || !created {
		t.Fatalf("created %v, %v", created, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	db, root = openDB(t, path, 1)
	if s, err = identity.Open(t.Context(), db, root); err != nil {
		t.Fatal(err)
	}
	again, created, err := iam.Bootstrap(t.Context(), s, time.Now())
	if err != nil || created || again != first {
		t.Errorf("second start: %+v, created %v, %v; want %+v", again, created, err, first)
	}
	found, err := s.Lookup(t.Context(), first.AccessKeyID)
	if err != nil || found != first {
		t.Errorf("lookup: %+v, %v", found, err)
	}
	if _, err := s.Lookup(t.Context(), "AKIANOBODY"); !errors.Is(err, iam.ErrNoSuchKey) {
		t.Errorf("unknown key: %v", err)
	}
	t.Run("another root key opens no secret", func(t *testing.T) {
		other, err := kms.NewRoot(bytes.Repeat([]byte{2}, kms.RootKeySize))
		if err != nil {
			t.Fatal(err)
		}
		s, err := identity.Open(t.Context(), db, other)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Lookup(t.Context(), first.AccessKeyID); !errors.Is(err, kms.ErrSealed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAccountsAreSeparate(t *testing.T) {
	db, root := openDB(t, filepath.Join(t.TempDir(), "db"), 1)
	s, err := identity.Open(t.Context(), db, root)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	one, err := iam.CreateAccount(t.Context(), s, "one", now)
	if err != nil {
		t.Fatal(err)
	}
	two, err := iam.CreateAccount(t.Context(), s, "two", now.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := s.Accounts(t.Context())
	if err != nil || len(accounts) != 2 || accounts[0].ID != one.Principal.AccountID || accounts[1].Name != "two" {
		t.Errorf("accounts %+v, %v", accounts, err)
	}
	for _, want := range []iam.Credential{one, two} {
		if got, err := s.Administrator(t.Context(), want.Principal.AccountID); err != nil || got != want {
			t.Errorf("administrator %+v, %v; want %+v", got, err, want)
		}
	}
	if _, err := s.Administrator(t.Context(), "111122223333"); !errors.Is(err, iam.ErrNoSuchKey) {
		t.Errorf("administrator of nothing: %v", err)
	}
	t.Run("an account id is used once, and a failed account leaves nothing", func(t *testing.T) {
		u, err := iam.NewUser(accounts[0].ID, "admin2", now)
		if err != nil {
			t.Fatal(err)
		}
		k, err := iam.NewAccessKey(u.ID, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CreateAccount(t.Context(), accounts[0], u, k); !errors.Is(err, iam.ErrAccountExists) {
			t.Errorf("got %v", err)
		}
		if _, err := s.Lookup(t.Context(), k.ID); !errors.Is(err, iam.ErrNoSuchKey) {
			t.Errorf("key of the failed account: %v", err)
		}
	})
}
