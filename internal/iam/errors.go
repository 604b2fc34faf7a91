package iam

import "errors"

// The errors of this package; compare with errors.Is.
var (
	// ErrNoSuchKey means that no active access key has the id.
	ErrNoSuchKey = errors.New("no such access key")
	// ErrAccountExists means that the account id is taken.
	ErrAccountExists = errors.New("account exists")
	// ErrNoSuchEntity means that there is no user, group, role or policy with the name.
	ErrNoSuchEntity = errors.New("no such entity")
)
