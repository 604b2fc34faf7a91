package sigv4_test

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/sigv4"
)

const content64K = 65536

// docsChunked is the example of
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html.
var docsChunked = struct{ head, body string }{
	"PUT /examplebucket/chunkObject.txt HTTP/1.1\nHost: s3.amazonaws.com\nx-amz-date: 20130524T000000Z\nx-amz-storage-class: REDUCED_REDUNDANCY\n" +
		"Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," +
		"SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class," +
		"Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\n" +
		"x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\nContent-Encoding: aws-chunked\nx-amz-decoded-content-length: 66560\nContent-Length: 66824\n\n",
	"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + strings.Repeat("a", content64K) + "\r\n" +
		"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + strings.Repeat("a", 1024) + "\r\n" +
		"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
}

// docsTrailer is the example of
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html.
var docsTrailer = struct{ head, body string }{
	"PUT /examplebucket/chunkObject.txt HTTP/1.1\nHost: s3.amazonaws.com\nx-amz-date: 20130524T000000Z\nx-amz-storage-class: REDUCED_REDUNDANCY\n" +
		"Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," +
		"SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer," +
		"Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e\n" +
		"x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\nContent-Encoding: aws-chunked\nx-amz-decoded-content-length: 66560\n" +
		"x-amz-trailer: x-amz-checksum-crc32c\nTransfer-Encoding: chunked\n\n",
	"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" + strings.Repeat("a", content64K) + "\r\n" +
		"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" + strings.Repeat("a", 1024) + "\r\n" +
		"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n" +
		"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
}

// open verifies head and returns the request with body opened.
func open(t testing.TB, head string, body io.Reader) (*http.Request, error) {
	t.Helper()
	r := request(t, head)
	r.Body = io.NopCloser(body)
	verified, err := verify(r, exampleVerifier(), sigv4.RulesFor("s3"))
	if err != nil {
		t.Fatalf("head refused: %v", err)
	}
	return r, verified.OpenBody(r, sigv4.BodyOptions{})
}

func TestDocumentedChunkedUploads(t *testing.T) {
	for name, doc := range map[string]struct{ head, body string }{"signed": docsChunked, "signed with trailer": docsTrailer} {
		t.Run(name, func(t *testing.T) {
			for pace, reader := range map[string]io.Reader{
				"at once":      strings.NewReader(doc.body),
				"byte by byte": iotest.OneByteReader(strings.NewReader(doc.body)),
			} {
				r, err := open(t, doc.head, reader)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r.Body)
				if err != nil {
					t.Fatalf("%s: %v", pace, err)
				}
				if string(got) != strings.Repeat("a", 66560) {
					t.Errorf("%s: decoded %d bytes", pace, len(got))
				}
				if r.ContentLength != 66560 || r.Header.Get("Content-Encoding") != "" {
					t.Errorf("length %d, encoding %q", r.ContentLength, r.Header.Get("Content-Encoding"))
				}
				algorithm, value := r.Body.(*sigv4.Body).Checksum()
				if name == "signed with trailer" && (algorithm != "CRC32C" || value != "sOO8/Q==") {
					t.Errorf("checksum %q %q", algorithm, value)
				}
			}
		})
	}
}

func TestChangedChunksAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		doc    struct{ head, body string }
		change func(string) string
		want   awserr.Kind
	}{
		{"a byte of the first chunk", docsChunked, func(s string) string { return strings.Replace(s, "\r\naaaa", "\r\naaab", 1) }, awserr.WrongChunkSignature},
		{"a byte of the last chunk", docsChunked, func(s string) string { return strings.Replace(s, "aa\r\n0;", "ab\r\n0;", 1) }, awserr.WrongChunkSignature},
		{"the last chunk's signature", docsChunked, func(s string) string { return strings.Replace(s, "b6c6", "b6c7", 1) }, awserr.WrongChunkSignature},
		{"cut in the data", docsChunked, func(s string) string { return s[:3000] }, awserr.IncompleteBody},
		{"cut after a chunk", docsChunked, func(s string) string { return before(s, "400;") }, awserr.IncompleteBody},
		{"cut before the last chunk", docsChunked, func(s string) string { return before(s, "0;chunk-signature=b6") }, awserr.IncompleteBody},
		{"no signature", docsChunked, func(s string) string { return strings.Replace(s, ";chunk-signature=ad80", ";x=ad80", 1) }, awserr.BadChunk},
		{"a negative size", docsChunked, func(s string) string { return "-" + s }, awserr.BadChunk},
		{"an enormous size", docsChunked, func(s string) string { return "ffffffffffffff" + s }, awserr.BadChunk},
		{"more than announced", docsChunked, func(s string) string { return strings.Replace(s, "10000;", "20000;", 1) }, awserr.BadChunk},
		{"an endless line", docsChunked, func(s string) string { return strings.Repeat("1", 1000) + s }, awserr.BadChunk},
		{"data after the end", docsChunked, func(s string) string { return s + "PUT /x HTTP/1.1\r\n" }, awserr.BadTrailer},
		{"a trailer that was not announced", docsChunked, func(s string) string { return s + "x-amz-checksum-crc32c:sOO8/Q==\r\n" }, awserr.BadTrailer},
		{"the trailer's value", docsTrailer, func(s string) string { return strings.Replace(s, "sOO8", "sOO9", 1) }, awserr.WrongChunkSignature},
		{"the trailer's name", docsTrailer, func(s string) string { return strings.Replace(s, "crc32c", "crc32", 1) }, awserr.BadTrailer},
		{"no trailer signature", docsTrailer, func(s string) string { return before(s, "x-amz-trailer-sig") + "\r\n" }, awserr.WrongChunkSignature},
		{"no trailer", docsTrailer, func(s string) string { return before(s, "x-amz-checksum") + "\r\n" }, awserr.BadTrailer},
		{"the trailer twice", docsTrailer, func(s string) string {
			return strings.Replace(s, "x-amz-checksum", "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-checksum", 1)
		}, awserr.BadTrailer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := open(t, tt.doc.head, strings.NewReader(tt.change(tt.doc.body)))
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, r.Body)
			if !errors.Is(err, awserr.Fail(tt.want)) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if _, again := r.Body.Read(make([]byte, 1)); !errors.Is(again, err) {
				t.Errorf("second read gave %v", again)
			}
		})
	}
}

// signedHead returns a PUT signed for the given payload literal and further headers ("Name: value").
func signedHead(t testing.TB, payload string, headers ...string) string {
	t.Helper()
	head := "PUT /b/k HTTP/1.1\nHost: localhost\nx-amz-date: 20130524T000000Z\nx-amz-content-sha256: " + payload + "\n" + strings.Join(append(headers, ""), "\n")
	return signRequest(t, head)
}

// signRequest adds an Authorization header over host and all x-amz-* headers, by an independent
// signer of a few lines.
func signRequest(t testing.TB, head string) string {
	t.Helper()
	r := request(t, head+"\n")
	var names, lines []string
	for _, name := range []string{
		"host", "x-amz-checksum-crc32", "x-amz-checksum-sha256", "x-amz-content-sha256", "x-amz-date",
		"x-amz-decoded-content-length", "x-amz-security-token", "x-amz-trailer",
	} {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		if value != "" {
			names, lines = append(names, name), append(lines, name+":"+value+"\n")
		}
	}
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, strings.Join(lines, ""), strings.Join(names, ";"), r.Header.Get("X-Amz-Content-Sha256")}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	scope := "20130524/us-east-1/s3/aws4_request"
	key := []byte("AWS4" + example.SecretAccessKey)
	for _, part := range append(strings.Split(scope, "/"), "AWS4-HMAC-SHA256\n20130524T000000Z\n"+scope+"\n"+hex.EncodeToString(sum[:])) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return head + "Authorization: AWS4-HMAC-SHA256 Credential=" + example.AccessKeyID + "/" + scope + ", SignedHeaders=" +
		strings.Join(names, ";") + ", Signature=" + hex.EncodeToString(key) + "\n\n"
}

func checksumOf(t testing.TB, algorithm, content string) string {
	t.Helper()
	h, ok := sigv4.NewChecksum(algorithm)
	if !ok {
		t.Fatalf("no algorithm %s", algorithm)
	}
	h.Write([]byte(content))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// TestChecksumCheckValues are the published check values for "123456789" (CRC RevEng's catalogue; FIPS 180).
func TestChecksumCheckValues(t *testing.T) {
	for algorithm, want := range map[string]string{
		"CRC32":     "cbf43926",
		"crc32c":    "e3069283",
		"CRC64NVME": "ae8b14860a799888",
		"SHA1":      "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
		"SHA256":    "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
	} {
		h, ok := sigv4.NewChecksum(algorithm)
		if !ok {
			t.Fatalf("no %s", algorithm)
		}
		h.Write([]byte("123456789"))
		if got := hex.EncodeToString(h.Sum(nil)); got != want {
			t.Errorf("%s is %s, want %s", algorithm, got, want)
		}
	}
}

func TestUnsignedChunksWithEveryChecksum(t *testing.T) {
	for _, algorithm := range []string{"crc32", "crc32c", "crc64nvme", "sha1", "sha256"} {
		t.Run(algorithm, func(t *testing.T) {
			sum := checksumOf(t, algorithm, "hello world")
			head := signedHead(t, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "Content-Encoding: aws-chunked, gzip", "x-amz-decoded-content-length: 11",
				"x-amz-trailer: x-amz-checksum-"+algorithm, "Transfer-Encoding: chunked")
			for _, form := range []string{"6\r\nhello \r\n5\r\nworld\r\n0\r\nx-amz-checksum-%s:%s\r\n\r\n", "b\r\nhello world\r\n0\r\nx-amz-checksum-%s:%s\r\n"} {
				r, err := open(t, head, strings.NewReader(fmt.Sprintf(form, algorithm, sum)))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r.Body)
				if err != nil || string(got) != "hello world" {
					t.Fatalf("read %q, %v", got, err)
				}
				if a, v := r.Body.(*sigv4.Body).Checksum(); a != strings.ToUpper(algorithm) || v != sum {
					t.Errorf("checksum %q %q", a, v)
				}
				if got, want := r.Header.Get("Content-Encoding"), "gzip"; got != want {
					t.Errorf("Content-Encoding %q, want %q", got, want)
				}
			}
			r, err := open(t, head, strings.NewReader("b\r\nhello worle\r\n0\r\nx-amz-checksum-"+algorithm+":"+sum+"\r\n\r\n"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(r.Body); !errors.Is(err, awserr.Fail(awserr.BadDigest)) {
				t.Errorf("changed content: %v", err)
			}
			if a, _ := r.Body.(*sigv4.Body).Checksum(); a != "" {
				t.Errorf("a failed body shows checksum %q", a)
			}
		})
	}
}

func TestPlainBodies(t *testing.T) {
	sum := sha256.Sum256([]byte("hello"))
	hash := hex.EncodeToString(sum[:])
	md := md5.Sum([]byte("hello"))
	emptyMD := md5.Sum(nil)
	tests := []struct {
		name, payload string
		headers       []string
		body          string
		opening, want awserr.Kind
	}{
		{name: "right hash", payload: hash, body: "hello"},
		{name: "right hash in capitals", payload: strings.ToUpper(hash), body: "hello"},
		{name: "wrong hash", payload: hash, body: "hellp", want: awserr.WrongPayloadHash},
		{name: "unsigned", payload: "UNSIGNED-PAYLOAD", body: "whatever"},
		{name: "right Content-MD5", payload: hash, headers: []string{"Content-MD5: " + base64.StdEncoding.EncodeToString(md[:])}, body: "hello"},
		{name: "wrong Content-MD5", payload: hash, headers: []string{"Content-MD5: " + base64.StdEncoding.EncodeToString(emptyMD[:])}, body: "hello", want: awserr.BadDigest},
		{name: "no MD5 at all", payload: hash, headers: []string{"Content-MD5: aGVsbG8="}, body: "hello", opening: awserr.InvalidDigest},
		{name: "right checksum header", payload: hash, headers: []string{"x-amz-checksum-crc32: " + checksumOf(t, "CRC32", "hello")}, body: "hello"},
		{name: "wrong checksum header", payload: "UNSIGNED-PAYLOAD", headers: []string{"x-amz-checksum-crc32: " + checksumOf(t, "CRC32", "hellp")}, body: "hello", want: awserr.BadDigest},
		{name: "checksum of wrong length", payload: hash, headers: []string{"x-amz-checksum-crc32: " + checksumOf(t, "SHA256", "hello")}, body: "hello", opening: awserr.InvalidChecksum},
		{
			name: "two checksums", payload: hash, body: "hello", opening: awserr.InvalidChecksum,
			headers: []string{"x-amz-checksum-crc32: " + checksumOf(t, "CRC32", "hello"), "x-amz-checksum-sha256: " + checksumOf(t, "SHA256", "hello")},
		},
		{name: "empty body with the hash of another", payload: hash, headers: []string{"Content-Length: 0"}, opening: awserr.WrongPayloadHash},
		{name: "chunked without its length", payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers: []string{"x-amz-trailer: x-amz-checksum-crc32"}, opening: awserr.MissingLength},
		{name: "chunked with a negative length", payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers: []string{"x-amz-decoded-content-length: -1", "x-amz-trailer: x-amz-checksum-crc32"}, opening: awserr.BadChunk},
		{name: "trailer mode without a trailer", payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers: []string{"x-amz-decoded-content-length: 1"}, opening: awserr.BadTrailer},
		{name: "unknown trailer", payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers: []string{"x-amz-decoded-content-length: 1", "x-amz-trailer: x-amz-meta-a"}, opening: awserr.InvalidChecksum},
		{name: "fewer bytes than announced", payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers: []string{"x-amz-decoded-content-length: 9", "x-amz-trailer: x-amz-checksum-crc32"}, body: "1\r\na\r\n0\r\nx-amz-checksum-crc32:6LeN1Q==\r\n\r\n", want: awserr.IncompleteBody},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			headers := tt.headers
			if tt.body != "" {
				headers = append(headers, fmt.Sprintf("Content-Length: %d", len(tt.body)))
			}
			r, err := open(t, signedHead(t, tt.payload, headers...), strings.NewReader(tt.body))
			if tt.opening != "" {
				if !errors.Is(err, awserr.Fail(tt.opening)) {
					t.Errorf("opening gave %v, want %s", err, tt.opening)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.ReadAll(r.Body)
			if tt.want == "" && err != nil {
				t.Error(err)
			}
			if tt.want != "" && !errors.Is(err, awserr.Fail(tt.want)) {
				t.Errorf("reading gave %v, want %s", err, tt.want)
			}
		})
	}
}

// before returns what comes before sep.
func before(s, sep string) string {
	head, _, _ := strings.Cut(s, sep)
	return head
}
