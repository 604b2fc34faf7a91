package embedded

import (
	"context"
	"strings"

	"github.com/dictum/dictum/internal/objects"
)

const (
	// fullPage is how many rows are looked at together when they may roll up into few prefixes.
	fullPage = 1000
	// firstPage is the same after a jump, where the next prefix may be just as deep.
	firstPage = 32
)

// cursor is a place in a listing: before all entries of key whose id is greater.
type cursor struct{ key, id string }

// walk goes through entries by key and rolls them up. It calls take for every entry that is
// not rolled up and roll for every common prefix. Below a common prefix that fills a page it jumps to the
// prefix's end.
type walk[T any] struct {
	prefix, delimiter string
	limit             int
	// fetch returns up to n entries from the cursor on, with keys < before where before is not empty, in order.
	fetch func(from cursor, before string, n int) ([]T, error)
	// place returns an entry's key and the cursor after the entry.
	place func(T) (key string, next cursor)
	take  func(T)
	roll  func(prefix string)
}

// run gives up to limit entries and prefixes from the cursor on, without keys that have the
// prefix skip, and tells whether there are more.
func (w walk[T]) run(from cursor, skip string) (more bool, err error) {
	if from.key < w.prefix {
		from = cursor{key: w.prefix}
	}
	before := successor(w.prefix)
	given := 0
	for n := firstPage; ; n = min(2*n, fullPage) {
		if w.delimiter == "" {
			n = min(fullPage, w.limit-given+1)
		}
		entries, err := w.fetch(from, before, n)
		if err != nil {
			return false, err
		}
		last := ""
		for _, e := range entries {
			last, from = w.place(e)
			if skip != "" && strings.HasPrefix(last, skip) {
				continue
			}
			if given == w.limit {
				return true, nil
			}
			given++
			common, ok := rolled(last, w.prefix, w.delimiter)
			if !ok {
				w.take(e)
				continue
			}
			w.roll(common)
			skip = common
		}
		if len(entries) < n {
			return false, nil
		}
		if skip != "" && strings.HasPrefix(last, skip) {
			if from = (cursor{key: successor(skip)}); from.key == "" {
				return false, nil
			}
			n = firstPage / 2
		}
	}
}

// rolled returns the common prefix of a key: up to the first delimiter after the prefix.
func rolled(key, prefix, delimiter string) (string, bool) {
	if delimiter == "" {
		return "", false
	}
	i := strings.Index(key[len(prefix):], delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(prefix)+i+len(delimiter)], true
}

// successor returns the least string that is greater than all with the prefix, which need not be
// UTF-8, or "" when there is none.
func successor(prefix string) string {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1])
		}
	}
	return ""
}

// List implements objects.Store.
func (s *Store) List(ctx context.Context, bucket string, q objects.ListQuery) (objects.Listing, error) {
	var l objects.Listing
	if _, err := s.config.Index.Bucket(ctx, bucket); err != nil {
		return l, err
	}
	if q.Limit <= 0 {
		return l, nil
	}
	w := walk[objects.Object]{
		prefix: q.Prefix, delimiter: q.Delimiter, limit: q.Limit,
		fetch: func(from cursor, before string, n int) ([]objects.Object, error) {
			return s.config.Index.Objects(ctx, bucket, from.key, before, n)
		},
		place: func(o objects.Object) (string, cursor) { return o.Key, cursor{key: after(o.Key)} },
		take:  func(o objects.Object) { l.Objects, l.Next = append(l.Objects, o), o.Key },
		roll:  func(prefix string) { l.Prefixes, l.Next = append(l.Prefixes, prefix), prefix },
	}
	var from cursor
	if q.After != "" {
		from.key = after(q.After)
	}
	var err error
	if l.More, err = w.run(from, namedPrefix(q.After, q.Prefix, q.Delimiter)); err != nil {
		return objects.Listing{}, err
	}
	if !l.More {
		l.Next = ""
	}
	return l, nil
}

// after returns the next possible key.
func after(key string) string { return key + "\x00" }

// namedPrefix returns name when it is itself a common prefix, which the page before may have ended with.
func namedPrefix(name, prefix, delimiter string) string {
	if !strings.HasPrefix(name, prefix) {
		return ""
	}
	if common, ok := rolled(name, prefix, delimiter); ok && common == name {
		return name
	}
	return ""
}

// ListUploads implements objects.Uploads.
func (s *Store) ListUploads(ctx context.Context, bucket string, q objects.UploadsQuery) (objects.UploadsListing, error) {
	var l objects.UploadsListing
	if _, err := s.config.Index.Bucket(ctx, bucket); err != nil {
		return l, err
	}
	if q.Limit <= 0 {
		return l, nil
	}
	var from cursor
	switch {
	case q.AfterID != "":
		from = cursor{q.AfterKey, q.AfterID}
	case q.AfterKey != "":
		from.key = after(q.AfterKey)
	}
	w := walk[objects.Upload]{
		prefix: q.Prefix, delimiter: q.Delimiter, limit: q.Limit,
		fetch: func(from cursor, before string, n int) ([]objects.Upload, error) {
			return s.config.Index.Uploads(ctx, bucket, from.key, from.id, before, n)
		},
		place: func(u objects.Upload) (string, cursor) { return u.Key, cursor{u.Key, u.ID} },
		take:  func(u objects.Upload) { l.Uploads, l.NextKey, l.NextID = append(l.Uploads, u), u.Key, u.ID },
		roll:  func(prefix string) { l.Prefixes, l.NextKey, l.NextID = append(l.Prefixes, prefix), prefix, "" },
	}
	var err error
	if l.More, err = w.run(from, namedPrefix(q.AfterKey, q.Prefix, q.Delimiter)); err != nil {
		return objects.UploadsListing{}, err
	}
	if !l.More {
		l.NextKey, l.NextID = "", ""
	}
	return l, nil
}
