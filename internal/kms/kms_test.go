package kms_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/kms"
)

func TestOpenRoot(t *testing.T) {
	t.Run("makes a private file once and reads it again", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "root.key")
		first, err := kms.OpenRoot(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
			t.Errorf("mode %o, want %o", got, want)
		}
		second, err := kms.OpenRoot(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Derive("x", 32), second.Derive("x", 32)) {
			t.Error("another key the second time")
		}
		entries, _ := os.ReadDir(filepath.Dir(path))
		if len(entries) != 2 {
			t.Errorf("want the root key and the keyring, got %v", entries)
		}
	})
	t.Run("refuses a file others can read and says what to do", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "root.key")
		if err := os.WriteFile(path, make([]byte, kms.RootKeySize), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		_, err := kms.OpenRoot(path)
		if !errors.Is(err, kms.ErrUnsafeMode) || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("refuses a file of another size and leaves it", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "root.key")
		if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := kms.OpenRoot(path); !errors.Is(err, kms.ErrBadRootKey) {
			t.Errorf("got %v", err)
		}
		if b, _ := os.ReadFile(path); string(b) != "short" {
			t.Error("file was changed")
		}
	})
	t.Run("two that start together get the same key", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "root.key")
		keys := make(chan []byte, 8)
		for range cap(keys) {
			go func() {
				r, err := kms.OpenRoot(path)
				if err != nil {
					t.Error(err)
					keys <- nil
					return
				}
				keys <- r.Derive("x", 32)
			}()
		}
		first := <-keys
		for range cap(keys) - 1 {
			if !bytes.Equal(<-keys, first) {
				t.Error("different keys")
			}
		}
	})
}

func root(t *testing.T) *kms.Root {
	t.Helper()
	r, err := kms.NewRoot(bytes.Repeat([]byte{7}, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDeriveDependsOnPurpose(t *testing.T) {
	r := root(t)
	if bytes.Equal(r.Derive("a", 32), r.Derive("b", 32)) {
		t.Error("two purposes, one key")
	}
	if !bytes.Equal(r.Derive("a", 64)[:32], r.Derive("a", 32)) {
		t.Error("not deterministic")
	}
}

func TestSeal(t *testing.T) {
	r, secret := root(t), []byte("wJalrXUtnFEMI")
	in := kms.Context{"account": "111122223333", "key": "AKIA"}
	sealed, err := r.Seal(secret, in)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, secret) {
		t.Fatal("not encrypted")
	}
	t.Run("opens in the same context", func(t *testing.T) {
		got, err := r.Open(sealed, kms.Context{"key": "AKIA", "account": "111122223333"})
		if err != nil || !bytes.Equal(got, secret) {
			t.Errorf("got %q, %v", got, err)
		}
	})
	for name, other := range map[string]kms.Context{
		"nothing": nil, "a pair less": {"account": "111122223333"}, "another case": {"account": "111122223333", "key": "akia"},
		"moved borders": {"account": "111122223333key", "": "AKIA"},
	} {
		t.Run("does not open with "+name, func(t *testing.T) {
			if _, err := r.Open(sealed, other); !errors.Is(err, kms.ErrSealed) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("any changed or missing byte is found", func(t *testing.T) {
		for i := range sealed {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1
			if _, err := r.Open(bad, in); !errors.Is(err, kms.ErrSealed) {
				t.Errorf("byte %d: got %v", i, err)
			}
			if _, err := r.Open(sealed[:i], in); !errors.Is(err, kms.ErrSealed) {
				t.Errorf("cut at %d: got %v", i, err)
			}
		}
	})
	t.Run("sealed twice differs", func(t *testing.T) {
		again, err := r.Seal(secret, in)
		if err != nil || bytes.Equal(again, sealed) {
			t.Errorf("same bytes, %v", err)
		}
	})
}

func TestDataKey(t *testing.T) {
	r, in := root(t), kms.Context{"object": "1"}
	plain, wrapped, err := r.NewDataKey(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Unwrap(t.Context(), wrapped, in); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("unwrap: %v", err)
	}
	if _, err := r.Unwrap(t.Context(), wrapped, kms.Context{"object": "2"}); !errors.Is(err, kms.ErrSealed) {
		t.Errorf("another object's context: got %v", err)
	}
	if _, err := r.Unwrap(t.Context(), kms.WrappedKey{KeyID: "arn:x", Blob: wrapped.Blob}, in); !errors.Is(err, kms.ErrUnknownKey) {
		t.Errorf("another wrapping key: got %v", err)
	}
	if _, err := r.Open(wrapped.Blob, in); !errors.Is(err, kms.ErrSealed) {
		t.Errorf("a data key opened as a secret: got %v", err)
	}
}
