package store_test

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/serdes"

	"github.com/dictum/dictum/internal/store"
)

// pages returns the database as whoever has the root key can read it: every page in clear, free ones too.
func pages(t *testing.T, db *store.DB) []byte {
	t.Helper()
	conn, err := db.Read().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var all []byte
	err = conn.Raw(func(c any) (err error) {
		raw, ok := c.(interface {
			driver.Conn
			Raw() *sqlite3.Conn
		})
		if !ok {
			return fmt.Errorf("%T is not SQLite's", c)
		}
		all, err = serdes.Serialize(raw.Raw(), "main")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDeletedRowsAreOverwritten(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "dictum.db"))
	const rows = 100
	// Long enough that some lie on pages of their own, which deletion frees.
	word := func(i int) string { return fmt.Sprintf("wrapped data key %d %s", i, strings.Repeat("x", 100*i)) }
	for i := range rows {
		if err := insert(t.Context(), db, word(i)); err != nil {
			t.Fatal(err)
		}
	}
	const mark = "wrapped data key"
	if !bytes.Contains(pages(t, db), []byte(mark)) {
		t.Fatal("rows that are there are not found, so this test cannot fail")
	}
	if err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM words")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(pages(t, db), []byte(mark)); n > 0 {
		t.Errorf("%d deleted rows can still be read by whoever has the key", n)
	}
}

func BenchmarkDelete(b *testing.B) {
	for _, size := range []int{100, 8000} {
		b.Run(fmt.Sprint(size, " bytes"), func(b *testing.B) {
			db := open(b, filepath.Join(b.TempDir(), "dictum.db"))
			for i := 0; b.Loop(); i++ {
				if err := insert(b.Context(), db, fmt.Sprint(strings.Repeat("x", size), i)); err != nil {
					b.Fatal(err)
				}
				if err := db.Tx(b.Context(), func(tx *sql.Tx) error {
					_, err := tx.Exec("DELETE FROM words")
					return err
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
