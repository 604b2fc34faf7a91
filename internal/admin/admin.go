// Package admin is what the operator does to a server as a whole, above all accounts: make accounts and keys of
// their roots, and rotate the keys that everything is encrypted under. A running server offers it on a socket in its data folder that only its owner may open; for a
// stopped one the command line works on the data folder itself. Start at Operator.
package admin

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
)

// Source is the service that acts of an operator have in the audit, and the principal.
const Source = "admin.dictum"

// maxName is how many characters the name of an account may have, as AWS's.
const maxName = 50

// Key is an access key as its owner gets it, once.
type Key struct {
	AccountID, ARN               string
	AccessKeyID, SecretAccessKey string
}

// Operator is what an operator can do. Errors that are the operator's own fault are iam.Refusals.
type Operator interface {
	// CreateAccount makes an account and returns the key of its administrator.
	CreateAccount(ctx context.Context, name string) (Key, error)
	// Accounts returns all accounts, the oldest first.
	Accounts(ctx context.Context) ([]iam.Account, error)
	// CreateRootKey makes an access key of the account's root; a root has at most two.
	CreateRootKey(ctx context.Context, accountID string) (Key, error)
	Rotator
}

// Rotator rotates the keys above all customers' keys.
type Rotator interface {
	// RotateWrappingKey has new data keys and secrets wrapped by a new key, and returns its id. What older ones
	// wrapped opens still.
	RotateWrappingKey(ctx context.Context) (id string, err error)
	// RotateRoot moves the root of trust to another place, or makes a new root key where it is when the place
	// is empty. Nothing that is stored changes.
	RotateRoot(ctx context.Context, to string) error
}

// Local is an Operator in the server's own process.
type Local struct {
	Directory *iam.Directory
	// Recorder has every change on record before it is answered.
	Recorder audit.Recorder
	// Keys carries the rotations out.
	Keys Rotator
}

var _ Operator = Local{}

// CreateAccount implements Operator.
func (l Local) CreateAccount(ctx context.Context, name string) (Key, error) {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName {
		return Key{}, refuse("the name of an account is at most %d characters", maxName)
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return Key{}, refuse("the name of an account has printable characters only")
		}
	}
	c, err := l.Directory.CreateAccount(ctx, name)
	if err != nil {
		return Key{}, err
	}
	k := Key{c.Principal.AccountID, c.Principal.ARN, c.AccessKeyID, c.SecretAccessKey}
	return k, l.record(ctx, k, "CreateAccount", map[string]any{"accountName": name})
}

func refuse(format string, args ...any) error {
	return &iam.Refusal{Kind: iam.ErrInvalidInput, Message: fmt.Sprintf(format, args...)}
}

// Accounts implements Operator.
func (l Local) Accounts(ctx context.Context) ([]iam.Account, error) { return l.Directory.Accounts(ctx) }

// CreateRootKey implements Operator.
func (l Local) CreateRootKey(ctx context.Context, accountID string) (Key, error) {
	k, err := l.Directory.CreateKey(ctx, accountID, accountID)
	var refusal *iam.Refusal
	if errors.Is(err, iam.ErrNoSuchEntity) && !errors.As(err, &refusal) {
		return Key{}, &iam.Refusal{Kind: iam.ErrNoSuchEntity, Message: "there is no account " + accountID}
	}
	if err != nil {
		return Key{}, err
	}
	made := Key{accountID, iam.Account{ID: accountID}.RootARN(), k.ID, k.Secret}
	return made, l.record(ctx, made, "CreateRootAccessKey", map[string]any{"accountId": accountID})
}

// RotateWrappingKey implements Rotator.
func (l Local) RotateWrappingKey(ctx context.Context) (string, error) {
	id, err := l.Keys.RotateWrappingKey(ctx)
	if err != nil {
		return "", err
	}
	return id, l.write(ctx, "", "RotateWrappingKey", nil, map[string]any{"keyId": id})
}

// RotateRoot implements Rotator.
func (l Local) RotateRoot(ctx context.Context, to string) error {
	if err := l.Keys.RotateRoot(ctx, to); err != nil {
		return err
	}
	return l.write(ctx, "", "RotateRootKey", map[string]any{"to": to}, nil)
}

func (l Local) record(ctx context.Context, k Key, name string, request map[string]any) error {
	return l.write(ctx, k.AccountID, name, request, map[string]any{"accountId": k.AccountID, "accessKeyId": k.AccessKeyID})
}

func (l Local) write(ctx context.Context, accountID, name string, request, response map[string]any) error {
	err := l.Recorder.Record(ctx, audit.Event{
		Caller: iam.Caller{
			Principal: iam.Principal{Kind: iam.KindService, AccountID: accountID, Service: Source},
			Time:      time.Now(), RequestID: uuid.NewString(),
		},
		Source: Source, Name: name, Request: request, Response: response,
	})
	if err != nil {
		return fmt.Errorf("record %s: %w", name, err)
	}
	return nil
}
