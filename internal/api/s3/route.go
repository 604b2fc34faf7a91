package s3

import (
	"net/http"
)

// row is one operation: how to know it, what IAM calls it, and what carries it out.
type row struct {
	method string
	// has names query parameters that must be there; header one that must.
	has    []string
	header string
	action string
	run    operation
}

// The operations of each level; the first row that fits counts.
// Actions: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
var (
	onService = []row{
		{method: "GET", action: "ListAllMyBuckets", run: (*Service).listBuckets},
	}
	onBucket = []row{
		{method: "POST", has: []string{"delete"}, action: "DeleteObject", run: (*Service).deleteObjects},
		{method: "GET", has: []string{"location"}, action: "GetBucketLocation", run: (*Service).getBucketLocation},
		{method: "GET", has: []string{"uploads"}, action: "ListBucketMultipartUploads", run: (*Service).listUploads},
		{method: "GET", has: []string{"list-type"}, action: "ListBucket", run: (*Service).listObjectsV2},
		{method: "GET", action: "ListBucket", run: (*Service).listObjects},
		{method: "HEAD", action: "ListBucket", run: (*Service).headBucket},
		{method: "PUT", action: "CreateBucket", run: (*Service).createBucket},
		{method: "DELETE", action: "DeleteBucket", run: (*Service).deleteBucket},
	}
	onObject = []row{
		{method: "PUT", has: []string{"partNumber", "uploadId"}, header: "X-Amz-Copy-Source", action: "PutObject", run: (*Service).uploadPartCopy},
		{method: "PUT", has: []string{"partNumber", "uploadId"}, action: "PutObject", run: (*Service).uploadPart},
		{method: "PUT", header: "X-Amz-Copy-Source", action: "PutObject", run: (*Service).copyObject},
		{method: "PUT", action: "PutObject", run: (*Service).putObject},
		{method: "POST", has: []string{"uploads"}, action: "PutObject", run: (*Service).createUpload},
		{method: "POST", has: []string{"uploadId"}, action: "PutObject", run: (*Service).completeUpload},
		{method: "DELETE", has: []string{"uploadId"}, action: "AbortMultipartUpload", run: (*Service).abortUpload},
		{method: "DELETE", action: "DeleteObject", run: (*Service).deleteObject},
		{method: "GET", has: []string{"uploadId"}, action: "ListMultipartUploadParts", run: (*Service).listParts},
		{method: "GET", has: []string{"attributes"}, action: "GetObjectAttributes", run: (*Service).getObjectAttributes},
		{method: "GET", action: "GetObject", run: (*Service).getObject},
		{method: "HEAD", action: "GetObject", run: (*Service).headObject},
	}
)

// find returns the operation that a request asks for.
func (r *request) find() (row, error) {
	level, fixed := onObject, objectSettings
	switch {
	case r.bucket == "":
		level, fixed = onService, nil
	case r.key == "":
		level, fixed = onBucket, bucketSettings
	}
	for name := range r.query {
		if !subresources[name] {
			continue
		}
		// Settings that every bucket and object has here can be read, and none can be changed.
		if answer, ok := fixed[name]; ok && r.Method == http.MethodGet {
			return row{action: answer.action, run: answer.run}, nil
		}
		return row{}, notImplemented("?" + name)
	}
	for _, candidate := range level {
		if candidate.method == r.Method && r.fits(candidate) {
			return candidate, nil
		}
	}
	if r.Method == http.MethodPost || r.Method == http.MethodOptions {
		return row{}, notImplemented(r.Method)
	}
	return row{}, errMethodNotAllowed.With("Method", r.Method)
}

func (r *request) fits(candidate row) bool {
	for _, name := range candidate.has {
		if !r.query.Has(name) {
			return false
		}
	}
	return candidate.header == "" || r.header.Get(candidate.header) != ""
}

// resource returns the ARN that an operation acts on.
func (r *request) resource(row row) string {
	switch {
	case r.bucket == "":
		return "arn:aws:s3:::*"
	case r.key != "":
		return "arn:aws:s3:::" + r.bucket + "/" + r.key
	case row.action == "DeleteObject":
		return "arn:aws:s3:::" + r.bucket + "/*" // The keys are in the body.
	}
	return "arn:aws:s3:::" + r.bucket
}

// unbuilt are headers whose wish we can't fulfil; accepting and ignoring them would be a lie.
// The values given are those that change nothing.
var unbuilt = map[string][]string{
	"X-Amz-Server-Side-Encryption":                                {"AES256"},
	"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id":                 nil,
	"X-Amz-Server-Side-Encryption-Context":                        nil,
	"X-Amz-Server-Side-Encryption-Customer-Algorithm":             nil,
	"X-Amz-Server-Side-Encryption-Customer-Key":                   nil,
	"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm": nil,
	"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key":       nil,
	"X-Amz-Storage-Class":                                         {"STANDARD"},
	"X-Amz-Tagging":                                               {""},
	"X-Amz-Website-Redirect-Location":                             nil,
	"X-Amz-Object-Lock-Mode":                                      nil,
	"X-Amz-Object-Lock-Retain-Until-Date":                         nil,
	"X-Amz-Object-Lock-Legal-Hold":                                {"OFF"},
	"X-Amz-Bucket-Object-Lock-Enabled":                            {"false", "False"},
	"X-Amz-Write-Offset-Bytes":                                    nil,
	"X-Amz-Rename-Source":                                         nil,
}

func (r *request) refuseUnbuilt() error {
	for name, harmless := range unbuilt {
		values, ok := r.header[name]
		if ok && (len(values) != 1 || !contains(harmless, values[0])) {
			return notImplemented(name)
		}
	}
	if acl := r.header.Get("X-Amz-Acl"); acl != "" && acl != "private" && acl != "bucket-owner-full-control" {
		return errNoACLs
	}
	for _, kind := range []string{"Read", "Write", "Read-Acp", "Write-Acp", "Full-Control"} {
		if r.header.Get("X-Amz-Grant-"+kind) != "" {
			return errNoACLs
		}
	}
	if v := r.query.Get("versionId"); v != "" && v != "null" {
		return invalidVersion(v)
	}
	return nil
}

func contains(all []string, s string) bool {
	for _, one := range all {
		if one == s {
			return true
		}
	}
	return false
}

// subresources are the query parameters that name another thing than the bucket's list or the object's content,
// other than those in the rows above.
var subresources = map[string]bool{
	"accelerate": true, "acl": true, "analytics": true, "cors": true, "encryption": true, "intelligent-tiering": true,
	"inventory": true, "legal-hold": true, "lifecycle": true, "logging": true, "metadataConfiguration": true,
	"metadataTable": true, "metrics": true, "notification": true, "object-lock": true, "ownershipControls": true, "policy": true,
	"policyStatus": true, "publicAccessBlock": true, "renameObject": true, "replication": true, "requestPayment": true,
	"restore": true, "retention": true, "select": true, "session": true, "tagging": true, "torrent": true,
	"versioning": true, "versions": true, "website": true, "abac": true,
}

// setting is a subresource with one answer for all.
type setting struct {
	action string
	run    operation
}

// missing answers that a bucket has no such configuration.
func missing(action, code, message string) setting {
	return setting{action, func(s *Service, _ http.ResponseWriter, r *request) error {
		if _, err := s.own(r); err != nil {
			return err
		}
		return s3error(404, code, message).With("BucketName", r.bucket)
	}}
}

// fixed answers with a document.
func fixed(action string, doc func(r *request) any) setting {
	return setting{action, func(s *Service, w http.ResponseWriter, r *request) error {
		if _, err := s.own(r); err != nil {
			return err
		}
		if r.key != "" {
			if _, err := s.store.Head(r.Context(), r.bucket, r.key); err != nil {
				return err
			}
		}
		return reply(w, http.StatusOK, doc(r))
	}}
}

var bucketSettings = map[string]setting{
	"versioning":        fixed("GetBucketVersioning", empty("VersioningConfiguration")),
	"accelerate":        fixed("GetAccelerateConfiguration", empty("AccelerateConfiguration")),
	"logging":           fixed("GetBucketLogging", empty("BucketLoggingStatus")),
	"notification":      fixed("GetBucketNotification", empty("NotificationConfiguration")),
	"requestPayment":    fixed("GetBucketRequestPayment", func(*request) any { return requestPayment{Xmlns: namespace, Payer: "BucketOwner"} }),
	"encryption":        fixed("GetEncryptionConfiguration", func(*request) any { return sseS3() }),
	"acl":               fixed("GetBucketAcl", func(r *request) any { return ownerOnly(r) }),
	"policy":            missing("GetBucketPolicy", "NoSuchBucketPolicy", "The bucket policy does not exist"),
	"policyStatus":      missing("GetBucketPolicyStatus", "NoSuchBucketPolicy", "The bucket policy does not exist"),
	"tagging":           missing("GetBucketTagging", "NoSuchTagSet", "The TagSet does not exist"),
	"cors":              missing("GetBucketCORS", "NoSuchCORSConfiguration", "The CORS configuration does not exist"),
	"lifecycle":         missing("GetLifecycleConfiguration", "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
	"website":           missing("GetBucketWebsite", "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
	"replication":       missing("GetReplicationConfiguration", "ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
	"object-lock":       missing("GetBucketObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket"),
	"ownershipControls": missing("GetBucketOwnershipControls", "OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
	"publicAccessBlock": missing("GetBucketPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
}

var objectSettings = map[string]setting{
	"acl":     fixed("GetObjectAcl", func(r *request) any { return ownerOnly(r) }),
	"tagging": fixed("GetObjectTagging", func(*request) any { return tagging{Xmlns: namespace} }),
}
