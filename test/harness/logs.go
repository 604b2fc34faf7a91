package harness

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// forbidden are forms in which secrets come, whatever their value; no line of a log may have them.
var forbidden = []struct {
	what string
	form *regexp.Regexp
}{
	{"an Authorization header", regexp.MustCompile(`AWS4-HMAC-SHA256|(?i:authorization\\*["']?[:=])`)},
	{"a signature", regexp.MustCompile(`(?i)x-amz-signature\\*["']?[:=]`)},
	{"a session token", regexp.MustCompile(`(?i)(x-amz-security|session_?)-?token\\*["']?[:=]`)},
	{"a secret access key", regexp.MustCompile(`(?i)secret_?access_?key\\*["']?[:=]`)},
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY`)},
}

// hashed is how AWS's refusal of a malformed header names it: by a hash.
var hashed = regexp.MustCompile(`\(Hashed with SHA-256 and encoded with Base64\) Authorization=[A-Za-z0-9+/]{43}=`)

// spokenRun is how many words in a row of the reading, which the tests transcribe, make a line transcript text.
const spokenRun = 4

// spoken are all runs of spokenRun words of the reading.
var spoken = sync.OnceValue(func() map[string]bool {
	runs := map[string]bool{}
	words := Words(Reading)
	for i := range len(words) - spokenRun + 1 {
		runs[strings.Join(words[i:i+spokenRun], " ")] = true
	}
	return runs
})

// Leaks looks through a log for what must not be in one: the secrets given, headers and parameters that carry some,
// and transcripts of the reading. Each leak is described with its line.
func Leaks(log io.Reader, secrets []string) ([]string, error) {
	var found []string
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		if what := leak(line, secrets); what != "" {
			found = append(found, fmt.Sprintf("%s in a log line: %.300s", what, strings.TrimSpace(line)))
		}
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, fmt.Errorf("read log: %w", err)
		}
	}
}

// leak says what a line gives away, or "".
func leak(line string, secrets []string) string {
	for _, secret := range secrets {
		if strings.Contains(line, secret) || strings.Contains(line, url.QueryEscape(secret)) {
			return "a secret that a client has"
		}
	}
	plain := hashed.ReplaceAllString(line, "")
	for _, f := range forbidden {
		if f.form.MatchString(plain) {
			return f.what
		}
	}
	words := Words(line)
	for i := range len(words) - spokenRun + 1 {
		if spoken()[strings.Join(words[i:i+spokenRun], " ")] {
			return "the text of a transcript"
		}
	}
	return ""
}

// secretStore is what clients of a server know and its log must not.
type secretStore struct {
	mu     sync.Mutex // guards values
	values []string
}

// minSecret keeps short values from being found everywhere.
const minSecret = 8

func (s *secretStore) add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if len(v) >= minSecret {
			s.values = append(s.values, v)
		}
	}
}

func (s *secretStore) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.values...)
}

// logFile opens the file that keeps a server's whole log, in test/out/logs.
func logFile(name string) (*os.File, error) {
	dir := filepath.Join(Root(), "test", "out", "logs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("keep server log: %w", err)
	}
	if name == "" {
		name = "server"
	}
	f, err := os.CreateTemp(dir, strings.ReplaceAll(name, "/", "_")+"-*.log")
	if err != nil {
		return nil, fmt.Errorf("keep server log: %w", err)
	}
	return f, nil
}

// checkLog returns an error when the log that the server has written since the last check gives a secret away.
func (s *Server) checkLog() error {
	f, err := os.Open(s.LogFile)
	if err != nil {
		return fmt.Errorf("check server log: %w", err)
	}
	defer f.Close()
	if _, err := f.Seek(s.checked, io.SeekStart); err != nil {
		return fmt.Errorf("check server log: %w", err)
	}
	found, err := Leaks(f, s.secrets.all())
	if err != nil {
		return err
	}
	if s.checked, err = f.Seek(0, io.SeekCurrent); err != nil {
		return fmt.Errorf("check server log: %w", err)
	}
	if len(found) > 0 {
		return fmt.Errorf("the server's log (%s) gives away:\n%s", s.LogFile, strings.Join(found, "\n"))
	}
	return nil
}

// Secret tells the harness of values that the server's log must not have.
func (s *Server) Secret(values ...string) { s.secrets.add(values...) }

// witness learns the secrets that the server hands out in the answers of its query APIs, IAM and STS.
type witness struct {
	next    http.RoundTripper
	secrets *secretStore
}

var handedOut = regexp.MustCompile(`<(?:SecretAccessKey|SessionToken|Base32StringSeed)>([^<]+)<`)

// RoundTrip implements http.RoundTripper.
func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		// smithy-go 1.28 closes the body as soon as the answer begins, and WriteTo of a closed body returns io.EOF, for
		// which net/http closes the connection in the middle of a long answer. Read has no such fault.
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	resp, err := w.next.RoundTrip(r)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/" || !strings.Contains(resp.Header.Get("Content-Type"), "xml") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	for _, m := range handedOut.FindAllSubmatch(body, -1) {
		w.secrets.add(html.UnescapeString(string(m[1])))
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
