package s3

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/objects"
)

// parse takes a request apart: bucket and key by path or host, query, and headers.
func (s *Service) parse(r *http.Request) (*request, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badURI(r.URL.RequestURI())
	}
	bucket, key, err := splitPath(r.URL.EscapedPath(), s.hostBucket(r.Host))
	if err != nil {
		return nil, err
	}
	return &request{Request: r, bucket: bucket, key: key, query: query, header: effectiveHeader(r.Header, query)}, nil
}

// hostBucket returns the bucket that stands in a virtual-host style Host, or "".
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
func (s *Service) hostBucket(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if net.ParseIP(strings.Trim(host, "[]")) != nil {
		return ""
	}
	for _, domain := range s.domains {
		if bucket, ok := strings.CutSuffix(host, "."+domain); ok && bucket != "s3" {
			return strings.TrimSuffix(bucket, ".s3")
		}
	}
	if i := strings.Index(host, ".s3."); i > 0 {
		return host[:i]
	}
	return ""
}

// splitPath returns bucket and key of an escaped path. The key is all that follows, slashes and dots
// included; a plus is a plus.
func splitPath(path, hostBucket string) (bucket, key string, err error) {
	bucket, key = hostBucket, strings.TrimPrefix(path, "/")
	if bucket == "" {
		bucket, key, _ = strings.Cut(key, "/")
	}
	if bucket, err = url.PathUnescape(bucket); err != nil {
		return "", "", badURI(path)
	}
	if key, err = url.PathUnescape(key); err != nil {
		return "", "", badURI(path)
	}
	if bucket == "" && key != "" {
		return "", "", errInvalidBucketName.With("BucketName", "")
	}
	return bucket, key, checkKey(key)
}

func checkKey(key string) error {
	if !utf8.ValidString(key) {
		return badURI(url.PathEscape(key))
	}
	if len(key) > objects.MaxKey {
		return keyTooLong(len(key))
	}
	return nil
}

func badURI(uri string) error { return awserr.Fail(awserr.BadURI, "URI", uri) }

// copySource returns what x-amz-copy-source names: [/]bucket/key, escaped, with an optional version.
func copySource(value string) (bucket, key string, err error) {
	path, query, versioned := strings.Cut(value, "?")
	if versioned {
		q, err := url.ParseQuery(query)
		if err != nil {
			return "", "", errCopySource
		}
		if v := q.Get("versionId"); v != "" && v != "null" {
			return "", "", invalidVersion(v)
		}
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return "", "", errCopySource
	}
	bucket, key, _ = strings.Cut(strings.TrimPrefix(plain, "/"), "/")
	if bucket == "" || key == "" || !utf8.ValidString(key) {
		return "", "", errCopySource
	}
	if len(key) > objects.MaxKey {
		return "", "", keyTooLong(len(key))
	}
	return bucket, key, nil
}

// effectiveHeader adds the x-amz-* parameters of a presigned URL, which count as headers.
func effectiveHeader(h http.Header, query url.Values) http.Header {
	if !query.Has("X-Amz-Signature") {
		return h
	}
	h = h.Clone()
	for name, values := range query {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, "x-amz-") || authParameters[lower] || h.Get(name) != "" {
			continue
		}
		h[http.CanonicalHeaderKey(name)] = values
	}
	return h
}

var authParameters = map[string]bool{
	"x-amz-algorithm": true, "x-amz-credential": true, "x-amz-date": true, "x-amz-expires": true,
	"x-amz-signedheaders": true, "x-amz-signature": true, "x-amz-security-token": true, "x-amz-content-sha256": true,
}

// escapeKey returns a key as it stands in a URL's path.
func escapeKey(key string) string { return (&url.URL{Path: "/" + key}).EscapedPath()[1:] }
