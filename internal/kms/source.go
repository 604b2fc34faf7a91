package kms

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

// RootKeySize is the length of a root key, and of its file, in bytes.
const RootKeySize = 32

// Source is a root of trust: it wraps the key of the keyring.
type Source interface {
	// Wrap returns the wrapped key and the name of what wraps it, which is no secret.
	Wrap(ctx context.Context, key []byte) (name string, wrapped []byte, err error)
	// Unwrap returns the key: ErrWrongRoot when another root wrapped it, ErrSourceUnavailable when the root
	// can't be asked now.
	Unwrap(ctx context.Context, name string, wrapped []byte) ([]byte, error)
}

// File is the root key in a file of RootKeySize bytes, mode 0600; it is made at the first use.
func File(path string) Source { return &fileSource{path: path} }

type fileSource struct {
	path string
	// made tells that this source made the file, so that nothing was encrypted by it before.
	made bool
}

// successor is where the next root key of a file is until the keyring is wrapped by it.
func successor(path string) string { return path + ".next" }

// promote puts the successor in the file's place.
func promote(path string) error {
	if err := os.Rename(successor(path), path); err != nil {
		return err
	}
	return syncFolder(path)
}

// Legacy returns the key that a folder without a keyring was encrypted by, or nil when there was none.
func (f *fileSource) Legacy() ([]byte, error) {
	key, err := f.key()
	if err != nil || f.made {
		return nil, err
	}
	return key, nil
}

// key reads the file, and makes it where it is not.
func (f *fileSource) key() ([]byte, error) {
	key, err := readRoot(f.path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = randomKey(); err != nil {
		return nil, err
	}
	switch err := createFile(f.path, key); {
	case err == nil:
		f.made = true
	case !errors.Is(err, fs.ErrExist): // else another process made it meanwhile
		return nil, fmt.Errorf("make root key: %w", err)
	}
	return readRoot(f.path)
}

// Wrap implements Source.
func (f *fileSource) Wrap(_ context.Context, key []byte) (string, []byte, error) {
	root, err := f.key()
	if err != nil {
		return "", nil, err
	}
	return wrapByRoot(root, key)
}

// Unwrap implements Source. Where a rotation was cut off after the keyring was wrapped by the next key, it
// finishes the rotation.
func (f *fileSource) Unwrap(_ context.Context, name string, wrapped []byte) ([]byte, error) {
	root, err := readRoot(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is missing; restore it from your backup", ErrBadRootKey, f.path)
	}
	if err != nil {
		return nil, err
	}
	if rootName(root) == name {
		return unwrapByRoot(root, name, wrapped)
	}
	next, err := readRoot(successor(f.path))
	if err != nil || rootName(next) != name {
		return nil, fmt.Errorf("%w: %s is %s, the keyring needs %s", ErrWrongRoot, f.path, rootName(root), name)
	}
	if err := promote(f.path); err != nil {
		return nil, fmt.Errorf("finish rotation of root key: %w", err)
	}
	return unwrapByRoot(next, name, wrapped)
}

// Environment is the root key in an environment variable: RootKeySize bytes in base64.
func Environment(variable string) Source { return environmentSource(variable) }

type environmentSource string

func (e environmentSource) key() ([]byte, error) {
	text := strings.TrimSpace(os.Getenv(string(e)))
	if text == "" {
		return nil, fmt.Errorf("%w: environment variable %s is not set", ErrBadRootKey, string(e))
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != RootKeySize {
		return nil, fmt.Errorf("%w: environment variable %s must hold %d bytes in base64; make one with: head -c %d /dev/urandom | base64",
			ErrBadRootKey, string(e), RootKeySize, RootKeySize)
	}
	return key, nil
}

// Wrap implements Source.
func (e environmentSource) Wrap(_ context.Context, key []byte) (string, []byte, error) {
	root, err := e.key()
	if err != nil {
		return "", nil, err
	}
	return wrapByRoot(root, key)
}

// Unwrap implements Source.
func (e environmentSource) Unwrap(_ context.Context, name string, wrapped []byte) ([]byte, error) {
	root, err := e.key()
	if err != nil {
		return nil, err
	}
	return unwrapByRoot(root, name, wrapped)
}

// rootName tells root keys apart and nothing about them.
func rootName(root []byte) string {
	return "key:" + hex.EncodeToString(derive(root, "kms/root-name/v1", 8))
}

func wrapByRoot(root, key []byte) (string, []byte, error) {
	aead, err := subtle.NewAESGCM(derive(root, "kms/keyring/v1", 32))
	if err != nil {
		return "", nil, err
	}
	wrapped, err := seal(aead, key, keyringContext)
	return rootName(root), wrapped, err
}

func unwrapByRoot(root []byte, name string, wrapped []byte) ([]byte, error) {
	if own := rootName(root); own != name {
		return nil, fmt.Errorf("%w: it is %s, the keyring needs %s", ErrWrongRoot, own, name)
	}
	aead, err := subtle.NewAESGCM(derive(root, "kms/keyring/v1", 32))
	if err != nil {
		return nil, err
	}
	key, err := open(aead, wrapped, keyringContext)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadKeyring, err)
	}
	return key, nil
}

func readRoot(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := refuseShared(f); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
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

// refuseShared refuses a file of secrets that others than its owner may touch.
func refuseShared(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%w: %s has mode %04o; run: chmod 600 %s", ErrUnsafeMode, f.Name(), mode, f.Name())
	}
	return nil
}
