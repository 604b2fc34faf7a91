package sigv4_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/iam"
)

// keys is an iam.Credentials for tests of this package, which has none of its own.
type keys map[string]iam.Credential

func (k keys) Lookup(_ context.Context, id string) (iam.Credential, error) {
	c, ok := k[id]
	if !ok {
		return c, iam.ErrNoSuchKey
	}
	return c, nil
}

const suite = "testdata/aws-signing-test-suite/v4"

type vectorContext struct {
	Credentials struct {
		ID     string `json:"access_key_id"`
		Secret string `json:"secret_access_key"`
		Token  string `json:"token"`
	} `json:"credentials"`
	Normalize bool      `json:"normalize"`
	Timestamp time.Time `json:"timestamp"`
}

// parseVector reads a request as the suite writes it: some targets hold blanks or raw UTF-8, which
// no HTTP parser takes, so the request line is read here and the rest by net/http.
func parseVector(t testing.TB, file string) *http.Request {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	line, rest, _ := strings.Cut(string(raw), "\n")
	method, uri, _ := strings.Cut(strings.TrimSpace(line), " ")
	uri = strings.TrimSuffix(uri, " HTTP/1.1")
	if !strings.Contains(rest, "\n\n") {
		rest += "\n\n"
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " / HTTP/1.1\n" + rest)))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	r.RequestURI = uri
	return r
}

func bodyHash(r *http.Request) func() (string, error) {
	return func() (string, error) {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		sum := sha256.Sum256(body)
		return hex.EncodeToString(sum[:]), err
	}
}

func verify(r *http.Request, v *sigv4.Verifier, rules sigv4.Rules) (*sigv4.Verified, error) {
	c, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	return v.Verify(context.Background(), r, c, rules, bodyHash(r))
}

// TestVectors holds the verifier against the public suite: every request as its header and its
// query form sign it, and each with any one part changed.
func TestVectors(t *testing.T) {
	folders, err := filepath.Glob(suite + "/*")
	if err != nil || len(folders) != 40 {
		t.Fatalf("found %d vectors (%v), want 40", len(folders), err)
	}
	headers, queries := 0, 0
	for _, folder := range folders {
		raw, err := os.ReadFile(filepath.Join(folder, "context.json"))
		if errors.Is(err, os.ErrNotExist) {
			continue // TestDoubleEncodingVectors
		}
		var vc vectorContext
		if err != nil || json.Unmarshal(raw, &vc) != nil {
			t.Fatalf("%s: bad context.json", folder)
		}
		rules := sigv4.Rules{}
		if !vc.Normalize {
			rules.Path = sigv4.PathLiteral
		}
		v := &sigv4.Verifier{
			Credentials: keys{vc.Credentials.ID: {AccessKeyID: vc.Credentials.ID, SecretAccessKey: vc.Credentials.Secret, SessionToken: vc.Credentials.Token}},
			Now:         func() time.Time { return vc.Timestamp },
		}
		for _, form := range []string{"header", "query"} {
			file := filepath.Join(folder, form+"-signed-request.txt")
			t.Run(filepath.Base(folder)+"/"+form, func(t *testing.T) {
				if _, err := verify(parseVector(t, file), v, rules); err != nil {
					var f *awserr.Failure
					errors.As(err, &f)
					want, _ := os.ReadFile(filepath.Join(folder, form+"-canonical-request.txt"))
					t.Fatalf("refused: %v\nwant canonical request\n%s", err, want)
				}
				for name, change := range changes {
					r := parseVector(t, file)
					change(r)
					if _, err := verify(r, v, rules); err == nil {
						t.Errorf("accepted with changed %s", name)
					}
				}
			})
			if form == "header" {
				headers++
			} else {
				queries++
			}
		}
	}
	if headers != 38 || queries != 38 {
		t.Errorf("checked %d header and %d query vectors, want 38 of each", headers, queries)
	}
}

// changes each alter one part of a request that its signature covers.
var changes = map[string]func(*http.Request){
	"method": func(r *http.Request) { r.Method = "PATCH" },
	"path": func(r *http.Request) {
		path, query, _ := strings.Cut(r.RequestURI, "?")
		r.RequestURI = path + "x?" + query
	},
	"query": func(r *http.Request) {
		if strings.Contains(r.RequestURI, "?") {
			r.RequestURI += "&x=1"
		} else {
			r.RequestURI += "?x=1"
		}
	},
	"host": func(r *http.Request) { r.Host += "x" },
	"body": func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("changed")) },
	"date": func(r *http.Request) {
		r.Header["X-Amz-Date"] = []string{"20150830T123601Z"}
		r.RequestURI = strings.Replace(r.RequestURI, "20150830T123600Z", "20150830T123601Z", 1)
	},
	"region": func(r *http.Request) {
		replaceAuth(r, "us-east-1", "us-east-2")
	},
	"service": func(r *http.Request) {
		replaceAuth(r, "service/aws4_request", "servicf/aws4_request")
		replaceAuth(r, "service%2Faws4_request", "servicf%2Faws4_request")
	},
	"a header that must be signed": func(r *http.Request) { r.Header.Set("X-Amz-Target", "Transcribe.Delete") },
	"signature": func(r *http.Request) {
		if auth := r.Header.Get("Authorization"); auth != "" {
			r.Header.Set("Authorization", flipLast(auth))
			return
		}
		i := strings.Index(r.RequestURI, "X-Amz-Signature=") + len("X-Amz-Signature=") + 64
		r.RequestURI = flipLast(r.RequestURI[:i]) + r.RequestURI[i:]
	},
}

func replaceAuth(r *http.Request, before, after string) {
	if auth := r.Header.Get("Authorization"); auth != "" {
		r.Header.Set("Authorization", strings.Replace(auth, before, after, 1))
	}
	r.RequestURI = strings.Replace(r.RequestURI, before, after, 1)
}

func flipLast(s string) string {
	last := "0"
	if strings.HasSuffix(s, "0") {
		last = "1"
	}
	return s[:len(s)-1] + last
}

// TestDoubleEncodingVectors checks the two vectors that come without a secret: their canonical
// request must be the one that the error shows.
func TestDoubleEncodingVectors(t *testing.T) {
	for _, name := range []string{"double-encode-path", "double-url-encode"} {
		t.Run(name, func(t *testing.T) {
			r := parseVector(t, filepath.Join(suite, name, "header-signed-request.txt"))
			want, err := os.ReadFile(filepath.Join(suite, name, "header-canonical-request.txt"))
			if err != nil {
				t.Fatal(err)
			}
			c, err := sigv4.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			v := &sigv4.Verifier{
				Credentials: keys{c.AccessKeyID: {AccessKeyID: c.AccessKeyID, SecretAccessKey: "unknown"}},
				Now:         func() time.Time { return c.Time },
			}
			_, err = v.Verify(t.Context(), r, c, sigv4.RulesFor("lambda"), bodyHash(r))
			got := detail(err, "CanonicalRequest")
			// The first vector's files disagree about the date; the path is what it is about.
			got = strings.Replace(got, "20150830T123600Z", "20210511T154045Z", 1)
			if got != strings.TrimSpace(string(want)) {
				t.Errorf("canonical request\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func detail(err error, name string) string {
	var f *awserr.Failure
	if !errors.As(err, &f) {
		return ""
	}
	for _, d := range f.Details {
		if d.Name == name {
			return d.Value
		}
	}
	return ""
}

// The credential of the examples in the S3 documentation.
var example = iam.Credential{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}

var exampleTime = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

func exampleVerifier() *sigv4.Verifier {
	return &sigv4.Verifier{Credentials: keys{example.AccessKeyID: example}, Now: func() time.Time { return exampleTime }}
}

func request(t testing.TB, raw string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(raw, "\n", "\r\n"))))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestS3DocumentationExamples are those of
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and sigv4-query-string-auth.html.
func TestS3DocumentationExamples(t *testing.T) {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	const prefix = "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="
	tests := []struct{ name, raw string }{
		{"get object", "GET /test.txt HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\n" + prefix +
			"host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41\n" +
			"Range: bytes=0-9\nx-amz-content-sha256:" + empty + "\nx-amz-date: 20130524T000000Z\n\n"},
		{"put object", "PUT /test%24file.text HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\nDate: Fri, 24 May 2013 00:00:00 GMT\n" + prefix +
			"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd\n" +
			"x-amz-date: 20130524T000000Z\nx-amz-storage-class: REDUCED_REDUNDANCY\nContent-Length: 21\n" +
			"x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\n\nWelcome to Amazon S3."},
		{"get lifecycle", "GET /?lifecycle HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\n" + prefix +
			"host;x-amz-content-sha256;x-amz-date,Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543\n" +
			"x-amz-date: 20130524T000000Z\nx-amz-content-sha256:" + empty + "\n\n"},
		{"list objects", "GET /?max-keys=2&prefix=J HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\n" + prefix +
			"host;x-amz-content-sha256;x-amz-date,Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7\n" +
			"x-amz-date: 20130524T000000Z\nx-amz-content-sha256:" + empty + "\n\n"},
		{"presigned", "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
			"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
			"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404 HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\n\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, tt.raw)
			verified, err := verify(r, exampleVerifier(), sigv4.RulesFor("s3"))
			if err != nil {
				t.Fatal(err)
			}
			if err := verified.OpenBody(r, sigv4.BodyOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(r.Body); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPresignMatchesTheDocumentation(t *testing.T) {
	got, err := sigv4.Presign(http.MethodGet, "https://examplebucket.s3.amazonaws.com/test.txt", example, "us-east-1", "s3", 24*time.Hour, exampleTime)
	if err != nil {
		t.Fatal(err)
	}
	if want := "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"; !strings.HasSuffix(got, want) {
		t.Errorf("%s does not end with %s", got, want)
	}
}

func TestPresignedLinksVerify(t *testing.T) {
	session := iam.Credential{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "s/e+c", SessionToken: "to/ken+=="}
	for _, cred := range []iam.Credential{example, session} {
		for _, path := range []string{"/b/k", "/b/a%20b/%C3%A9%2Fx", "/b//x/../y", "/b/k?versionId=1&x=a%20b", ""} {
			link, err := sigv4.Presign(http.MethodGet, "http://127.0.0.1:7600"+path, cred, "eu-west-1", "s3", time.Minute, exampleTime)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			r := request(t, "GET "+u.RequestURI()+" HTTP/1.1\nHost: "+u.Host+"\n\n")
			v := exampleVerifier()
			v.Credentials = keys{cred.AccessKeyID: cred}
			if _, err := verify(r, v, sigv4.RulesFor("s3")); err != nil {
				t.Errorf("%q: %v", path, err)
			}
		}
	}
	for name, life := range map[string]time.Duration{"no life": 0, "more than a week": 7*24*time.Hour + 1} {
		if _, err := sigv4.Presign(http.MethodGet, "http://h/", example, "r", "s3", life, exampleTime); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
