// Package objects is the object storage that Dictum needs: buckets and encrypted objects
// with S3's semantics and none of its HTTP. Start at Store; package embedded implements it.
package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// The errors of a Store; compare with errors.Is.
var (
	ErrNoSuchBucket       = errors.New("no such bucket")
	ErrNoSuchKey          = errors.New("no such key")
	ErrNoSuchUpload       = errors.New("no such multipart upload")
	ErrBucketExists       = errors.New("bucket belongs to another account")
	ErrBucketOwned        = errors.New("bucket already belongs to you")
	ErrBucketNotEmpty     = errors.New("bucket is not empty")
	ErrPreconditionFailed = errors.New("precondition failed")
	// ErrAccessDenied: policies do not let the caller. It wraps the reason.
	ErrAccessDenied = errors.New("access denied")
	// ErrTooLarge: content beyond MaxPut or MaxObject.
	ErrTooLarge = errors.New("object is too large")
	// ErrInvalidPart: a part to complete with was not uploaded, or has another ETag or checksum.
	ErrInvalidPart = errors.New("invalid part")
	// ErrPartTooSmall: a part that is not the last has less than MinPart bytes. See PartError.
	ErrPartTooSmall = errors.New("part is too small")
	// ErrBadChecksum: the checksum a client claims for the whole is not that of its parts.
	ErrBadChecksum = errors.New("checksum does not match")
)

// S3's limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const (
	// MaxPut is the largest content of one Put or part, in bytes.
	MaxPut int64 = 5 << 30
	// MaxObject is the largest object, in bytes.
	MaxObject int64 = 5 << 40
	// MinPart is the least that a part other than the last one has, in bytes.
	MinPart int64 = 5 << 20
	// MaxParts is the highest number of a part; the lowest is 1.
	MaxParts = 10_000
	// MaxKey is the longest key in bytes of UTF-8.
	MaxKey = 1024
)

// PartError says which part of a completion is wrong. It wraps ErrInvalidPart or ErrPartTooSmall.
type PartError struct {
	Err    error
	Number int
	ETag   string
	Size   int64
}

// Error implements error.
func (e *PartError) Error() string { return fmt.Sprintf("part %d: %v", e.Number, e.Err) }

// Unwrap returns the sentinel.
func (e *PartError) Unwrap() error { return e.Err }

// ServiceAccount owns the buckets of service-managed output. It is no account of anyone's.
const ServiceAccount = "transcribe.amazonaws.com"

// ServiceBucket returns the name of the bucket that holds service-managed output in a region.
func ServiceBucket(region string) string { return servicePrefix + region + serviceSuffix }

// IsServiceBucket tells the names of ServiceBucket, whatever the region.
func IsServiceBucket(name string) bool {
	return strings.HasPrefix(name, servicePrefix) && strings.HasSuffix(name, serviceSuffix)
}

const (
	servicePrefix = "aws-transcribe-"
	serviceSuffix = "-prod"
)

// Bucket is a named container of objects. Names are global.
type Bucket struct {
	Name      string
	AccountID string
	Region    string
	Created   time.Time
	Settings  Settings
}

// Settings are what a bucket's owner has decided about it. They must not be changed in place: see Configure.
type Settings struct {
	// Policy is the bucket policy, JSON as it was put; empty when there is none.
	Policy string `json:",omitempty"`
	// Block is the bucket's public access block; nil when it was deleted.
	Block *PublicAccessBlock `json:",omitempty"`
	// Default is the encryption of objects that are put without a wish. Its KeyARN may be any form
	// of a key's name, as the owner gave it.
	Default Encryption `json:",omitzero"`
	// Tags are the bucket's.
	Tags map[string]string `json:",omitempty"`
}

// PublicAccessBlock is S3's: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PublicAccessBlockConfiguration.html.
// As ACLs are never accepted here, the first two change nothing.
type PublicAccessBlock struct {
	BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets bool
}

// BlockAll is what every bucket begins with that a customer makes.
var BlockAll = PublicAccessBlock{BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true}

// Object is what is known of a stored object.
type Object struct {
	Bucket, Key string
	// Size is the length of the plain content in bytes.
	Size int64
	// ETag is without quotes: an MD5, or "md5-n" for a multipart upload; under a customer's key, something
	// random of the same form, which tells nothing of the content.
	ETag     string
	Modified time.Time
	Metadata Metadata
}

// Metadata is what a client stores beside the bytes and gets back as headers.
type Metadata struct {
	ContentType        string `json:",omitempty"`
	CacheControl       string `json:",omitempty"`
	ContentDisposition string `json:",omitempty"`
	ContentEncoding    string `json:",omitempty"`
	ContentLanguage    string `json:",omitempty"`
	Expires            string `json:",omitempty"`
	// User holds x-amz-meta-* by lower-case name without the prefix.
	User map[string]string `json:",omitempty"`
	// Checksum is the algorithm ("CRC32", "CRC64NVME", …), base64 value and type
	// ("FULL_OBJECT" or "COMPOSITE") that the client sent, all empty when it sent none.
	ChecksumAlgorithm string `json:",omitempty"`
	ChecksumValue     string `json:",omitempty"`
	ChecksumType      string `json:",omitempty"`
	// Encryption is which key the content is under. It is chosen by whoever puts the object.
	Encryption Encryption `json:",omitzero"`
	// Tags are the object's.
	Tags map[string]string `json:",omitempty"`
}

// Checksummed is a body that knows, once it returned io.EOF, the checksum that its client sent and
// that was verified: algorithm and base64 value, or nothing. Put keeps it as the object's.
type Checksummed interface {
	Checksum() (algorithm, value string)
}

// Reader reads an object's plain content, authenticated. It is safe for concurrent ReadAt. It
// goes on reading the same content when the object is replaced or deleted.
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
	// Delete removes the object; no error when it was not there. Its wrapped data keys are deleted in the same
	// step: once the database has overwritten them, what remains of the content anywhere (a backup of the
	// files, a disk's spare blocks) can't be opened any more (crypto-shredding). The same holds for content that is
	// replaced, and for aborted and expired uploads.
	Delete(ctx context.Context, bucket, key string) error
	// Bucket returns the bucket, or ErrNoSuchBucket.
	Bucket(ctx context.Context, name string) (Bucket, error)
}

// Condition is what must hold of a key at the moment it is written, else ErrPreconditionFailed.
// The zero value always holds.
type Condition struct {
	// IfAbsent: there must be no object (If-None-Match: *).
	IfAbsent bool
	// IfMatch: there must be one with this ETag, or any when "*"; ErrNoSuchKey when there is none.
	IfMatch string
}

// Store is an object store, S3 without HTTP.
type Store interface {
	ReadWriter
	Buckets
	Uploads

	// Head returns what is known of an object without opening it: ErrNoSuchBucket, ErrNoSuchKey.
	Head(ctx context.Context, bucket, key string) (Object, error)
	// PutIf is Put under a condition.
	PutIf(ctx context.Context, bucket, key string, body io.Reader, meta Metadata, only Condition) (Object, error)
	// DeleteAll removes objects in one step; keys without one are fine.
	DeleteAll(ctx context.Context, bucket string, keys []string) error
	// SetTags replaces the tags of an object: ErrNoSuchBucket, ErrNoSuchKey.
	SetTags(ctx context.Context, bucket, key string, tags map[string]string) error
	// List returns objects in the order of their keys' UTF-8 bytes.
	List(ctx context.Context, bucket string, q ListQuery) (Listing, error)
}

// Buckets is the part of the store that manages buckets.
type Buckets interface {
	// CreateBucket makes a bucket: ErrBucketOwned, ErrBucketExists.
	CreateBucket(ctx context.Context, b Bucket) error
	// ServiceBucket returns the bucket of service-managed output in a region and makes it where needed.
	ServiceBucket(ctx context.Context, region string) (Bucket, error)
	// Configure changes a bucket's settings in one step and returns once that is durable: ErrNoSuchBucket, or
	// the error of change, which must be quick and gets a copy that it may alter, but for what it points to.
	Configure(ctx context.Context, name string, change func(*Settings) error) error
	// DeleteBucket removes an empty bucket and its unfinished uploads: ErrNoSuchBucket, ErrBucketNotEmpty.
	DeleteBucket(ctx context.Context, name string) error
	// ListBuckets returns an account's buckets by name.
	ListBuckets(ctx context.Context, accountID string) ([]Bucket, error)
}

// ListQuery asks for part of a bucket.
type ListQuery struct {
	Prefix string
	// Delimiter, when not empty, rolls keys that have it after the prefix up into one common prefix.
	Delimiter string
	// After is where to go on: keys up to it are left out, and all of a common prefix that it names.
	After string
	// Limit is how many objects and common prefixes to return at most.
	Limit int
}

// Listing is one page of a bucket.
type Listing struct {
	Objects  []Object
	Prefixes []string
	// More tells that there are more after Next, the last key or prefix in this page.
	More bool
	Next string
}

// UploadRef names a multipart upload. All of it must fit.
type UploadRef struct{ Bucket, Key, ID string }

// Upload is a multipart upload under way. Its metadata holds the checksum algorithm and type of
// the object to be.
type Upload struct {
	UploadRef
	Initiated time.Time
	Metadata  Metadata
}

// Part is an uploaded part of a multipart upload.
type Part struct {
	// Number is from 1 to MaxParts.
	Number   int
	Size     int64
	ETag     string
	Modified time.Time
	// ChecksumAlgorithm and ChecksumValue are empty when the upload has no algorithm and the client sent none.
	ChecksumAlgorithm, ChecksumValue string
}

// Completion says what a multipart upload shall become.
type Completion struct {
	// Parts are in ascending order of their numbers; their ETags must match, and their checksums
	// where not empty.
	Parts []Part
	// ChecksumValue is what the client takes the object's checksum to be; empty skips the check.
	ChecksumValue string
	// Size is what the client takes the object's size to be; negative skips the check.
	Size int64
	Only Condition
}

// UploadsQuery asks for part of a bucket's uploads.
type UploadsQuery struct {
	Prefix, Delimiter string
	// AfterKey and AfterID are where to go on; with an empty AfterID, after all uploads of AfterKey.
	AfterKey, AfterID string
	Limit             int
}

// UploadsListing is one page of a bucket's uploads, by key and then by time.
type UploadsListing struct {
	Uploads  []Upload
	Prefixes []string
	// More tells that there are more after NextKey and NextID.
	More            bool
	NextKey, NextID string
}

// Uploads is the part of the store that takes objects in parts. All methods that name an upload may
// return ErrNoSuchUpload.
type Uploads interface {
	CreateUpload(ctx context.Context, bucket, key string, meta Metadata) (Upload, error)
	// Upload returns one that is under way.
	Upload(ctx context.Context, ref UploadRef) (Upload, error)
	// PutPart stores a part durably, replacing one with the same number.
	PutPart(ctx context.Context, ref UploadRef, number int, body io.Reader) (Part, error)
	// ListParts returns up to limit parts with numbers above after, and whether there are more.
	ListParts(ctx context.Context, ref UploadRef, after, limit int) (parts []Part, more bool, err error)
	ListUploads(ctx context.Context, bucket string, q UploadsQuery) (UploadsListing, error)
	// CompleteUpload makes the object of the parts, without copying them: ErrInvalidPart,
	// ErrPartTooSmall, ErrTooLarge, ErrBadChecksum, ErrPreconditionFailed. Completing again succeeds as long as the
	// object is what the upload made it.
	CompleteUpload(ctx context.Context, ref UploadRef, c Completion) (Object, error)
	// AbortUpload removes an upload and its parts.
	AbortUpload(ctx context.Context, ref UploadRef) error
}
