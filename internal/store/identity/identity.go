// Package identity keeps accounts, users and access keys in SQL. Secrets are sealed with the root
// key and bound to their key id and user, so a row copied onto another opens nothing. Start at Open.
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
func (s *Identities) CreateAccount(ctx context.Context, a iam.Account, u iam.User, k iam.AccessKey) error {
	sealed, err := s.sealer.Seal([]byte(k.Secret), secretContext(k.ID, u.ID))
	if err != nil {
		return fmt.Errorf("seal secret of %s: %w", k.ID, err)
	}
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO accounts (id, name, created) VALUES (?, ?, ?)`,
			a.ID, a.Name, a.Created.UnixMilli()); err != nil {
			if store.IsConflict(err) {
				return iam.ErrAccountExists
			}
			return fmt.Errorf("insert account: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO users (id, account_id, name, created) VALUES (?, ?, ?, ?)`,
			u.ID, a.ID, u.Name, u.Created.UnixMilli()); err != nil {
			return fmt.Errorf("insert user: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO access_keys (id, user_id, secret, created) VALUES (?, ?, ?, ?)`,
			k.ID, u.ID, sealed, k.Created.UnixMilli()); err != nil {
			return fmt.Errorf("insert access key: %w", err)
		}
		return nil
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

const selectKey = `SELECT k.id, k.secret, u.id, u.account_id, u.name
	FROM access_keys k JOIN users u ON u.id = k.user_id WHERE k.active = 1 AND `

// Lookup implements iam.Credentials.
func (s *Identities) Lookup(ctx context.Context, accessKeyID string) (iam.Credential, error) {
	return s.credential(s.db.Read().QueryRowContext(ctx, selectKey+`k.id = ?`, accessKeyID))
}

// Administrator implements iam.Store.
func (s *Identities) Administrator(ctx context.Context, accountID string) (iam.Credential, error) {
	return s.credential(s.db.Read().QueryRowContext(ctx,
		selectKey+`u.account_id = ? AND u.name = ? ORDER BY k.created, k.id LIMIT 1`, accountID, iam.AdministratorName))
}

func (s *Identities) credential(row *sql.Row) (iam.Credential, error) {
	var k iam.AccessKey
	var u iam.User
	var sealed []byte
	err := row.Scan(&k.ID, &sealed, &u.ID, &u.AccountID, &u.Name)
	if errors.Is(err, sql.ErrNoRows) {
		return iam.Credential{}, iam.ErrNoSuchKey
	}
	if err != nil {
		return iam.Credential{}, fmt.Errorf("read access key: %w", err)
	}
	secret, err := s.sealer.Open(sealed, secretContext(k.ID, u.ID))
	if err != nil {
		return iam.Credential{}, fmt.Errorf("open secret of %s: %w", k.ID, err)
	}
	k.Secret = string(secret)
	return k.Credential(u), nil
}

func secretContext(keyID, userID string) kms.Context {
	return kms.Context{"use": "access-key", "access-key": keyID, "user": userID}
}
