package iam

import (
	"context"
	"fmt"
	"time"
)

// AdministratorName is the user that every new account has.
const AdministratorName = "admin"

// Store keeps identities.
type Store interface {
	Credentials
	// CreateAccount stores an account with its first user and that user's key, all or nothing. The
	// secret is sealed before it is written. It returns ErrAccountExists when the id is taken.
	CreateAccount(ctx context.Context, a Account, u User, k AccessKey) error
	// Accounts returns all accounts, the oldest first.
	Accounts(ctx context.Context) ([]Account, error)
	// Administrator returns the oldest active key of the account's administrator, or ErrNoSuchKey.
	Administrator(ctx context.Context, accountID string) (Credential, error)
}

// CreateAccount makes an account with its administrator and one access key.
func CreateAccount(ctx context.Context, s Store, name string, now time.Time) (Credential, error) {
	a, err := NewAccount(name, now)
	if err != nil {
		return Credential{}, err
	}
	u, err := NewUser(a.ID, AdministratorName, now)
	if err != nil {
		return Credential{}, err
	}
	k, err := NewAccessKey(u.ID, now)
	if err != nil {
		return Credential{}, err
	}
	if err := s.CreateAccount(ctx, a, u, k); err != nil {
		return Credential{}, fmt.Errorf("create account: %w", err)
	}
	return k.Credential(u), nil
}

// Bootstrap makes the first account where there is none, and returns the key of the first
// account's administrator. It may be called at every start.
func Bootstrap(ctx context.Context, s Store, now time.Time) (cred Credential, created bool, err error) {
	accounts, err := s.Accounts(ctx)
	if err != nil {
		return Credential{}, false, fmt.Errorf("bootstrap: %w", err)
	}
	if len(accounts) == 0 {
		cred, err = CreateAccount(ctx, s, "", now)
		if err != nil {
			return Credential{}, false, fmt.Errorf("bootstrap: %w", err)
		}
		return cred, true, nil
	}
	cred, err = s.Administrator(ctx, accounts[0].ID)
	if err != nil {
		return Credential{}, false, fmt.Errorf("bootstrap: administrator of account %s: %w", accounts[0].ID, err)
	}
	return cred, false, nil
}
