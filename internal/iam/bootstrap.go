package iam

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// AdministratorName is the user that every new account has.
const AdministratorName = "admin"

// AdministratorAccess is the AWS managed policy that allows everything. Every account's first user has it.
const AdministratorAccess = "arn:aws:iam::aws:policy/AdministratorAccess"

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
	u.Attached = []string{AdministratorAccess}
	k, err := NewAccessKey(a.ID, u.ID, now)
	if err != nil {
		return Credential{}, err
	}
	if err := s.CreateAccount(ctx, a, []Record{u.record(), k.record()}); err != nil {
		return Credential{}, fmt.Errorf("create account: %w", err)
	}
	return k.Credential(u), nil
}

// Bootstrap makes the first account where there is none, and returns the key of the first
// account's administrator. It may be called at every start. It returns ErrNoSuchKey when the administrator was
// deleted or has no active key.
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
	cred, err = Administrator(ctx, s, accounts[0].ID)
	if err != nil {
		return Credential{}, false, fmt.Errorf("bootstrap: administrator of account %s: %w", accounts[0].ID, err)
	}
	return cred, false, nil
}

// Administrator returns the oldest active key of the account's administrator, or ErrNoSuchKey.
func Administrator(ctx context.Context, s Store, accountID string) (Credential, error) {
	snapshot, err := load(ctx, s, accountID)
	if err != nil {
		return Credential{}, err
	}
	u, err := snapshot.User(AdministratorName)
	if err != nil {
		return Credential{}, ErrNoSuchKey
	}
	keys := slices.DeleteFunc(snapshot.Keys(u.ID), func(k AccessKey) bool { return !k.Active })
	if len(keys) == 0 {
		return Credential{}, ErrNoSuchKey
	}
	return s.Lookup(ctx, keys[0].ID)
}
