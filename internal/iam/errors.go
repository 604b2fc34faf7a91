package iam

import (
	"errors"
	"fmt"
)

// The errors of this package; compare with errors.Is. Those that tell of a caller's mistake come wrapped in
// a Refusal, which has AWS's sentence.
var (
	// ErrNoSuchKey means that no active access key has the id.
	ErrNoSuchKey = errors.New("no such access key")
	// ErrAccountExists means that the account id is taken.
	ErrAccountExists = errors.New("account exists")
	// ErrNoSuchEntity means that there is no user, group, role or policy with the name.
	ErrNoSuchEntity = errors.New("no such entity")
	// ErrExists means that the name is taken.
	ErrExists = errors.New("entity exists")
	// ErrLimit means that there would be more than a quota allows.
	ErrLimit = errors.New("limit exceeded")
	// ErrDeleteConflict means that something still hangs on what should be deleted.
	ErrDeleteConflict = errors.New("delete conflict")
	// ErrMalformedPolicy means that a text is no policy of the kind.
	ErrMalformedPolicy = errors.New("malformed policy document")
	// ErrInvalidInput means that a value is not one that the operation takes.
	ErrInvalidInput = errors.New("invalid input")
	// ErrWrongCode means that a second factor's code is wrong, too old, or used before.
	ErrWrongCode = errors.New("wrong authentication code")
	// ErrConflict means that the account was changed by someone else meanwhile; only stores return it.
	ErrConflict = errors.New("account was changed meanwhile")
)

// Refusal is an error of the caller's making: its kind, one of the package's errors, and the sentence that
// AWS answers with.
type Refusal struct {
	Kind    error
	Message string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Message }

// Unwrap lets errors.Is find the kind.
func (r *Refusal) Unwrap() error { return r.Kind }

func refuse(kind error, format string, args ...any) error {
	return &Refusal{Kind: kind, Message: fmt.Sprintf(format, args...)}
}
