package guarded

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
)

// Config is what a Store is made of. All is required.
type Config struct {
	Objects    objects.Store
	Authorizer iam.Authorizer
	Gate       kms.Gate
	Recorder   audit.Recorder
}

// Store reads and writes objects with somebody's rights. It is safe for concurrent use.
type Store struct {
	config Config
	rules  *Rules
}

// New returns a store.
func New(config Config) *Store {
	return &Store{config: config, rules: NewRules(config.Objects, config.Gate)}
}

// For returns the store as a caller may use it, through the services in Caller.Via. What is refused to
// him is objects.ErrAccessDenied, which wraps the reason; a key that can't be used otherwise is an
// objects.KeyError. Each access is in the audit when the method returns.
//
// The wanted encryption is that of Put's metadata: its KeyARN may be any form of a key's name, and without one the
// bucket's default holds. Bucket asks for no permission: that a bucket exists, and where, S3 tells everybody. It
// leaves out the settings.
func (s *Store) For(c iam.Caller) objects.ReadWriter { return &view{s, c} }

// view is the store as one caller sees it.
type view struct {
	*Store
	caller iam.Caller
}

// Bucket implements objects.ReadWriter.
func (v *view) Bucket(ctx context.Context, name string) (objects.Bucket, error) {
	b, err := v.config.Objects.Bucket(ctx, name)
	b.Settings = objects.Settings{}
	return b, err
}

// Open implements objects.ReadWriter.
func (v *view) Open(ctx context.Context, bucket, key string) (o objects.Object, content objects.Reader, err error) {
	err = v.act(ctx, "GetObject", bucket, key, func(b objects.Bucket) (err error) {
		if err := v.authorize(ctx, b, key, "s3:GetObject", nil); err != nil {
			return err
		}
		o, content, err = v.rules.Open(ctx, v.caller, b, key)
		if errors.Is(err, objects.ErrNoSuchKey) {
			return v.rules.Absent(ctx, v.config.Authorizer, v.caller, b)
		}
		return err
	})
	if err != nil && content != nil {
		content.Close()
		content = nil
	}
	return o, content, err
}

// Put implements objects.ReadWriter.
func (v *view) Put(ctx context.Context, bucket, key string, body io.Reader, meta objects.Metadata) (o objects.Object, err error) {
	err = v.act(ctx, "PutObject", bucket, key, func(b objects.Bucket) (err error) {
		wish := Wish{Context: meta.Encryption.Context}
		var conditions map[string][]string
		if meta.Encryption.Customer() {
			wish.Algorithm, wish.Key = KMS, meta.Encryption.KeyARN
			conditions = map[string][]string{
				"s3:x-amz-server-side-encryption":                {KMS},
				"s3:x-amz-server-side-encryption-aws-kms-key-id": {wish.Key},
			}
			if meta.Encryption.BucketKey {
				wish.BucketKey = &meta.Encryption.BucketKey
			}
		}
		if err := v.authorize(ctx, b, key, "s3:PutObject", conditions); err != nil {
			return err
		}
		if meta.Encryption, err = v.rules.Encryption(ctx, v.caller, b, key, wish); err != nil {
			return err
		}
		o, err = v.config.Objects.Put(ctx, bucket, key, body, meta)
		return err
	})
	return o, err
}

// Delete implements objects.ReadWriter.
func (v *view) Delete(ctx context.Context, bucket, key string) error {
	return v.act(ctx, "DeleteObject", bucket, key, func(b objects.Bucket) error {
		if err := v.authorize(ctx, b, key, "s3:DeleteObject", nil); err != nil {
			return err
		}
		return v.config.Objects.Delete(ctx, bucket, key)
	})
}

// authorize asks about one action. What services do for others is signed as any request by header is.
func (v *view) authorize(ctx context.Context, b objects.Bucket, key, action string, conditions map[string][]string) error {
	a := v.rules.Access(v.caller, b, key, action, conditions)
	a.Keys["s3:authtype"], a.Keys["s3:signatureversion"] = []string{"REST-HEADER"}, []string{"AWS4-HMAC-SHA256"}
	return v.config.Authorizer.Authorize(ctx, v.caller, a)
}

// act finds the bucket, acts, and has the outcome on record before it returns it.
func (v *view) act(ctx context.Context, name, bucket, key string, act func(objects.Bucket) error) error {
	b, err := v.config.Objects.Bucket(ctx, bucket)
	if err == nil {
		err = act(b)
	}
	e := audit.Event{
		Caller: v.caller, Source: Service, Name: name, ReadOnly: name == "GetObject", Data: true,
		Resources: Resources(b, key), Request: map[string]any{"bucketName": bucket, "key": key},
	}
	if err != nil {
		shown := awserr.For(awserr.S3, Shown(err))
		e.ErrorCode, e.ErrorMessage = shown.Code, shown.Message
		if code := codes(err); code != "" {
			e.ErrorCode, e.ErrorMessage = code, err.Error()
		}
		if shown.Code == "AccessDenied" && !errors.Is(err, objects.ErrAccessDenied) {
			err = fmt.Errorf("%w: %w", objects.ErrAccessDenied, err)
		}
	}
	// What was done is done, also when the caller has given up meanwhile.
	if failed := v.config.Recorder.Record(context.WithoutCancel(ctx), e); failed != nil {
		return errors.Join(err, fmt.Errorf("record access to object: %w", failed))
	}
	return err
}

// codes returns S3's code for the errors of a store that are no AWS errors, or "".
func codes(err error) string {
	for _, c := range []struct {
		err  error
		code string
	}{
		{objects.ErrNoSuchBucket, "NoSuchBucket"},
		{objects.ErrNoSuchKey, "NoSuchKey"},
		{objects.ErrTooLarge, "EntityTooLarge"},
	} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return ""
}

// Resources returns what the audit shows of an act on an object, or on a bucket when the key is empty.
func Resources(b objects.Bucket, key string) []audit.Resource {
	if b.Name == "" {
		return nil
	}
	bucket := audit.Resource{ARN: objects.ARN(b.Name, ""), AccountID: b.AccountID, Type: "AWS::S3::Bucket"}
	if key == "" {
		return []audit.Resource{bucket}
	}
	return []audit.Resource{{ARN: objects.ARN(b.Name, key), Type: "AWS::S3::Object"}, bucket}
}
