package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/sts"
)

// Storage opens the object storage with somebody's rights.
type Storage interface {
	// For returns the storage as the caller may use it: what policies refuse is objects.ErrAccessDenied. It
	// records each access.
	For(c iam.Caller) objects.ReadWriter
}

// Roles assumes roles in a service's name.
type Roles interface {
	// ServiceRole returns the session of a role whose trust policy lets the service assume it, on behalf of the
	// account and resource that are given, or sts.ErrNotTrusted.
	ServiceRole(ctx context.Context, roleARN, service, sourceAccount, sourceARN string) (iam.Principal, error)
}

// BucketReader knows buckets, with their policies.
type BucketReader interface {
	// Bucket returns the bucket, or objects.ErrNoSuchBucket.
	Bucket(ctx context.Context, name string) (objects.Bucket, error)
}

// BucketRules are S3's rules about buckets (guarded.Rules).
type BucketRules interface {
	// Access returns what the authorizer needs to know of an action on an object.
	Access(c iam.Caller, b objects.Bucket, key, action string, conditions map[string][]string) iam.Access
}

// Rights is how jobs reach what belongs to customers: media, output buckets, keys. A job has no rights of
// its own. It acts as its data access role if it has one; else as who started it, through a forward access
// session (https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html); and, where that
// is not enough, as the service that a bucket's policy may name. Policies are asked at Start and again at
// each use, as they are then.
//
// A forward access session says who, not from where: neither at Start nor later has it the source address of
// the request, so what a policy allows by aws:SourceIp alone it does not allow a job. The second factor of the
// session that started the job stays shown, and grows older (aws:MultiFactorAuthAge).
type Rights struct {
	Storage Storage
	Roles   Roles
	Keys    kms.Gate
	// Buckets, Rules and Authorizer tell where a bucket is, and whom its policy means.
	Buckets    BucketReader
	Rules      BucketRules
	Authorizer iam.Authorizer
	// Now is optional: the clock.
	Now func() time.Time
}

// session is a job's rights for a short while.
type session struct {
	rights *Rights
	job    Job
	// own is who started the job, or its role.
	own iam.Caller
	// source is the ARN of what the session is for.
	source string
}

// session asks who the job acts as now.
func (r *Rights) session(ctx context.Context, j Job) (session, error) {
	return r.sessionFor(ctx, j, j.ARN(j.Name))
}

// sessionFor is a session for the sake of another resource than the job.
func (r *Rights) sessionFor(ctx context.Context, j Job, source string) (session, error) {
	s := session{rights: r, job: j, own: r.caller(j), source: source}
	role := j.role()
	if role == "" {
		s.own.Principal = j.Principal
		s.own = s.own.Through(iam.ServiceTranscribe)
		return s, nil
	}
	var err error
	s.own.Principal, err = r.Roles.ServiceRole(ctx, role, iam.ServiceTranscribe, j.AccountID, source)
	if err != nil {
		return session{}, fmt.Errorf("assume data access role: %w", err)
	}
	return s, nil
}

// caller is what is common to all that act for the job. In CloudTrail a service is its own user agent.
func (r *Rights) caller(j Job) iam.Caller {
	now := time.Now
	if r.Now != nil {
		now = r.Now
	}
	return iam.Caller{Region: j.Region, UserAgent: iam.ServiceTranscribe, Secure: true, Time: now(), RequestID: j.ID}
}

// service is Transcribe acting for the job, as a bucket's policy sees it.
func (s session) service() iam.Caller {
	c := s.rights.caller(s.job)
	c.Principal = iam.Principal{Kind: iam.KindService, Service: iam.ServiceTranscribe}
	c.SourceAccount, c.SourceARN = s.job.AccountID, s.source
	return c
}

// media is an opened media file.
type media struct {
	objects.Reader
	// size is in bytes.
	size int64
}

// open opens the job's media, which must be in the job's region.
func (s session) open(ctx context.Context) (m media, err error) {
	at := s.job.Media
	if err := s.inRegion(ctx, at.Bucket); err != nil {
		return media{}, err
	}
	err = s.try(ctx, "s3:GetObject", at, func(storage objects.ReadWriter) error {
		o, r, err := storage.Open(ctx, at.Bucket, at.Key)
		m = media{r, o.Size}
		return err
	})
	return m, err
}

// inRegion refuses buckets in other regions than the job's.
func (s session) inRegion(ctx context.Context, name string) error {
	b, err := s.rights.Buckets.Bucket(ctx, name)
	if err == nil && b.Region != s.job.Region {
		return fmt.Errorf("bucket is in region %s: %w", b.Region, objects.ErrAccessDenied)
	}
	return err
}

// put writes an output file into the customer's bucket, under the key that the request names, else as the bucket
// is set up.
func (s session) put(ctx context.Context, key, contentType string, content []byte) error {
	at := Location{s.job.Output.Bucket, key}
	if err := s.inRegion(ctx, at.Bucket); err != nil {
		return err
	}
	meta := objects.Metadata{ContentType: contentType, Encryption: s.job.encryption()}
	return s.try(ctx, "s3:PutObject", at, func(storage objects.ReadWriter) error {
		_, err := storage.Put(ctx, at.Bucket, at.Key, bytes.NewReader(content), meta)
		return err
	})
}

// try does one action on an object as the job's own principal and, when policies merely don't allow that, as the
// service. An explicit deny is the last word: the service must not do for somebody what he is forbidden. Nor does
// it do for a role's job what the role can't: the role was chosen to limit the job.
func (s session) try(ctx context.Context, action string, at Location, act func(objects.ReadWriter) error) error {
	err := act(s.rights.Storage.For(s.own))
	if !errors.Is(err, objects.ErrAccessDenied) || s.job.role() != "" || explicitlyDenied(err) {
		return err
	}
	confused, deputyErr := s.confusedDeputy(ctx, action, at)
	if deputyErr != nil {
		return deputyErr
	}
	if confused {
		return err
	}
	if again := act(s.rights.Storage.For(s.service())); !errors.Is(again, objects.ErrAccessDenied) {
		return again
	}
	return err
}

// confusedDeputy tells whether another account's bucket trusts the service whomever it acts for. The owner then
// did not mean this job's account, which could reach through us what it was never given
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html). A policy with aws:SourceAccount or aws:SourceArn
// says whom it means, and does not let the service in without them.
func (s session) confusedDeputy(ctx context.Context, action string, at Location) (bool, error) {
	bucket, err := s.rights.Buckets.Bucket(ctx, at.Bucket)
	if err != nil || bucket.AccountID == s.job.AccountID {
		return false, err
	}
	nobody := s.service()
	nobody.SourceAccount, nobody.SourceARN = "", ""
	// What may be a condition beside the source is as it would be.
	conditions := map[string][]string{"s3:authtype": {"REST-HEADER"}, "s3:signatureversion": {"AWS4-HMAC-SHA256"}}
	if action == "s3:PutObject" && s.job.KeyARN != "" {
		conditions["s3:x-amz-server-side-encryption"] = []string{"aws:kms"}
		conditions["s3:x-amz-server-side-encryption-aws-kms-key-id"] = []string{s.job.KeyARN}
	}
	err = s.rights.Authorizer.Authorize(ctx, nobody, s.rights.Rules.Access(nobody, bucket, at.Key, action, conditions))
	if errors.Is(err, awserr.Fail(awserr.NotAuthorized)) {
		return false, nil
	}
	return err == nil, err
}

// explicitlyDenied tells an explicit deny from the absence of an allow, by the reason that AWS's message gives. A
// denial without a reason counts as explicit.
func explicitlyDenied(err error) bool {
	var f *awserr.Failure
	if !errors.As(err, &f) {
		return true
	}
	for _, d := range f.Details {
		if d.Name == "reason" {
			return strings.Contains(d.Value, "explicit deny")
		}
	}
	return true
}

// serviceS3 is through whom a job uses keys.
const serviceS3 = "s3.amazonaws.com"

// useKey checks that the job may encrypt its transcript under the key that its request names, as S3 will when the
// transcript is put, and returns the key.
func (s session) useKey(ctx context.Context) (kms.Key, error) {
	bound := s.job.encryption().Bind(s.job.Output.Bucket, s.job.files()[0].Key)
	through := s.own.Through(serviceS3)
	key, err := s.rights.Keys.Use(ctx, through, "GenerateDataKey", *s.job.Request.OutputEncryptionKMSKeyId, bound)
	if err == nil && key.AccountID != s.job.AccountID {
		// "To use a key from a different AWS account, the caller must have kms:Encrypt permissions for the KMS key":
		// https://docs.aws.amazon.com/transcribe/latest/dg/key-management.html
		_, err = s.rights.Keys.Use(ctx, through, "Encrypt", key.ARN, bound)
	}
	if err != nil {
		return kms.Key{}, objects.FailKey(err)
	}
	return key, nil
}

// refusal is what keeps a job from going on, when err is a matter of rights: of its role, of a key, or of the
// object, which the caller names. Of an object it does not tell which: a stranger must not learn which buckets exist.
func refusal(err error, object Failure) (Failure, bool) {
	var key *objects.KeyError
	switch {
	case errors.Is(err, sts.ErrNotTrusted):
		return failRole, true
	case errors.As(err, &key):
		if object != failMedia { // AWS does not tell what of the media can't be read
			object = failKey
		}
		return object, !awserr.IsInternal(key.Err)
	case errors.Is(err, objects.ErrNoSuchBucket), errors.Is(err, objects.ErrNoSuchKey), errors.Is(err, objects.ErrAccessDenied):
		return object, true
	}
	return Failure{}, false
}

// Administrator is who a job acts as that was stored before principals were: every user administered the account
// then, and only the account is left of it for sure, a user's name may be another's by now.
func Administrator(accountID string) iam.Principal {
	return iam.Principal{Kind: iam.KindRoot, AccountID: accountID, ARN: "arn:aws:iam::" + accountID + ":root", UserID: accountID}
}
