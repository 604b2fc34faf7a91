package harness

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// SocketURL presigns a WebSocket's URL for StartStreamTranscription as hand-written clients do, with parameters as a query.
func (s *Server) SocketURL(t testing.TB, parameters string) string {
	t.Helper()
	u, err := url.Parse(s.API)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(parameters, "X-Amz-Expires") {
		parameters += "&X-Amz-Expires=60"
	}
	u.Path, u.RawQuery = "/stream-transcription-websocket", parameters
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	keys := aws.Credentials{AccessKeyID: s.Env["AWS_ACCESS_KEY_ID"], SecretAccessKey: s.Env["AWS_SECRET_ACCESS_KEY"]}
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), keys, r, nothing, "transcribe", "us-east-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(signed, "http", "ws", 1)
}

// Metric reads one of the server's metrics, which has no labels.
func (s *Server) Metric(t testing.TB, name string) float64 {
	t.Helper()
	values := s.metric(t, name+" ")
	if len(values) != 1 {
		t.Fatalf("metric %s has %d values", name, len(values))
	}
	return values[0]
}

// Total is the sum of a metric that has labels. One that has not been counted yet is 0.
func (s *Server) Total(t testing.TB, name string) (sum float64) {
	t.Helper()
	for _, v := range s.metric(t, name+"{") {
		sum += v
	}
	return sum
}

// metric returns the values of the lines that begin so.
func (s *Server) metric(t testing.TB, prefix string) (values []float64) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Ops+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, prefix) {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
		if err != nil {
			t.Fatalf("metric %q: %v", line, err)
		}
		values = append(values, value)
	}
	return values
}

// Resident is how many bytes of memory a process holds that are its own: no files, no libraries.
func Resident(t testing.TB, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if text, found := strings.CutPrefix(line, "RssAnon:"); found {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			if err != nil {
				t.Fatalf("memory of %d: %v", pid, err)
			}
			return kilobytes << 10
		}
	}
	t.Fatalf("process %d tells of no memory", pid)
	return 0
}
