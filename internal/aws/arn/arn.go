// Package arn reads and prints Amazon Resource Names,
// arn:partition:service:region:account:resource
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html). What a resource means is
// its service's business. Start at Parse.
package arn

import (
	"errors"
	"fmt"
	"strings"
)

// maxLength is the longest ARN that IAM takes.
const maxLength = 2048

// ErrMalformed means that a string is no ARN.
var ErrMalformed = errors.New("malformed ARN")

// ARN is the name of a resource. Region and AccountID may be empty (S3, IAM).
type ARN struct {
	Partition, Service, Region, AccountID, Resource string
}

// Parse reads an ARN. The resource may hold further colons. Errors wrap ErrMalformed.
func Parse(s string) (ARN, error) {
	parts := strings.SplitN(s, ":", 6)
	switch {
	case len(s) > maxLength:
		return ARN{}, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, maxLength)
	case len(parts) < 6 || parts[0] != "arn":
		return ARN{}, fmt.Errorf("%w: not arn:partition:service:region:account:resource", ErrMalformed)
	case parts[1] == "" || parts[2] == "" || parts[5] == "":
		return ARN{}, fmt.Errorf("%w: partition, service and resource must not be empty", ErrMalformed)
	}
	if account := parts[4]; account != "" && account != "aws" && !isAccountID(account) {
		return ARN{}, fmt.Errorf("%w: account is not 12 digits", ErrMalformed)
	}
	return ARN{Partition: parts[1], Service: parts[2], Region: parts[3], AccountID: parts[4], Resource: parts[5]}, nil
}

// New returns an ARN in the partition "aws".
func New(service, region, accountID, resource string) ARN {
	return ARN{Partition: "aws", Service: service, Region: region, AccountID: accountID, Resource: resource}
}

// String prints the ARN.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.AccountID + ":" + a.Resource
}

// Split returns the resource's type and name around the first slash or colon:
// "transcription-job/a/b" is "transcription-job" and "a/b".
func (a ARN) Split() (kind, name string, ok bool) {
	i := strings.IndexAny(a.Resource, "/:")
	if i < 0 {
		return "", a.Resource, false
	}
	return a.Resource[:i], a.Resource[i+1:], true
}

func isAccountID(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}
