package s3

import (
	"crypto/tls"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/guarded"
)

// headerKeys are the headers that policies can ask about, as s3:header, of operations that make something.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-policy-keys
var headerKeys = []string{
	"x-amz-acl", "x-amz-copy-source", "x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write",
	"x-amz-grant-write-acp", "x-amz-metadata-directive", "x-amz-object-ownership", headerEncryption, headerKeyID,
	"x-amz-server-side-encryption-customer-algorithm", "x-amz-storage-class", "x-amz-website-redirect-location",
}

var (
	// conditionHeaders are those under which something is written, parameterKeys the parameters of listings.
	conditionHeaders = []string{"if-match", "if-none-match"}
	parameterKeys    = []string{"prefix", "delimiter", "max-keys"}
)

// conditions returns the keys of S3 that the request gives. A header or parameter that is not there gives no
// key: so StringEquals does not hold of it, and Null does. Nor does one that means nothing to the operation:
// otherwise whoever may list a prefix by a policy for all actions could do anything else by adding the parameter.
func (r *request) conditions() map[string][]string {
	keys := r.signed()
	switch {
	case writes[r.action]:
		r.headerConditions(keys, headerKeys)
		r.headerConditions(keys, conditionHeaders)
		if tags, err := url.ParseQuery(r.header.Get("X-Amz-Tagging")); err == nil {
			requestTags(keys, firstOf(tags))
		}
	case r.action == "CreateBucket":
		r.headerConditions(keys, headerKeys)
	case r.action == "CompleteMultipartUpload":
		r.headerConditions(keys, conditionHeaders)
	case r.action == "ListObjects" || r.action == "ListObjectsV2":
		for _, name := range parameterKeys {
			if r.query.Has(name) {
				keys["s3:"+name] = []string{r.query.Get(name)}
			}
		}
	}
	return keys
}

func (r *request) headerConditions(keys map[string][]string, names []string) {
	for _, name := range names {
		values := r.header.Values(name)
		if len(values) == 0 {
			continue
		}
		value := values[0]
		switch {
		case name == headerKeyID && bareKey.MatchString(value):
			// Policies compare with ARNs; an id means a key of the caller's.
			value = "arn:aws:kms:" + r.target.Region + ":" + r.call.Principal.AccountID + ":key/" + value
		case name == "x-amz-copy-source":
			// What is meant, however it is escaped.
			if plain, err := url.PathUnescape(value); err == nil {
				value = plain
			}
		}
		keys["s3:"+name] = []string{value}
	}
}

// uploadConditions returns the keys of an upload under way, whose headers came with its creation and hold for
// its parts and its completion too.
func (s *Service) uploadConditions(r *request) (map[string][]string, error) {
	u, err := s.store.Upload(r.Context(), r.upload())
	meta := u.Metadata
	if errors.Is(err, objects.ErrNoSuchUpload) {
		// It may have been completed, and its client asks again; the store knows.
		var o objects.Object
		o, err = s.store.Head(r.Context(), r.bucket, r.key)
		if errors.Is(err, objects.ErrNoSuchKey) {
			return nil, nil // The handler will say so.
		}
		meta = o.Metadata
	}
	if err != nil {
		return nil, err
	}
	keys := map[string][]string{"s3:" + headerEncryption: {guarded.AES256}}
	if e := meta.Encryption; e.Customer() {
		keys["s3:"+headerEncryption], keys["s3:"+headerKeyID] = []string{guarded.KMS}, []string{e.KeyARN}
	}
	requestTags(keys, meta.Tags)
	return keys, nil
}

var bareKey = regexp.MustCompile(`^(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// requestTags adds the keys of tags that a request wants set.
func requestTags(keys map[string][]string, tags map[string]string) {
	for name, value := range tags {
		keys["s3:requestobjecttag/"+name] = []string{value}
		keys["s3:requestobjecttagkeys"] = append(keys["s3:requestobjecttagkeys"], name)
	}
}

func firstOf(values url.Values) map[string]string {
	first := make(map[string]string, len(values))
	for name, all := range values {
		first[name] = all[0]
	}
	return first
}

// signed returns the keys that say how the request was signed and sent.
func (r *request) signed() map[string][]string {
	keys := map[string][]string{"s3:authtype": {"REST-HEADER"}, "s3:signatureversion": {"AWS4-HMAC-SHA256"}}
	date := r.header.Get("X-Amz-Date")
	switch {
	case r.query.Has("X-Amz-Signature"):
		keys["s3:authtype"] = []string{"REST-QUERY-STRING"}
		date = r.query.Get("X-Amz-Date")
	case r.query.Has("AWSAccessKeyId"):
		keys["s3:authtype"], keys["s3:signatureversion"] = []string{"REST-QUERY-STRING"}, []string{"AWS"}
	}
	if at, err := time.Parse("20060102T150405Z", date); err == nil {
		keys["s3:signatureage"] = []string{strconv.FormatInt(r.call.Time.Sub(at).Milliseconds(), 10)}
	}
	if hash := r.Header.Get("X-Amz-Content-Sha256"); hash != "" {
		keys["s3:x-amz-content-sha256"] = []string{hash}
	} else if r.query.Has("X-Amz-Signature") {
		keys["s3:x-amz-content-sha256"] = []string{"UNSIGNED-PAYLOAD"}
	}
	if r.TLS != nil {
		keys["s3:tlsversion"] = []string{strings.TrimPrefix(tls.VersionName(r.TLS.Version), "TLS ")}
	}
	return keys
}

// shown are the headers that the audit shows of a request.
var shown = append([]string{
	headerContext, headerBucketKey, "x-amz-copy-source-range", "x-amz-tagging", "x-amz-tagging-directive", "x-amz-expected-bucket-owner",
	"x-amz-source-expected-bucket-owner", "range", "if-match", "if-none-match",
}, headerKeys...)

// parameters returns what the audit shows of the request: names, and what decides how it is carried out.
// The query's signature and tokens are not shown, nor the customer's keys and metadata.
func (r *request) parameters() map[string]any {
	all := map[string]any{"Host": r.Host}
	if r.bucket != "" {
		all["bucketName"] = r.bucket
	}
	if r.key != "" {
		all["key"] = r.key
	}
	for name, values := range r.query {
		if !strings.HasPrefix(strings.ToLower(name), "x-amz-") && !signing[name] {
			all[name] = values[0]
		}
	}
	for _, name := range shown {
		if v := r.header.Get(name); v != "" {
			all[name] = v
		}
	}
	return all
}

// signing are the parameters of Signature Version 2.
var signing = map[string]bool{"AWSAccessKeyId": true, "Signature": true, "Expires": true}
