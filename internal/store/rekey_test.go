package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/dictum/dictum/internal/store"
)

func TestRekey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	first, second := bytes.Repeat([]byte{1}, store.KeySize), bytes.Repeat([]byte{2}, store.KeySize)
	db, err := store.Open(t.Context(), path, first)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('kept')`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	t.Run("not while it is open elsewhere", func(t *testing.T) {
		if err := store.Rekey(t.Context(), path, first, second); err == nil {
			t.Fatal("went through")
		}
	})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	t.Run("not under a wrong key", func(t *testing.T) {
		if err := store.Rekey(t.Context(), path, second, first); !errors.Is(err, store.ErrWrongKey) {
			t.Fatalf("got %v", err)
		}
	})
	if err := os.WriteFile(path+".rekeyed", []byte("left by a crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Rekey(t.Context(), path, first, second); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), path, first); !errors.Is(err, store.ErrWrongKey) {
		t.Errorf("under the old key: %v", err)
	}
	if db, err = store.Open(t.Context(), path, second); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var v string
	if err := db.Read().QueryRow(`SELECT v FROM t`).Scan(&v); err != nil || v != "kept" {
		t.Errorf("%q, %v", v, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
