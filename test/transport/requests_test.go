package transport_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dictum/dictum/test/harness"
)

func TestSlowClients(t *testing.T) {
	t.Parallel()
	server := run(t)
	ended := func(t *testing.T, conn net.Conn, limit time.Duration) {
		t.Helper()
		conn.SetReadDeadline(time.Now().Add(limit))
		if _, err := io.Copy(io.Discard, conn); err != nil && !closed(err) {
			t.Errorf("the connection is still open after %v: %v", limit, err)
		}
	}
	t.Run("a client that says nothing", func(t *testing.T) {
		t.Parallel()
		ended(t, dial(t, server.API, ""), patience)
	})
	t.Run("slowloris: a header that drips", func(t *testing.T) {
		t.Parallel()
		conn := dial(t, server.API, "")
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n")
		drip(t, conn, "X-A: b\r\n")
		ended(t, conn, patience)
	})
	t.Run("a hundred of them hold nobody up", func(t *testing.T) {
		t.Parallel()
		for range 100 {
			io.WriteString(dial(t, server.API, ""), "POST / HTTP/1.1\r\nHost: x\r\nX-A: ")
		}
		began := time.Now()
		stillServes(t, server)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a good request took %v", took)
		}
	})
	t.Run("a body that drips", func(t *testing.T) {
		t.Parallel()
		conn := dial(t, server.API, "")
		bodyTime := 3 * clientTimeout // as --client-timeout says
		conn.SetDeadline(time.Now().Add(bodyTime + patience))
		io.WriteString(conn, listJobs.head(t, server)+"Content-Length: 100000\r\n\r\n{")
		drip(t, conn, " ")
		got := answers(t, conn)
		if len(got) != 1 || got[0].status != http.StatusBadRequest && got[0].status != http.StatusRequestTimeout {
			t.Errorf("answered %v", got)
		}
	})
}

// drip writes a piece again and again until the server ends the connection or the test ends.
func drip(t *testing.T, conn net.Conn, piece string) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(clientTimeout / 5)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if _, err := io.WriteString(conn, piece); err != nil {
					return
				}
			}
		}
	}()
	t.Cleanup(func() { stop(); <-done })
}

func TestRequestSmuggling(t *testing.T) {
	t.Parallel()
	server := run(t)
	host := "Host: " + hostPort(server.API) + "\r\n"
	// What an attacker wants to be taken for a request of its own. It is well signed, by somebody whose
	// connection a proxy shares.
	hidden := request{service: "s3", method: http.MethodPut, path: "/smuggled"}.whole(t, server)
	post := "POST / HTTP/1.1\r\n" + host + "X-Amz-Target: Transcribe.ListTranscriptionJobs\r\nContent-Type: application/x-amz-json-1.1\r\n"
	for _, c := range []struct{ name, raw string }{
		{"two lengths", post + fmt.Sprintf("Content-Length: 2\r\nContent-Length: %d\r\n\r\n{}", 2+len(hidden)) + hidden},
		{"two lengths in one header", post + fmt.Sprintf("Content-Length: 2, %d\r\n\r\n{}", 2+len(hidden)) + hidden},
		{"a signed length", post + "Content-Length: +2\r\n\r\n{}" + hidden},
		{"a hexadecimal length", post + "Content-Length: 0x2\r\n\r\n{}" + hidden},
		{"a negative length", post + "Content-Length: -2\r\n\r\n{}" + hidden},
		{"an unknown transfer coding", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden},
		{"two transfer codings", post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden},
		{"chunked twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden},
		{"a transfer coding behind a tab", post + "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + hidden},
		{"a space before the colon", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden},
		{"a transfer coding in HTTP/1.0", strings.Replace(post, "HTTP/1.1", "HTTP/1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			refusedOnce(t, send(t, server, c.raw))
		})
	}
	t.Run("a length and chunks: the connection carries no second request", func(t *testing.T) {
		refusedOnce(t, send(t, server, post+"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+hidden))
	})
	for _, chunk := range []string{"+2", "-2", "0x2", "2 2", "g", "", "FFFFFFFFFFFFFFFFF", "00000000000000000002", "2\n{}\n0\n\n"} {
		t.Run("a chunk of size "+chunk, func(t *testing.T) {
			raw := listJobs.head(t, server) + "Transfer-Encoding: chunked\r\n\r\n" + chunk + "\r\n{}\r\n0\r\n\r\n"
			refusedOnce(t, send(t, server, raw+hidden))
		})
	}
	t.Run("a chunk longer than its size", func(t *testing.T) {
		refusedOnce(t, send(t, server, listJobs.head(t, server)+"Transfer-Encoding: chunked\r\n\r\n2\r\n{}   \r\n0\r\n\r\n"+hidden))
	})
	t.Run("a chunk with an endless extension", func(t *testing.T) {
		refusedOnce(t, send(t, server, listJobs.head(t, server)+"Transfer-Encoding: chunked\r\n\r\n2;"+strings.Repeat("a", 1<<20)+"\r\n{}\r\n0\r\n\r\n"))
	})
	t.Run("nothing was done by what was hidden", func(t *testing.T) {
		buckets, err := server.Clients("us-east-1").S3.ListBuckets(t.Context(), &s3.ListBucketsInput{})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range buckets.Buckets {
			t.Errorf("bucket %s was made", *b.Name)
		}
	})
	stillServes(t, server)
}

func TestMalformedHeaders(t *testing.T) {
	t.Parallel()
	server := run(t)
	host := "Host: " + hostPort(server.API) + "\r\n"
	signed := listJobs.head(t, server)
	end := "Content-Length: 2\r\n\r\n{}"
	for _, c := range []struct{ name, raw string }{
		{"a folded header (RFC 9112 §5.2)", "GET / HTTP/1.1\r\n" + host + "X-A: b\r\n c\r\nConnection: close\r\n\r\n"},
		{"a folded header that changes what is signed", strings.Replace(signed, "X-Amz-Target: ", "X-Amz-Target: Transcribe.\r\n ", 1) + end},
		{"a first header that begins with a space", "GET / HTTP/1.1\r\n X-A: b\r\n" + host + "\r\n"},
		{"a bare carriage return", "GET / HTTP/1.1\r\n" + host + "X-A: b\rX-C: d\r\n\r\n"},
		{"a zero byte", "GET / HTTP/1.1\r\n" + host + "X-A: \x00\r\n\r\n"},
		{"a header without a colon", "GET / HTTP/1.1\r\n" + host + "X-A\r\n\r\n"},
		{"a header without a name", "GET / HTTP/1.1\r\n" + host + ": b\r\n\r\n"},
		{"no host", "GET / HTTP/1.1\r\n\r\n"},
		{"two hosts", "GET / HTTP/1.1\r\n" + host + "Host: other.example\r\n\r\n"},
		{"a host that is none", "GET / HTTP/1.1\r\nHost: a b/c\r\n\r\n"},
		{"another protocol", "GET / RTSP/1.1\r\n" + host + "\r\n"},
		{"HTTP/0.9", "GET /\r\n\r\n"},
		{"a method that is none", "G@T / HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n"},
		{"binary noise", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"},
		{"two targets", signed + "X-Amz-Target: Transcribe.DeleteTranscriptionJob\r\n" + end},
		{"two dates", signed + "X-Amz-Date: 20200101T000000Z\r\n" + end},
		{"two authorizations", signed + "Authorization: AWS4-HMAC-SHA256 Credential=x\r\n" + end},
		{"another host than signed", strings.Replace(signed, host, "Host: other.example\r\n", 1) + end},
		{"an absolute URI of another host than the header's", strings.Replace(signed, "POST / ", "POST http://other.example/ ", 1) + end},
	} {
		t.Run(c.name, func(t *testing.T) {
			refusedOnce(t, send(t, server, c.raw))
		})
	}
	t.Run("an absolute URI of the same host is the same request", func(t *testing.T) {
		got := send(t, server, strings.Replace(signed, "POST / ", "POST "+server.API+"/ ", 1)+end)
		if len(got) != 1 || got[0].status != http.StatusOK {
			t.Errorf("answered %v", got)
		}
	})
	stillServes(t, server)
}

func TestOversizedInput(t *testing.T) {
	t.Parallel()
	server := run(t)
	const header = 128 << 10 // twice what is allowed
	t.Run("a header", func(t *testing.T) {
		got := send(t, server, listJobs.head(t, server)+"X-A: "+strings.Repeat("a", header)+"\r\n\r\n")
		if len(got) > 0 && got[0].status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("answered %v", got)
		}
	})
	t.Run("a path", func(t *testing.T) {
		refusedOnce(t, send(t, server, "GET /"+strings.Repeat("a", header)+" HTTP/1.1\r\nHost: x\r\n\r\n"))
	})
	t.Run("a multitude of headers", func(t *testing.T) {
		refusedOnce(t, send(t, server, "GET / HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("A: b\r\n", header/4)+"\r\n"))
	})
	body := []byte(`{"NextToken":"` + strings.Repeat("a", 2<<20) + `"}`)
	large := request{service: "transcribe", method: http.MethodPost, path: "/", target: listJobs.target, body: body}
	t.Run("a body, refused by its length before it is sent", func(t *testing.T) {
		refused(t, send(t, server, large.head(t, server)+fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body))))
	})
	t.Run("a body in chunks", func(t *testing.T) {
		refused(t, send(t, server, large.head(t, server)+fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)))
	})
	t.Run("a body without a signature", func(t *testing.T) {
		refused(t, send(t, server, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: %s\r\nContent-Length: %d\r\n\r\n", listJobs.target, 1<<40)))
	})
	t.Run("JSON of a million brackets", func(t *testing.T) {
		deep := request{service: "transcribe", method: http.MethodPost, path: "/", target: listJobs.target, body: []byte(strings.Repeat("[", 1_000_000))}
		refused(t, send(t, server, deep.whole(t, server)))
	})
	stillServes(t, server)
}

// refused checks that there is one answer and that it is a refusal of the client's fault.
func refused(t *testing.T, got []answer) {
	t.Helper()
	if len(got) != 1 || got[0].status < 400 || got[0].status >= 500 {
		t.Errorf("answered %v, want one refusal", got)
	}
}

func TestPathTraversal(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	data := filepath.Join(outside, "deep", "data")
	if err := os.MkdirAll(filepath.Dir(data), 0o700); err != nil {
		t.Fatal(err)
	}
	server := harness.RunIn(t, data)
	clients := server.Clients("us-east-1")
	const secret = "the victim's words"
	clients.Bucket(t, "attacker")
	clients.Put(t, clients.Bucket(t, "victim"), "secret", []byte(secret))
	do := func(t *testing.T, method, path string, body []byte) answer {
		t.Helper()
		got := send(t, server, request{service: "s3", method: method, path: path, body: body}.whole(t, server))
		if len(got) != 1 {
			t.Fatalf("%s %s is answered %v", method, path, got)
		}
		return got[0]
	}
	climbs := []string{
		"/attacker/../victim/secret", "/attacker/%2e%2e/victim/secret", "/attacker/..%2fvictim%2fsecret", "/attacker/%2E%2E%2Fvictim/secret",
		"/attacker/%252e%252e/victim/secret", "/attacker//../victim/secret", "/attacker/./../victim/secret", "/attacker/..%5cvictim%5csecret",
		"/attacker/..%c0%afvictim/secret", "/attacker/%00/../../victim/secret", "/attacker/a%00b",
		"/attacker/../../../../../../../../etc/passwd", "/attacker/%2e%2e%2f%2e%2e%2f%2e%2e%2froot.key",
	}
	for _, path := range climbs {
		t.Run("a key that climbs: "+path, func(t *testing.T) {
			if got := do(t, http.MethodGet, path, nil); got.status < 400 || got.status >= 500 {
				t.Errorf("a read is answered %d: %s", got.status, got.body)
			}
			// A name is a name: what is written under it is read under it, or it is refused.
			if got := do(t, http.MethodPut, path, []byte("climbed")); got.status >= 500 {
				t.Errorf("a write is answered %d: %s", got.status, got.body)
			} else if got.status == http.StatusOK {
				if got := do(t, http.MethodGet, path, nil); got.body != "climbed" {
					t.Errorf("what was written is read as %d: %s", got.status, got.body)
				}
			}
		})
	}
	for _, path := range []string{"/..", "/%2e%2e", "/../etc", "/%2e%2e%2fdata", "/.", "/a%00b", "/a%2fb", "/victim%2fsecret", "/..%5c..", "/%ff%fe"} {
		t.Run("a bucket that climbs: "+path, func(t *testing.T) {
			for _, method := range []string{http.MethodPut, http.MethodGet} {
				if got := do(t, method, path, nil); got.status < 400 || got.status >= 500 || strings.Contains(got.body, secret) {
					t.Errorf("%s is answered %d: %s", method, got.status, got.body)
				}
			}
		})
	}
	t.Run("the victim's object is as it was", func(t *testing.T) {
		object, err := clients.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("victim"), Key: aws.String("secret")})
		if err != nil {
			t.Fatal(err)
		}
		defer object.Body.Close()
		if b, err := io.ReadAll(object.Body); err != nil || string(b) != secret {
			t.Errorf("it reads %q, %v", b, err)
		}
		listed, err := clients.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("victim")})
		if err != nil || len(listed.Contents) != 1 {
			t.Errorf("its bucket has %d objects, %v", len(listed.Contents), err)
		}
	})
	t.Run("no file lies outside of the data folder", func(t *testing.T) {
		var strays []string
		err := filepath.WalkDir(outside, func(name string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() && name == data {
				return filepath.SkipDir
			}
			if !entry.IsDir() {
				strays = append(strays, name)
			}
			return err
		})
		if err != nil || len(strays) > 0 {
			t.Errorf("%v, %v", strays, err)
		}
		var top []string
		entries, err := os.ReadDir(data)
		for _, e := range entries {
			top = append(top, e.Name())
		}
		if err != nil || slices.Contains(top, "climbed") || slices.Contains(top, "secret") {
			t.Errorf("%v, %v", top, err)
		}
	})
}
