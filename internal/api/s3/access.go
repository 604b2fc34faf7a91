package s3

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/guarded"
)

// request is one S3 request, taken apart.
type request struct {
	*http.Request
	call        *gateway.Call
	bucket, key string
	// action is the API operation.
	action string
	query  url.Values
	// header holds the request's headers, and those that presigning moved to the query.
	header http.Header
	// target is the bucket that was named; CreateBucket has none yet.
	target objects.Bucket
	// source is what a copy is of.
	source source
}

// source is what x-amz-copy-source names.
type source struct {
	bucket objects.Bucket
	key    string
}

// operation is a handler with the request taken apart.
type operation func(s *Service, w http.ResponseWriter, r *request) error

// Route implements gateway.Service.
func (s *Service) Route(r *http.Request, c *gateway.Call) (gateway.Route, error) {
	q, err := s.parse(r)
	if err != nil {
		return gateway.Route{}, err
	}
	row, err := q.find()
	if err != nil {
		return gateway.Route{}, err
	}
	q.call, q.action = c, row.action
	route := gateway.Route{
		Action: row.action, ReadOnly: gateway.ReadOnly(row.action), Data: q.key != "" || ofObjects[row.action], Request: q.parameters(),
	}
	var refusal error
	if route.Access, refusal = s.access(q, row); refusal == nil {
		refusal = q.check()
	}
	switch {
	case q.target.Name != "":
		c.Resources = guarded.Resources(q.target, q.key)
	case q.bucket != "":
		c.Resources = guarded.Resources(objects.Bucket{Name: q.bucket}, "")
	}
	route.Handler = func(w http.ResponseWriter, r *http.Request, c *gateway.Call) error {
		if refusal != nil {
			return translate(refusal, q.bucket, q.key)
		}
		// The body of r may have been replaced since Route.
		q.Request, q.call = r, c
		return translate(row.run(s, w, q), q.bucket, q.key)
	}
	return route, nil
}

// ofObjects are the operations on buckets that CloudTrail counts among those on objects ("data events").
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
var ofObjects = map[string]bool{"DeleteObjects": true, "ListObjects": true, "ListObjectsV2": true, "ListMultipartUploads": true, "HeadBucket": true}

// access finds the buckets and returns the permissions that the request needs. An error is to be
// answered when they are granted.
func (s *Service) access(r *request, row row) (all []iam.Access, err error) {
	if row.action == "CreateBucket" {
		return nil, nil // The handler asks: a condition key is in the body.
	}
	if r.bucket == "" {
		return []iam.Access{{Action: "s3:ListAllMyBuckets", Resource: "arn:aws:s3:::*", Keys: r.signed()}}, nil
	}
	if r.target, err = s.store.Bucket(r.Context(), r.bucket); err != nil {
		return nil, err
	}
	keys := r.conditions()
	var more map[string][]string
	switch {
	case row.tagged:
		more, err = s.existingTags(r, r.target, r.key)
	case ofUploads[row.action]:
		more, err = s.uploadConditions(r)
	}
	if err != nil {
		return nil, err
	}
	maps.Copy(keys, more)
	for _, action := range row.needs {
		all = append(all, s.rules.Access(r.call.Caller, r.target, r.key, "s3:"+action, keys))
	}
	for name, action := range map[string]string{"X-Amz-Tagging": "s3:PutObjectTagging", "X-Amz-Acl": "s3:PutObjectAcl"} {
		if r.header.Get(name) != "" && writes[row.action] {
			all = append(all, s.rules.Access(r.call.Caller, r.target, r.key, action, keys))
		}
	}
	if header := r.header.Get("X-Amz-Copy-Source"); header != "" && row.header != "" {
		from, err := s.sourceAccess(r, header)
		if err != nil {
			return all, err
		}
		all = append(all, from)
	}
	return all, nil
}

// writes are the operations that make objects, and may set more than content in doing so.
var writes = map[string]bool{"PutObject": true, "CopyObject": true, "CreateMultipartUpload": true}

// ofUploads are the operations that fill an upload, by the permission and the conditions that it was created under.
var ofUploads = map[string]bool{"UploadPart": true, "UploadPartCopy": true, "CompleteMultipartUpload": true}

// sourceAccess finds what is to be copied and returns the permission to read it.
func (s *Service) sourceAccess(r *request, header string) (iam.Access, error) {
	name, key, err := copySource(header)
	if err != nil {
		return iam.Access{}, err
	}
	b, err := s.store.Bucket(r.Context(), name)
	if err != nil {
		return iam.Access{}, translate(err, name, key)
	}
	r.source = source{b, key}
	keys := r.signed()
	existing, err := s.existingTags(r, b, key)
	if err != nil {
		return iam.Access{}, err
	}
	maps.Copy(keys, existing)
	return s.rules.Access(r.call.Caller, b, key, "s3:GetObject", keys), nil
}

// existingTags returns the condition keys of an object's tags.
func (s *Service) existingTags(r *request, b objects.Bucket, key string) (map[string][]string, error) {
	o, err := s.store.Head(r.Context(), b.Name, key)
	if err != nil && !errors.Is(err, objects.ErrNoSuchKey) {
		return nil, err
	}
	keys := make(map[string][]string, len(o.Metadata.Tags))
	for name, value := range o.Metadata.Tags {
		keys["s3:existingobjecttag/"+name] = []string{value}
	}
	return keys, nil
}

// check holds the request against rules that are no policies.
func (r *request) check() error {
	if err := r.checkLink(); err != nil {
		return err
	}
	for name, b := range map[string]objects.Bucket{"X-Amz-Expected-Bucket-Owner": r.target, "X-Amz-Source-Expected-Bucket-Owner": r.source.bucket} {
		if owner := r.header.Get(name); owner != "" && b.Name != "" && owner != b.AccountID {
			return errAccessDenied
		}
	}
	if err := r.checkEncryption(); err != nil {
		return err
	}
	return r.refuseUnbuilt()
}

// checkLink keeps sessions of Dictum's own to what they sign links for: reading service-managed output of
// their account.
func (r *request) checkLink() error {
	p := r.call.Principal
	if p.Service == "" {
		return nil
	}
	account := p.AccountID + "/"
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !reads || r.target.AccountID != objects.ServiceAccount || !strings.HasPrefix(r.key, account) || r.key == account {
		return errAccessDenied
	}
	return nil
}

// allow asks for a permission that shows only while the request is carried out.
func (s *Service) allow(r *request, key, action string, more map[string][]string) error {
	keys := r.conditions()
	maps.Copy(keys, more)
	return r.call.Authorize(r.Context(), s.rules.Access(r.call.Caller, r.target, key, "s3:"+action, keys))
}

// absent turns the error of a missing key into AccessDenied for those who may not list its bucket.
// Who follows a link may know that its object has expired.
func (s *Service) absent(r *request, b objects.Bucket, err error) error {
	if !errors.Is(err, objects.ErrNoSuchKey) || r.call.Principal.Service != "" {
		return err
	}
	return s.rules.Absent(r.Context(), r.call.Authorizer, r.call.Caller, b)
}
