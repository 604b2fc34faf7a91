package embedded

import (
	"context"
	"errors"
	"time"

	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
)

// ErrPartsChanged is returned by Index.CompleteUpload when a part is not the one it was.
var ErrPartsChanged = errors.New("parts were changed meanwhile")

// Segment is a sealed file and its place in a content: an object that was put at once has one, an object
// of a multipart upload one for each part.
type Segment struct {
	objects.Part
	// Blob is the name of the file.
	Blob string
	// Key opens it.
	Key kms.WrappedKey
}

// Index keeps everything but content, durably: store/objects implements it on SQL. Each method is one
// transaction and returns the errors of package objects. Methods that drop segments return the
// names of their blobs; the caller removes the files, and what it fails to remove is found by Known.
type Index interface {
	BucketIndex
	ObjectIndex
	UploadIndex
}

// BucketIndex keeps buckets.
type BucketIndex interface {
	CreateBucket(ctx context.Context, b objects.Bucket) error
	Bucket(ctx context.Context, name string) (objects.Bucket, error)
	Buckets(ctx context.Context, accountID string) ([]objects.Bucket, error)
	Configure(ctx context.Context, name string, change func(*objects.Settings) error) error
	DeleteBucket(ctx context.Context, name string) (dropped []string, err error)
}

// ObjectIndex keeps objects and the segments of their content.
type ObjectIndex interface {
	Object(ctx context.Context, bucket, key string) (objects.Object, error)
	Content(ctx context.Context, bucket, key string) (objects.Object, []Segment, error)
	// PutObject makes the object of one segment. content is a new id.
	PutObject(ctx context.Context, o objects.Object, content string, s Segment, only objects.Condition) (dropped []string, err error)
	DeleteObjects(ctx context.Context, bucket string, keys []string) (dropped []string, err error)
	SetTags(ctx context.Context, bucket, key string, tags map[string]string) error
	// Objects returns up to limit objects with from <= key, and key < before where before is not empty, by key.
	// The bounds need not be UTF-8.
	Objects(ctx context.Context, bucket, from, before string, limit int) ([]objects.Object, error)
	// Known returns which of the blobs are segments of something.
	Known(ctx context.Context, blobs []string) (map[string]bool, error)
}

// UploadIndex keeps multipart uploads.
type UploadIndex interface {
	CreateUpload(ctx context.Context, u objects.Upload) error
	Upload(ctx context.Context, ref objects.UploadRef) (objects.Upload, error)
	PutPart(ctx context.Context, ref objects.UploadRef, s Segment) (dropped []string, err error)
	// Parts returns up to limit segments with numbers above after, in order.
	Parts(ctx context.Context, ref objects.UploadRef, after, limit int) ([]Segment, error)
	// Uploads returns up to limit uploads from (key, after the id) on, and key < before where before is not
	// empty, by key and id.
	Uploads(ctx context.Context, bucket, from, afterID, before string, limit int) ([]objects.Upload, error)
	// CompleteUpload makes the object, whose content gets the upload's id, of the segments to keep
	// and drops the others: ErrPartsChanged when one of them is there no more.
	CompleteUpload(ctx context.Context, ref objects.UploadRef, o objects.Object, keep []Segment, only objects.Condition) (dropped []string, err error)
	// Completed returns the object if it is the one that the upload became, or ErrNoSuchUpload.
	Completed(ctx context.Context, ref objects.UploadRef) (objects.Object, error)
	AbortUpload(ctx context.Context, ref objects.UploadRef) (dropped []string, err error)
	// Stale returns up to limit uploads that were initiated before a time.
	Stale(ctx context.Context, before time.Time, limit int) ([]objects.UploadRef, error)
}
