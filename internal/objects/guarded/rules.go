// Package guarded asks before it acts: who may do what with buckets and objects, and under which keys, by
// the rules that S3 has for it. The S3 API and everything that works on a caller's behalf, such as
// transcription jobs, share these rules. Start at Rules, and at Store for objects with somebody's rights.
package guarded

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/bounded"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
)

const (
	// Service is S3's name as a principal: what keys are used via.
	Service = "s3.amazonaws.com"
	// ManagedKey is the key that SSE-KMS uses when nobody names one.
	ManagedKey = "alias/aws/s3"
	// policiesKept is how many parsed bucket policies are remembered, at most twice.
	policiesKept = 512
)

// The values of x-amz-server-side-encryption.
const (
	AES256 = "AES256"
	KMS    = "aws:kms"
)

// Rules are what S3 asks of a caller. They are safe for concurrent use.
type Rules struct {
	objects  objects.Store
	gate     kms.Gate
	policies *bounded.Cache[string, *policy.Document]
}

// NewRules returns the rules over a store. Without a gate there are no customers' keys, and every wish
// for one fails.
func NewRules(o objects.Store, gate kms.Gate) *Rules {
	return &Rules{objects: o, gate: gate, policies: bounded.NewCache[string, *policy.Document](policiesKept)}
}

// Access returns what the authorizer needs to know of an action on an object, or on its bucket when the
// key is empty. The condition keys are added to S3's own.
func (r *Rules) Access(c iam.Caller, b objects.Bucket, key, action string, conditions map[string][]string) iam.Access {
	keys := map[string][]string{"s3:resourceaccount": {b.AccountID}}
	maps.Copy(keys, conditions)
	a := iam.Access{Action: action, Resource: objects.ARN(b.Name, key), Owner: b.AccountID, Keys: keys}
	// The owner's root can always repair a policy that locks everybody out.
	// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
	if p := c.Principal; p.Kind == iam.KindRoot && p.AccountID == b.AccountID && aboutPolicy[action] {
		return a
	}
	a.Policy = func(context.Context) (*policy.Document, error) { return r.policyFor(c, b) }
	return a
}

var aboutPolicy = map[string]bool{"s3:GetBucketPolicy": true, "s3:PutBucketPolicy": true, "s3:DeleteBucketPolicy": true}

// policyFor returns the bucket's policy as it counts for a caller. A public one counts for nobody outside the
// owner's account but services, when RestrictPublicBuckets is set.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
func (r *Rules) policyFor(c iam.Caller, b objects.Bucket) (*policy.Document, error) {
	doc, err := r.Policy(b)
	if doc == nil || err != nil {
		return nil, err
	}
	restricted := b.Settings.Block != nil && b.Settings.Block.RestrictPublicBuckets
	if restricted && c.Principal.Kind != iam.KindService && c.Principal.AccountID != b.AccountID && doc.Public() {
		return nil, nil //nolint:nilnil // none that counts
	}
	return doc, nil
}

// Policy returns the bucket's policy, or nil when it has none.
func (r *Rules) Policy(b objects.Bucket) (*policy.Document, error) {
	text := b.Settings.Policy
	if text == "" {
		return nil, nil //nolint:nilnil // none
	}
	if doc, ok := r.policies.Get(text); ok {
		return doc, nil
	}
	doc, err := policy.Parse([]byte(text), policy.Resource)
	if err != nil {
		return nil, fmt.Errorf("read policy of bucket %s: %w", b.Name, err)
	}
	r.policies.Put(text, doc)
	return doc, nil
}

// Absent returns what is said of a key that is not there: objects.ErrNoSuchKey to those who may list the bucket,
// to others the authorizer's refusal, so that they can't find out which keys exist.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func (r *Rules) Absent(ctx context.Context, who iam.Authorizer, c iam.Caller, b objects.Bucket) error {
	if err := who.Authorize(ctx, c, r.Access(c, b, "", "s3:ListBucket", nil)); err != nil {
		return err
	}
	return objects.ErrNoSuchKey
}

// Wish is how a request wants an object to be encrypted; the zero value leaves it to the bucket.
type Wish struct {
	// Algorithm is AES256 or KMS.
	Algorithm string
	// Key names the customer's key in any form; empty means ManagedKey.
	Key     string
	Context kms.Context
	// BucketKey says whether to use the bucket's key; nil leaves it to the bucket.
	BucketKey *bool
}

// Encryption decides how an object that a caller puts shall be encrypted, and checks that the caller
// may make data keys under that key: else an objects.KeyError.
func (r *Rules) Encryption(ctx context.Context, c iam.Caller, b objects.Bucket, key string, w Wish) (objects.Encryption, error) {
	e := objects.Encryption{KeyARN: w.Key, Context: w.Context, BucketKey: b.Settings.Default.BucketKey}
	switch w.Algorithm {
	case AES256:
		return objects.Encryption{}, nil
	case KMS:
		if e.KeyARN == "" {
			e.KeyARN = ManagedKey
		}
	default:
		e.KeyARN = b.Settings.Default.KeyARN
	}
	if w.BucketKey != nil {
		e.BucketKey = *w.BucketKey
	}
	if !e.Customer() {
		return objects.Encryption{}, nil
	}
	used, err := r.use(ctx, c, b, key, "GenerateDataKey", e)
	e.KeyARN = used.ARN
	return e, err
}

// Decrypt checks that a caller may open the data keys of an object of the bucket: else an objects.KeyError.
func (r *Rules) Decrypt(ctx context.Context, c iam.Caller, b objects.Bucket, key string, e objects.Encryption) error {
	if !e.Customer() {
		return nil
	}
	_, err := r.use(ctx, c, b, key, "Decrypt", e)
	return err
}

// use asks for the key through S3, in the bucket's region.
func (r *Rules) use(ctx context.Context, c iam.Caller, b objects.Bucket, key, operation string, e objects.Encryption) (kms.Key, error) {
	if r.gate == nil {
		return kms.Key{}, objects.FailKey(errors.New("no service of keys is configured"))
	}
	c = c.Through(Service)
	c.Region = b.Region
	used, err := r.gate.Use(ctx, c, operation, e.KeyARN, e.Bind(b.Name, key))
	return used, objects.FailKey(err)
}

// Open opens an object for a caller who may read it, when he may use its key as well: objects.ErrNoSuchKey, an
// objects.KeyError.
func (r *Rules) Open(ctx context.Context, c iam.Caller, b objects.Bucket, key string) (objects.Object, objects.Reader, error) {
	o, err := r.objects.Head(ctx, b.Name, key)
	if err != nil {
		return objects.Object{}, nil, err
	}
	for {
		asked := o.Metadata.Encryption
		if err := r.Decrypt(ctx, c, b, key, asked); err != nil {
			return objects.Object{}, nil, err
		}
		var content objects.Reader
		if o, content, err = r.objects.Open(ctx, b.Name, key); err != nil {
			return objects.Object{}, nil, err
		}
		if e := o.Metadata.Encryption; !e.Customer() || e.Same(asked) {
			return o, content, nil
		}
		content.Close() // It was replaced meanwhile by one under another key: ask for that one.
	}
}

// Shown returns a KeyError as S3 shows it, and every other error as it is: S3 has a code for each of KMS's,
// with the prefix "KMS.". https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func Shown(err error) error {
	var key *objects.KeyError
	if !errors.As(err, &key) {
		return err
	}
	var shown *awserr.Error
	switch {
	case !errors.As(key.Err, &shown), shown.Status >= 500:
		return err
	case shown.Code == "AccessDeniedException":
		return &awserr.Error{Code: "AccessDenied", Status: 403, Message: shown.Message}
	}
	return &awserr.Error{Code: "KMS." + shown.Code, Status: 400, Message: shown.Message}
}
