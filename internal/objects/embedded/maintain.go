package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dictum/dictum/internal/objects"
)

// maintain removes, once, files that a crash left, and, ever again, uploads that were given up.
func (s *Store) maintain(ctx context.Context) {
	defer close(s.done)
	if removed, err := s.collect(ctx); err != nil {
		s.report(ctx, "look for files that nothing refers to", err)
	} else if removed > 0 {
		s.config.Log.Info("removed content files that a crash had left", "files", removed)
	}
	every := time.NewTicker(sweepEvery)
	defer every.Stop()
	for {
		if err := s.expire(ctx); err != nil {
			s.report(ctx, "expire unfinished uploads", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

func (s *Store) report(ctx context.Context, doing string, err error) {
	if ctx.Err() == nil {
		s.config.Log.Error("object store maintenance", "doing", doing, "err", err)
	}
}

// collect removes the files that the index does not know.
func (s *Store) collect(ctx context.Context) (removed int, err error) {
	for i := range shards {
		n, err := s.collectShard(ctx, fmt.Sprintf("%02x", i))
		if removed += n; err != nil {
			return removed, err
		}
	}
	return removed, nil
}

func (s *Store) collectShard(ctx context.Context, shard string) (removed int, err error) {
	dir, err := os.Open(filepath.Join(s.config.Dir, shard))
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	for {
		names, readErr := dir.Readdirnames(500)
		// A file that is not fresh now is in the index already or never will be: so ask in this order.
		candidates := s.notFresh(names)
		known, err := s.config.Index.Known(ctx, candidates)
		if err != nil {
			return removed, err
		}
		for _, blob := range candidates {
			if !known[blob] && !s.inUse(blob) {
				s.unlink(blob)
				removed++
			}
		}
		if readErr != nil || len(names) == 0 {
			return removed, nil // The end of the folder; what is left waits for the next start
		}
	}
}

func (s *Store) notFresh(names []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for _, name := range names {
		if len(name) >= 2 && !s.fresh[name] {
			found = append(found, name)
		}
	}
	return found
}

// inUse tells whether a reader has the blob, dropped or not.
func (s *Store) inUse(blob string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pinned[blob] > 0
}

// expire aborts the uploads that are too old.
func (s *Store) expire(ctx context.Context) error {
	for {
		stale, err := s.config.Index.Stale(ctx, s.config.Now().Add(-s.config.UploadAge), 100)
		if err != nil || len(stale) == 0 {
			return err
		}
		for _, ref := range stale {
			if err := s.AbortUpload(ctx, ref); err != nil && !errors.Is(err, objects.ErrNoSuchUpload) {
				return err
			}
		}
	}
}
