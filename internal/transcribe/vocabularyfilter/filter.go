// Package vocabularyfilter is the life of a vocabulary filter: a named list of words that jobs mask, remove or tag.
// The record is in a Store; the words are an object of the service's own, under the customer's key if he names
// one. How words are matched is package wordfilter's business. Start at Service.
package vocabularyfilter

import (
	"context"
	"time"

	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/transcribe/job"
)

// Kind is the kind's name in ARNs.
const Kind = "vocabulary-filter"

// Filter is one vocabulary filter without its words.
type Filter struct {
	job.Scope
	Name         string
	LanguageCode string
	// Modified is when it was created or last updated.
	Modified time.Time
	// Words is the object with the words, one a line.
	Words job.Location
	// Role is the data access role that the words were read and written with; empty for none.
	Role string
	// Encryption is the customer's key that the words are under; the zero value is Dictum's own.
	Encryption objects.Encryption
	Tags       []job.Tag
}

// ARN is the filter's name in policies.
func (f Filter) ARN() string { return f.ResourceARN(Kind, f.Name) }

// bound is the encryption context of the words' data key.
func (f Filter) bound() kms.Context { return f.Encryption.Bind(f.Words.Bucket, f.Words.Key) }

// Query chooses filters of a list. Zero members do not restrict.
type Query struct {
	NameContains string
	Token        string
	Max          int
}

// Page is a part of a list, without tags. Next is empty at its end.
type Page struct {
	Filters []Filter
	Next    string
}

// Store keeps filters. Each method is one transaction, durable when it returns. Errors are package job's: ErrNotFound,
// ErrExists, ErrBadToken.
type Store interface {
	job.TagStore
	// Reserve remembers the object of words that are about to be written, so that it is removed at the time given
	// unless Create or Update takes it.
	Reserve(ctx context.Context, words job.Garbage) error
	// Create stores a new filter, or returns ErrExists. It passes the number of the scope's filters, in the same
	// transaction, to admit, which may refuse.
	Create(ctx context.Context, f Filter, admit func(count int) error) error
	// Get returns a filter with its tags, or ErrNotFound.
	Get(ctx context.Context, s job.Scope, name string) (Filter, error)
	// List returns a page, last modified first; ErrBadToken.
	List(ctx context.Context, s job.Scope, q Query) (Page, error)
	// Update replaces all of a filter but its tags and its language, and remembers the old words for removal at the
	// time given; ErrNotFound.
	Update(ctx context.Context, f Filter, due time.Time) (old job.Garbage, err error)
	// Delete removes a filter and remembers its words for removal; ErrNotFound.
	Delete(ctx context.Context, s job.Scope, name string, due time.Time) (old job.Garbage, err error)
	// Collected forgets an object that was removed.
	Collected(ctx context.Context, g job.Garbage) error
}
