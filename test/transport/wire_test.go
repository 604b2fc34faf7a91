// Package transport_test attacks a running server on the wire: slow clients, smuggled and malformed requests,
// oversized input, paths that climb, weak TLS, strangers' networks. Each test is named for its threat.
package transport_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dictum/dictum/test/harness"
)

// patience bounds what a test waits for; a busy machine may need most of it.
const patience = 15 * time.Second

// clientTimeout is what the servers here grant a client, shortened from 10 s.
const clientTimeout = time.Second

// TestMain lets more tests run at once than there are processors: they wait for servers' time limits.
func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "12")
	os.Exit(m.Run())
}

func run(t *testing.T, flags ...string) *harness.Server {
	t.Helper()
	return harness.Run(t, append([]string{"--client-timeout", clientTimeout.String()}, flags...)...)
}

// hostPort is an origin without its scheme.
func hostPort(origin string) string {
	_, rest, _ := strings.Cut(origin, "://")
	return rest
}

// dial connects to an origin from a local address, "" for any.
func dial(t *testing.T, origin, from string) net.Conn {
	t.Helper()
	dialer := net.Dialer{Timeout: patience}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := dialer.DialContext(t.Context(), "tcp", hostPort(origin))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// answer is one response on the wire.
type answer struct {
	status int
	body   string
}

// send writes raw bytes to a server and returns every answer until the server closes the connection, which it
// must do within patience. Requests that expect to be closed have "Connection: close", or are refused.
func send(t *testing.T, server *harness.Server, raw string) []answer {
	t.Helper()
	conn := dial(t, server.API, "")
	// The server may refuse before it has read all, and close.
	_, _ = io.WriteString(conn, raw)
	return answers(t, conn)
}

func answers(t *testing.T, conn io.Reader) []answer {
	t.Helper()
	var all []answer
	r := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(r, nil)
		if closed(err) {
			return all
		}
		if err != nil {
			t.Fatalf("after %d answers: %v", len(all), err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil && !closed(err) {
			t.Fatalf("read answer: %v", err)
		}
		all = append(all, answer{resp.StatusCode, string(body)})
	}
}

// closed tells whether a connection's error is that the server has ended it.
func closed(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op) && !op.Timeout()
}

// refusedOnce checks that the server has refused the first request, and taken nothing behind it for a second.
func refusedOnce(t *testing.T, got []answer) {
	t.Helper()
	if len(got) > 1 {
		t.Errorf("%d answers: what stood behind the request was taken for another: %v", len(got), got)
	}
	for _, a := range got {
		if a.status < 400 || a.status >= 600 {
			t.Errorf("answered %d: %s", a.status, a.body)
		}
	}
}

// request is a request before it is signed.
type request struct {
	service, method, path, target string
	body                          []byte
	// credentials sign; the zero value is the server's own.
	credentials aws.Credentials
}

// listJobs is a small, valid JSON request.
var listJobs = request{service: "transcribe", method: http.MethodPost, path: "/", target: "Transcribe.ListTranscriptionJobs", body: []byte("{}")}

// head signs a request and writes its header for the wire, without the empty line that ends
// it, and without a Content-Length.
func (r request) head(t *testing.T, server *harness.Server) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.method, server.API+r.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.target != "" {
		req.Header.Set("X-Amz-Target", r.target)
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	}
	sum := sha256.Sum256(r.body)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	credentials := r.credentials
	if credentials.AccessKeyID == "" {
		credentials = aws.Credentials{AccessKeyID: server.Env["AWS_ACCESS_KEY_ID"], SecretAccessKey: server.Env["AWS_SECRET_ACCESS_KEY"]}
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = r.service == "s3" })
	if err := signer.SignHTTP(t.Context(), credentials, req, hash, r.service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", r.method, r.path, hostPort(server.API))
	if err := req.Header.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// whole is the signed request as it should be sent.
func (r request) whole(t *testing.T, server *harness.Server) string {
	t.Helper()
	return r.head(t, server) + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(r.body), r.body)
}

// stillServes checks that the server answers a good request.
func stillServes(t *testing.T, server *harness.Server) {
	t.Helper()
	if got := send(t, server, listJobs.whole(t, server)); len(got) != 1 || got[0].status != http.StatusOK {
		t.Errorf("a good request is answered %v", got)
	}
}
