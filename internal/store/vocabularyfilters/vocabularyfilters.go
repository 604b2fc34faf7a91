// Package vocabularyfilters keeps vocabulary filters in SQL: the records and the tags. The words are objects; those
// that are to be removed are remembered with the jobs' own, whose keeper sweeps them. Each method is one
// transaction. Start at Filters.
package vocabularyfilters

import (
	"context"
	"database/sql"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/store"
	"github.com/dictum/dictum/internal/store/jobs"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/vocabularyfilter"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Filters implements vocabularyfilter.Store.
type Filters struct {
	db *store.DB
	// garbage are the jobs' tables, which remember what is to be removed.
	garbage *jobs.Jobs
}

var _ vocabularyfilter.Store = (*Filters)(nil)

// Open brings the tables up to date and returns the store. The database stays the caller's to close; garbage must
// be in the same one.
func Open(ctx context.Context, db *store.DB, garbage *jobs.Jobs) (*Filters, error) {
	if err := db.Migrate(ctx, "vocabularyfilters", migrations); err != nil {
		return nil, err
	}
	return &Filters{db: db, garbage: garbage}, nil
}

const columns = `id, account_id, region, name, language_code, modified_ms, words_bucket, words_key, role, encryption`

func scan(row interface{ Scan(dest ...any) error }) (id int64, f vocabularyfilter.Filter, err error) {
	var encryption string
	var modified int64
	err = row.Scan(&id, &f.AccountID, &f.Region, &f.Name, &f.LanguageCode, &modified, &f.Words.Bucket, &f.Words.Key, &f.Role, &encryption)
	if err != nil {
		return 0, f, err
	}
	f.Modified = time.UnixMilli(modified).UTC()
	if err := json.Unmarshal([]byte(encryption), &f.Encryption); err != nil {
		return 0, f, fmt.Errorf("decode stored encryption of filter %d: %w", id, err)
	}
	return id, f, nil
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func find(ctx context.Context, q querier, s job.Scope, name string) (int64, vocabularyfilter.Filter, error) {
	id, f, err := scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM vocabulary_filters WHERE account_id = ? AND region = ? AND name = ?`,
		s.AccountID, s.Region, name))
	if errors.Is(err, sql.ErrNoRows) {
		return 0, f, job.ErrNotFound
	}
	if err != nil {
		return 0, f, fmt.Errorf("read vocabulary filter: %w", err)
	}
	return id, f, nil
}

// Reserve implements vocabularyfilter.Store.
func (s *Filters) Reserve(ctx context.Context, words job.Garbage) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error { return jobs.PutGarbage(ctx, tx, words) })
}

// Create implements vocabularyfilter.Store.
func (s *Filters) Create(ctx context.Context, f vocabularyfilter.Filter, admit func(count int) error) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, _, err := find(ctx, tx, f.Scope, f.Name); err == nil {
			return job.ErrExists
		} else if !errors.Is(err, job.ErrNotFound) {
			return err
		}
		var count int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM vocabulary_filters WHERE account_id = ? AND region = ?`, f.AccountID, f.Region).Scan(&count); err != nil {
			return fmt.Errorf("count vocabulary filters: %w", err)
		}
		if err := admit(count); err != nil {
			return err
		}
		encryption, err := json.Marshal(f.Encryption)
		if err != nil {
			return fmt.Errorf("encode encryption: %w", err)
		}
		res, err := tx.ExecContext(ctx, `INSERT INTO vocabulary_filters (account_id, region, name, language_code, modified_ms, words_bucket, words_key, role, encryption)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			f.AccountID, f.Region, f.Name, f.LanguageCode, f.Modified.UnixMilli(), f.Words.Bucket, f.Words.Key, f.Role, string(encryption))
		if err != nil {
			return fmt.Errorf("insert vocabulary filter: %w", err)
		}
		id, err := res.LastInsertId()
		if err != nil {
			return fmt.Errorf("insert vocabulary filter: %w", err)
		}
		if err := putTags(ctx, tx, id, f.Tags); err != nil {
			return err
		}
		return jobs.KeepGarbage(ctx, tx, f.Words)
	})
}

// Get implements vocabularyfilter.Store.
func (s *Filters) Get(ctx context.Context, sc job.Scope, name string) (vocabularyfilter.Filter, error) {
	id, f, err := find(ctx, s.db.Read(), sc, name)
	if err != nil {
		return f, err
	}
	f.Tags, err = tagsOf(ctx, s.db.Read(), id)
	return f, err
}

// List implements vocabularyfilter.Store. The token is the place of the last filter that was returned.
func (s *Filters) List(ctx context.Context, sc job.Scope, q vocabularyfilter.Query) (vocabularyfilter.Page, error) {
	where := []string{"account_id = ?", "region = ?"}
	args := []any{sc.AccountID, sc.Region}
	if q.Token != "" {
		modified, id, err := parseToken(q.Token)
		if err != nil {
			return vocabularyfilter.Page{}, err
		}
		where, args = append(where, "(modified_ms, id) < (?, ?)"), append(args, modified, id)
	}
	if q.NameContains != "" {
		where, args = append(where, "instr(lower(name), lower(?)) > 0"), append(args, q.NameContains)
	}
	// One more than asked for tells whether there is another page.
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+columns+` FROM vocabulary_filters WHERE `+strings.Join(where, " AND ")+
		` ORDER BY modified_ms DESC, id DESC LIMIT ?`, append(args, q.Max+1)...)
	if err != nil {
		return vocabularyfilter.Page{}, fmt.Errorf("list vocabulary filters: %w", err)
	}
	defer rows.Close()
	var page vocabularyfilter.Page
	next := ""
	for rows.Next() {
		if len(page.Filters) == q.Max {
			page.Next = next
			break
		}
		id, f, err := scan(rows)
		if err != nil {
			return vocabularyfilter.Page{}, fmt.Errorf("list vocabulary filters: %w", err)
		}
		page.Filters = append(page.Filters, f)
		next = formatToken(f.Modified.UnixMilli(), id)
	}
	return page, rows.Err()
}

// tokenForm begins with the version of the token's form.
const tokenForm = "vocabulary-filters/1/%d/%d"

func formatToken(modified, id int64) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, tokenForm, modified, id))
}

func parseToken(token string) (modified, id int64, err error) {
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return 0, 0, job.ErrBadToken
	}
	if _, err := fmt.Sscanf(string(b), tokenForm, &modified, &id); err != nil || formatToken(modified, id) != token {
		return 0, 0, job.ErrBadToken
	}
	return modified, id, nil
}

// Update implements vocabularyfilter.Store.
func (s *Filters) Update(ctx context.Context, f vocabularyfilter.Filter, due time.Time) (job.Garbage, error) {
	var old job.Garbage
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		id, before, err := find(ctx, tx, f.Scope, f.Name)
		if err != nil {
			return err
		}
		old = job.Garbage{Location: before.Words, NotBefore: due}
		encryption, err := json.Marshal(f.Encryption)
		if err != nil {
			return fmt.Errorf("encode encryption: %w", err)
		}
		_, err = tx.ExecContext(ctx, `UPDATE vocabulary_filters SET modified_ms = ?, words_bucket = ?, words_key = ?, role = ?, encryption = ? WHERE id = ?`,
			f.Modified.UnixMilli(), f.Words.Bucket, f.Words.Key, f.Role, string(encryption), id)
		if err != nil {
			return fmt.Errorf("update vocabulary filter: %w", err)
		}
		if err := jobs.PutGarbage(ctx, tx, old); err != nil {
			return err
		}
		return jobs.KeepGarbage(ctx, tx, f.Words)
	})
	return old, err
}

// Delete implements vocabularyfilter.Store.
func (s *Filters) Delete(ctx context.Context, sc job.Scope, name string, due time.Time) (job.Garbage, error) {
	var old job.Garbage
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		id, before, err := find(ctx, tx, sc, name)
		if err != nil {
			return err
		}
		old = job.Garbage{Location: before.Words, NotBefore: due}
		for _, table := range []string{`vocabulary_filter_tags WHERE filter_id`, `vocabulary_filters WHERE id`} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` = ?`, id); err != nil {
				return fmt.Errorf("delete vocabulary filter: %w", err)
			}
		}
		return jobs.PutGarbage(ctx, tx, old)
	})
	return old, err
}

// Collected implements vocabularyfilter.Store.
func (s *Filters) Collected(ctx context.Context, g job.Garbage) error {
	return s.garbage.Collected(ctx, g)
}
