// Package kms holds the keys that everything at rest is encrypted with: the root key from its
// file, keys derived from it, and envelope encryption, where each thing has a data key of its own
// that is stored wrapped. Customer-managed keys will live here too. Start at Root.
package kms

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

// RootKeySize is the length of a root key, and of its file, in bytes.
const RootKeySize = 32

// The errors of this package; compare with errors.Is.
var (
	// ErrUnsafeMode means that others than the owner may read the root key file.
	ErrUnsafeMode = errors.New("root key file is readable by others")
	// ErrBadRootKey means that the file is not a root key.
	ErrBadRootKey = errors.New("not a root key")
	// ErrSealed means that something sealed can't be opened: another key, another context, or changed bytes.
	ErrSealed = errors.New("can't open what was sealed: wrong key, wrong context or damaged")
	// ErrUnknownKey means that a data key is wrapped by a key that this keeper does not have.
	ErrUnknownKey = errors.New("unknown wrapping key")
)

// Root is the key that all others come from. It is safe for concurrent use.
type Root struct {
	key     []byte
	secrets *subtle.AESGCM
	wrap    *subtle.AESGCM
}

// OpenRoot reads the root key from the file, or makes a random one there when the file does not
// exist; it is durable when OpenRoot returns. Whoever loses the file loses all data, whoever reads it can
// read all data: a file that group or others may touch is refused with ErrUnsafeMode.
func OpenRoot(path string) (*Root, error) {
	key, err := readRoot(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createRoot(path); err != nil {
			return nil, fmt.Errorf("make root key: %w", err)
		}
		key, err = readRoot(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read root key: %w", err)
	}
	return NewRoot(key)
}

// NewRoot makes a Root of a key of RootKeySize random bytes.
func NewRoot(key []byte) (*Root, error) {
	if len(key) != RootKeySize {
		return nil, fmt.Errorf("%w: %d bytes instead of %d", ErrBadRootKey, len(key), RootKeySize)
	}
	r := &Root{key: append([]byte(nil), key...)}
	var err error
	if r.secrets, err = subtle.NewAESGCM(r.Derive("kms/secrets/v1", 32)); err != nil {
		return nil, fmt.Errorf("derive key of secrets: %w", err)
	}
	if r.wrap, err = subtle.NewAESGCM(r.Derive("kms/data-keys/v1", 32)); err != nil {
		return nil, fmt.Errorf("derive key of data keys: %w", err)
	}
	return r, nil
}

// Derive returns n bytes that depend on the root key and the purpose only (HKDF-SHA256, RFC 5869,
// the purpose as info). n is at most 8,160. Purposes name who uses the key and a version: "store/v1".
func (r *Root) Derive(purpose string, n int) []byte {
	key, err := hkdf.Key(sha256.New, r.key, nil, "dictum/"+purpose, n)
	if err != nil {
		// Only a length beyond 255 hashes fails, and lengths are constants of our code.
		panic(fmt.Sprintf("derive %d bytes: %v", n, err))
	}
	return key
}

// Seal encrypts and authenticates a small secret with AES-256-GCM. The context is not stored but
// must be given again to open it (associated data).
func (r *Root) Seal(plaintext []byte, context Context) ([]byte, error) {
	return seal(r.secrets, plaintext, context)
}

// Open returns what was sealed in the same context, or ErrSealed.
func (r *Root) Open(sealed []byte, context Context) ([]byte, error) {
	return open(r.secrets, sealed, context)
}

func readRoot(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o; run: chmod 600 %s", ErrUnsafeMode, path, mode, path)
	}
	if !info.Mode().IsRegular() || info.Size() != RootKeySize {
		return nil, fmt.Errorf("%w: %s is not a file of %d bytes; restore it from your backup", ErrBadRootKey, path, RootKeySize)
	}
	key := make([]byte, RootKeySize)
	if _, err := f.ReadAt(key, 0); err != nil {
		return nil, err
	}
	return key, nil
}

// createRoot makes the file appear whole or not at all, and never replaces one.
func createRoot(path string) error {
	key := make([]byte, RootKeySize)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".root-key-*") // CreateTemp uses mode 0600.
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(key)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	// Unlike Rename, Link fails when another process made the key meanwhile; then its key counts.
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
