package s3

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/objects"
)

const (
	// maxUserMetadata is the most that names and values of x-amz-meta-* have together, in bytes.
	maxUserMetadata    = 2 << 10
	defaultContentType = "binary/octet-stream"
	userPrefix         = "X-Amz-Meta-"
)

// metadata returns what the request's headers want kept.
func (r *request) metadata() (objects.Metadata, error) {
	m := objects.Metadata{
		ContentType: r.header.Get("Content-Type"), CacheControl: r.header.Get("Cache-Control"),
		ContentDisposition: r.header.Get("Content-Disposition"), ContentEncoding: r.header.Get("Content-Encoding"),
		ContentLanguage: r.header.Get("Content-Language"), Expires: r.header.Get("Expires"),
	}
	if m.ContentType == "" {
		m.ContentType = defaultContentType
	}
	size := 0
	for name, values := range r.header {
		if len(name) <= len(userPrefix) || !strings.EqualFold(name[:len(userPrefix)], userPrefix) {
			continue
		}
		if m.User == nil {
			m.User = map[string]string{}
		}
		key, value := strings.ToLower(name[len(userPrefix):]), strings.Join(values, ",")
		m.User[key] = value
		size += len(key) + len(value)
	}
	if size > maxUserMetadata {
		return m, s3error(400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size").
			With("Size", strconv.Itoa(size)).With("MaxSizeAllowed", strconv.Itoa(maxUserMetadata))
	}
	var err error
	m.Tags, err = headerTags(r.header.Get("X-Amz-Tagging"))
	return m, err
}

// describe sets the headers that tell of an object.
func describe(h http.Header, o objects.Object) {
	m := o.Metadata
	for _, pair := range [][2]string{
		{"Content-Type", m.ContentType},
		{"Cache-Control", m.CacheControl},
		{"Content-Disposition", m.ContentDisposition},
		{"Content-Encoding", m.ContentEncoding},
		{"Content-Language", m.ContentLanguage},
		{"Expires", m.Expires},
	} {
		if pair[1] != "" {
			h.Set(pair[0], pair[1])
		}
	}
	if m.ContentType == "" {
		h.Set("Content-Type", defaultContentType)
	}
	for key, value := range m.User {
		// In lower case, as S3 has it: boto3 shows names as they travel.
		h["x-amz-meta-"+key] = []string{value}
	}
	h.Set("Accept-Ranges", "bytes")
	h.Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	h.Set("ETag", quote(o.ETag))
	setEncrypted(h, m.Encryption)
	if len(m.Tags) > 0 {
		h.Set("X-Amz-Tagging-Count", strconv.Itoa(len(m.Tags)))
	}
}

func setChecksum(h http.Header, algorithm, value, kind string) {
	if value == "" {
		return
	}
	h.Set("X-Amz-Checksum-"+algorithm, value)
	if kind != "" {
		h.Set("X-Amz-Checksum-Type", kind)
	}
}

// overrides are the query parameters that replace headers of the answer.
var overrides = map[string]string{
	"response-content-type": "Content-Type", "response-content-language": "Content-Language", "response-expires": "Expires",
	"response-cache-control": "Cache-Control", "response-content-disposition": "Content-Disposition", "response-content-encoding": "Content-Encoding",
}

func (r *request) override(h http.Header) {
	for parameter, name := range overrides {
		if value := r.query.Get(parameter); value != "" {
			h.Set(name, value)
		}
	}
}

func quote(etag string) string { return `"` + etag + `"` }

func unquote(etag string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(etag), `"`), `"`)
}

// outcome is what conditions say.
type outcome int

const (
	proceed outcome = iota
	notModified
	failed
)

// conditions are the four of RFC 9110 §13, from a request or from a copy's source headers.
type conditions struct {
	match, noneMatch, modifiedSince, unmodifiedSince string
}

func (r *request) conditionsOf(prefix string) conditions {
	return conditions{
		match: r.header.Get(prefix + "If-Match"), noneMatch: r.header.Get(prefix + "If-None-Match"),
		modifiedSince: r.header.Get(prefix + "If-Modified-Since"), unmodifiedSince: r.header.Get(prefix + "If-Unmodified-Since"),
	}
}

// check holds the conditions against an object, in the order of RFC 9110 §13.2.2. Dates that can't be read are ignored.
func (c conditions) check(o objects.Object) outcome {
	modified := o.Modified.Truncate(time.Second)
	if c.match != "" {
		if !matches(c.match, o.ETag) {
			return failed
		}
	} else if since, err := http.ParseTime(c.unmodifiedSince); err == nil && modified.After(since) {
		return failed
	}
	if c.noneMatch != "" {
		if matches(c.noneMatch, o.ETag) {
			return notModified
		}
	} else if since, err := http.ParseTime(c.modifiedSince); err == nil && !modified.After(since) {
		return notModified
	}
	return proceed
}

func matches(list, etag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == "*" || unquote(one) == etag {
			return true
		}
	}
	return false
}

// writeCondition returns the condition under which a key may be written.
func (r *request) writeCondition() (objects.Condition, error) {
	var c objects.Condition
	switch none := strings.TrimSpace(r.header.Get("If-None-Match")); none {
	case "":
	case "*":
		c.IfAbsent = true
	default:
		return c, notImplemented("If-None-Match")
	}
	if match := r.header.Get("If-Match"); match != "" {
		c.IfMatch = unquote(match)
		if c.IfAbsent {
			return c, notImplemented("If-Match")
		}
	}
	return c, nil
}

// byteRange is part of a content.
type byteRange struct{ start, length int64 }

// parseRange reads a Range header by RFC 9110 §14.2. ok is false when the whole is asked for: without
// a header, with one that can't be read, and with several ranges, which S3 does not answer.
func parseRange(header string, size int64) (_ byteRange, ok bool, err error) {
	spec, found := strings.CutPrefix(header, "bytes=")
	if !found || strings.Contains(spec, ",") {
		return byteRange{}, false, nil
	}
	first, last, found := strings.Cut(strings.TrimSpace(spec), "-")
	if !found || (first == "" && last == "") {
		return byteRange{}, false, nil
	}
	from, fromOK := digits(first)
	to, toOK := digits(last)
	if !fromOK || !toOK || (first != "" && last != "" && from > to) {
		return byteRange{}, false, nil
	}
	if first == "" {
		if to == 0 || size == 0 {
			return byteRange{}, false, unsatisfiable(header, size)
		}
		to = min(to, size)
		return byteRange{start: size - to, length: to}, true, nil
	}
	if from >= size {
		return byteRange{}, false, unsatisfiable(header, size)
	}
	if last == "" || to >= size {
		to = size - 1
	}
	return byteRange{start: from, length: to - from + 1}, true, nil
}

func unsatisfiable(header string, size int64) error {
	return errInvalidRange.With("RangeRequested", header).With("ActualObjectSize", strconv.FormatInt(size, 10))
}

// digits reads a number that may be empty; one too large for us is beyond any object.
func digits(s string) (int64, bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if s != "" && err != nil {
		return 1<<63 - 1, true
	}
	return n, true
}
