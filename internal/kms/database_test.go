package kms_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/dictum/dictum/internal/kms"
)

func TestDatabaseKeyRotates(t *testing.T) {
	dir := t.TempDir()
	root, err := kms.Open(t.Context(), dir, kms.File(filepath.Join(dir, "root.key")))
	if err != nil {
		t.Fatal(err)
	}
	first := root.DatabaseKeys(64)
	if len(first) != 1 || !bytes.Equal(first[0], root.Derive("store/v1", 64)) {
		t.Fatalf("%d keys at first", len(first))
	}
	full := errors.New("disk is full")
	if err := root.RotateDatabaseKey(t.Context(), func() error { return full }); !errors.Is(err, full) {
		t.Fatalf("got %v", err)
	}
	if keys := root.DatabaseKeys(64); len(keys) != 2 || !bytes.Equal(keys[1], first[0]) || bytes.Equal(keys[0], first[0]) {
		t.Errorf("cut off: %d keys, and the one in use must be among them", len(keys))
	}
	var seen [][]byte
	if err := root.RotateDatabaseKey(t.Context(), func() error { seen = root.DatabaseKeys(64); return nil }); err != nil {
		t.Fatal(err)
	}
	again, err := kms.Open(t.Context(), dir, kms.File(filepath.Join(dir, "root.key")))
	if err != nil {
		t.Fatal(err)
	}
	keys := again.DatabaseKeys(64)
	if len(seen) != 3 || len(keys) != 2 || !bytes.Equal(keys[0], seen[0]) {
		t.Errorf("%d keys while it rotated, %d afterwards", len(seen), len(keys))
	}
}
