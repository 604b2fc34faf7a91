package kms_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/kms"
)

// expand is what Root.Derive did before there were keyrings.
func expand(t *testing.T, key []byte, purpose string, n int) []byte {
	t.Helper()
	out, err := hkdf.Key(sha256.New, key, nil, "dictum/"+purpose, n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestKeyring(t *testing.T) {
	in := kms.Context{"a": "b"}
	t.Run("a folder from before gives the keys it gave", func(t *testing.T) {
		dir := t.TempDir()
		key := bytes.Repeat([]byte{9}, kms.RootKeySize)
		write(t, filepath.Join(dir, "root.key"), key)
		old, err := kms.NewRoot(key) // opens what was sealed before
		if err != nil {
			t.Fatal(err)
		}
		sealed, _ := old.Seal([]byte("secret"), in)
		plain, wrapped, _ := old.NewDataKey(t.Context(), in)
		for range 2 { // as made, and as read again
			r := openRoot(t, dir)
			if !bytes.Equal(r.Derive("store/v1", 64), expand(t, key, "store/v1", 64)) {
				t.Error("the database key changed")
			}
			if got, err := r.Open(sealed, in); err != nil || string(got) != "secret" {
				t.Errorf("open: %q, %v", got, err)
			}
			if got, err := r.Unwrap(t.Context(), wrapped, in); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("unwrap: %v", err)
			}
		}
	})
	t.Run("a new folder's keys do not come from the root key", func(t *testing.T) {
		dir := t.TempDir()
		r := openRoot(t, dir)
		key, err := os.ReadFile(filepath.Join(dir, "root.key"))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(r.Derive("x", 32), expand(t, key, "x", 32)) {
			t.Error("whoever reads an old root key could derive the database key")
		}
	})
	t.Run("is private, and refused when others may read it", func(t *testing.T) {
		dir := t.TempDir()
		openRoot(t, dir)
		ring := filepath.Join(dir, "keyring.json")
		info, err := os.Stat(ring)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v, %v", info.Mode(), err)
		}
		if err := os.Chmod(ring, 0o604); err != nil {
			t.Fatal(err)
		}
		if _, err := kms.OpenRoot(filepath.Join(dir, "root.key")); !errors.Is(err, kms.ErrUnsafeMode) || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a changed byte is found", func(t *testing.T) {
		dir := t.TempDir()
		openRoot(t, dir)
		ring := filepath.Join(dir, "keyring.json")
		whole, err := os.ReadFile(ring)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(whole)
		i := bytes.Index(bad, []byte(`"secrets": "`)) + 60
		bad[i] ^= 1
		write(t, ring, bad)
		if _, err := kms.OpenRoot(filepath.Join(dir, "root.key")); !errors.Is(err, kms.ErrBadKeyring) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("without its root key nothing is made anew", func(t *testing.T) {
		dir := t.TempDir()
		openRoot(t, dir)
		file := filepath.Join(dir, "root.key")
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if _, err := kms.OpenRoot(file); !errors.Is(err, kms.ErrBadRootKey) || !strings.Contains(err.Error(), "restore") {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(file); err == nil {
			t.Error("made a root key that opens nothing")
		}
	})
	t.Run("what a crash left of a key in the making is removed", func(t *testing.T) {
		dir := t.TempDir()
		old, fresh := filepath.Join(dir, ".key-1"), filepath.Join(dir, ".key-2")
		write(t, old, make([]byte, kms.RootKeySize))
		write(t, fresh, make([]byte, kms.RootKeySize))
		hour := time.Now().Add(-time.Hour)
		if err := os.Chtimes(old, hour, hour); err != nil {
			t.Fatal(err)
		}
		openRoot(t, dir)
		if _, err := os.Stat(old); err == nil {
			t.Error("still there")
		}
		if _, err := os.Stat(fresh); err != nil {
			t.Error("another process may be writing it")
		}
	})
	t.Run("another root key is told from damage", func(t *testing.T) {
		dir := t.TempDir()
		openRoot(t, dir)
		write(t, filepath.Join(dir, "root.key"), bytes.Repeat([]byte{1}, kms.RootKeySize))
		if _, err := kms.OpenRoot(filepath.Join(dir, "root.key")); !errors.Is(err, kms.ErrWrongRoot) {
			t.Errorf("got %v", err)
		}
	})
}

func TestEnvironment(t *testing.T) {
	dir, name := t.TempDir(), "DICTUM_TEST_ROOT_KEY"
	t.Setenv(name, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{3}, kms.RootKeySize)))
	first, err := kms.Open(t.Context(), dir, kms.Environment(name))
	if err != nil {
		t.Fatal(err)
	}
	again, err := kms.Open(t.Context(), dir, kms.Environment(name))
	if err != nil || !bytes.Equal(first.Derive("x", 32), again.Derive("x", 32)) {
		t.Errorf("another key the second time, %v", err)
	}
	for value, want := range map[string]error{
		"": kms.ErrBadRootKey, "short": kms.ErrBadRootKey, base64.StdEncoding.EncodeToString(make([]byte, 31)): kms.ErrBadRootKey,
		base64.StdEncoding.EncodeToString(make([]byte, kms.RootKeySize)): kms.ErrWrongRoot,
	} {
		t.Setenv(name, value)
		_, err := kms.Open(t.Context(), dir, kms.Environment(name))
		if !errors.Is(err, want) {
			t.Errorf("%q: got %v", value, err)
		}
		if value != "" && err != nil && strings.Contains(err.Error(), value) {
			t.Errorf("the error quotes the variable: %v", err)
		}
	}
}

func TestRotateRoot(t *testing.T) {
	in := kms.Context{"a": "b"}
	t.Run("to another source: the new one opens all, the old one nothing", func(t *testing.T) {
		dir := t.TempDir()
		r := openRoot(t, dir)
		sealed, err := r.Seal([]byte("secret"), in)
		if err != nil {
			t.Fatal(err)
		}
		want := r.Derive("x", 32)
		next := kms.File(filepath.Join(t.TempDir(), "elsewhere.key"))
		if err := r.RotateRoot(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		if _, err := kms.OpenRoot(filepath.Join(dir, "root.key")); !errors.Is(err, kms.ErrWrongRoot) {
			t.Errorf("the old root key: %v", err)
		}
		again, err := kms.Open(t.Context(), dir, next)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*kms.Root{r, again} {
			if got, err := r.Open(sealed, in); err != nil || string(got) != "secret" || !bytes.Equal(r.Derive("x", 32), want) {
				t.Errorf("after rotation: %q, %v", got, err)
			}
		}
		// And the one in memory goes on with the new source.
		if err := r.RotateWrappingKey(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("in place", func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, "root.key")
		r := openRoot(t, dir)
		before, _ := os.ReadFile(file)
		if err := r.RotateRootFile(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		after, _ := os.ReadFile(file)
		if bytes.Equal(before, after) || !bytes.Equal(openRoot(t, dir).Derive("x", 32), r.Derive("x", 32)) {
			t.Error("not rotated")
		}
		write(t, file, before)
		if _, err := kms.OpenRoot(file); !errors.Is(err, kms.ErrWrongRoot) {
			t.Errorf("the old root key: %v", err)
		}
	})
	t.Run("cut off at any step, a start finds the key that counts", func(t *testing.T) {
		// The steps: the next key is there; the keyring is wrapped by it; it has the file's place.
		dir := t.TempDir()
		file := filepath.Join(dir, "root.key")
		r := openRoot(t, dir)
		want := r.Derive("x", 32)
		write(t, file+".next", bytes.Repeat([]byte{5}, kms.RootKeySize))
		if !bytes.Equal(openRoot(t, dir).Derive("x", 32), want) {
			t.Error("after the first step")
		}
		if err := r.RotateRoot(t.Context(), kms.File(file+".next")); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(openRoot(t, dir).Derive("x", 32), want) {
			t.Error("after the second step")
		}
		if got, _ := os.ReadFile(file); !bytes.Equal(got, bytes.Repeat([]byte{5}, kms.RootKeySize)) {
			t.Error("the start did not finish the rotation")
		}
		if _, err := os.Stat(file + ".next"); err == nil {
			t.Error("the next key is still there")
		}
	})
	t.Run("a source that fails leaves the old one", func(t *testing.T) {
		dir := t.TempDir()
		r := openRoot(t, dir)
		if err := r.RotateRoot(t.Context(), kms.Environment("DICTUM_TEST_UNSET")); !errors.Is(err, kms.ErrBadRootKey) {
			t.Errorf("got %v", err)
		}
		openRoot(t, dir)
	})
	t.Run("another process's change is not lost", func(t *testing.T) {
		dir := t.TempDir()
		one, two := openRoot(t, dir), openRoot(t, dir)
		if err := one.RotateWrappingKey(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := two.RotateWrappingKey(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := openRoot(t, dir).WrappingKeyID(); got != "dictum/root/v3" {
			t.Errorf("current is %s", got)
		}
		if err := two.RotateRoot(t.Context(), kms.File(filepath.Join(dir, "other.key"))); err != nil {
			t.Fatal(err)
		}
		if err := one.RotateWrappingKey(t.Context()); !errors.Is(err, kms.ErrWrongRoot) {
			t.Errorf("with a root that is not it any more: %v", err)
		}
	})
}

func TestRotateWrappingKey(t *testing.T) {
	in := kms.Context{"a": "b"}
	dir := t.TempDir()
	r := openRoot(t, dir)
	type kept struct {
		plain   []byte
		wrapped kms.WrappedKey
		sealed  []byte
	}
	var all []kept
	for range 3 {
		plain, wrapped, err := r.NewDataKey(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := r.Seal(plain, in)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, kept{plain, wrapped, sealed})
		if err := r.RotateWrappingKey(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if all[0].wrapped.KeyID != "dictum/root/v1" || all[2].wrapped.KeyID != "dictum/root/v3" {
		t.Errorf("wrapped by %s and %s", all[0].wrapped.KeyID, all[2].wrapped.KeyID)
	}
	for _, r := range []*kms.Root{r, openRoot(t, dir)} {
		for _, k := range all {
			if got, err := r.Unwrap(t.Context(), k.wrapped, in); err != nil || !bytes.Equal(got, k.plain) {
				t.Errorf("%s: %v", k.wrapped.KeyID, err)
			}
			if got, err := r.Open(k.sealed, in); err != nil || !bytes.Equal(got, k.plain) {
				t.Errorf("sealed with %s: %v", k.wrapped.KeyID, err)
			}
		}
	}
	t.Run("a version opens only its own", func(t *testing.T) {
		w := kms.WrappedKey{KeyID: "dictum/root/v1", Blob: all[1].wrapped.Blob}
		if _, err := r.Unwrap(t.Context(), w, in); !errors.Is(err, kms.ErrSealed) {
			t.Errorf("got %v", err)
		}
		for _, id := range []string{"dictum/root/v9", "dictum/root/v01", "dictum/root/v", "dictum/root", ""} {
			if _, err := r.Unwrap(t.Context(), kms.WrappedKey{KeyID: id, Blob: all[1].wrapped.Blob}, in); !errors.Is(err, kms.ErrUnknownKey) {
				t.Errorf("%q: got %v", id, err)
			}
		}
	})
	t.Run("any changed or missing byte of what a later version sealed is found", func(t *testing.T) {
		sealed := all[2].sealed
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
	t.Run("not in memory", func(t *testing.T) {
		if err := root(t).RotateWrappingKey(t.Context()); !errors.Is(err, kms.ErrNoKeyring) {
			t.Errorf("got %v", err)
		}
	})
}

func openRoot(t testing.TB, dir string) *kms.Root {
	t.Helper()
	r, err := kms.OpenRoot(filepath.Join(dir, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
