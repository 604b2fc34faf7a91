package kms_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/dictum/dictum/internal/kms"
)

func FuzzCiphertext(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("garbage"))
	f.Add(append([]byte{0x44}, make([]byte, 48)...))
	f.Add(append([]byte{0x44}, bytes.Repeat([]byte{0xff}, 200)...))
	f.Fuzz(func(t *testing.T, blob []byte) {
		id, _, err := kms.ParseCiphertext(blob)
		if err != nil {
			if !errors.Is(err, kms.ErrSealed) || id != "" {
				t.Errorf("%q, %v", id, err)
			}
			return
		}
		if len(id) != 36 || len(blob) < 49 {
			t.Errorf("%q of %d bytes", id, len(blob))
		}
	})
}

func FuzzVaultAnswer(f *testing.F) {
	f.Add(200, []byte(`{"data":{"ciphertext":"vault:v1:x"}}`))
	f.Add(200, []byte(`{"data":{"plaintext":"AAAA"}}`))
	f.Add(403, []byte(`{"errors":["permission denied"]}`))
	f.Add(503, []byte(`<html>`))
	f.Add(200, []byte(`{"data":null}`))
	f.Fuzz(func(t *testing.T, status int, content []byte) {
		out, err := kms.ParseVaultAnswer(status, content)
		if err == nil && status != http.StatusOK {
			t.Errorf("status %d is taken", status)
		}
		if err != nil && (out.Plaintext != "" || out.Ciphertext != "" ||
			!errors.Is(err, kms.ErrBadVaultAnswer) && !errors.Is(err, kms.ErrRefusedByVault) && !errors.Is(err, kms.ErrSourceUnavailable)) {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func FuzzKeyring(f *testing.F) {
	dir := f.TempDir()
	if _, err := kms.OpenRoot(filepath.Join(dir, "root.key")); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "keyring.json"))
	if err != nil {
		f.Fatal(err)
	}
	file := kms.File(filepath.Join(dir, "root.key"))
	f.Add(whole)
	f.Add([]byte(`{"format":1,"root":"","key":"","secrets":""}`))
	f.Add([]byte(`{"format":2}`))
	f.Add([]byte(`[]`))
	f.Add([]byte(`{"derivation":[{"version":1,"secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}],"wrapping":[{"version":1,"secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}`))
	f.Add([]byte(`{"derivation":[{"version":4294967296,"secret":""}],"wrapping":[]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		if err := kms.ParseSecrets(document); err != nil && !errors.Is(err, kms.ErrBadKeyring) {
			t.Errorf("%v", err)
		}
		err := kms.ParseKeyring(document, file)
		if err != nil && !errors.Is(err, kms.ErrBadKeyring) && !errors.Is(err, kms.ErrWrongRoot) {
			t.Errorf("%v", err)
		}
	})
}
