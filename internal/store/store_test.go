package store_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/dictum/dictum/internal/store"
)

var (
	testKey   = bytes.Repeat([]byte{3, 9}, store.KeySize/2)
	testTable = fstest.MapFS{
		"migrations/00001_create.sql": {Data: []byte("-- +goose Up\nCREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT UNIQUE) STRICT;\n")},
	}
)

// crashChild, when set, makes the test binary write to this database until it is killed.
const crashChild = "DICTUM_TEST_STORE_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashChild); path != "" {
		fmt.Fprintln(os.Stderr, writeForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func open(t testing.TB, path string) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), path, testKey)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(context.Background(), "words", testTable); err != nil {
		t.Fatal(err)
	}
	return db
}

func insert(ctx context.Context, db *store.DB, word string) error {
	return db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO words (word) VALUES (?)", word)
		return err
	})
}

func count(t testing.TB, db *store.DB) (n int) {
	t.Helper()
	if err := db.Read().QueryRow("SELECT count(*) FROM words").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder with space?&%41", "dictum.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	db := open(t, path)
	if err := insert(t.Context(), db, "hello"); err != nil {
		t.Fatal(err)
	}
	t.Run("commits are synced and logged ahead on every connection", func(t *testing.T) {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
			var got string
			if err := db.Tx(t.Context(), func(tx *sql.Tx) error { return tx.QueryRow("PRAGMA " + pragma).Scan(&got) }); err != nil || got != want {
				t.Errorf("%s of the writer: %s, %v; want %s", pragma, got, err, want)
			}
			if err := db.Read().QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s of a reader: %s, %v; want %s", pragma, got, err, want)
			}
		}
	})
	t.Run("the file is private", func(t *testing.T) {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	})
	t.Run("readers cannot write", func(t *testing.T) {
		if _, err := db.Read().Exec("DELETE FROM words"); err == nil {
			t.Error("a reader wrote")
		}
	})
	t.Run("a failed transaction leaves nothing", func(t *testing.T) {
		stop := errors.New("stop")
		err := db.Tx(t.Context(), func(tx *sql.Tx) error {
			if _, err := tx.Exec("INSERT INTO words (word) VALUES ('gone')"); err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) || count(t, db) != 1 {
			t.Errorf("%v, %d rows", err, count(t, db))
		}
	})
	t.Run("a panic leaves the writer usable", func(t *testing.T) {
		func() {
			defer func() { recover() }()
			db.Tx(t.Context(), func(*sql.Tx) error { panic("x") })
		}()
		if err := insert(t.Context(), db, "after"); err != nil {
			t.Error(err)
		}
	})
	t.Run("a conflict is recognised", func(t *testing.T) {
		if err := insert(t.Context(), db, "hello"); !store.IsConflict(err) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("rows are there after reopening", func(t *testing.T) {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if got, want := count(t, open(t, path)), 2; got != want {
			t.Errorf("%d rows, want %d", got, want)
		}
	})
	t.Run("another key is refused without naming either", func(t *testing.T) {
		other := bytes.Repeat([]byte{4, 5}, store.KeySize/2)
		_, err := store.Open(t.Context(), path, other)
		if !errors.Is(err, store.ErrWrongKey) || strings.Contains(err.Error(), "0405") {
			t.Errorf("got %v", err)
		}
	})
}

func TestNothingInClearOnDisk(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "dictum.db"))
	const secret = "the quick brown transcript"
	for i := range 200 {
		if err := insert(t.Context(), db, fmt.Sprint(secret, i)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string) {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			for _, clear := range []string{secret, "SQLite format 3", "CREATE TABLE"} {
				if bytes.Contains(b, []byte(clear)) {
					t.Errorf("%s: %s holds %q", when, filepath.Base(path), clear)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	check("while open")
	db.Close()
	check("after closing")
}

func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dictum.db")
	db := open(t, path)
	t.Run("again changes nothing", func(t *testing.T) {
		if err := db.Migrate(t.Context(), "words", testTable); err != nil {
			t.Error(err)
		}
	})
	t.Run("domains do not meet", func(t *testing.T) {
		other := fstest.MapFS{"migrations/00001_create.sql": {Data: []byte("-- +goose Up\nCREATE TABLE other (id INTEGER);\n")}}
		if err := db.Migrate(t.Context(), "other", other); err != nil {
			t.Error(err)
		}
	})
	t.Run("a broken step changes nothing and says which it was", func(t *testing.T) {
		broken := fstest.MapFS{
			"migrations/00001_create.sql": testTable["migrations/00001_create.sql"],
			"migrations/00002_more.sql":   {Data: []byte("-- +goose Up\nCREATE TABLE more (id INTEGER);\nCREATE TABLE words (x);\n")},
		}
		err := db.Migrate(t.Context(), "words", broken)
		if err == nil || !strings.Contains(err.Error(), "words to version 2") {
			t.Errorf("got %v", err)
		}
		if _, err := db.Read().Exec("SELECT * FROM more"); err == nil {
			t.Error("half of the step happened")
		}
	})
	t.Run("a database of a newer version is refused", func(t *testing.T) {
		newer := fstest.MapFS{
			"migrations/00001_create.sql": testTable["migrations/00001_create.sql"],
			"migrations/00002_more.sql":   {Data: []byte("-- +goose Up\nCREATE TABLE newer (id INTEGER);\n")},
		}
		if err := db.Migrate(t.Context(), "words", newer); err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context(), "words", testTable); !errors.Is(err, store.ErrNewerSchema) {
			t.Errorf("got %v", err)
		}
	})
}

func TestConcurrentWritersAndReaders(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "dictum.db"))
	const writers, each = 8, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := insert(t.Context(), db, fmt.Sprint(w, "-", i)); err != nil {
					t.Error(err)
				}
				// What was acknowledged is seen by every reader at once.
				var n int
				if err := db.Read().QueryRow("SELECT count(*) FROM words WHERE word = ?", fmt.Sprint(w, "-", i)).Scan(&n); err != nil || n != 1 {
					t.Errorf("read back: %d, %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	if got, want := count(t, db), writers*each; got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
}

// writeForever inserts rows and prints the number of each once it is committed.
func writeForever(path string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, path, testKey)
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx, "words", testTable); err != nil {
		return err
	}
	for {
		var id int64
		err := db.Tx(ctx, func(tx *sql.Tx) error {
			return tx.QueryRow("INSERT INTO words (word) VALUES (hex(randomblob(300))) RETURNING id").Scan(&id)
		})
		if err != nil {
			return err
		}
		fmt.Println(id)
	}
}

func TestAcknowledgedRowsSurviveKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dictum.db")
	last := 0
	for round := range 5 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashChild+"="+path)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for seen := 0; lines.Scan(); seen++ {
			if last, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(err)
			}
			if seen == 40+17*round {
				child.Process.Kill() // SIGKILL; lines already acknowledged are still read.
			}
		}
		child.Wait()
		db := open(t, path)
		if got := count(t, db); got < last {
			t.Errorf("round %d: %d rows, %d were acknowledged", round, got, last)
		}
		var verdict string
		if err := db.Read().QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
			t.Errorf("round %d: integrity: %s, %v", round, verdict, err)
		}
		db.Close()
	}
	if last < 5*40 {
		t.Errorf("only %d rows were written", last)
	}
}

func BenchmarkCommit(b *testing.B) {
	db := open(b, filepath.Join(b.TempDir(), "dictum.db"))
	for i := 0; b.Loop(); i++ {
		if err := insert(b.Context(), db, fmt.Sprint("a word of a row of the size of a small job", i)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	db := open(b, filepath.Join(b.TempDir(), "dictum.db"))
	const rows = 5000
	err := db.Tx(b.Context(), func(tx *sql.Tx) error {
		for i := range rows {
			if _, err := tx.Exec("INSERT INTO words (word) VALUES (?)", fmt.Sprint("word", i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			var id int
			if err := db.Read().QueryRow("SELECT id FROM words WHERE word = ?", fmt.Sprint("word", i%rows)).Scan(&id); err != nil {
				b.Fatal(err)
			}
		}
	})
}
