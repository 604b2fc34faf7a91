package sigv4

import (
	"net/http"
	"slices"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// maxQuery bounds the query string, and with it the work of sorting it.
const maxQuery = 16 << 10

// query is a parsed query string: decoded names and values in the order they came.
type query []parameter

type parameter struct{ name, value string }

// target returns the raw path and query as they were on the request line. Signatures are over these,
// not over what net/url makes of them.
func target(r *http.Request) (path, rawQuery string) {
	uri := r.RequestURI
	if uri == "" { // a request made in code, not read from a connection
		return r.URL.EscapedPath(), r.URL.RawQuery
	}
	if !strings.HasPrefix(uri, "/") { // absolute-form, RFC 9112 §3.2.2
		if _, rest, ok := strings.Cut(uri, "://"); ok {
			if slash := strings.IndexAny(rest, "/?"); slash >= 0 {
				uri = rest[slash:]
			} else {
				uri = "/"
			}
		}
	}
	path, rawQuery, _ = strings.Cut(uri, "?")
	return path, rawQuery
}

func parseQuery(r *http.Request) (query, error) {
	_, raw := target(r)
	if raw == "" {
		return nil, nil
	}
	if len(raw) > maxQuery {
		return nil, awserr.Fail(awserr.BadURI, "URI", clip(raw))
	}
	var q query
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, okName := unescape(name, true)
		v, okValue := unescape(value, true)
		if !okName || !okValue {
			return nil, awserr.Fail(awserr.BadURI, "URI", clip(part))
		}
		q = append(q, parameter{n, v})
	}
	return q, nil
}

func (q query) has(name string) bool {
	return slices.ContainsFunc(q, func(p parameter) bool { return p.name == name })
}

// get returns the first value and how many there are.
func (q query) get(name string) (value string, count int) {
	for _, p := range q {
		if p.name == name {
			if count == 0 {
				value = p.value
			}
			count++
		}
	}
	return value, count
}

// canonical returns the canonical query string without the parameters in leave.
func (q query) canonical(leave ...string) string {
	pairs := make([]parameter, 0, len(q))
	for _, p := range q {
		if !slices.Contains(leave, p.name) {
			pairs = append(pairs, parameter{escape(p.name, false), escape(p.value, false)})
		}
	}
	slices.SortFunc(pairs, func(a, b parameter) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String()
}

// canonicalPath returns the path as it is signed. S3 keeps it as it is (every segment decoded
// and encoded once, so that %7e and ~ are one); the other services remove dot segments and
// doubled slashes, and encode what came over the wire once more.
func canonicalPath(raw string, rules PathRules) (string, error) {
	if raw == "" {
		return "/", nil
	}
	if rules == PathOnce {
		segments := strings.Split(raw, "/")
		for i, s := range segments {
			decoded, ok := unescape(s, false)
			if !ok {
				return "", awserr.Fail(awserr.BadURI, "URI", clip(raw))
			}
			segments[i] = escape(decoded, false)
		}
		return strings.Join(segments, "/"), nil
	}
	if rules == PathNormalized {
		raw = normalize(raw)
	}
	return escape(raw, true), nil
}

// normalize removes dot segments and empty ones (RFC 3986 §5.2.4), keeping a slash at the end.
func normalize(path string) string {
	var out []string
	for s := range strings.SplitSeq(path, "/") {
		switch s {
		case "", ".":
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, s)
		}
	}
	clean := "/" + strings.Join(out, "/")
	if len(out) > 0 && (strings.HasSuffix(path, "/") || strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..")) {
		clean += "/"
	}
	return clean
}

// canonicalHeaders writes "name:value\n" for each signed header.
func canonicalHeaders(b *strings.Builder, r *http.Request, names []string) {
	for _, name := range names {
		b.WriteString(name)
		b.WriteByte(':')
		for i, v := range headerValues(r, name) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(collapse(v))
		}
		b.WriteByte('\n')
	}
}

// headerValues finds what net/http moved out of the header map, too.
func headerValues(r *http.Request, name string) []string {
	switch name {
	case "host", authority:
		return []string{r.Host}
	case "transfer-encoding":
		return r.TransferEncoding
	case "content-length":
		if values := r.Header["Content-Length"]; len(values) > 0 {
			return values
		}
		if r.ContentLength >= 0 && len(r.TransferEncoding) == 0 {
			return []string{itoa(r.ContentLength)}
		}
		return nil
	}
	return r.Header.Values(name)
}

// collapse trims a header value and makes each inner run of blanks one space.
func collapse(s string) string {
	s = strings.Trim(s, " \t")
	if !strings.Contains(s, "  ") && !strings.ContainsAny(s, "\t\r\n") {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

const upperHex = "0123456789ABCDEF"

// unreserved marks what RFC 3986 §2.3 leaves unescaped.
var unreserved = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
		t[c] = true
	}
	return t
}()

// escape percent-encodes everything that is not unreserved, and slashes unless keepSlash.
func escape(s string, keepSlash bool) string {
	clean := true
	for i := range len(s) {
		if !unreserved[s[i]] && (s[i] != '/' || !keepSlash) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	b := make([]byte, 0, len(s)+len(s)/2)
	for i := range len(s) {
		c := s[i]
		if unreserved[c] || (c == '/' && keepSlash) {
			b = append(b, c)
			continue
		}
		b = append(b, '%', upperHex[c>>4], upperHex[c&15])
	}
	return string(b)
}

// unescape decodes percent escapes; in a query, + is a space, as our handlers will read it.
func unescape(s string, inQuery bool) (string, bool) {
	if !strings.Contains(s, "%") && (!inQuery || !strings.Contains(s, "+")) {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%':
			if i+2 >= len(s) {
				return "", false
			}
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi < 0 || lo < 0 {
				return "", false
			}
			b = append(b, byte(hi<<4|lo))
			i += 2
		case c == '+' && inQuery:
			b = append(b, ' ')
		default:
			b = append(b, c)
		}
	}
	return string(b), true
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}
