package identity_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
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
		if got, err := iam.Administrator(t.Context(), s, want.Principal.AccountID); err != nil || got != want {
			t.Errorf("administrator %+v, %v; want %+v", got, err, want)
		}
	}
	if _, err := iam.Administrator(t.Context(), s, "111122223333"); !errors.Is(err, iam.ErrNoSuchEntity) {
		t.Errorf("administrator of nothing: %v", err)
	}
	t.Run("an account id is used once, and a failed account leaves nothing", func(t *testing.T) {
		records := []iam.Record{{Type: iam.TypeKey, ID: "AKIANEW", Body: []byte("{}"), Secret: []byte("s"), Owner: "AIDA"}}
		if err := s.CreateAccount(t.Context(), accounts[0], records); !errors.Is(err, iam.ErrAccountExists) {
			t.Errorf("got %v", err)
		}
		if _, _, err := s.Record(t.Context(), iam.RecordKey{Type: iam.TypeKey, ID: "AKIANEW"}); !errors.Is(err, iam.ErrNoSuchEntity) {
			t.Errorf("key of the failed account: %v", err)
		}
	})
	t.Run("no account writes over another's record", func(t *testing.T) {
		alias := []iam.Record{{Type: iam.TypeAlias, ID: "acme", Body: []byte("{}")}}
		if err := s.Save(t.Context(), accounts[0].ID, 0, alias, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(t.Context(), accounts[1].ID, 0, alias, nil); !errors.Is(err, iam.ErrExists) {
			t.Errorf("got %v", err)
		}
		key := iam.RecordKey{Type: iam.TypeAlias, ID: "acme"}
		if err := s.Save(t.Context(), accounts[1].ID, 0, nil, []iam.RecordKey{key}); err != nil {
			t.Fatal(err)
		}
		if _, owner, err := s.Record(t.Context(), key); err != nil || owner != accounts[0].ID {
			t.Errorf("the alias is of %s, %v", owner, err)
		}
	})
	t.Run("who read an older version writes nothing", func(t *testing.T) {
		late := []iam.Record{{Type: iam.TypeAlias, ID: "late", Body: []byte("{}")}}
		if err := s.Save(t.Context(), accounts[0].ID, 0, late, nil); !errors.Is(err, iam.ErrConflict) {
			t.Errorf("got %v", err)
		}
		if _, _, err := s.Record(t.Context(), iam.RecordKey{Type: iam.TypeAlias, ID: "late"}); !errors.Is(err, iam.ErrNoSuchEntity) {
			t.Errorf("it was written: %v", err)
		}
	})
}

// The first version's database, whose users had no policies, goes on working.
func TestMigrationFromTheFirstVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, root := openDB(t, path, 1)
	const first = "migrations/00001_create.sql"
	text, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), "identity", fstest.MapFS{first: {Data: text}}); err != nil {
		t.Fatal(err)
	}
	sealed := map[string][]byte{}
	for _, id := range []string{"AKIAOLD", "AKIAOFF"} {
		if sealed[id], err = root.Seal([]byte("secret"), kms.Context{"use": "access-key", "access-key": id, "user": "AIDAOLD"}); err != nil {
			t.Fatal(err)
		}
	}
	err = db.Tx(t.Context(), func(tx *sql.Tx) error {
		for _, q := range []string{
			`INSERT INTO accounts VALUES ('111122223333', '', 1700000000000)`,
			`INSERT INTO users VALUES ('AIDAOLD', '111122223333', 'admin', 1700000000123)`,
		} {
			if _, err := tx.ExecContext(t.Context(), q); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(t.Context(), `INSERT INTO access_keys VALUES ('AKIAOLD', 'AIDAOLD', ?, 1, 1700000000123), ('AKIAOFF', 'AIDAOLD', ?, 0, 1600000000123)`, sealed["AKIAOLD"], sealed["AKIAOFF"])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := identity.Open(t.Context(), db, root)
	if err != nil {
		t.Fatal(err)
	}
	cred, created, err := iam.Bootstrap(t.Context(), s, time.Now())
	if err != nil || created || cred.AccessKeyID != "AKIAOLD" || cred.SecretAccessKey != "secret" || cred.Principal.ARN != "arn:aws:iam::111122223333:user/admin" {
		t.Fatalf("%+v, created %v, %v", cred, created, err)
	}
	if _, err := s.Lookup(t.Context(), "AKIAOFF"); !errors.Is(err, iam.ErrNoSuchKey) {
		t.Errorf("the inactive key: %v", err)
	}
	rights, err := iam.NewDirectory(s, nil).PoliciesOf(t.Context(), cred.Principal)
	if err != nil || len(rights.Identity) != 1 || !strings.Contains(rights.Identity[0].Text(), `"*"`) {
		t.Errorf("rights %+v, %v", rights, err)
	}
}
