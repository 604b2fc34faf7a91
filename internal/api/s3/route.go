package s3

import (
	"net/http"
)

// row is one operation: how to know it, which permissions it needs, and what carries it out.
type row struct {
	method string
	// has names query parameters that must be there; header one that must.
	has    []string
	header string
	// action is the API operation.
	action string
	// needs are IAM's actions without "s3:", on the object or, without a key, on the bucket. With none the
	// handler asks: what for shows only in the body.
	needs []string
	// tagged tells that policies may ask about the tags of the object that is there.
	tagged bool
	run    operation
}

// The operations of each level; the first row that fits counts. Permissions:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html and
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
var (
	onService = []row{
		{method: "GET", action: "ListBuckets", needs: []string{"ListAllMyBuckets"}, run: (*Service).listBuckets},
	}
	onBucket = []row{
		{method: "POST", has: []string{"delete"}, action: "DeleteObjects", run: (*Service).deleteObjects},
		{method: "GET", has: []string{"location"}, action: "GetBucketLocation", needs: []string{"GetBucketLocation"}, run: (*Service).getBucketLocation},
		{method: "GET", has: []string{"uploads"}, action: "ListMultipartUploads", needs: []string{"ListBucketMultipartUploads"}, run: (*Service).listUploads},
		{method: "GET", has: []string{"list-type"}, action: "ListObjectsV2", needs: []string{"ListBucket"}, run: (*Service).listObjectsV2},
		{method: "GET", action: "ListObjects", needs: []string{"ListBucket"}, run: (*Service).listObjects},
		{method: "HEAD", action: "HeadBucket", needs: []string{"ListBucket"}, run: (*Service).headBucket},
		{method: "PUT", action: "CreateBucket", run: (*Service).createBucket},
		{method: "DELETE", action: "DeleteBucket", needs: []string{"DeleteBucket"}, run: (*Service).deleteBucket},
	}
	onObject = []row{
		{method: "PUT", has: []string{"partNumber", "uploadId"}, header: "X-Amz-Copy-Source", action: "UploadPartCopy", needs: []string{"PutObject"}, run: (*Service).uploadPartCopy},
		{method: "PUT", has: []string{"partNumber", "uploadId"}, action: "UploadPart", needs: []string{"PutObject"}, run: (*Service).uploadPart},
		{method: "PUT", header: "X-Amz-Copy-Source", action: "CopyObject", needs: []string{"PutObject"}, run: (*Service).copyObject},
		{method: "PUT", action: "PutObject", needs: []string{"PutObject"}, run: (*Service).putObject},
		{method: "POST", has: []string{"uploads"}, action: "CreateMultipartUpload", needs: []string{"PutObject"}, run: (*Service).createUpload},
		{method: "POST", has: []string{"uploadId"}, action: "CompleteMultipartUpload", needs: []string{"PutObject"}, run: (*Service).completeUpload},
		{method: "DELETE", has: []string{"uploadId"}, action: "AbortMultipartUpload", needs: []string{"AbortMultipartUpload"}, run: (*Service).abortUpload},
		{method: "DELETE", action: "DeleteObject", needs: []string{"DeleteObject"}, run: (*Service).deleteObject},
		{method: "GET", has: []string{"uploadId"}, action: "ListParts", needs: []string{"ListMultipartUploadParts"}, run: (*Service).listParts},
		{method: "GET", has: []string{"attributes"}, action: "GetObjectAttributes", needs: []string{"GetObject", "GetObjectAttributes"}, tagged: true, run: (*Service).getObjectAttributes},
		{method: "GET", action: "GetObject", needs: []string{"GetObject"}, tagged: true, run: (*Service).getObject},
		{method: "HEAD", action: "HeadObject", needs: []string{"GetObject"}, tagged: true, run: (*Service).headObject},
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
		if found, ok := fixed[name][r.Method]; ok {
			return found, nil
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

// unbuilt are headers whose wish we can't fulfil; accepting and ignoring them would be a lie.
// The values given are those that change nothing.
var unbuilt = map[string][]string{
	"X-Amz-Server-Side-Encryption-Customer-Algorithm":             nil,
	"X-Amz-Server-Side-Encryption-Customer-Key":                   nil,
	"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm": nil,
	"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key":       nil,
	"X-Amz-Storage-Class":                                         {"STANDARD"},
	"X-Amz-Website-Redirect-Location":                             nil,
	"X-Amz-Object-Lock-Mode":                                      nil,
	"X-Amz-Object-Lock-Retain-Until-Date":                         nil,
	"X-Amz-Object-Lock-Legal-Hold":                                {"OFF"},
	"X-Amz-Object-Ownership":                                      {"BucketOwnerEnforced"},
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
