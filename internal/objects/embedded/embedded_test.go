package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/embedded"
	"github.com/dictum/dictum/internal/objects/objectstest"
	"github.com/dictum/dictum/internal/objects/sealed"
	"github.com/dictum/dictum/internal/store"
	index "github.com/dictum/dictum/internal/store/objects"
	"github.com/dictum/dictum/internal/store/storetest"
)

// rig is a store in a folder, with all that it stands on.
type rig struct {
	*embedded.Store
	db    *store.DB
	dir   string
	close func()
}

func start(t testing.TB, dir string) rig {
	t.Helper()
	root, err := kms.OpenRoot(filepath.Join(dir, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(context.Background(), filepath.Join(dir, "dictum.db"), root.Derive("store", store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	x, err := index.Open(context.Background(), db)
	if err != nil {
		t.Fatal(err)
	}
	s, err := embedded.Open(embedded.Config{Dir: filepath.Join(dir, "objects"), Index: x, Keys: objectstest.RootOnly(root)})
	if err != nil {
		t.Fatal(err)
	}
	r := rig{Store: s, db: db, dir: dir, close: sync.OnceFunc(func() { s.Close(); db.Close() })}
	t.Cleanup(r.close)
	return r
}

// startWithBucket also makes bucket "b".
func startWithBucket(t testing.TB) rig {
	t.Helper()
	r := start(t, t.TempDir())
	if err := r.CreateBucket(context.Background(), objects.Bucket{Name: "b", AccountID: "111122223333", Region: "us-east-1"}); err != nil {
		t.Fatal(err)
	}
	return r
}

func random(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func (r rig) put(t testing.TB, key string, b []byte) objects.Object {
	t.Helper()
	o, err := r.Put(context.Background(), "b", key, bytes.NewReader(b), objects.Metadata{ContentType: "audio/wav"})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (r rig) get(t testing.TB, key string) []byte {
	t.Helper()
	_, reader, err := r.Open(context.Background(), "b", key)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	b, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// files returns the sealed files on disk.
func (r rig) files(t testing.TB) (names []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(r.dir, "objects"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestPutAndOpen(t *testing.T) {
	r := startWithBucket(t)
	for _, key := range []string{"a", "a/b", "x//y", "../x", "a/../b", "/", strings.Repeat("ü", 512), "nul\x00 and \xf0\x9f\x8e\xb5"} {
		t.Run("key "+key[:min(len(key), 12)], func(t *testing.T) {
			want := random(len(key)*1000, 1)
			o := r.put(t, key, want)
			if o.Size != int64(len(want)) || o.Metadata.ContentType != "audio/wav" {
				t.Errorf("got %+v", o)
			}
			if !bytes.Equal(r.get(t, key), want) {
				t.Error("other bytes back")
			}
		})
	}
	t.Run("an empty object", func(t *testing.T) {
		o := r.put(t, "empty", nil)
		if got, want := o.ETag, "d41d8cd98f00b204e9800998ecf8427e"; got != want {
			t.Errorf("etag %s, want %s", got, want)
		}
		if b := r.get(t, "empty"); len(b) != 0 {
			t.Errorf("%d bytes", len(b))
		}
	})
	t.Run("errors say what is missing", func(t *testing.T) {
		if _, _, err := r.Open(t.Context(), "b", "none"); !errors.Is(err, objects.ErrNoSuchKey) {
			t.Errorf("key: %v", err)
		}
		if _, err := r.Head(t.Context(), "none", "none"); !errors.Is(err, objects.ErrNoSuchBucket) {
			t.Errorf("bucket: %v", err)
		}
		if err := r.DeleteBucket(t.Context(), "b"); !errors.Is(err, objects.ErrBucketNotEmpty) {
			t.Errorf("full bucket: %v", err)
		}
	})
}

func TestReplacing(t *testing.T) {
	r := startWithBucket(t)
	r.put(t, "k", random(100_000, 1))
	t.Run("a failing body leaves the old object and no file", func(t *testing.T) {
		bad := errors.New("bad checksum")
		_, err := r.Put(t.Context(), "b", "k", io.MultiReader(bytes.NewReader(random(200_000, 2)), failing{bad}), objects.Metadata{})
		if !errors.Is(err, bad) {
			t.Errorf("got %v", err)
		}
		if !bytes.Equal(r.get(t, "k"), random(100_000, 1)) || len(r.files(t)) != 1 {
			t.Errorf("changed, or %d files", len(r.files(t)))
		}
	})
	t.Run("an open reader keeps the old content, whose file goes when it closes", func(t *testing.T) {
		_, reader, err := r.Open(t.Context(), "b", "k")
		if err != nil {
			t.Fatal(err)
		}
		r.put(t, "k", random(10, 3))
		got, err := io.ReadAll(reader)
		if err != nil || !bytes.Equal(got, random(100_000, 1)) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		reader.Close()
		reader.Close()
		if n := len(r.files(t)); n != 1 {
			t.Errorf("%d files", n)
		}
	})
	t.Run("conditions", func(t *testing.T) {
		put := func(key string, only objects.Condition) error {
			_, err := r.PutIf(t.Context(), "b", key, strings.NewReader("x"), objects.Metadata{}, only)
			return err
		}
		if err := put("k", objects.Condition{IfAbsent: true}); !errors.Is(err, objects.ErrPreconditionFailed) {
			t.Errorf("if absent: %v", err)
		}
		if err := put("k", objects.Condition{IfMatch: "0"}); !errors.Is(err, objects.ErrPreconditionFailed) {
			t.Errorf("if match another: %v", err)
		}
		if err := put("new", objects.Condition{IfMatch: "0"}); !errors.Is(err, objects.ErrNoSuchKey) {
			t.Errorf("if match nothing: %v", err)
		}
		if err := put("new", objects.Condition{IfAbsent: true}); err != nil {
			t.Errorf("if absent and absent: %v", err)
		}
	})
	t.Run("of many at once one whole object stays, and one file", func(t *testing.T) {
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				if _, err := r.Put(t.Context(), "b", "race", bytes.NewReader(random(80_000, byte(i))), objects.Metadata{}); err != nil {
					t.Error(err)
				}
				if _, reader, err := r.Open(t.Context(), "b", "race"); err != nil {
					t.Error(err)
				} else {
					if b, err := io.ReadAll(reader); err != nil || len(b) != 80_000 {
						t.Errorf("read while replaced: %d bytes, %v", len(b), err)
					}
					reader.Close()
				}
			})
		}
		wg.Wait()
		got := r.get(t, "race")
		if !slices.ContainsFunc([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, func(i byte) bool { return bytes.Equal(got, random(80_000, i)) }) {
			t.Error("a mixture")
		}
		if n := len(r.files(t)); n != 3 {
			t.Errorf("%d files for 3 objects", n)
		}
	})
	t.Run("deleting removes the files", func(t *testing.T) {
		if err := r.DeleteAll(t.Context(), "b", []string{"k", "new", "race", "never there"}); err != nil {
			t.Fatal(err)
		}
		if n := len(r.files(t)); n != 0 {
			t.Errorf("%d files", n)
		}
		if err := r.DeleteBucket(t.Context(), "b"); err != nil {
			t.Error(err)
		}
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// upload makes an object of parts of the given sizes.
func (r rig) upload(t testing.TB, key string, meta objects.Metadata, parts ...[]byte) objects.Object {
	t.Helper()
	ctx := context.Background()
	u, err := r.CreateUpload(ctx, "b", key, meta)
	if err != nil {
		t.Fatal(err)
	}
	c := objects.Completion{Size: -1}
	for i, b := range parts {
		p, err := r.PutPart(ctx, u.UploadRef, i*3+1, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		c.Parts = append(c.Parts, p)
	}
	o, err := r.CompleteUpload(ctx, u.UploadRef, c)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.CompleteUpload(ctx, u.UploadRef, c); err != nil || again.ETag != o.ETag {
		t.Errorf("completing again: %v", err)
	}
	return o
}

func TestMultipart(t *testing.T) {
	r := startWithBucket(t)
	first, second, third := random(int(objects.MinPart), 1), random(int(objects.MinPart)+70_001, 2), random(333, 3)
	whole := slices.Concat(first, second, third)
	r.put(t, "k", []byte("old"))
	o := r.upload(t, "k", objects.Metadata{ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT"}, first, second, third)
	if !strings.HasSuffix(o.ETag, "-3") || o.Size != int64(len(whole)) {
		t.Errorf("etag %s, %d bytes", o.ETag, o.Size)
	}
	single, err := r.Put(t.Context(), "b", "single", bytes.NewReader(whole), objects.Metadata{ChecksumAlgorithm: "CRC32"})
	if err != nil || single.Metadata.ChecksumValue != o.Metadata.ChecksumValue {
		t.Errorf("checksum of the parts %s, of the whole %s, %v", o.Metadata.ChecksumValue, single.Metadata.ChecksumValue, err)
	}
	if !bytes.Equal(r.get(t, "k"), whole) {
		t.Error("other bytes back")
	}
	t.Run("ranges equal slices across the parts' borders", func(t *testing.T) {
		_, reader, err := r.Open(t.Context(), "b", "k")
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		rnd := rand.New(rand.NewPCG(1, 2))
		borders := []int{0, sealed.ChunkSize, len(first), len(first) + sealed.ChunkSize, len(first) + len(second), len(whole)}
		for i := range 300 {
			from := min(max(borders[i%len(borders)]+rnd.IntN(5)-2, 0), len(whole)-1)
			n := rnd.IntN(200_000)
			p := make([]byte, n)
			got, err := reader.ReadAt(p, int64(from))
			if want := whole[from:min(from+n, len(whole))]; !bytes.Equal(p[:got], want) {
				t.Fatalf("ReadAt %d bytes at %d: other bytes, %v", n, from, err)
			}
			if _, err := reader.Seek(int64(from), io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if m, err := io.ReadFull(reader, p[:got]); err != nil || !bytes.Equal(p[:m], whole[from:from+m]) {
				t.Fatalf("seek to %d and read %d: %v", from, got, err)
			}
		}
	})
	t.Run("what is not right is refused", func(t *testing.T) {
		u, err := r.CreateUpload(t.Context(), "b", "bad", objects.Metadata{})
		if err != nil {
			t.Fatal(err)
		}
		small, err := r.PutPart(t.Context(), u.UploadRef, 1, strings.NewReader("small"))
		if err != nil {
			t.Fatal(err)
		}
		last, err := r.PutPart(t.Context(), u.UploadRef, 2, strings.NewReader("last"))
		if err != nil {
			t.Fatal(err)
		}
		complete := func(parts ...objects.Part) error {
			_, err := r.CompleteUpload(t.Context(), u.UploadRef, objects.Completion{Parts: parts, Size: -1})
			return err
		}
		if err := complete(small, last); !errors.Is(err, objects.ErrPartTooSmall) {
			t.Errorf("small part: %v", err)
		}
		if err := complete(objects.Part{Number: 1, ETag: "00"}); !errors.Is(err, objects.ErrInvalidPart) {
			t.Errorf("wrong etag: %v", err)
		}
		if err := complete(objects.Part{Number: 9, ETag: small.ETag}); !errors.Is(err, objects.ErrInvalidPart) {
			t.Errorf("missing part: %v", err)
		}
		before := len(r.files(t))
		if _, err := r.PutPart(t.Context(), u.UploadRef, 1, strings.NewReader("again")); err != nil {
			t.Fatal(err)
		}
		if got := len(r.files(t)); got != before {
			t.Errorf("%d files after uploading a part again, %d before", got, before)
		}
		if err := complete(last); err != nil { // The other part is dropped.
			t.Error(err)
		}
		if got := len(r.files(t)); got != before-1 {
			t.Errorf("%d files, want %d", got, before-1)
		}
	})
	t.Run("aborting removes the parts", func(t *testing.T) {
		before := len(r.files(t))
		u, err := r.CreateUpload(t.Context(), "b", "gone", objects.Metadata{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.PutPart(t.Context(), u.UploadRef, 1, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		if err := r.AbortUpload(t.Context(), u.UploadRef); err != nil {
			t.Fatal(err)
		}
		if _, err := r.PutPart(t.Context(), u.UploadRef, 2, strings.NewReader("x")); !errors.Is(err, objects.ErrNoSuchUpload) {
			t.Errorf("part of an aborted upload: %v", err)
		}
		if got := len(r.files(t)); got != before {
			t.Errorf("%d files, want %d", got, before)
		}
	})
}

func TestTamperingIsFound(t *testing.T) {
	r := startWithBucket(t)
	r.put(t, "k", random(2*sealed.ChunkSize, 1))
	r.put(t, "other", random(2*sealed.ChunkSize, 2))
	read := func() error {
		_, reader, err := r.Open(t.Context(), "b", "k")
		if err != nil {
			return err
		}
		defer reader.Close()
		_, err = io.Copy(io.Discard, reader)
		return err
	}
	names := r.files(t)
	good, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names { // Either may be k's; both are changed.
		b, _ := os.ReadFile(name)
		b[len(b)/3] ^= 1
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := read(); !errors.Is(err, sealed.ErrDamaged) {
		t.Errorf("changed byte: %v", err)
	}
	for _, name := range names {
		if err := os.WriteFile(name, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	errK := read()
	_, reader, errOther := r.Open(t.Context(), "b", "other")
	if errOther == nil {
		_, errOther = io.Copy(io.Discard, reader)
		reader.Close()
	}
	if errors.Is(errK, sealed.ErrDamaged) == errors.Is(errOther, sealed.ErrDamaged) {
		t.Errorf("one file in both places: %v, %v", errK, errOther)
	}
	for _, name := range names {
		os.Remove(name)
	}
	if err := read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestStartRemovesOrphansOnly(t *testing.T) {
	r := startWithBucket(t)
	r.put(t, "k", random(1000, 1))
	u, err := r.CreateUpload(t.Context(), "b", "up", objects.Metadata{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.PutPart(t.Context(), u.UploadRef, 1, strings.NewReader("part")); err != nil {
		t.Fatal(err)
	}
	orphan := filepath.Join(r.dir, "objects", "ab", "ab000000000000000000000000000000")
	if err := os.WriteFile(orphan, []byte("left by a crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.close()
	r = start(t, r.dir)
	for deadline := time.Now().Add(10 * time.Second); ; {
		if _, err := os.Stat(orphan); errors.Is(err, fs.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the orphan is still there")
		}
		time.Sleep(time.Millisecond)
	}
	if n := len(r.files(t)); n != 2 {
		t.Errorf("%d files, want 2", n)
	}
	if !bytes.Equal(r.get(t, "k"), random(1000, 1)) {
		t.Error("other bytes back")
	}
}

func TestNothingInClear(t *testing.T) {
	r := startWithBucket(t)
	secret := []byte("my account number is one two three four")
	r.put(t, "calls/jane-doe.txt", bytes.Repeat(secret, 5000))
	r.upload(t, "parts", objects.Metadata{User: map[string]string{"note": string(secret)}}, secret)
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, clear := range [][]byte{secret, []byte("jane-doe")} {
			if bytes.Contains(b, clear) || strings.Contains(path, string(clear)) {
				t.Errorf("%s holds %q", path, clear)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// naive lists by S3's definition, with all keys at hand.
func naive(keys []string, q objects.ListQuery) (entries []string, more bool) {
	slices.Sort(keys)
	seen := ""
	for _, key := range keys {
		if !strings.HasPrefix(key, q.Prefix) || key <= q.After {
			continue
		}
		entry := key
		if i := strings.Index(key[len(q.Prefix):], q.Delimiter); q.Delimiter != "" && i >= 0 {
			entry = key[:len(q.Prefix)+i+len(q.Delimiter)]
			if entry == seen || entry == q.After {
				continue
			}
			seen = entry
		}
		if len(entries) == q.Limit {
			return entries, true
		}
		entries = append(entries, entry)
	}
	return entries, false
}

func TestListEqualsNaiveModel(t *testing.T) {
	r := startWithBucket(t)
	rnd := rand.New(rand.NewPCG(7, 7))
	alphabet := []string{"a", "b", "/", "//", "é", "\U0010ffff", "z", "-"}
	unique := map[string]bool{}
	for len(unique) < 250 {
		var key strings.Builder
		for range 1 + rnd.IntN(6) {
			key.WriteString(alphabet[rnd.IntN(len(alphabet))])
		}
		unique[key.String()] = true
	}
	for i := range 80 { // One deep prefix, so that jumps happen.
		unique[fmt.Sprintf("deep/%03d", i)] = true
	}
	var keys []string
	for key := range unique {
		keys = append(keys, key)
	}
	var wg sync.WaitGroup
	for part := range slices.Chunk(keys, 30) {
		wg.Go(func() {
			for _, key := range part {
				r.put(t, key, nil)
			}
		})
	}
	wg.Wait()
	pick := func() string {
		key := keys[rnd.IntN(len(keys))]
		return strings.ToValidUTF8(key[:rnd.IntN(len(key)+1)], "")
	}
	for i := range 400 {
		q := objects.ListQuery{Limit: 1 + rnd.IntN(40), After: pick()}
		if i%3 > 0 {
			q.Prefix = pick()
		}
		if i%2 == 0 {
			q.Delimiter = alphabet[rnd.IntN(len(alphabet))]
		}
		if i%5 == 0 {
			q.After = ""
		}
		for range 30 { // Page by page.
			want, more := naive(keys, q)
			l, err := r.List(t.Context(), "b", q)
			if err != nil {
				t.Fatal(err)
			}
			got := slices.Clone(l.Prefixes)
			for _, o := range l.Objects {
				got = append(got, o.Key)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) || l.More != more {
				t.Fatalf("%+v:\n got %q, more %t\nwant %q, more %t", q, got, l.More, want, more)
			}
			if !l.More {
				break
			}
			q.After = l.Next
		}
	}
}

func TestListUploads(t *testing.T) {
	r := startWithBucket(t)
	for _, key := range []string{"a", "a", "a", "d/1", "d/1", "d/2", "e"} {
		if _, err := r.CreateUpload(t.Context(), "b", key, objects.Metadata{}); err != nil {
			t.Fatal(err)
		}
	}
	for limit := 1; limit < 8; limit++ {
		for delimiter, want := range map[string]string{"": "a a a d/1 d/1 d/2 e", "/": "a a a d/ e"} {
			var got []string
			q := objects.UploadsQuery{Limit: limit, Delimiter: delimiter}
			for {
				l, err := r.ListUploads(t.Context(), "b", q)
				if err != nil {
					t.Fatal(err)
				}
				var page []string
				for _, u := range l.Uploads {
					page = append(page, u.Key)
				}
				page = append(page, l.Prefixes...)
				slices.Sort(page)
				got = append(got, page...)
				if !l.More {
					break
				}
				q.AfterKey, q.AfterID = l.NextKey, l.NextID
			}
			if strings.Join(got, " ") != want {
				t.Errorf("limit %d, delimiter %q: %q, want %q", limit, delimiter, got, want)
			}
		}
	}
}

func TestStaleUploadsExpire(t *testing.T) {
	root, err := kms.NewRoot(make([]byte, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	x, err := index.Open(t.Context(), storetest.Open(t))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	config := embedded.Config{Dir: t.TempDir(), Index: x, Keys: objectstest.RootOnly(root), Now: func() time.Time { return now }}
	s, err := embedded.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket(t.Context(), objects.Bucket{Name: "b", AccountID: "1"}); err != nil {
		t.Fatal(err)
	}
	u, err := s.CreateUpload(t.Context(), "b", "k", objects.Metadata{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	config.Now = func() time.Time { return now.Add(embedded.DefaultUploadAge + time.Second) }
	if s, err = embedded.Open(config); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := s.Upload(t.Context(), u.UploadRef); errors.Is(err, objects.ErrNoSuchUpload) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the upload is still there")
		}
	}
}

func BenchmarkPut(b *testing.B) {
	for _, size := range []int{4 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			r := startWithBucket(b)
			content := random(size, 1)
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				r.put(b, fmt.Sprint(i), content)
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	r := startWithBucket(b)
	r.put(b, "k", random(64<<20, 1))
	b.SetBytes(64 << 20)
	for b.Loop() {
		_, reader, err := r.Open(b.Context(), "b", "k")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, reader); err != nil {
			b.Fatal(err)
		}
		reader.Close()
	}
}
