package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
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
	Store Store
	Tags  TagStore
	// Rights reach customers' objects; Objects and Buckets are for the service's own, where no policy rules.
	Rights  *Rights
	Objects objects.ReadWriter
	Buckets Buckets
	// Filters are the vocabulary filters that jobs may name; without, there are none.
	Filters Filters
	// TagStores keep the tags of other kinds of resources, by the kind's name in ARNs.
	TagStores map[string]TagStore
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
	// Identity is who.
	Identity iam.Caller
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
	if err := s.checkFilters(ctx, c, r); err != nil {
		return Job{}, err
	}
	j := Job{ID: s.newID(), Scope: c.Scope, Name: *r.TranscriptionJobName, Request: *r, Principal: c.Identity.Principal, Created: s.now()}
	j.Request.Tags = nil
	for _, t := range r.Tags {
		j.Tags = append(j.Tags, Tag{text(t.Key), text(t.Value)})
	}
	j, err := s.reach(ctx, c, j)
	if err != nil {
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

// reach checks what can be known without opening the media, with the rights that the job will have: that the
// media is there to be read, the key to be used, and the output bucket to be written. The worker checks
// again.
func (s *Service) reach(ctx context.Context, c Caller, j Job) (Job, error) {
	rights, err := s.Rights.session(ctx, j)
	if err != nil {
		return Job{}, refuse(err, failRole)
	}
	at, region, ok := ParseMediaURI(*j.Request.Media.MediaFileUri, c.Origin)
	if !ok || region != "" && region != c.Region {
		return Job{}, awserr.BadRequest(msgMediaAccess)
	}
	j.Media, rights.job.Media = at, at
	media, err := rights.open(ctx)
	if err != nil {
		return Job{}, refuse(err, failMedia)
	}
	_ = media.Close() // nothing was read

	if j.Request.OutputBucketName == nil {
		// OutputKey alone is accepted and has no effect, as on some AWS accounts.
		bucket, err := s.Buckets.ServiceBucket(ctx, j.Region)
		if err != nil {
			return Job{}, fmt.Errorf("make service bucket: %w", err)
		}
		j.Output = serviceOutput(bucket.Name, j)
		return j, nil
	}
	j.Output = customerOutput(*j.Request.OutputBucketName, text(j.Request.OutputKey), j.Name)
	for _, file := range append(j.files(), Location{Key: j.Output.probe()}) {
		if len(file.Key) > maxKey {
			return Job{}, awserr.BadRequest(msgOutputAccess)
		}
	}
	rights.job = j
	if j.Request.OutputEncryptionKMSKeyId != nil {
		key, err := rights.useKey(ctx)
		if err != nil {
			return Job{}, refuse(err, failKey)
		}
		j.KeyARN, rights.job.KeyARN = key.ARN, key.ARN
	}
	// AWS writes a probe object too (spec transcript-json.md §1.4). It is encrypted as the output will be, for
	// buckets whose policy demands that.
	if err := rights.put(ctx, j.Output.probe(), "", nil); err != nil {
		return Job{}, refuse(err, failOutput)
	}
	return j, nil
}

// refuse tells the client what its job has no right to. Faults of our own stay what they are.
func refuse(err error, object Failure) error {
	f, ok := refusal(err, object)
	if !ok {
		return fmt.Errorf("check rights of job: %w", err)
	}
	if f == failKey {
		// The caller would hear from KMS itself why.
		var key *objects.KeyError
		if errors.As(err, &key) {
			return awserr.BadRequest("%s %s", f.Reason, awserr.For(awserr.JSON, key.Err).Message)
		}
	}
	return awserr.BadRequest("%s", f.Reason)
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
	garbage := s.garbage(j)
	if err := s.Store.Delete(ctx, j.ID, garbage); err != nil {
		return err
	}
	s.discard(ctx, j, garbage)
	return nil
}

// garbage is the service-managed output that goes with the job, due when nobody can still be writing it.
func (s *Service) garbage(j Job) []Garbage {
	if !j.Output.Service || j.Output.Expired {
		return nil
	}
	due := s.now()
	if !j.Status.Terminal() {
		due = due.Add(writersGone)
	}
	var out []Garbage
	for _, at := range j.files() {
		out = append(out, Garbage{at, due})
	}
	return out
}

// discard removes what a stored change has made garbage, as far as it is due. What can't be removed now is
// remembered.
func (s *Service) discard(ctx context.Context, j Job, garbage []Garbage) {
	if !j.Status.Terminal() {
		return
	}
	for _, g := range garbage {
		if err := s.collect(ctx, g); err != nil {
			slog.WarnContext(ctx, "output of a job stays until the next sweep", "job", j.ID, "error", err)
		}
	}
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
