package kms

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"golang.org/x/sys/unix"
)

const (
	keyringFormat = 1
	// maxKeyring bounds the file: a version takes some 120 bytes, and nobody rotates 4,000 times.
	maxKeyring = 1 << 20
)

// keyringSecrets are what everything else is derived from. Versions count from 1, the last one is current.
type keyringSecrets struct {
	// Derivation gives the keys of Root.Derive.
	Derivation []secretVersion `json:"derivation"`
	// Wrapping gives the keys that wrap data keys and seal secrets.
	Wrapping []secretVersion `json:"wrapping"`
	// Database gives the key of the database, once it was rotated; before, that comes from Derivation.
	Database []secretVersion `json:"database,omitempty"`
}

type secretVersion struct {
	Version uint32    `json:"version"`
	Created time.Time `json:"created"`
	Secret  []byte    `json:"secret"`
}

// keyringDocument is the file: the secrets under a key made for this writing of it, and that key wrapped
// by the root of trust, which so never sees the secrets.
type keyringDocument struct {
	Format int `json:"format"`
	// Root names what wraps Key, so that a wrong one is told from a damaged file.
	Root string `json:"root"`
	// Key is the wrapped key of Secrets.
	Key     []byte `json:"key"`
	Secrets []byte `json:"secrets"`
}

var keyringContext = Context{"use": "keyring"}

func firstSecrets(derivation, wrapping []byte, now time.Time) keyringSecrets {
	first := func(secret []byte) []secretVersion {
		return []secretVersion{{Version: 1, Created: now.UTC(), Secret: bytes.Clone(secret)}}
	}
	return keyringSecrets{Derivation: first(derivation), Wrapping: first(wrapping)}
}

func (s *keyringSecrets) addWrapping(now time.Time) error { return addVersion(&s.Wrapping, now) }

// addVersion makes a new secret the current one.
func addVersion(versions *[]secretVersion, now time.Time) error {
	secret, err := randomKey()
	if err != nil {
		return err
	}
	next := uint32(1)
	if n := len(*versions); n > 0 {
		next = (*versions)[n-1].Version + 1
	}
	*versions = append(*versions, secretVersion{Version: next, Created: now.UTC(), Secret: secret})
	return nil
}

// check holds a keyring against its rules.
func (s *keyringSecrets) check() error {
	for _, versions := range [][]secretVersion{s.Derivation, s.Wrapping} {
		if len(versions) == 0 {
			return fmt.Errorf("%w: a secret is missing", ErrBadKeyring)
		}
		for i, v := range versions {
			if v.Version != uint32(i+1) || len(v.Secret) != RootKeySize {
				return fmt.Errorf("%w: version %d is damaged", ErrBadKeyring, i+1)
			}
		}
	}
	for _, v := range s.Database { // older ones are dropped
		if v.Version == 0 || len(v.Secret) != RootKeySize {
			return fmt.Errorf("%w: version %d of the database's is damaged", ErrBadKeyring, v.Version)
		}
	}
	return nil
}

// openKeyring reads the keyring, or makes one when there is none.
func openKeyring(ctx context.Context, path string, source Source) (keyringSecrets, error) {
	s, err := readKeyring(ctx, path, source)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if s, err = newSecrets(source); err != nil {
		return s, err
	}
	document, err := sealKeyring(ctx, s, source)
	if err != nil {
		return s, err
	}
	// When another process made the keyring meanwhile, that one counts.
	if err := createFile(path, document); err != nil && !errors.Is(err, fs.ErrExist) {
		return s, err
	}
	return readKeyring(ctx, path, source)
}

// newSecrets makes random secrets, or those that a root key from before there were keyrings stands for.
func newSecrets(source Source) (keyringSecrets, error) {
	if keeper, ok := source.(interface{ Legacy() ([]byte, error) }); ok {
		key, err := keeper.Legacy()
		if err != nil {
			return keyringSecrets{}, err
		}
		if key != nil {
			return firstSecrets(key, key, time.Now()), nil
		}
	}
	derivation, err := randomKey()
	if err != nil {
		return keyringSecrets{}, err
	}
	wrapping, err := randomKey()
	if err != nil {
		return keyringSecrets{}, err
	}
	return firstSecrets(derivation, wrapping, time.Now()), nil
}

// updateKeyring changes the keyring in one step: reads it as it is on disk, so that no change by
// another process is lost, applies the change, and writes it wrapped by next. used is told what was written.
func updateKeyring(ctx context.Context, path string, source, next Source, change func(*keyringSecrets) error, used func(keyringSecrets) error) error {
	lock, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("lock %s: another process changes it: %w", path, err)
	}
	s, err := readKeyring(ctx, path, source)
	if err != nil {
		return err
	}
	if err := change(&s); err != nil {
		return err
	}
	document, err := sealKeyring(ctx, s, next)
	if err != nil {
		return err
	}
	// A root that wraps but does not unwrap (a policy of Vault's, say) must show before the old one is given up.
	if _, err := parseKeyring(ctx, document, next); err != nil {
		return fmt.Errorf("try the new root: %w", err)
	}
	// The lock is on the file that is replaced: whoever got it late must see that it is not the file any more.
	if same, err := isSameFile(lock, path); err != nil || !same {
		return errors.Join(fmt.Errorf("%s was changed by another process; try again", path), err)
	}
	if err := replaceFile(path, document); err != nil {
		return err
	}
	if used == nil {
		return nil
	}
	return used(s)
}

func isSameFile(f *os.File, path string) (bool, error) {
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	return os.SameFile(mine, there), nil
}

func readKeyring(ctx context.Context, path string, source Source) (keyringSecrets, error) {
	f, err := os.Open(path)
	if err != nil {
		return keyringSecrets{}, err
	}
	defer f.Close()
	if err := refuseShared(f); err != nil {
		return keyringSecrets{}, err
	}
	document, err := io.ReadAll(io.LimitReader(f, maxKeyring+1))
	if err != nil {
		return keyringSecrets{}, err
	}
	s, err := parseKeyring(ctx, document, source)
	if err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// parseKeyring opens a keyring document.
func parseKeyring(ctx context.Context, document []byte, source Source) (keyringSecrets, error) {
	var s keyringSecrets
	d, err := parseDocument(document)
	if err != nil {
		return s, err
	}
	key, err := source.Unwrap(ctx, d.Root, d.Key)
	if err != nil {
		return s, err
	}
	if len(key) != RootKeySize {
		return s, fmt.Errorf("%w: its key has %d bytes", ErrBadKeyring, len(key))
	}
	aead, err := subtle.NewAESGCM(key)
	if err != nil {
		return s, err
	}
	plain, err := open(aead, d.Secrets, keyringContext)
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrBadKeyring, err)
	}
	defer clear(plain)
	return parseSecrets(plain)
}

func parseSecrets(plain []byte) (keyringSecrets, error) {
	var s keyringSecrets
	if err := json.Unmarshal(plain, &s); err != nil {
		return s, fmt.Errorf("%w: its content can't be read", ErrBadKeyring) // The cause could quote secrets.
	}
	return s, s.check()
}

func parseDocument(document []byte) (keyringDocument, error) {
	var d keyringDocument
	if len(document) > maxKeyring {
		return d, fmt.Errorf("%w: more than %d bytes", ErrBadKeyring, maxKeyring)
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return d, fmt.Errorf("%w: %w", ErrBadKeyring, err)
	}
	if d.Format != keyringFormat {
		return d, fmt.Errorf("%w: format %d, this version of dictum knows %d", ErrBadKeyring, d.Format, keyringFormat)
	}
	return d, nil
}

func sealKeyring(ctx context.Context, s keyringSecrets, source Source) ([]byte, error) {
	key, err := randomKey()
	if err != nil {
		return nil, err
	}
	aead, err := subtle.NewAESGCM(key)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	d := keyringDocument{Format: keyringFormat}
	if d.Secrets, err = seal(aead, plain, keyringContext); err != nil {
		return nil, err
	}
	if d.Root, d.Key, err = source.Wrap(ctx, key); err != nil {
		return nil, err
	}
	document, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(document, '\n'), nil
}

func randomKey() ([]byte, error) {
	key := make([]byte, RootKeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, nil
}

// createFile makes a durable file appear whole or not at all, private to its owner, and never replaces one: it
// returns fs.ErrExist then.
func createFile(path string, content []byte) error {
	// Unlike Rename, Link fails when the name is taken.
	return writeFile(path, content, os.Link)
}

// replaceFile does the same and replaces what was there.
func replaceFile(path string, content []byte) error { return writeFile(path, content, os.Rename) }

func writeFile(path string, content []byte, publish func(from, to string) error) error {
	removeLeftovers(filepath.Dir(path))
	temp, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*") // CreateTemp uses mode 0600.
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(content)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := publish(temp.Name(), path); err != nil {
		return err
	}
	return syncFolder(path)
}

const (
	// tempPrefix begins the names of files that are being written.
	tempPrefix = ".key-"
	// leftoverAge is when such a file can't be in the making any more.
	leftoverAge = time.Minute
)

// removeLeftovers removes what a crash left of files in the making: among them could be a copy of a root key.
func removeLeftovers(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // whoever writes there next says why
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > leftoverAge {
			_ = os.Remove(filepath.Join(dir, e.Name())) // the next one tries again
		}
	}
}

// syncFolder makes the name of a file durable.
func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
