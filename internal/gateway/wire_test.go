package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

// dial opens a raw connection to the bench.
func dial(t *testing.T, b *bench) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn, bufio.NewReader(conn)
}

// head writes a signed request's head as it goes over the wire.
func head(t *testing.T, b *bench, c call, extra ...string) string {
	t.Helper()
	r := b.request(t, c)
	var w bytes.Buffer
	fmt.Fprintf(&w, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.URL.RequestURI(), r.URL.Host)
	_ = r.Header.Write(&w)
	return w.String() + strings.Join(append(extra, ""), "\r\n") + "\r\n"
}

func TestContinueOnlyAfterAuthentication(t *testing.T) {
	b := newBench(t)
	t.Run("an unsigned client is refused without being asked for its body", func(t *testing.T) {
		for _, service := range []string{"s3", "transcribe"} {
			conn, r := dial(t, b)
			fmt.Fprint(conn, head(t, b, call{service: service, method: "PUT", body: "hello", unsigned: true}, "Expect: 100-continue", "Content-Length: 5"))
			line, err := r.ReadString('\n')
			if err != nil || strings.Contains(line, "100") {
				t.Errorf("%s: first answer %q, %v", service, line, err)
			}
		}
	})
	t.Run("a signed client is told to go on", func(t *testing.T) {
		conn, r := dial(t, b)
		fmt.Fprint(conn, head(t, b, call{service: "s3", method: "PUT", body: "hello"}, "Expect: 100-continue", "Content-Length: 5"))
		line, err := r.ReadString('\n')
		if err != nil || !strings.Contains(line, "100 Continue") {
			t.Fatalf("first answer %q, %v", line, err)
		}
		_, _ = r.ReadString('\n')
		fmt.Fprint(conn, "hello")
		if line, _ = r.ReadString('\n'); !strings.Contains(line, "200 OK") {
			t.Errorf("second answer %q", line)
		}
	})
}

// TestOddFraming sends what request smuggling is made of: each must be refused, or be one
// request and not two.
func TestOddFraming(t *testing.T) {
	b := newBench(t)
	put := call{service: "s3", method: "PUT", body: "hello"}
	tests := []struct {
		name   string
		raw    string
		status int
	}{
		{"two Content-Lengths that differ", head(t, b, put, "Content-Length: 5", "Content-Length: 6") + "hello", 400},
		{"negative Content-Length", head(t, b, put, "Content-Length: -5"), 400},
		{"Content-Length in words", head(t, b, put, "Content-Length: five"), 400},
		{"Content-Length with a sign", head(t, b, put, "Content-Length: +5") + "hello", 400},
		{"unknown Transfer-Encoding", head(t, b, put, "Transfer-Encoding: xchunked") + "hello", 501},
		{"signed length and chunks", head(t, b, put, "Content-Length: 5", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n", 403},
		{"two hosts", head(t, b, put, "Host: other", "Content-Length: 5") + "hello", 400},
		{"blank before the colon", head(t, b, put, "X-Amz-Acl : private", "Content-Length: 5") + "hello", 400},
		{"target twice", head(t, b, call{service: "transcribe"}, "X-Amz-Target: Transcribe.DeleteTranscriptionJob", "Content-Length: 0"), 400},
		{"authorization twice", head(t, b, put, "Authorization: AWS4-HMAC-SHA256 x", "Content-Length: 5") + "hello", 400},
		{"content type twice", head(t, b, call{service: "transcribe"}, "Content-Type: text/plain", "Content-Length: 0"), 400},
		{"headers beyond the limit", head(t, b, put, "X-Long: "+strings.Repeat("x", 128<<10), "Content-Length: 5"), 431},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, r := dial(t, b)
			go func() { _, _ = conn.Write([]byte(tt.raw)) }()
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != tt.status {
				t.Errorf("got %d %s, want %d", res.StatusCode, body, tt.status)
			}
			// With our side closed the server answers what it still takes for requests, then closes too.
			_ = conn.(*net.TCPConn).CloseWrite()
			if again, err := http.ReadResponse(r, nil); err == nil {
				again.Body.Close()
				t.Error("one request was answered twice")
			}
		})
	}
}

func TestHandlersThatFail(t *testing.T) {
	b := newBench(t)
	t.Run("a panic is an internal failure", func(t *testing.T) {
		a := b.send(t, call{service: "s3", method: "DELETE"})
		if a.status != 500 || !strings.Contains(a.body, "<Code>InternalError</Code>") || strings.Contains(a.body, "fell over") {
			t.Errorf("got %d %s", a.status, a.body)
		}
		if !strings.Contains(b.log.String(), "handler fell over") {
			t.Error("the log does not tell why")
		}
	})
	t.Run("an error after half an answer breaks the connection", func(t *testing.T) {
		res, err := http.DefaultClient.Do(b.request(t, call{service: "s3", method: "OPTIONS"}))
		if err == nil {
			defer res.Body.Close()
			_, err = io.ReadAll(res.Body)
		}
		if err == nil {
			t.Error("the client takes half an answer for a whole one")
		}
	})
}

func TestBodyLimits(t *testing.T) {
	b := newBench(t)
	t.Run("a body over the limit", func(t *testing.T) {
		a := b.send(t, call{service: "transcribe", body: `{"x":"` + strings.Repeat("x", gateway.DefaultMaxBody) + `"}`})
		if a.status != 413 || !strings.Contains(a.body, "RequestEntityTooLargeException") {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})
	t.Run("a body that stops", func(t *testing.T) {
		for cause, want := range map[error]int{os.ErrDeadlineExceeded: 408, io.ErrUnexpectedEOF: 400} {
			r := b.request(t, call{service: "transcribe"})
			r.RequestURI = "/"
			r.Body = io.NopCloser(iotest.ErrReader(cause))
			w := httptest.NewRecorder()
			b.gateway.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%v: got %d %s", cause, w.Code, w.Body)
			}
		}
	})
}

// TestAudit shows that events tell who did what, and keep secrets out.
func TestAudit(t *testing.T) {
	b := newBench(t)
	b.send(t, call{service: "transcribe", header: http.Header{"User-Agent": {"probe/1"}}})
	e := b.events.last()
	c := e.Caller
	if e.Name != "GetTranscriptionJob" || e.Source != "transcribe.amazonaws.com" || c.Region != "us-west-2" || !e.ReadOnly ||
		c.Principal != b.cred.Principal || c.SourceIP != "127.0.0.1" || c.UserAgent != "probe/1" || e.ErrorCode != "" ||
		!strings.HasSuffix(e.Resources[0].ARN, ":transcription-job/there") || e.Additional["bytesTransferredIn"] == 0 {
		t.Errorf("event %+v", e)
	}
	var log bytes.Buffer
	wrong := b.cred
	wrong.SecretAccessKey = "other"
	b.send(t, call{service: "s3", cred: wrong})
	e = b.events.last()
	if e.Caller.Principal.AccountID != "" || e.ClaimedKeyID != b.cred.AccessKeyID || e.ErrorCode != "SignatureDoesNotMatch" {
		t.Errorf("event of a refused request %+v", e)
	}
	if err := (gateway.LogAuditor{Log: slog.New(slog.NewJSONHandler(&log, nil))}).Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), b.cred.SecretAccessKey) || !strings.Contains(log.String(), `"error_code":"SignatureDoesNotMatch"`) {
		t.Errorf("log line %s", log.String())
	}
}

func TestOverloadIsRefused(t *testing.T) {
	b := newBench(t)
	slow, err := gateway.New(gateway.Config{
		Services: []gateway.Service{transcribe()}, Credentials: b.links, Authorizer: gateway.Administrators{}, Auditor: b.events, MaxInFlight: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	cred, err := b.links.ForAccount("111122223333")
	if err != nil {
		t.Fatal(err)
	}
	read, write := io.Pipe()
	first := b.request(t, call{service: "transcribe", cred: cred})
	first.RequestURI, first.Body, first.ContentLength = "/", read, -1
	done := make(chan struct{})
	go func() {
		defer close(done)
		slow.ServeHTTP(httptest.NewRecorder(), first)
	}()
	_, _ = write.Write([]byte("{")) // returns once the first request is reading
	w := httptest.NewRecorder()
	slow.ServeHTTP(w, b.request(t, call{service: "transcribe"}))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	_ = write.Close()
	<-done
}

func TestPublicURL(t *testing.T) {
	b := newBench(t)
	for _, bad := range []string{"example.com", "ftp://h", "http://h/path", "://", "http://"} {
		_, err := gateway.New(gateway.Config{
			Services: []gateway.Service{transcribe()}, Credentials: b.links, Authorizer: gateway.Administrators{}, Auditor: b.events, PublicURL: bad,
		})
		if err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// BenchmarkGateway measures a signed call on its whole way but for the network: parse, verify, decode,
// authorise, answer, audit into a JSON log.
func BenchmarkGateway(bm *testing.B) {
	b := newBench(bm)
	g, err := gateway.New(gateway.Config{
		Services: []gateway.Service{transcribe()}, Credentials: iam.NewResolver(0, b.links, mapped{b.cred}), Authorizer: gateway.Administrators{},
		Auditor: gateway.LogAuditor{Log: slog.New(slog.NewJSONHandler(io.Discard, nil))},
	})
	if err != nil {
		bm.Fatal(err)
	}
	r := b.request(bm, call{service: "transcribe"})
	r.RequestURI = "/"
	body := []byte(`{"TranscriptionJobName":"there"}`)
	bm.ReportAllocs()
	for bm.Loop() {
		r.Body = io.NopCloser(bytes.NewReader(body))
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if w.Code != 200 {
			bm.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}

// BenchmarkHTTP adds the connection and a client on the same core.
func BenchmarkHTTP(bm *testing.B) {
	b := newBench(bm)
	r := b.request(bm, call{service: "transcribe"})
	body := []byte(`{"TranscriptionJobName":"there"}`)
	for bm.Loop() {
		r.Body = io.NopCloser(bytes.NewReader(body))
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			bm.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			bm.Fatal(res.Status)
		}
	}
}

// mapped is one credential.
type mapped struct{ iam.Credential }

func (m mapped) Lookup(_ context.Context, id string) (iam.Credential, error) {
	if id != m.AccessKeyID {
		return iam.Credential{}, iam.ErrNoSuchKey
	}
	return m.Credential, nil
}

// TestNothingIsAnsweredWithoutARecord shows that a good answer turns into an error when the audit fails.
func TestNothingIsAnsweredWithoutARecord(t *testing.T) {
	b := newBench(t)
	b.events.fail = errors.New("disk is full")
	a := b.send(t, call{service: "transcribe"})
	if a.status != 500 || strings.Contains(a.body, "COMPLETED") || !strings.Contains(a.body, "InternalFailure") {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if strings.Contains(a.body, "disk") || !strings.Contains(b.log.String(), "disk is full") {
		t.Errorf("answer %s, log %s", a.body, b.log)
	}
}
