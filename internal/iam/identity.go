package iam

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"math/big"
	"time"
)

// Account is a tenant: everything belongs to exactly one.
type Account struct {
	// ID is 12 digits, the first of them not zero, so that tools that take it for a number keep it whole.
	ID string
	// Name is for people; it may be empty.
	Name    string
	Created time.Time
}

// User is a person or program within an account.
type User struct {
	AccountID string
	// ID is AIDA and 16 more characters; it is never used again, names may be.
	ID      string
	Name    string
	Created time.Time
}

// ARN returns arn:aws:iam::{account}:user/{name}.
func (u User) ARN() string { return "arn:aws:iam::" + u.AccountID + ":user/" + u.Name }

// AccessKey is a user's long-term key.
type AccessKey struct {
	// ID is AKIA and 16 more characters.
	ID string
	// Secret is 40 characters. It never leaves the process but sealed, and to its owner.
	Secret  string
	UserID  string
	Created time.Time
}

// The prefixes of unique ids
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html).
const (
	prefixAccessKey = "AKIA"
	prefixSession   = "ASIA"
	prefixUser      = "AIDA"
)

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewAccount makes an account with a random id.
func NewAccount(name string, now time.Time) (Account, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(9e11))
	if err != nil {
		return Account{}, fmt.Errorf("make account id: %w", err)
	}
	return Account{ID: fmt.Sprintf("%012d", n.Int64()+1e11), Name: name, Created: now.UTC()}, nil
}

// NewUser makes a user with a random id.
func NewUser(accountID, name string, now time.Time) (User, error) {
	id, err := newID(prefixUser)
	if err != nil {
		return User{}, err
	}
	return User{AccountID: accountID, ID: id, Name: name, Created: now.UTC()}, nil
}

// NewAccessKey makes a key with a random id and a secret of 240 random bits.
func NewAccessKey(userID string, now time.Time) (AccessKey, error) {
	id, err := newID(prefixAccessKey)
	if err != nil {
		return AccessKey{}, err
	}
	var secret [30]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return AccessKey{}, fmt.Errorf("make secret: %w", err)
	}
	return AccessKey{ID: id, Secret: base64.StdEncoding.EncodeToString(secret[:]), UserID: userID, Created: now.UTC()}, nil
}

func newID(prefix string) (string, error) {
	var raw [10]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return prefix + idEncoding.EncodeToString(raw[:]), nil
}

// Credential returns what a verifier needs to know of the user's key.
func (k AccessKey) Credential(u User) Credential {
	return Credential{
		AccessKeyID:     k.ID,
		SecretAccessKey: k.Secret,
		Principal:       Principal{Kind: KindUser, AccountID: u.AccountID, ARN: u.ARN(), UserID: u.ID, UserName: u.Name, AccessKeyID: k.ID},
	}
}
