package sigv4_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/sigv4"
)

// FuzzParseHeader feeds arbitrary Authorization and date headers: no panic, only table errors, and what
// is accepted is well-formed.
func FuzzParseHeader(f *testing.F) {
	f.Add(goodHeader, "20130524T000000Z")
	f.Add("AWS4-HMAC-SHA256 Credential=////,SignedHeaders=;,Signature=", "")
	f.Add("AWS4-HMAC-SHA256 a=b,,,=", "Fri, 24 May 2013 00:00:00 GMT")
	f.Fuzz(func(t *testing.T, header, date string) {
		r := &http.Request{Method: http.MethodGet, RequestURI: "/", Host: "h", Header: http.Header{"Authorization": {header}, "X-Amz-Date": {date}}}
		checkClaim(t, r)
	})
}

// FuzzParseQuery feeds arbitrary query strings.
func FuzzParseQuery(f *testing.F) {
	f.Add("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20130524%2Fr%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00")
	f.Add("AWSAccessKeyId=A&Signature=x%3D&Expires=2000000000&x-amz-security-token=t")
	f.Add("%&==&a=%4&X-Amz-Signature")
	f.Fuzz(func(t *testing.T, query string) {
		checkClaim(t, &http.Request{Method: http.MethodGet, RequestURI: "/b/k?" + query, Host: "h", Header: http.Header{}})
	})
}

func checkClaim(t *testing.T, r *http.Request) {
	c, err := sigv4.Parse(r)
	if err != nil {
		var failure *awserr.Failure
		if !errors.As(err, &failure) {
			t.Fatalf("error %v is not in the table", err)
		}
		return
	}
	if strings.ContainsAny(c.AccessKeyID+c.Scope.Region, "/\r\n") && !c.Version2 {
		t.Fatalf("accepted %+v", c)
	}
	// Whatever was accepted can be verified without harm, and is not: nobody has a key.
	v := exampleVerifier()
	v.Credentials = keys{c.AccessKeyID: example}
	if _, err := v.Verify(t.Context(), r, c, sigv4.RulesFor("s3"), nil); err == nil {
		t.Fatal("verified a made-up signature")
	}
}

// FuzzPath holds canonical paths of arbitrary keys against a presigner and a verifier that see
// them from both ends.
func FuzzPath(f *testing.F) {
	f.Add("a b/ü/%2F//../.")
	f.Add("x+y~z!*'()")
	f.Fuzz(func(t *testing.T, key string) {
		u := url.URL{Scheme: "http", Host: "h", Path: "/b/" + key}
		link, err := sigv4.Presign(http.MethodGet, u.String(), example, "us-east-1", "s3", 60e9, exampleTime)
		if err != nil {
			return
		}
		r := &http.Request{Method: http.MethodGet, Host: "h", RequestURI: strings.TrimPrefix(link, "http://h"), Header: http.Header{}}
		if _, err := verify(r, exampleVerifier(), sigv4.RulesFor("s3")); err != nil {
			t.Fatalf("%q: %v", key, err)
		}
	})
}

// FuzzChunks feeds arbitrary bytes as an unsigned chunked body. What is read to its end must have the
// announced length, and every error must be one of the table.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"))
	f.Add([]byte("6\r\nhello \r\n5\r\nworld\r\n0\r\n"))
	f.Add([]byte("0b;a=b\r\nhello world\n0\nx:\n\n\n\n"))
	head := signedHead(f, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length: 11", "x-amz-trailer: x-amz-checksum-crc32", "Transfer-Encoding: chunked")
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := open(t, head, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r.Body)
		var failure *awserr.Failure
		switch {
		case err == nil && checksumOf(t, "CRC32", string(got)) != checksumOf(t, "CRC32", "hello world") && len(got) != 11:
			t.Fatalf("accepted %q", got)
		case err != nil && !errors.As(err, &failure):
			t.Fatalf("error %v is not in the table", err)
		case len(got) > 11:
			t.Fatalf("%d bytes were released of 11 announced", len(got))
		}
	})
}

// FuzzSignedChunks changes the documented upload: nothing but the very bytes may pass.
func FuzzSignedChunks(f *testing.F) {
	f.Add(0, byte('1'))
	f.Add(100, byte('b'))
	f.Fuzz(func(t *testing.T, at int, b byte) {
		body := []byte(docsTrailer.body)
		if at < 0 || at >= len(body) || body[at] == b {
			return
		}
		before := body[at]
		body[at] = b
		r, err := open(t, docsTrailer.head, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r.Body)
		if err == nil && string(got) != strings.Repeat("a", 66560) {
			t.Fatalf("accepted other content with byte %d changed from %q to %q", at, before, b)
		}
	})
}
