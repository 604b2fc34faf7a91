// Package kms holds the keys that everything at rest is encrypted with. A root of trust (a file, an
// environment variable or a Vault server) opens the keyring; of the keyring's secrets come the keys of the
// database and of the services, and the keys that wrap data keys, of which each thing stored has one of its
// own. Keys that customers manage, with Amazon KMS's rules, live here too: their material is sealed under
// the keyring. No HTTP and no SQL. Start at Root for the hierarchy, at Service for customers' keys.
package kms

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

const (
	// RootKeyID names the wrapping key that comes from the root of trust, whichever version is the current one.
	RootKeyID = "dictum/root"
	// DataKeySize is the length of a data key in bytes: AES-256.
	DataKeySize = 32
	// keyringFile is the keyring's name in the data folder.
	keyringFile = "keyring.json"
)

// Root is the top of the key hierarchy: the open keyring. It is safe for concurrent use.
type Root struct {
	// path is the keyring file; empty for one in memory.
	path string
	now  func() time.Time

	// ring is what is in use. It is replaced, never changed.
	ring atomic.Pointer[ring]

	mu     sync.Mutex // held while the keyring file is changed
	source Source     // guarded by mu: what opens the keyring file
}

// ring is an open keyring with the ciphers of its versions.
type ring struct {
	secrets keyringSecrets
	// seals and wraps are by version of the wrapping secret.
	seals, wraps map[uint32]*subtle.AESGCM
	current      uint32
}

// OpenRoot opens the keyring beside the root key file at path, or makes both. Whoever loses the file loses all
// data, whoever reads it can read all data: a file that group or others may touch is refused with ErrUnsafeMode.
func OpenRoot(path string) (*Root, error) {
	return Open(context.Background(), filepath.Dir(path), File(path))
}

// Open opens the keyring in the data folder with the source that it was last wrapped by, or makes the
// keyring when there is none; it is durable when Open returns. A root key that the source had before there were
// keyrings goes on giving the keys it gave. Errors: ErrWrongRoot, ErrUnsafeMode, ErrBadRootKey, ErrBadKeyring,
// ErrSourceUnavailable.
func Open(ctx context.Context, dir string, source Source) (*Root, error) {
	r := &Root{path: filepath.Join(dir, keyringFile), source: source, now: time.Now}
	removeLeftovers(dir)
	secrets, err := openKeyring(ctx, r.path, source)
	if err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	return r, r.use(secrets)
}

// NewRoot makes a Root of RootKeySize random bytes, in memory only: it can't be rotated.
func NewRoot(key []byte) (*Root, error) {
	if len(key) != RootKeySize {
		return nil, fmt.Errorf("%w: %d bytes instead of %d", ErrBadRootKey, len(key), RootKeySize)
	}
	r := &Root{now: time.Now}
	return r, r.use(firstSecrets(key, key, time.Time{}))
}

// use makes the ciphers of a keyring's secrets, and then all of them current at once.
func (r *Root) use(secrets keyringSecrets) error {
	next := &ring{secrets: secrets, seals: map[uint32]*subtle.AESGCM{}, wraps: map[uint32]*subtle.AESGCM{}}
	for _, v := range secrets.Wrapping {
		var err error
		if next.seals[v.Version], err = subtle.NewAESGCM(derive(v.Secret, "kms/secrets/v1", 32)); err != nil {
			return fmt.Errorf("derive key of secrets: %w", err)
		}
		if next.wraps[v.Version], err = subtle.NewAESGCM(derive(v.Secret, "kms/data-keys/v1", 32)); err != nil {
			return fmt.Errorf("derive key of data keys: %w", err)
		}
		next.current = v.Version
	}
	r.ring.Store(next)
	return nil
}

// Derive returns n bytes that depend on the keyring and the purpose only (HKDF-SHA256, RFC 5869,
// the purpose as info); rotating the root or the wrapping key does not change them. n is at most 8,160.
// Purposes name who uses the key and a version: "store/v1".
func (r *Root) Derive(purpose string, n int) []byte {
	derivation := r.ring.Load().secrets.Derivation
	return derive(derivation[len(derivation)-1].Secret, purpose, n)
}

func derive(secret []byte, purpose string, n int) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "dictum/"+purpose, n)
	if err != nil {
		// Only a length beyond 255 hashes fails, and lengths are constants of our code.
		panic(fmt.Sprintf("derive %d bytes: %v", n, err))
	}
	return key
}

// Seal encrypts and authenticates a small secret with AES-256-GCM under the current wrapping key. The context is
// not stored but must be given again to open it (associated data).
func (r *Root) Seal(plaintext []byte, context Context) ([]byte, error) {
	ring := r.ring.Load()
	return sealVersioned(ring.seals[ring.current], ring.current, plaintext, context)
}

// Open returns what was sealed in the same context, under this or an earlier wrapping key, or ErrSealed.
func (r *Root) Open(sealed []byte, context Context) ([]byte, error) {
	return openVersioned(r.ring.Load().seals, sealed, context)
}

// NewDataKey returns a random data key, plain and wrapped by the current wrapping key. The context must be
// given again to Unwrap.
func (r *Root) NewDataKey(_ context.Context, context Context) ([]byte, WrappedKey, error) {
	key := make([]byte, DataKeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, WrappedKey{}, fmt.Errorf("make data key: %w", err)
	}
	ring := r.ring.Load()
	blob, err := seal(ring.wraps[ring.current], key, context)
	if err != nil {
		return nil, WrappedKey{}, fmt.Errorf("wrap data key: %w", err)
	}
	return key, WrappedKey{KeyID: rootKeyID(ring.current), Blob: blob}, nil
}

// Unwrap returns the plain data key: ErrUnknownKey when another key wraps it, ErrSealed when the
// context or the blob is not what it was.
func (r *Root) Unwrap(_ context.Context, w WrappedKey, context Context) ([]byte, error) {
	version, ok := rootKeyVersion(w.KeyID)
	wrap := r.ring.Load().wraps[version]
	if !ok || wrap == nil {
		return nil, fmt.Errorf("unwrap data key: %w: %q", ErrUnknownKey, w.KeyID)
	}
	key, err := open(wrap, w.Blob, context)
	if err != nil {
		return nil, fmt.Errorf("unwrap data key: %w", err)
	}
	return key, nil
}

// WrappingKeyID is the id that data keys wrapped from now on carry: "dictum/root/v2".
func (r *Root) WrappingKeyID() string { return rootKeyID(r.ring.Load().current) }

// IsRootKey tells whether a WrappedKey's id is of the root's wrapping key, of any version, and not of a customer's.
func IsRootKey(keyID string) bool {
	_, ok := rootKeyVersion(keyID)
	return ok || keyID == RootKeyID
}

func rootKeyID(version uint32) string {
	return RootKeyID + "/v" + strconv.FormatUint(uint64(version), 10)
}

func rootKeyVersion(id string) (uint32, bool) {
	digits, ok := strings.CutPrefix(id, RootKeyID+"/v")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	// One key has one name: "v01" and "v+1" are none.
	return uint32(n), err == nil && rootKeyID(uint32(n)) == id
}

// RotateRoot wraps the keyring by a new source, in one atomic step: until RotateRoot returns, either the old or
// the new source opens the keyring, afterwards only the new one. Nothing that is stored needs to change. The
// old root key opens old copies of the keyring still, so backups of it must go too.
func (r *Root) RotateRoot(ctx context.Context, next Source) error {
	if r.path == "" {
		return ErrNoKeyring
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err := updateKeyring(ctx, r.path, r.source, next, func(*keyringSecrets) error { return nil }, nil)
	if err != nil {
		return fmt.Errorf("rotate root key: %w", err)
	}
	r.source = next
	return nil
}

// RotateRootFile replaces the root key in the file at path, which opens the keyring now, by a random one. After
// a crash at any moment, opening with File(path) finds the key that counts.
func (r *Root) RotateRootFile(ctx context.Context, path string) error {
	next := successor(path)
	// One left by a crash before it was used is as good as any.
	if err := r.RotateRoot(ctx, File(next)); err != nil {
		return err
	}
	if err := promote(path); err != nil {
		return fmt.Errorf("rotate root key: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.source = File(path)
	return nil
}

// RotateWrappingKey adds a new version of the key that wraps data keys and seals secrets. What older
// versions wrapped opens still.
func (r *Root) RotateWrappingKey(ctx context.Context) error {
	if r.path == "" {
		return ErrNoKeyring
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err := updateKeyring(ctx, r.path, r.source, r.source, func(s *keyringSecrets) error { return s.addWrapping(r.now()) }, r.use)
	if err != nil {
		return fmt.Errorf("rotate wrapping key: %w", err)
	}
	return nil
}

// DatabaseKeys are the keys of n bytes that the database may be under, the newest first: several only when
// a rotation was cut off.
func (r *Root) DatabaseKeys(n int) [][]byte {
	const purpose = "store/v1"
	var keys [][]byte
	versions := r.ring.Load().secrets.Database
	for i := len(versions) - 1; i >= 0; i-- {
		keys = append(keys, derive(versions[i].Secret, purpose, n))
	}
	return append(keys, r.Derive(purpose, n))
}

// RotateDatabaseKey adds a new key for the database, has rekey put the database under it, and forgets the older ones.
// Whenever it is cut off, the database is under one of DatabaseKeys.
func (r *Root) RotateDatabaseKey(ctx context.Context, rekey func() error) error {
	if r.path == "" {
		return ErrNoKeyring
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	add := func(s *keyringSecrets) error { return addVersion(&s.Database, r.now()) }
	if err := updateKeyring(ctx, r.path, r.source, r.source, add, r.use); err != nil {
		return fmt.Errorf("add database key: %w", err)
	}
	if err := rekey(); err != nil {
		return err
	}
	forget := func(s *keyringSecrets) error {
		s.Database = s.Database[len(s.Database)-1:]
		return nil
	}
	if err := updateKeyring(ctx, r.path, r.source, r.source, forget, r.use); err != nil {
		return fmt.Errorf("forget the old database key: %w", err)
	}
	return nil
}
