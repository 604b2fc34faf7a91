// Package identity keeps accounts and all that belongs to them in SQL. Secrets are sealed with the root
// key and bound to their record and owner, so a row copied onto another opens nothing. Start at Open.
package identity

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Sealer encrypts secrets at rest; kms.Root is one.
type Sealer interface {
	Seal(plaintext []byte, context kms.Context) ([]byte, error)
	Open(sealed []byte, context kms.Context) ([]byte, error)
}

// Identities is an iam.Store on the database.
type Identities struct {
	db     *store.DB
	sealer Sealer
}

var (
	_ iam.Store = (*Identities)(nil)
	_ Sealer    = (*kms.Root)(nil)
)

// Open brings the tables up to date and returns the store.
func Open(ctx context.Context, db *store.DB, sealer Sealer) (*Identities, error) {
	if err := db.Migrate(ctx, "identity", migrations); err != nil {
		return nil, err
	}
	return &Identities{db: db, sealer: sealer}, nil
}

// CreateAccount implements iam.Store.
func (s *Identities) CreateAccount(ctx context.Context, a iam.Account, records []iam.Record) error {
	rows, err := s.seal(records)
	if err != nil {
		return fmt.Errorf("create account %s: %w", a.ID, err)
	}
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO accounts (id, name, created) VALUES (?, ?, ?)`,
			a.ID, a.Name, a.Created.UnixMilli()); err != nil {
			if store.IsConflict(err) {
				return iam.ErrAccountExists
			}
			return fmt.Errorf("insert account: %w", err)
		}
		return put(ctx, tx, a.ID, rows)
	})
	if err != nil {
		return fmt.Errorf("create account %s: %w", a.ID, err)
	}
	return nil
}

// Accounts implements iam.Store.
func (s *Identities) Accounts(ctx context.Context) ([]iam.Account, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id, name, created FROM accounts ORDER BY created, id`)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	defer rows.Close()
	var accounts []iam.Account
	for rows.Next() {
		var a iam.Account
		var created int64
		if err := rows.Scan(&a.ID, &a.Name, &created); err != nil {
			return nil, fmt.Errorf("list accounts: %w", err)
		}
		a.Created = time.UnixMilli(created).UTC()
		accounts = append(accounts, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return accounts, nil
}

// Lookup implements iam.Credentials.
func (s *Identities) Lookup(ctx context.Context, accessKeyID string) (iam.Credential, error) {
	return iam.FindKey(ctx, s, accessKeyID)
}

// Records implements iam.Store.
func (s *Identities) Records(ctx context.Context, accountID string) (records []iam.Record, version int64, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT version FROM accounts WHERE id = ?`, accountID).Scan(&version)
		if errors.Is(err, sql.ErrNoRows) {
			return iam.ErrNoSuchEntity
		}
		if err != nil {
			return fmt.Errorf("read account: %w", err)
		}
		rows, err := tx.QueryContext(ctx, `SELECT type, id, body FROM iam_records WHERE account_id = ?`, accountID)
		if err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var r iam.Record
			if err := rows.Scan(&r.Type, &r.ID, &r.Body); err != nil {
				return fmt.Errorf("read records: %w", err)
			}
			records = append(records, r)
		}
		return rows.Err()
	})
	return records, version, err
}

// Record implements iam.Store.
func (s *Identities) Record(ctx context.Context, key iam.RecordKey) (r iam.Record, accountID string, err error) {
	var owner sql.NullString
	var sealed []byte
	r = iam.Record{Type: key.Type, ID: key.ID}
	err = s.db.Read().QueryRowContext(ctx, `SELECT account_id, body, owner, secret FROM iam_records WHERE type = ? AND id = ?`,
		key.Type, key.ID).Scan(&accountID, &r.Body, &owner, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return iam.Record{}, "", iam.ErrNoSuchEntity
	}
	if err != nil {
		return iam.Record{}, "", fmt.Errorf("read %s %s: %w", key.Type, key.ID, err)
	}
	r.Owner = owner.String
	if sealed != nil {
		if r.Secret, err = s.sealer.Open(sealed, secretContext(r)); err != nil {
			return iam.Record{}, "", fmt.Errorf("open secret of %s: %w", key.ID, err)
		}
	}
	return r, accountID, nil
}

// Save implements iam.Store.
func (s *Identities) Save(ctx context.Context, accountID string, version int64, records []iam.Record, remove []iam.RecordKey) error {
	rows, err := s.seal(records)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		moved, err := tx.ExecContext(ctx, `UPDATE accounts SET version = version + 1 WHERE id = ? AND version = ?`, accountID, version)
		if err != nil {
			return fmt.Errorf("count change: %w", err)
		}
		if n, err := moved.RowsAffected(); err != nil || n == 0 {
			return errors.Join(iam.ErrConflict, err)
		}
		for _, key := range remove {
			if _, err := tx.ExecContext(ctx, `DELETE FROM iam_records WHERE type = ? AND id = ? AND account_id = ?`,
				key.Type, key.ID, accountID); err != nil {
				return fmt.Errorf("delete %s %s: %w", key.Type, key.ID, err)
			}
		}
		return put(ctx, tx, accountID, rows)
	})
}

// row is a record whose secret is sealed.
type row struct {
	iam.Record
	sealed []byte
}

func (s *Identities) seal(records []iam.Record) ([]row, error) {
	rows := make([]row, len(records))
	for i, r := range records {
		rows[i].Record = r
		if r.Secret == nil {
			continue
		}
		var err error
		if rows[i].sealed, err = s.sealer.Seal(r.Secret, secretContext(r)); err != nil {
			return nil, fmt.Errorf("seal secret of %s: %w", r.ID, err)
		}
	}
	return rows, nil
}

// put writes records over those with their ids, but never over another account's.
func put(ctx context.Context, tx *sql.Tx, accountID string, rows []row) error {
	for _, r := range rows {
		written, err := tx.ExecContext(ctx, `INSERT INTO iam_records (type, id, account_id, body, owner, secret) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (type, id) DO UPDATE SET body = excluded.body, owner = excluded.owner, secret = coalesce(excluded.secret, secret)
			WHERE account_id = excluded.account_id`,
			r.Type, r.ID, accountID, string(r.Body), sql.NullString{String: r.Owner, Valid: r.Owner != ""}, r.sealed)
		if err != nil {
			return fmt.Errorf("write %s %s: %w", r.Type, r.ID, err)
		}
		if n, err := written.RowsAffected(); err != nil || n == 0 {
			return errors.Join(iam.ErrExists, err)
		}
	}
	return nil
}

// secretContext binds a secret to its place. Access keys have had theirs since the first version.
func secretContext(r iam.Record) kms.Context {
	return kms.Context{"use": string(r.Type), string(r.Type): r.ID, "user": r.Owner}
}
