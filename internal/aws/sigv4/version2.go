package sigv4

import (
	"crypto/hmac"
	"crypto/sha1" // Signature Version 2 is HMAC-SHA1, which SHA-1's collisions do not touch
	"encoding/base64"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
)

// subresources are the query parameters that a Signature Version 2 covers; all others may be
// added by anybody, so S3 gives them no power over what is read or written.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
var subresources = map[string]bool{
	"accelerate": true, "acl": true, "analytics": true, "cors": true, "defaultObjectAcl": true, "delete": true,
	"inventory": true, "lifecycle": true, "location": true, "logging": true, "metrics": true, "notification": true,
	"object-lock": true, "partNumber": true, "policy": true, "replication": true, "requestPayment": true,
	"response-cache-control": true, "response-content-disposition": true, "response-content-encoding": true,
	"response-content-language": true, "response-content-type": true, "response-expires": true, "restore": true,
	"select": true, "select-type": true, "storageClass": true, "tagging": true, "torrent": true, "uploadId": true,
	"uploads": true, "versionId": true, "versioning": true, "versions": true, "website": true,
}

func parseVersion2(q query) (*Claim, error) {
	c := &Claim{Presigned: true, Version2: true, Scope: Scope{Service: "s3"}}
	for _, p := range []struct {
		name string
		into *string
	}{{"AWSAccessKeyId", &c.AccessKeyID}, {"Signature", &c.Signature}, {"x-amz-security-token", &c.Token}} {
		value, count := q.get(p.name)
		if count > 1 {
			return nil, malformedQuery("Query-string authentication parameter " + p.name + " occurs more than once")
		}
		*p.into = value
	}
	expires, count := q.get("Expires")
	if count != 1 {
		return nil, awserr.Fail(awserr.MissingAuth) // S3: "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
	}
	seconds, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return nil, malformedQuery("Invalid date (should be seconds since epoch): " + clip(expires))
	}
	c.Deadline = time.Unix(seconds, 0)
	return c, nil
}

// verifyVersion2 checks HMAC-SHA1 over method, Content-MD5, Content-Type, Expires, x-amz-* headers and
// the resource. In virtual-host style the resource begins with the bucket that the host names, which
// only S3 can tell; both readings are tried.
func verifyVersion2(r *http.Request, c *Claim, cred iam.Credential) error {
	q, err := parseQuery(r)
	if err != nil {
		return err
	}
	path, _ := target(r)
	if path == "" {
		path = "/"
	}
	resources := []string{path}
	if bucket := bucketOfHost(r.Host); bucket != "" {
		resources = append(resources, "/"+bucket+path)
	}
	head, tail := version2Head(r, c), version2Subresources(q)
	for _, resource := range resources {
		mac := hmac.New(sha1.New, []byte(cred.SecretAccessKey))
		mac.Write([]byte(head + resource + tail))
		if equal(base64.StdEncoding.EncodeToString(mac.Sum(nil)), c.Signature) {
			return nil
		}
	}
	toSign := head + resources[0] + tail
	return awserr.Fail(awserr.WrongSignature,
		"AWSAccessKeyId", c.AccessKeyID,
		"StringToSign", toSign,
		"SignatureProvided", clip(c.Signature),
		"StringToSignBytes", hexBytes(toSign))
}

func version2Head(r *http.Request, c *Claim) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + r.Header.Get("Content-Md5") + "\n" + r.Header.Get("Content-Type") + "\n")
	b.WriteString(itoa(c.Deadline.Unix()) + "\n")
	amz := map[string]string{}
	for name, values := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			trimmed := make([]string, len(values))
			for i, v := range values {
				trimmed[i] = strings.TrimSpace(v)
			}
			amz[lower] = strings.Join(trimmed, ",")
		}
	}
	if c.Token != "" {
		amz["x-amz-security-token"] = c.Token
	}
	names := make([]string, 0, len(amz))
	for name := range amz {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString(name + ":" + amz[name] + "\n")
	}
	return b.String()
}

func version2Subresources(q query) string {
	var parts []string
	for _, p := range q {
		if !subresources[p.name] {
			continue
		}
		if p.value == "" {
			parts = append(parts, p.name)
			continue
		}
		parts = append(parts, p.name+"="+p.value)
	}
	if len(parts) == 0 {
		return ""
	}
	slices.Sort(parts)
	return "?" + strings.Join(parts, "&")
}

// bucketOfHost returns the first label of a host name that has more than one.
func bucketOfHost(host string) string {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	if net.ParseIP(name) != nil {
		return ""
	}
	bucket, _, dotted := strings.Cut(name, ".")
	if !dotted {
		return ""
	}
	return bucket
}
