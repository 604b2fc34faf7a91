package iam

import "errors"

// ErrNoSuchKey means that no active access key has the id.
var ErrNoSuchKey = errors.New("no such access key")
