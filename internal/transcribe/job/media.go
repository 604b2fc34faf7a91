package job

import (
	"net/url"
	"regexp"
	"strings"
)

// ParseMediaURI finds the object that a MediaFileUri names. It takes s3://bucket/key, AWS's path and
// virtual-host forms over HTTPS (spec transcribe-batch.md §2), and path-style URLs that begin with
// origin, the address the client called. The region is the one in a host name, if any.
func ParseMediaURI(uri, origin string) (at Location, region string, ok bool) {
	if rest, is := strings.CutPrefix(uri, "s3://"); is {
		at.Bucket, at.Key, ok = strings.Cut(rest, "/")
		return at, "", ok && at.Bucket != "" && at.Key != ""
	}
	if rest, is := strings.CutPrefix(uri, origin+"/"); is && origin != "" {
		at, ok = pathStyle(rest)
		return at, "", ok
	}
	rest, is := strings.CutPrefix(uri, "https://")
	if !is {
		return Location{}, "", false
	}
	host, path, _ := strings.Cut(rest, "/")
	m := awsHost.FindStringSubmatch(strings.ToLower(host))
	if m == nil {
		return Location{}, "", false
	}
	bucket, region := strings.TrimSuffix(m[1], "."), m[2]
	if bucket == "" {
		at, ok = pathStyle(path)
		return at, region, ok
	}
	at, ok = pathStyle(bucket + "/" + path)
	return at, region, ok
}

// awsHost matches S3's host names: an optional bucket and dot, then s3, with or without the region,
// which may follow a hyphen as in older regions.
var awsHost = regexp.MustCompile(`^((?:[a-z0-9][a-z0-9.-]*\.)?)s3(?:[.-]([a-z]{2}(?:-[a-z]+)+-\d+))?\.amazonaws\.com(?:\.cn)?$`)

// pathStyle splits bucket/key. The key of an HTTP URL is escaped; a query names something else than the object.
func pathStyle(path string) (Location, bool) {
	if strings.ContainsAny(path, "?#") {
		return Location{}, false
	}
	bucket, escaped, _ := strings.Cut(path, "/")
	key, err := url.PathUnescape(escaped)
	return Location{bucket, key}, err == nil && bucket != "" && key != ""
}
