// Package jobs keeps transcription jobs in SQL: the records, the queue of workers over the same table,
// and the tags. Each method is one transaction. Start at Jobs; queue.go has the leases.
package jobs

import (
	"context"
	"database/sql"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/store"
	"github.com/dictum/dictum/internal/transcribe/job"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Jobs implements the stores that package job declares.
type Jobs struct{ db *store.DB }

var (
	_ job.Store    = (*Jobs)(nil)
	_ job.TagStore = (*Jobs)(nil)
	_ job.Queue    = (*Jobs)(nil)
)

// Open brings the tables up to date and returns the store. The database stays the caller's to close.
func Open(ctx context.Context, db *store.DB) (*Jobs, error) {
	if err := db.Migrate(ctx, "jobs", migrations); err != nil {
		return nil, err
	}
	return &Jobs{db: db}, nil
}

// columns are what scan reads.
const columns = `id, account_id, region, name, status, request, principal, key_arn, media_bucket, media_key,
	output_service, output_bucket, output_key, output_expired, created_ms, started_ms, completed_ms, deferred,
	failure_kind, failure_reason, media_format, sample_rate, language_code, language_score, languages, attempts, errors`

type scanner interface{ Scan(dest ...any) error }

// scan reads columns, then more.
func scan(row scanner, more ...any) (job.Job, error) {
	var j job.Job
	var request, principal, languages string
	var created, started, completed int64
	dest := []any{
		&j.ID, &j.AccountID, &j.Region, &j.Name, &j.Status, &request, &principal, &j.KeyARN, &j.Media.Bucket, &j.Media.Key,
		&j.Output.Service, &j.Output.Bucket, &j.Output.Key, &j.Output.Expired, &created, &started, &completed, &j.Deferred,
		&j.Failure.Kind, &j.Failure.Reason, &j.Detected.MediaFormat, &j.Detected.SampleRate,
		&j.Detected.LanguageCode, &j.Detected.LanguageScore, &languages, &j.Attempts, &j.Errors,
	}
	if err := row.Scan(append(dest, more...)...); err != nil {
		return job.Job{}, err
	}
	if err := json.Unmarshal([]byte(request), &j.Request); err != nil {
		return job.Job{}, fmt.Errorf("decode stored request of job %s: %w", j.ID, err)
	}
	if languages != "" {
		if err := json.Unmarshal([]byte(languages), &j.Detected.Languages); err != nil {
			return job.Job{}, fmt.Errorf("decode stored languages of job %s: %w", j.ID, err)
		}
	}
	if principal == "" {
		j.Principal = job.Administrator(j.AccountID)
	} else if err := json.Unmarshal([]byte(principal), &j.Principal); err != nil {
		return job.Job{}, fmt.Errorf("decode stored principal of job %s: %w", j.ID, err)
	}
	j.Created, j.Started, j.Completed = fromMillis(created), fromMillis(started), fromMillis(completed)
	return j, nil
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Create implements job.Store.
func (s *Jobs) Create(ctx context.Context, j job.Job, admit func(job.Load, *job.Job) error) (job.Job, error) {
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		var taken bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM transcription_jobs WHERE account_id = ? AND region = ? AND name = ?)`,
			j.AccountID, j.Region, j.Name).Scan(&taken)
		if err != nil {
			return fmt.Errorf("look for the name: %w", err)
		}
		if taken {
			return job.ErrExists
		}
		load, err := loadOf(ctx, tx, j.Scope)
		if err != nil {
			return err
		}
		if err := admit(load, &j); err != nil {
			return err
		}
		return insert(ctx, tx, j)
	})
	if err != nil {
		return job.Job{}, err
	}
	// What is returned is what Get will return: to the millisecond.
	j.Created, j.Started = fromMillis(millis(j.Created)), fromMillis(millis(j.Started))
	return j, nil
}

func insert(ctx context.Context, tx *sql.Tx, j job.Job) error {
	request, err := json.Marshal(j.Request)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	principal, err := json.Marshal(j.Principal)
	if err != nil {
		return fmt.Errorf("encode principal: %w", err)
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO transcription_jobs (id, account_id, region, name, status, request, caller, principal, key_arn,
		media_bucket, media_key, output_service, output_bucket, output_key, created_ms, started_ms, deferred)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		j.ID, j.AccountID, j.Region, j.Name, string(j.Status), string(request), j.Principal.ARN, string(principal), j.KeyARN,
		j.Media.Bucket, j.Media.Key, j.Output.Service, j.Output.Bucket, j.Output.Key, millis(j.Created), millis(j.Started), j.Deferred)
	if err != nil {
		return fmt.Errorf("insert job: %w", err)
	}
	seq, err := res.LastInsertId()
	if err != nil {
		return fmt.Errorf("insert job: %w", err)
	}
	return putTags(ctx, tx, seq, j.Tags)
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func loadOf(ctx context.Context, q querier, s job.Scope) (job.Load, error) {
	var l job.Load
	err := q.QueryRowContext(ctx, `SELECT
		count(*) FILTER (WHERE status = 'IN_PROGRESS'),
		count(*) FILTER (WHERE status = 'IN_PROGRESS' AND deferred),
		count(*) FILTER (WHERE status = 'QUEUED')
		FROM transcription_jobs WHERE account_id = ? AND region = ? AND status IN ('QUEUED', 'IN_PROGRESS')`,
		s.AccountID, s.Region).Scan(&l.InProgress, &l.Deferred, &l.Queued)
	if err != nil {
		return job.Load{}, fmt.Errorf("count the account's jobs: %w", err)
	}
	return l, nil
}

// Get implements job.Store.
func (s *Jobs) Get(ctx context.Context, sc job.Scope, name string) (job.Job, error) {
	var seq int64
	j, err := scan(s.db.Read().QueryRowContext(ctx, `SELECT `+columns+`, seq FROM transcription_jobs WHERE account_id = ? AND region = ? AND name = ?`,
		sc.AccountID, sc.Region, name), &seq)
	if errors.Is(err, sql.ErrNoRows) {
		return job.Job{}, job.ErrNotFound
	}
	if err != nil {
		return job.Job{}, fmt.Errorf("read job: %w", err)
	}
	j.Tags, err = tagsOf(ctx, s.db.Read(), seq)
	return j, err
}

// List implements job.Store. The token is the place of the last job that was returned.
func (s *Jobs) List(ctx context.Context, sc job.Scope, q job.Query) (job.Page, error) {
	where := []string{"account_id = ?", "region = ?"}
	args := []any{sc.AccountID, sc.Region}
	if q.Token != "" {
		before, err := parseToken(q.Token)
		if err != nil {
			return job.Page{}, err
		}
		where, args = append(where, "seq < ?"), append(args, before)
	}
	if q.Status != "" {
		where, args = append(where, "status = ?"), append(args, string(q.Status))
	}
	if q.NameContains != "" {
		where, args = append(where, "instr(lower(name), lower(?)) > 0"), append(args, q.NameContains)
	}
	// One more than asked for tells whether there is another page.
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+columns+`, seq FROM transcription_jobs WHERE `+strings.Join(where, " AND ")+` ORDER BY seq DESC LIMIT ?`,
		append(args, q.Max+1)...)
	if err != nil {
		return job.Page{}, fmt.Errorf("list jobs: %w", err)
	}
	defer rows.Close()
	var page job.Page
	var last int64
	for rows.Next() {
		if len(page.Jobs) == q.Max {
			page.Next = formatToken(last)
			break
		}
		j, err := scan(rows, &last)
		if err != nil {
			return job.Page{}, fmt.Errorf("list jobs: %w", err)
		}
		page.Jobs = append(page.Jobs, j)
	}
	return page, rows.Err()
}

// tokenPrefix is the version of the token's form.
const tokenPrefix = "jobs/1/"

func formatToken(seq int64) string {
	return base64.StdEncoding.EncodeToString([]byte(tokenPrefix + strconv.FormatInt(seq, 10)))
}

func parseToken(token string) (int64, error) {
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return 0, job.ErrBadToken
	}
	number, ok := strings.CutPrefix(string(b), tokenPrefix)
	if !ok {
		return 0, job.ErrBadToken
	}
	seq, err := strconv.ParseInt(number, 10, 64)
	if err != nil || seq < 0 {
		return 0, job.ErrBadToken
	}
	return seq, nil
}

// Delete implements job.Store.
func (s *Jobs) Delete(ctx context.Context, id string, garbage []job.Garbage) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		var seq int64
		err := tx.QueryRowContext(ctx, `SELECT seq FROM transcription_jobs WHERE id = ?`, id).Scan(&seq)
		if errors.Is(err, sql.ErrNoRows) {
			return job.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("find job: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM transcription_job_tags WHERE job_seq = ?`, seq); err != nil {
			return fmt.Errorf("delete tags: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM transcription_jobs WHERE seq = ?`, seq); err != nil {
			return fmt.Errorf("delete job: %w", err)
		}
		return PutGarbage(ctx, tx, garbage...)
	})
}

// PutGarbage remembers service-managed objects for removal, as part of a transaction on this database: the jobs' own
// and other resources'.
func PutGarbage(ctx context.Context, tx *sql.Tx, garbage ...job.Garbage) error {
	for _, g := range garbage {
		if _, err := tx.ExecContext(ctx, `INSERT INTO transcription_garbage (bucket, key, due_ms) VALUES (?, ?, ?)
			ON CONFLICT (bucket, key) DO UPDATE SET due_ms = max(due_ms, excluded.due_ms)`, g.Bucket, g.Key, millis(g.NotBefore)); err != nil {
			return fmt.Errorf("remember output to delete: %w", err)
		}
	}
	return nil
}

// KeepGarbage takes an object back from those that are to be removed. It fails when that has been removed, or never
// was to be.
func KeepGarbage(ctx context.Context, tx *sql.Tx, at job.Location) error {
	done, err := tx.ExecContext(ctx, `DELETE FROM transcription_garbage WHERE bucket = ? AND key = ?`, at.Bucket, at.Key)
	if err != nil {
		return fmt.Errorf("keep object: %w", err)
	}
	n, err := done.RowsAffected()
	if err != nil {
		return fmt.Errorf("keep object: %w", err)
	}
	if n == 0 {
		return errors.New("keep object: it was removed")
	}
	return nil
}

// Expired implements job.Store.
func (s *Jobs) Expired(ctx context.Context, t time.Time, limit int) ([]job.Job, error) {
	return s.ended(ctx, "", t, limit)
}

// ExpiredOutput implements job.Store.
func (s *Jobs) ExpiredOutput(ctx context.Context, t time.Time, limit int) ([]job.Job, error) {
	return s.ended(ctx, " AND output_service AND NOT output_expired", t, limit)
}

// ended returns jobs that were completed before t, oldest first.
func (s *Jobs) ended(ctx context.Context, only string, t time.Time, limit int) ([]job.Job, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+columns+` FROM transcription_jobs
		WHERE completed_ms > 0 AND completed_ms < ?`+only+` ORDER BY completed_ms LIMIT ?`, millis(t), limit)
	if err != nil {
		return nil, fmt.Errorf("find expired jobs: %w", err)
	}
	defer rows.Close()
	var out []job.Job
	for rows.Next() {
		j, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("find expired jobs: %w", err)
		}
		out = append(out, j)
	}
	return out, rows.Err()
}

// DropOutput implements job.Store.
func (s *Jobs) DropOutput(ctx context.Context, id string, garbage []job.Garbage) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, `UPDATE transcription_jobs SET output_expired = 1 WHERE id = ?`, id))
		if err != nil {
			return fmt.Errorf("mark output as expired: %w", err)
		}
		if n == 0 {
			return job.ErrNotFound
		}
		return PutGarbage(ctx, tx, garbage...)
	})
}

// Garbage implements job.Store.
func (s *Jobs) Garbage(ctx context.Context, now time.Time, limit int) ([]job.Garbage, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT bucket, key, due_ms FROM transcription_garbage WHERE due_ms <= ? ORDER BY due_ms LIMIT ?`, millis(now), limit)
	if err != nil {
		return nil, fmt.Errorf("find output to delete: %w", err)
	}
	defer rows.Close()
	var out []job.Garbage
	for rows.Next() {
		var g job.Garbage
		var due int64
		if err := rows.Scan(&g.Bucket, &g.Key, &due); err != nil {
			return nil, fmt.Errorf("find output to delete: %w", err)
		}
		g.NotBefore = fromMillis(due)
		out = append(out, g)
	}
	return out, rows.Err()
}

// Collected implements job.Store.
func (s *Jobs) Collected(ctx context.Context, g job.Garbage) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM transcription_garbage WHERE bucket = ? AND key = ?`, g.Bucket, g.Key); err != nil {
			return fmt.Errorf("forget deleted output: %w", err)
		}
		return nil
	})
}
