package iam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Type is what kind of thing a record holds.
type Type string

// The types of record.
const (
	TypeUser     Type = "user"
	TypeGroup    Type = "group"
	TypeRole     Type = "role"
	TypePolicy   Type = "policy"
	TypeKey      Type = "access-key"
	TypeDevice   Type = "mfa-device"
	TypeProvider Type = "oidc-provider"
	TypeAlias    Type = "account-alias"
	TypeUse      Type = "use"
)

// Record is one thing of an account as it is stored: JSON, and perhaps a secret. The type and the id are
// unique over all accounts.
type Record struct {
	Type Type
	ID   string
	Body []byte
	// Secret is plain here and sealed by the store, bound to the type, the id and the owner. Nil leaves a
	// stored secret as it is.
	Secret []byte
	// Owner is whose secret it is.
	Owner string
}

// RecordKey names a record.
type RecordKey struct {
	Type Type
	ID   string
}

// Store keeps accounts and their records.
type Store interface {
	// Credentials finds the active access keys of users and roots.
	Credentials
	// CreateAccount stores an account with its first records, all or nothing. It returns ErrAccountExists when
	// the id is taken.
	CreateAccount(ctx context.Context, a Account, records []Record) error
	// Accounts returns all accounts, the oldest first.
	Accounts(ctx context.Context) ([]Account, error)
	// Records returns an account's records without secrets, and how often they were changed; ErrNoSuchEntity when
	// there is no such account.
	Records(ctx context.Context, accountID string) (records []Record, version int64, err error)
	// Record returns one record with its secret, and its account; ErrNoSuchEntity when there is none.
	Record(ctx context.Context, key RecordKey) (r Record, accountID string, err error)
	// Save stores and removes records of an account in one step that is durable when it returns. It returns
	// ErrConflict when the account is not at this version, and ErrExists when another account has a
	// record's id.
	Save(ctx context.Context, accountID string, version int64, put []Record, remove []RecordKey) error
}

// entity is what a record can hold.
type entity interface{ record() Record }

func (u User) record() Record          { return encode(TypeUser, u.ID, u) }
func (g Group) record() Record         { return encode(TypeGroup, g.ID, g) }
func (r Role) record() Record          { return encode(TypeRole, r.ID, r) }
func (p ManagedPolicy) record() Record { return encode(TypePolicy, p.ID, p) }
func (p OIDCProvider) record() Record  { return encode(TypeProvider, p.ARN(), p) }
func (u Use) record() Record           { return encode(TypeUse, u.ID, u) }

func (k AccessKey) record() Record {
	r := encode(TypeKey, k.ID, k)
	r.Owner = k.UserID
	if k.Secret != "" {
		r.Secret = []byte(k.Secret)
	}
	return r
}

func (d MFADevice) record() Record {
	r := encode(TypeDevice, d.Serial(), d)
	r.Owner, r.Secret = d.AccountID, d.secret
	return r
}

func encode(t Type, id string, v any) Record {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("iam: encode %s: %v", t, err)) // strings, numbers, times and lists of them only
	}
	return Record{Type: t, ID: id, Body: body}
}

func decode[T any](r Record) (T, error) {
	var v T
	if err := json.Unmarshal(r.Body, &v); err != nil {
		return v, fmt.Errorf("read %s %s: %w", r.Type, r.ID, err)
	}
	return v, nil
}

// FindKey is how a Store looks up a credential in its records: ErrNoSuchKey when there is no such key, or it is not active.
func FindKey(ctx context.Context, s Store, accessKeyID string) (Credential, error) {
	r, _, err := s.Record(ctx, RecordKey{TypeKey, accessKeyID})
	if errors.Is(err, ErrNoSuchEntity) {
		return Credential{}, ErrNoSuchKey
	}
	if err != nil {
		return Credential{}, err
	}
	k, err := decode[AccessKey](r)
	if err != nil {
		return Credential{}, err
	}
	k.Secret = string(r.Secret)
	if !k.Active {
		return Credential{}, ErrNoSuchKey
	}
	if k.UserID == k.AccountID {
		return k.rootCredential(), nil
	}
	owner, _, err := s.Record(ctx, RecordKey{TypeUser, k.UserID})
	if errors.Is(err, ErrNoSuchEntity) {
		return Credential{}, ErrNoSuchKey // the user was deleted between the two reads
	}
	if err != nil {
		return Credential{}, err
	}
	u, err := decode[User](owner)
	if err != nil {
		return Credential{}, err
	}
	return k.Credential(u), nil
}
