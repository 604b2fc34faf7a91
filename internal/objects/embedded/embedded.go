// Package embedded is the object store that Dictum carries: content in sealed files in a folder, all
// else in an Index. A file is written, synced and its folder synced before the index
// transaction that makes it content; it is removed after the transaction that drops it. So a crash at
// any moment leaves whole objects, and at most files that nothing refers to, which the next start
// removes. Start at Open and Store.
package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
)

const (
	// DefaultUploadAge is how long an unfinished multipart upload is kept.
	DefaultUploadAge = 7 * 24 * time.Hour
	// sweepEvery is how often unfinished uploads are looked through.
	sweepEvery = time.Hour
)

// Config is what a Store is made of.
type Config struct {
	// Dir is the folder of the sealed files; it is made where needed.
	Dir   string
	Index Index
	// Keys makes and opens the data keys of sealed files. Their context is the object's name and, under
	// Dictum's own key, the file's.
	Keys kms.Wrapper
	// UploadAge is how long an unfinished multipart upload is kept; zero means DefaultUploadAge.
	UploadAge time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log gets what goes wrong in the background; nil means slog.Default.
	Log *slog.Logger
}

// Store implements objects.Store. It is safe for concurrent use; one process at a time may use a folder.
type Store struct {
	config Config

	// access is held for reading while a content is looked up and its blobs pinned, and for writing while
	// dropped blobs are handed to removal: so a blob is either pinned in time or not found in the index.
	access sync.RWMutex
	mu     sync.Mutex
	pinned map[string]int  // guarded by mu: how many readers have the blob
	doomed map[string]bool // guarded by mu: dropped while pinned; the last reader removes it
	fresh  map[string]bool // guarded by mu: being written, not yet in the index

	stop context.CancelFunc
	done chan struct{}
}

var _ objects.Store = (*Store)(nil)

// Open prepares the folder and begins to remove, in the background, what a crash and unfinished uploads
// left. Close ends it.
func Open(config Config) (*Store, error) {
	if config.UploadAge == 0 {
		config.UploadAge = DefaultUploadAge
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if err := makeShards(config.Dir); err != nil {
		return nil, fmt.Errorf("prepare object folder: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Store{
		config: config, stop: stop, done: make(chan struct{}),
		pinned: map[string]int{}, doomed: map[string]bool{}, fresh: map[string]bool{},
	}
	go s.maintain(ctx)
	return s, nil
}

// Close stops the background work and waits for it. Readers stay open.
func (s *Store) Close() error {
	s.stop()
	<-s.done
	return nil
}

// CreateBucket implements objects.Buckets.
func (s *Store) CreateBucket(ctx context.Context, b objects.Bucket) error {
	if b.Created.IsZero() {
		b.Created = s.config.Now()
	}
	return s.config.Index.CreateBucket(ctx, b)
}

// ServiceBucket implements objects.Buckets.
func (s *Store) ServiceBucket(ctx context.Context, region string) (objects.Bucket, error) {
	name := objects.ServiceBucket(region)
	b, err := s.config.Index.Bucket(ctx, name)
	if err == nil {
		return b, nil
	}
	b = objects.Bucket{Name: name, AccountID: objects.ServiceAccount, Region: region, Created: s.config.Now()}
	// When another call was faster, its bucket is as good.
	if err := s.config.Index.CreateBucket(ctx, b); err != nil {
		return s.config.Index.Bucket(ctx, name)
	}
	return b, nil
}

// Bucket implements objects.ReadWriter.
func (s *Store) Bucket(ctx context.Context, name string) (objects.Bucket, error) {
	return s.config.Index.Bucket(ctx, name)
}

// Configure implements objects.Buckets.
func (s *Store) Configure(ctx context.Context, name string, change func(*objects.Settings) error) error {
	return s.config.Index.Configure(ctx, name, change)
}

// ListBuckets implements objects.Buckets.
func (s *Store) ListBuckets(ctx context.Context, accountID string) ([]objects.Bucket, error) {
	return s.config.Index.Buckets(ctx, accountID)
}

// DeleteBucket implements objects.Buckets.
func (s *Store) DeleteBucket(ctx context.Context, name string) error {
	dropped, err := s.config.Index.DeleteBucket(ctx, name)
	s.remove(dropped)
	return err
}

// shards is how many folders the files are spread over, by the first two digits of their names.
const shards = 256

func makeShards(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "ff")); err == nil {
		return nil // It is made last.
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for i := range shards {
		if err := os.Mkdir(filepath.Join(dir, fmt.Sprintf("%02x", i)), 0o700); err != nil && !os.IsExist(err) {
			return err
		}
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder %s: %w", name, err)
	}
	return nil
}
