package vocabularyfilter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"time"

	"github.com/google/uuid"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/text/wordfilter"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// The texts of refusals. The first two are in the spec (transcribe-batch.md §1.3); the others are ours, in AWS's manner.
const (
	msgNotFound = "The requested vocabulary filter couldn't be found. Check the vocabulary filter name and try your request again."
	msgExists   = "The requested vocabulary filter name already exists. Use a different vocabulary filter name."
	msgNeither  = "Either Words or VocabularyFilterFileUri field should be provided."
	msgBoth     = "You can specify only one of Words and VocabularyFilterFileUri. Choose one and try your request again."
	msgTooMany  = "You have too many vocabulary filters. Delete a vocabulary filter and try your request again."
	msgTooLarge = "The vocabulary filter is too large. A vocabulary filter can have up to 50 KB. Remove words and try your request again."
	msgBadToken = "The NextToken that you provided isn't valid. Use the token of the previous response and try your request again."
	msgKeyForm  = "The KMS key must be given as a full key ARN (arn:aws:kms:region:account:key/key-id). Change KMSKey and try your request again."
)

var (
	errNotFound = &awserr.Error{Code: "NotFoundException", Status: 400, Message: msgNotFound}
	errExists   = &awserr.Error{Code: "ConflictException", Status: 400, Message: msgExists}
	errTooMany  = &awserr.Error{Code: "LimitExceededException", Status: 400, Message: msgTooMany}
	errTooLarge = &awserr.Error{Code: "LimitExceededException", Status: 400, Message: msgTooLarge}
)

// unclaimed is how long words may be written before their filter is stored; longer ago, whoever wrote them is gone.
const unclaimed = 10 * time.Minute

// Service carries out what requests ask of filters. All fields but the last three must be set. Its errors are
// AWS's, except for failures of our own.
type Service struct {
	Store Store
	// Rights reach customers' objects and keys; Objects and Buckets are for the service's own.
	Rights  *job.Rights
	Objects objects.ReadWriter
	Buckets job.Buckets
	// Quotas are optional: the zero value does not limit how many filters there are.
	Quotas job.Quotas
	// Now and NewID are optional: the clock, and random UUIDs.
	Now   func() time.Time
	NewID func() string
}

var _ job.Filters = (*Service)(nil)

// keyARN is a key's full ARN, the only form that EncryptionConfiguration has.
var keyARN = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`)

// source is where words come from, as Create and Update have it.
type source struct {
	words      []string
	uri        *string
	role       *string
	encryption *model.EncryptionConfiguration
}

// Create makes a filter. It is ready for use when Create returns.
func (s *Service) Create(ctx context.Context, c job.Caller, r *model.CreateVocabularyFilterRequest) (Filter, error) {
	if err := model.Validate("CreateVocabularyFilter", r); err != nil {
		return Filter{}, err
	}
	if err := job.CheckTags(r.Tags); err != nil {
		return Filter{}, err
	}
	f := Filter{Scope: c.Scope, Name: *r.VocabularyFilterName, LanguageCode: *r.LanguageCode, Modified: s.now()}
	for _, t := range r.Tags {
		f.Tags = append(f.Tags, job.Tag{Key: *t.Key, Value: *t.Value})
	}
	// A name that is taken is the likeliest mistake; nothing is written for it.
	if _, err := s.Store.Get(ctx, c.Scope, f.Name); err == nil {
		return Filter{}, errExists
	} else if !errors.Is(err, job.ErrNotFound) {
		return Filter{}, fmt.Errorf("look for vocabulary filter: %w", err)
	}
	f, err := s.fill(ctx, c, f, source{r.Words, r.VocabularyFilterFileUri, r.DataAccessRoleArn, r.EncryptionConfiguration})
	if err != nil {
		return Filter{}, err
	}
	err = s.Store.Create(ctx, f, func(count int) error {
		if most := s.Quotas.VocabularyFilters; most > 0 && count >= most {
			return errTooMany
		}
		return nil
	})
	if errors.Is(err, job.ErrExists) {
		return Filter{}, errExists
	}
	if err != nil {
		return Filter{}, fmt.Errorf("store vocabulary filter: %w", err)
	}
	return f, nil
}

// Update replaces the words of a filter, and its key where the request names one. The role is that of the request, or
// none: whoever updates a filter does not read files with a role that somebody else was let pass. Jobs that have not
// been worked on yet use the new words.
func (s *Service) Update(ctx context.Context, c job.Caller, r *model.UpdateVocabularyFilterRequest) (Filter, error) {
	if err := model.Validate("UpdateVocabularyFilter", r); err != nil {
		return Filter{}, err
	}
	f, err := s.Store.Get(ctx, c.Scope, *r.VocabularyFilterName)
	if err != nil {
		return Filter{}, notFound(err)
	}
	f.Modified = s.now()
	f, err = s.fill(ctx, c, f, source{r.Words, r.VocabularyFilterFileUri, r.DataAccessRoleArn, r.EncryptionConfiguration})
	if err != nil {
		return Filter{}, err
	}
	old, err := s.Store.Update(ctx, f, s.now())
	if err != nil {
		return Filter{}, notFound(err)
	}
	s.collect(ctx, old)
	return f, nil
}

// fill reads the words from where they come and writes them to where they stay.
func (s *Service) fill(ctx context.Context, c job.Caller, f Filter, from source) (Filter, error) {
	switch {
	case from.words == nil && from.uri == nil:
		return f, awserr.BadRequest(msgNeither)
	case from.words != nil && from.uri != nil:
		return f, awserr.BadRequest(msgBoth)
	}
	f.Role = ""
	if from.role != nil {
		f.Role = *from.role
	}
	rights, err := s.Rights.Open(ctx, c, job.Input{ARN: f.ARN(), Role: f.Role})
	if err != nil {
		return f, err
	}
	words := from.words
	if from.uri != nil {
		file, err := rights.Read(ctx, c, *from.uri, wordfilter.MaxBytes)
		if err != nil {
			return f, wordsError(err)
		}
		if words, err = wordfilter.Parse(file); err != nil {
			return f, wordsError(err)
		}
	} else if err := wordfilter.Check(words); err != nil {
		return f, wordsError(err)
	}

	bucket, err := s.Buckets.ServiceBucket(ctx, f.Region)
	if err != nil {
		return f, fmt.Errorf("make service bucket: %w", err)
	}
	// Two parts deeper than a job's output, so that no job's name can lead here.
	f.Words = job.Location{Bucket: bucket.Name, Key: f.AccountID + "/" + Kind + "/" + f.Name + "/" + s.newID() + "/input.txt"}
	if f.Encryption, err = encryption(f.Encryption, from.encryption); err != nil {
		return f, err
	}
	if f.Encryption.Customer() {
		if _, err := rights.UseKey(ctx, "GenerateDataKey", f.Encryption.KeyARN, f.bound()); err != nil {
			return f, rights.Refuse(err)
		}
	}
	if err := s.Store.Reserve(ctx, job.Garbage{Location: f.Words, NotBefore: s.now().Add(unclaimed)}); err != nil {
		return f, fmt.Errorf("reserve object for words: %w", err)
	}
	meta := objects.Metadata{ContentType: "text/plain; charset=utf-8", Encryption: f.Encryption}
	if _, err := s.Objects.Put(ctx, f.Words.Bucket, f.Words.Key, bytes.NewReader(wordfilter.Format(words)), meta); err != nil {
		return f, fmt.Errorf("write words of vocabulary filter: %w", err)
	}
	return f, nil
}

// encryption is what a request asks for; without, what was before stays.
func encryption(before objects.Encryption, in *model.EncryptionConfiguration) (objects.Encryption, error) {
	if in == nil {
		return before, nil
	}
	if !keyARN.MatchString(*in.KMSKey) {
		return objects.Encryption{}, awserr.BadRequest(msgKeyForm)
	}
	return objects.Encryption{KeyARN: *in.KMSKey, Context: kms.Context(in.KMSEncryptionContext)}, nil
}

// Get returns a filter. Whoever gets one may read its words, and so must be let use the key that they are under.
func (s *Service) Get(ctx context.Context, c job.Caller, r *model.GetVocabularyFilterRequest) (Filter, error) {
	if err := model.Validate("GetVocabularyFilter", r); err != nil {
		return Filter{}, err
	}
	f, err := s.Store.Get(ctx, c.Scope, *r.VocabularyFilterName)
	if err != nil {
		return Filter{}, notFound(err)
	}
	if !f.Encryption.Customer() {
		return f, nil
	}
	rights, err := s.Rights.Open(ctx, c, job.Input{ARN: f.ARN()})
	if err != nil {
		return Filter{}, err
	}
	if _, err := rights.UseKey(ctx, "Decrypt", f.Encryption.KeyARN, f.bound()); err != nil {
		return Filter{}, rights.Refuse(err)
	}
	return f, nil
}

// defaultMaxResults is the page size when the request has none (spec transcribe-batch.md §2).
const defaultMaxResults = 5

// List returns a page of the scope's filters, last modified first.
func (s *Service) List(ctx context.Context, c job.Caller, r *model.ListVocabularyFiltersRequest) (Page, error) {
	if err := model.Validate("ListVocabularyFilters", r); err != nil {
		return Page{}, err
	}
	q := Query{Max: defaultMaxResults}
	if r.NameContains != nil {
		q.NameContains = *r.NameContains
	}
	if r.NextToken != nil {
		q.Token = *r.NextToken
	}
	if r.MaxResults != nil {
		q.Max = int(*r.MaxResults)
	}
	page, err := s.Store.List(ctx, c.Scope, q)
	if errors.Is(err, job.ErrBadToken) {
		return Page{}, awserr.BadRequest(msgBadToken)
	}
	if err != nil {
		return Page{}, fmt.Errorf("list vocabulary filters: %w", err)
	}
	return page, nil
}

// Delete removes a filter and its words. A job that names it and has not been worked on fails.
func (s *Service) Delete(ctx context.Context, c job.Caller, r *model.DeleteVocabularyFilterRequest) error {
	if err := model.Validate("DeleteVocabularyFilter", r); err != nil {
		return err
	}
	old, err := s.Store.Delete(ctx, c.Scope, *r.VocabularyFilterName, s.now())
	if err != nil {
		return notFound(err)
	}
	s.collect(ctx, old)
	return nil
}

// collect removes words that no filter has any more. What can't be removed now the keeper of jobs removes later.
func (s *Service) collect(ctx context.Context, g job.Garbage) {
	err := s.Objects.Delete(ctx, g.Bucket, g.Key)
	if err == nil || errors.Is(err, objects.ErrNoSuchBucket) {
		err = s.Store.Collected(ctx, g)
	}
	if err != nil {
		slog.WarnContext(ctx, "words of a vocabulary filter stay until the next sweep", "error", err)
	}
}

// Language implements job.Filters.
func (s *Service) Language(ctx context.Context, sc job.Scope, name string) (string, error) {
	f, err := s.Store.Get(ctx, sc, name)
	return f.LanguageCode, err
}

// Filter implements job.Filters.
func (s *Service) Filter(ctx context.Context, sc job.Scope, name string, as job.Reader) (string, *wordfilter.Filter, error) {
	f, err := s.Store.Get(ctx, sc, name)
	if err != nil {
		return "", nil, err
	}
	for {
		words, err := s.words(ctx, f, as)
		if err == nil {
			filter, err := wordfilter.New(words)
			return f.LanguageCode, filter, err
		}
		// The words of a filter go when it is updated or deleted, which may be after it was read.
		now, again := s.Store.Get(ctx, sc, name)
		if again != nil {
			return "", nil, again
		}
		if now.Words == f.Words {
			return "", nil, err
		}
		f = now
	}
}

// words reads the words of a filter.
func (s *Service) words(ctx context.Context, f Filter, as job.Reader) ([]string, error) {
	if f.Encryption.Customer() {
		if _, err := as.UseKey(ctx, "Decrypt", f.Encryption.KeyARN, f.bound()); err != nil {
			return nil, err
		}
	}
	_, r, err := s.Objects.Open(ctx, f.Words.Bucket, f.Words.Key)
	if err != nil {
		return nil, fmt.Errorf("open words of vocabulary filter: %w", err)
	}
	defer func() { _ = r.Close() }()
	file, err := io.ReadAll(io.LimitReader(r, wordfilter.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read words of vocabulary filter: %w", err)
	}
	words, err := wordfilter.Parse(file)
	if err != nil {
		return nil, fmt.Errorf("stored words of vocabulary filter: %w", err)
	}
	return words, nil
}

// wordsError is the answer to words that can't be used; other errors stay.
func wordsError(err error) error {
	var entry *wordfilter.EntryError
	switch {
	case errors.Is(err, wordfilter.ErrTooLarge), errors.Is(err, job.ErrTooLarge):
		return errTooLarge
	case errors.Is(err, wordfilter.ErrNotText):
		return awserr.BadRequest("The vocabulary filter file isn't UTF-8 text. Check the file and try your request again.")
	case errors.Is(err, wordfilter.ErrEmpty):
		return awserr.BadRequest("The vocabulary filter has no words. Add words and try your request again.")
	case errors.As(err, &entry):
		return awserr.BadRequest("The vocabulary filter has an entry that isn't valid: entry %d: %s. Check the entry and try your request again.", entry.Number, entry.Reason)
	}
	return err
}

func notFound(err error) error {
	if errors.Is(err, job.ErrNotFound) {
		return errNotFound
	}
	return fmt.Errorf("find vocabulary filter: %w", err)
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Service) newID() string {
	if s.NewID != nil {
		return s.NewID()
	}
	return uuid.NewString()
}
