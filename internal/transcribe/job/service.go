package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/transcribe/language"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// Buckets makes the service-managed buckets.
type Buckets interface {
	// ServiceBucket returns the region's bucket for output that no customer's bucket was named for, and
	// makes it when it is not there. It may be called any number of times.
	ServiceBucket(ctx context.Context, region string) (objects.Bucket, error)
}

// Service carries out what requests ask of jobs. All fields but the optional ones must be set.
// Its errors are AWS's, except for failures of our own.
type Service struct {
	Store   Store
	Tags    TagStore
	Objects objects.ReadWriter
	Buckets Buckets
	// Languages are those that the recogniser knows; the zero value means Whisper base's.
	Languages *language.Set
	// Quotas are optional: the zero value does not limit.
	Quotas Quotas
	// Observer is optional.
	Observer Observer
	// Accepted and Deleted, optional, let the pool in the same process know at once.
	Accepted func()
	Deleted  func(id string)
	// Now and NewID are optional: the clock, and random UUIDs.
	Now   func() time.Time
	NewID func() string
}

// Caller is who asks, and how the server was reached.
type Caller struct {
	Scope
	// ARN is the principal's.
	ARN string
	// Origin is the scheme and authority that the client called.
	Origin string
}

// Start accepts a job. When it returns, the job is durable and waits for a worker.
func (s *Service) Start(ctx context.Context, c Caller, r *model.StartTranscriptionJobRequest) (Job, error) {
	languages := language.NewSet()
	if s.Languages != nil {
		languages = *s.Languages
	}
	if err := checkStart(r, languages); err != nil {
		return Job{}, err
	}
	now := s.now()
	j := Job{ID: s.newID(), Scope: c.Scope, Name: *r.TranscriptionJobName, Request: *r, Caller: c.ARN, Created: now}
	j.Request.Tags = nil
	for _, t := range r.Tags {
		j.Tags = append(j.Tags, Tag{text(t.Key), text(t.Value)})
	}
	var err error
	if j.Media, err = s.reachMedia(ctx, c, *r.Media.MediaFileUri); err != nil {
		return Job{}, err
	}
	if j.Output, err = s.reachOutput(ctx, j); err != nil {
		return Job{}, err
	}
	mayWait := r.JobExecutionSettings != nil && isTrue(r.JobExecutionSettings.AllowDeferredExecution)
	j, err = s.Store.Create(ctx, j, func(l Load, j *Job) error {
		status, err := s.Quotas.first(l, mayWait)
		if err != nil {
			return err
		}
		return j.Admit(status, s.now())
	})
	if errors.Is(err, ErrExists) {
		return Job{}, &awserr.Error{Code: "ConflictException", Status: 400, Message: msgJobExists}
	}
	if err != nil {
		return Job{}, fmt.Errorf("store job: %w", err)
	}
	s.observer().Accepted(j)
	if s.Accepted != nil {
		s.Accepted()
	}
	return j, nil
}

// reachMedia checks what can be known of the media without opening it: the bucket is the account's
// and in the request's region, and the object is there. The worker checks again.
func (s *Service) reachMedia(ctx context.Context, c Caller, uri string) (Location, error) {
	at, region, ok := ParseMediaURI(uri, c.Origin)
	if !ok || region != "" && region != c.Region {
		return Location{}, awserr.BadRequest(msgMediaAccess)
	}
	if err := ownBucket(ctx, s.Objects, c.Scope, at.Bucket); err != nil {
		return Location{}, refuseAccess(err, msgMediaAccess)
	}
	_, r, err := s.Objects.Open(ctx, at.Bucket, at.Key)
	if err != nil {
		return Location{}, refuseAccess(err, msgMediaAccess)
	}
	_ = r.Close() // nothing was read
	return at, nil
}

// reachOutput decides where the output goes and, in a customer's bucket, writes the probe object that
// AWS writes (spec transcript-json.md §1.4).
func (s *Service) reachOutput(ctx context.Context, j Job) (Output, error) {
	if j.Request.OutputBucketName == nil {
		// OutputKey alone is accepted and has no effect, as on some AWS accounts.
		bucket, err := s.Buckets.ServiceBucket(ctx, j.Region)
		if err != nil {
			return Output{}, fmt.Errorf("make service bucket: %w", err)
		}
		return serviceOutput(bucket.Name, j), nil
	}
	out := customerOutput(*j.Request.OutputBucketName, text(j.Request.OutputKey), j.Name)
	if len(out.Key) > maxKey || len(out.probe()) > maxKey {
		return Output{}, awserr.BadRequest(msgOutputAccess)
	}
	if err := ownBucket(ctx, s.Objects, j.Scope, out.Bucket); err != nil {
		return Output{}, refuseAccess(err, msgOutputAccess)
	}
	if _, err := s.Objects.Put(ctx, out.Bucket, out.probe(), bytes.NewReader(nil), objects.Metadata{}); err != nil {
		return Output{}, refuseAccess(err, msgOutputAccess)
	}
	return out, nil
}

// ownBucket returns an error unless the scope's account has the bucket in the scope's region.
func ownBucket(ctx context.Context, o objects.ReadWriter, s Scope, name string) error {
	b, err := o.Bucket(ctx, name)
	if err != nil {
		return err
	}
	if b.AccountID != s.AccountID || b.Region != s.Region {
		return objects.ErrAccessDenied
	}
	return nil
}

// refuseAccess tells the client that it can't reach an object, without telling which of the reasons it
// is: a stranger must not learn which buckets exist. Faults of our own stay what they are.
func refuseAccess(err error, message string) error {
	if isAccess(err) {
		return awserr.BadRequest("%s", message)
	}
	return fmt.Errorf("reach object: %w", err)
}

func isAccess(err error) bool {
	return errors.Is(err, objects.ErrNoSuchBucket) || errors.Is(err, objects.ErrNoSuchKey) || errors.Is(err, objects.ErrAccessDenied)
}

// Get returns a job.
func (s *Service) Get(ctx context.Context, c Caller, r *model.GetTranscriptionJobRequest) (Job, error) {
	if err := model.Validate("GetTranscriptionJob", r); err != nil {
		return Job{}, err
	}
	j, err := s.Store.Get(ctx, c.Scope, *r.TranscriptionJobName)
	if err != nil {
		return Job{}, jobError(err)
	}
	return j, nil
}

// defaultMaxResults is the page size when the request has none (spec §2).
const defaultMaxResults = 5

// List returns a page of the scope's jobs, newest first.
func (s *Service) List(ctx context.Context, c Caller, r *model.ListTranscriptionJobsRequest) (Page, error) {
	if err := model.Validate("ListTranscriptionJobs", r); err != nil {
		return Page{}, err
	}
	q := Query{Status: Status(text(r.Status)), NameContains: text(r.JobNameContains), Token: text(r.NextToken), Max: defaultMaxResults}
	if r.MaxResults != nil {
		q.Max = int(*r.MaxResults)
	}
	page, err := s.Store.List(ctx, c.Scope, q)
	if errors.Is(err, ErrBadToken) {
		return Page{}, awserr.BadRequest("The NextToken that you provided isn't valid. Use the token of the previous response and try your request again.")
	}
	if err != nil {
		return Page{}, fmt.Errorf("list jobs: %w", err)
	}
	return page, nil
}

// writersGone is how long after a running job's deletion its last worker may still write: longer than
// any lease, so that what it wrote is collected.
const writersGone = 10 * time.Minute

// Delete removes a job and its service-managed output; a customer's bucket is not touched. A job that
// runs is cancelled.
func (s *Service) Delete(ctx context.Context, c Caller, r *model.DeleteTranscriptionJobRequest) error {
	if err := model.Validate("DeleteTranscriptionJob", r); err != nil {
		return err
	}
	j, err := s.Store.Get(ctx, c.Scope, *r.TranscriptionJobName)
	if err != nil {
		return jobError(err)
	}
	if err := s.remove(ctx, j); err != nil {
		return jobError(err)
	}
	if s.Deleted != nil {
		s.Deleted(j.ID)
	}
	return nil
}

func (s *Service) remove(ctx context.Context, j Job) error {
	var garbage []Garbage
	if j.Output.Service {
		due := s.now()
		if !j.Status.Terminal() {
			due = due.Add(writersGone)
		}
		for _, at := range j.files() {
			garbage = append(garbage, Garbage{at, due})
		}
	}
	if err := s.Store.Delete(ctx, j.ID, garbage); err != nil {
		return err
	}
	if !j.Status.Terminal() {
		return nil
	}
	// The record is gone and the answer is yes. What can't be removed now is remembered.
	for _, g := range garbage {
		if err := s.collect(ctx, g); err != nil {
			slog.WarnContext(ctx, "output of a deleted job stays until the next sweep", "job", j.ID, "error", err)
		}
	}
	return nil
}

func (s *Service) collect(ctx context.Context, g Garbage) error {
	if err := s.Objects.Delete(ctx, g.Bucket, g.Key); err != nil && !errors.Is(err, objects.ErrNoSuchBucket) {
		return fmt.Errorf("delete output: %w", err)
	}
	if err := s.Store.Collected(ctx, g); err != nil {
		return fmt.Errorf("forget deleted output: %w", err)
	}
	return nil
}

// jobError is the answer to a job that is not there; other errors stay.
func jobError(err error) error {
	if errors.Is(err, ErrNotFound) {
		return awserr.BadRequest(msgJobNotFound)
	}
	return fmt.Errorf("find job: %w", err)
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

func (s *Service) observer() Observer {
	if s.Observer != nil {
		return s.Observer
	}
	return Unobserved{}
}
