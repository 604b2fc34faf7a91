// Package objects is the object storage that Dictum needs: buckets and encrypted objects
// with S3's semantics and none of its HTTP. Start at Store.
package objects

import (
	"context"
	"errors"
	"io"
	"time"
)

// The errors of a Store; compare with errors.Is.
var (
	ErrNoSuchBucket       = errors.New("no such bucket")
	ErrNoSuchKey          = errors.New("no such key")
	ErrBucketExists       = errors.New("bucket belongs to another account")
	ErrBucketOwned        = errors.New("bucket already belongs to you")
	ErrBucketNotEmpty     = errors.New("bucket is not empty")
	ErrPreconditionFailed = errors.New("precondition failed")
	ErrAccessDenied       = errors.New("bucket belongs to another account")
)

// Bucket is a named container of objects. Names are global.
type Bucket struct {
	Name      string
	AccountID string
	Region    string
	Created   time.Time
}

// Object is what is known of a stored object.
type Object struct {
	Bucket, Key string
	// Size is the length of the plain content in bytes.
	Size int64
	// ETag is without quotes: an MD5, or "md5-n" for a multipart upload.
	ETag     string
	Modified time.Time
	Metadata Metadata
}

// Metadata is what a client stores beside the bytes and gets back as headers.
type Metadata struct {
	ContentType        string
	CacheControl       string
	ContentDisposition string
	ContentEncoding    string
	ContentLanguage    string
	Expires            string
	// User holds x-amz-meta-* by lower-case name without the prefix.
	User map[string]string
	// Checksum is the algorithm ("CRC32", "CRC64NVME", …), base64 value and type
	// ("FULL_OBJECT" or "COMPOSITE") that the client sent, all empty when it sent none.
	ChecksumAlgorithm, ChecksumValue, ChecksumType string
}

// Reader reads an object's plain content. It is safe for concurrent ReadAt.
type Reader interface {
	io.ReadSeeker
	io.ReaderAt
	io.Closer
}

// ReadWriter is the part of the store that moves content: what jobs need.
type ReadWriter interface {
	// Open returns the object and a reader of its content: ErrNoSuchBucket, ErrNoSuchKey.
	Open(ctx context.Context, bucket, key string) (Object, Reader, error)
	// Put stores body under the key, replacing what was there in one step, and returns once it is
	// durable. An error from body (a wrong checksum) leaves the old object.
	Put(ctx context.Context, bucket, key string, body io.Reader, meta Metadata) (Object, error)
	// Delete removes the object; no error when it was not there.
	Delete(ctx context.Context, bucket, key string) error
	// Bucket returns the bucket, or ErrNoSuchBucket.
	Bucket(ctx context.Context, name string) (Bucket, error)
}
