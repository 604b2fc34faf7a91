package s3

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/guarded"
)

func s3error(status int, code, message string) *awserr.Error {
	return &awserr.Error{Code: code, Status: status, Message: message}
}

// The errors of S3 that operations raise themselves.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var (
	errAccessDenied        = s3error(403, "AccessDenied", "Access Denied")
	errInvalidBucketName   = s3error(400, "InvalidBucketName", "The specified bucket is not valid.")
	errMethodNotAllowed    = s3error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	errMalformedXML        = s3error(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	errEntityTooLarge      = s3error(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	errEntityTooSmall      = s3error(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
	errInvalidPart         = s3error(400, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
	errInvalidPartOrder    = s3error(400, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
	errNoSuchUpload        = s3error(404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	errPrecondition        = s3error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	errInvalidRange        = s3error(416, "InvalidRange", "The requested range is not satisfiable")
	errInvalidLocation     = s3error(400, "InvalidLocationConstraint", "The specified location-constraint is not valid")
	errBucketAlreadyExists = s3error(409, "BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.")
	errBucketAlreadyOwned  = s3error(409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
	errBucketNotEmpty      = s3error(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	errNoSuchBucket        = s3error(404, "NoSuchBucket", "The specified bucket does not exist")
	errNoSuchKey           = s3error(404, "NoSuchKey", "The specified key does not exist.")
	errNoPolicy            = s3error(404, "NoSuchBucketPolicy", "The bucket policy does not exist")
	errCopySource          = s3error(400, "InvalidArgument", "Invalid copy source object key").With("ArgumentName", "x-amz-copy-source")
	errNoACLs              = s3error(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
	errMissingMD5          = s3error(400, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	errBadChecksum         = s3error(400, "BadDigest", "The checksum or size you specified did not match what we received.")
	errCopyToItself        = s3error(400, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	errCopyTooLarge        = s3error(400, "InvalidRequest", "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
)

func invalidArgument(message, name, value string) error {
	return s3error(400, "InvalidArgument", message).With("ArgumentName", name).With("ArgumentValue", value)
}

func invalidRequest(message string) error { return s3error(400, "InvalidRequest", message) }

func invalidVersion(id string) error {
	return invalidArgument("Invalid version id specified", "versionId", id)
}

func keyTooLong(size int) error {
	return s3error(400, "KeyTooLongError", "Your key is too long").
		With("Size", strconv.Itoa(size)).With("MaxSizeAllowed", strconv.Itoa(objects.MaxKey))
}

// notImplemented refuses a part of S3 by name.
func notImplemented(header string) error {
	return s3error(501, "NotImplemented", "A header you provided implies functionality that is not implemented").With("Header", header)
}

// translate turns errors of the store into S3's. Others pass.
func translate(err error, bucket, key string) error {
	var shown *awserr.Error
	var refused *awserr.Failure
	if err = guarded.Shown(err); err == nil || errors.As(err, &shown) || errors.As(err, &refused) {
		return err
	}
	var part *objects.PartError
	switch {
	case errors.As(err, &part):
		return partError(part)
	case errors.Is(err, objects.ErrNoSuchBucket):
		return errNoSuchBucket.With("BucketName", bucket)
	case errors.Is(err, objects.ErrNoSuchKey):
		return errNoSuchKey.With("Key", key)
	case errors.Is(err, objects.ErrNoSuchUpload):
		return errNoSuchUpload
	case errors.Is(err, objects.ErrBucketNotEmpty):
		return errBucketNotEmpty.With("BucketName", bucket)
	case errors.Is(err, objects.ErrBucketExists):
		return errBucketAlreadyExists.With("BucketName", bucket)
	case errors.Is(err, objects.ErrBucketOwned):
		return errBucketAlreadyOwned.With("BucketName", bucket)
	case errors.Is(err, objects.ErrPreconditionFailed):
		return errPrecondition
	case errors.Is(err, objects.ErrTooLarge):
		return errEntityTooLarge.With("MaxSizeAllowed", strconv.FormatInt(objects.MaxPut, 10))
	case errors.Is(err, objects.ErrInvalidPart):
		return errInvalidPart
	case errors.Is(err, objects.ErrBadChecksum):
		return errBadChecksum
	}
	return fmt.Errorf("object store: %w", err)
}

func partError(p *objects.PartError) error {
	if errors.Is(p, objects.ErrPartTooSmall) {
		return errEntityTooSmall.With("ProposedSize", strconv.FormatInt(p.Size, 10)).
			With("MinSizeAllowed", strconv.FormatInt(objects.MinPart, 10)).
			With("PartNumber", strconv.Itoa(p.Number)).With("ETag", p.ETag)
	}
	return errInvalidPart.With("PartNumber", strconv.Itoa(p.Number)).With("ETag", p.ETag)
}
