// Package sessions keeps temporary credentials in SQL. All that matters of one (secret, token, principal)
// is sealed with the root key and bound to its key id and its end, so a row that is copied,
// renamed or prolonged opens nothing. Start at Open.
package sessions

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store"
	"github.com/dictum/dictum/internal/sts"
)

// DefaultLimit is how many sessions an account may have alive at a time.
const DefaultLimit = 100_000

// sweepBatch is how many rows go in one transaction, so that nobody waits long for the write connection.
const sweepBatch = 1000

//go:embed migrations/*.sql
var migrations embed.FS

// Sealer encrypts secrets at rest; kms.Root is one.
type Sealer interface {
	Seal(plaintext []byte, context kms.Context) ([]byte, error)
	Open(sealed []byte, context kms.Context) ([]byte, error)
}

// Sessions is an sts.Sessions on the database. It is safe for concurrent use.
type Sessions struct {
	db     *store.DB
	sealer Sealer
	limit  int
	now    func() time.Time
}

var (
	_ sts.Sessions    = (*Sessions)(nil)
	_ iam.Credentials = (*Sessions)(nil)
	_ Sealer          = (*kms.Root)(nil)
)

// Open brings the tables up to date and returns the store. limit is how many live sessions an
// account may have; zero means DefaultLimit. now is the clock; nil means time.Now.
func Open(ctx context.Context, db *store.DB, sealer Sealer, limit int, now func() time.Time) (*Sessions, error) {
	if limit == 0 {
		limit = DefaultLimit
	}
	if now == nil {
		now = time.Now
	}
	if err := db.Migrate(ctx, "sessions", migrations); err != nil {
		return nil, err
	}
	return &Sessions{db: db, sealer: sealer, limit: limit, now: now}, nil
}

// content is what is sealed of a session.
type content struct {
	Secret    string        `json:"secret"`
	Token     string        `json:"token"`
	Principal iam.Principal `json:"principal"`
}

// Put implements sts.Sessions. An account at its limit loses the sessions that have ended; when all are
// alive, it gets sts.ErrTooManySessions.
func (s *Sessions) Put(ctx context.Context, owner string, c iam.Credential) error {
	plain, err := json.Marshal(content{Secret: c.SecretAccessKey, Token: c.SessionToken, Principal: c.Principal})
	if err != nil {
		return fmt.Errorf("encode session %s: %w", c.AccessKeyID, err)
	}
	expires := c.Expires.UnixMilli()
	sealed, err := s.sealer.Seal(plain, contextOf(c.AccessKeyID, expires))
	if err != nil {
		return fmt.Errorf("seal session %s: %w", c.AccessKeyID, err)
	}
	account := c.Principal.AccountID
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.makeRoom(ctx, tx, account); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (id, account_id, owner, sealed, expires) VALUES (?, ?, ?, ?, ?)`,
			c.AccessKeyID, account, owner, sealed, expires)
		return err
	})
	if err != nil {
		return fmt.Errorf("store session %s: %w", c.AccessKeyID, err)
	}
	return nil
}

func (s *Sessions) makeRoom(ctx context.Context, tx *sql.Tx, account string) error {
	full, err := s.full(ctx, tx, account)
	if err != nil || !full {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM sessions WHERE id IN
		(SELECT id FROM sessions WHERE account_id = ? AND expires <= ? ORDER BY expires LIMIT ?)`,
		account, s.now().UnixMilli(), sweepBatch)
	if err != nil {
		return fmt.Errorf("drop ended sessions: %w", err)
	}
	if full, err = s.full(ctx, tx, account); err != nil {
		return err
	}
	if full {
		return sts.ErrTooManySessions
	}
	return nil
}

func (s *Sessions) full(ctx context.Context, tx *sql.Tx, account string) (bool, error) {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT n FROM session_counts WHERE account_id = ?`, account).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("count sessions: %w", err)
	}
	return n >= s.limit, nil
}

// Lookup implements iam.Credentials. It returns sessions that have ended too, as long as they are
// kept: their end is in the credential, and clients are told that they expired.
func (s *Sessions) Lookup(ctx context.Context, accessKeyID string) (iam.Credential, error) {
	var sealed []byte
	var expires int64
	err := s.db.Read().QueryRowContext(ctx, `SELECT sealed, expires FROM sessions WHERE id = ?`, accessKeyID).Scan(&sealed, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return iam.Credential{}, iam.ErrNoSuchKey
	}
	if err != nil {
		return iam.Credential{}, fmt.Errorf("read session: %w", err)
	}
	plain, err := s.sealer.Open(sealed, contextOf(accessKeyID, expires))
	if err != nil {
		return iam.Credential{}, fmt.Errorf("open session %s: %w", accessKeyID, err)
	}
	var c content
	if err := json.Unmarshal(plain, &c); err != nil {
		return iam.Credential{}, fmt.Errorf("decode session %s: %w", accessKeyID, err)
	}
	if c.Token == "" { // without one the verifier would ask for none
		return iam.Credential{}, fmt.Errorf("session %s has no token", accessKeyID)
	}
	return iam.Credential{
		AccessKeyID: accessKeyID, SecretAccessKey: c.Secret, SessionToken: c.Token,
		Expires: time.UnixMilli(expires).UTC(), Principal: c.Principal,
	}, nil
}

// Revoke implements sts.Sessions.
func (s *Sessions) Revoke(ctx context.Context, owner string) ([]string, error) {
	var ids []string
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		var err error
		ids, err = deleted(ctx, tx, `DELETE FROM sessions WHERE owner = ? RETURNING id`, owner)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("revoke sessions of %s: %w", owner, err)
	}
	return ids, nil
}

// Sweep implements sts.Sessions.
func (s *Sessions) Sweep(ctx context.Context, before time.Time) (int, error) {
	total := 0
	for {
		n := 0
		err := s.db.Tx(ctx, func(tx *sql.Tx) error {
			ids, err := deleted(ctx, tx, `DELETE FROM sessions WHERE id IN
				(SELECT id FROM sessions WHERE expires < ? ORDER BY expires LIMIT ?) RETURNING id`, before.UnixMilli(), sweepBatch)
			n = len(ids)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("sweep sessions: %w", err)
		}
		if total += n; n < sweepBatch {
			return total, nil
		}
	}
}

func deleted(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func contextOf(id string, expires int64) kms.Context {
	return kms.Context{"use": "session", "access-key": id, "expires": strconv.FormatInt(expires, 10)}
}
