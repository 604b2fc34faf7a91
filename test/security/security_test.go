// Package security_test holds the security plane against unmodified AWS tools: boto3 and the AWS CLI, versions 1 and 2,
// in Python suites beside this file, on one server with two accounts. What they did must then be in the audit, and
// none of their secrets.
package security_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/dictum/dictum/internal/sts/oidc/oidctest"
	"github.com/dictum/dictum/test/harness"
)

// speechSeconds is how much of the reading the jobs transcribe.
const speechSeconds = 3

// lab is a server, and the environment in which the Python suites use it.
type lab struct {
	server        *harness.Server
	binary, data  string
	secrets, home string
	extra         []string
}

func TestSecurity(t *testing.T) {
	l := newLab(t)
	// One worker, so that a suite can keep a job waiting.
	l.server = harness.RunIn(t, l.data, "--jobs", "1")
	l.secondAccount(t)
	l.issuer(t)
	// These run all at once, whatever -parallel says: mostly they wait for the server.
	suites := []string{"identities", "rights", "keys", "roles", "storage", "replay", "filters"}
	results := make([]chan error, len(suites))
	for i, suite := range suites {
		results[i] = make(chan error, 1)
		go func() { results[i] <- l.suite(t.Context(), suite) }()
	}
	for i, suite := range suites {
		err := <-results[i]
		t.Run(suite, func(t *testing.T) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	for _, suite := range []string{"rotation", "audit"} {
		t.Run(suite, func(t *testing.T) { l.run(t, suite) })
	}
	t.Run("no secret in the audit or the log", l.checkSecrets)
	t.Run("audit verifies, and not after a change", l.verify)
	t.Run("over TLS", l.overTLS)
}

func newLab(t *testing.T) *lab {
	t.Helper()
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{binary: binary, data: t.TempDir(), home: t.TempDir()}
	l.secrets = filepath.Join(t.TempDir(), "secrets")
	l.extra = []string{
		"DICTUM=" + binary, "DATA=" + l.data, "SECRETS=" + l.secrets, "CALLS=" + l.secrets + ".calls", "PYTHONDONTWRITEBYTECODE=1",
		"AWS_V1=" + filepath.Join(harness.Root(), ".cache/venv/bin/aws"),
		"SPEECH=" + harness.Excerpt(t, speechSeconds, "speech.wav", "-ar", "16000"),
		"READING=" + reading(t),
	}
	return l
}

// reading is a recording of eleven minutes, long enough to keep a worker busy for as long as a test may need.
func reading(t *testing.T) string {
	t.Helper()
	once := harness.Excerpt(t, 60, "once.wav", "-ar", "16000")
	out := filepath.Join(t.TempDir(), "reading.wav")
	harness.FFmpeg(t, "-stream_loop", "14", "-i", once, "-c", "copy", out)
	return out
}

// secondAccount makes another account and gives the suites its administrator's key.
func (l *lab) secondAccount(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), l.binary, "admin", "account", "create", "--data", l.data, "Other").Output()
	if err != nil {
		t.Fatalf("make an account: %v", err)
	}
	for _, m := range regexp.MustCompile(`export AWS_(\w+)='?([^'\n]+)`).FindAllStringSubmatch(string(out), -1) {
		l.extra = append(l.extra, "OTHER_"+m[1]+"="+m[2])
		if m[1] == "SECRET_ACCESS_KEY" {
			l.server.Secret(m[2])
		}
	}
}

// issuer runs an OpenID Connect issuer and gives the suites tokens of it.
func (l *lab) issuer(t *testing.T) {
	t.Helper()
	const client = "dictum-client"
	i := oidctest.New(t, true)
	l.extra = append(l.extra, "ISSUER="+i.URL, "ISSUER_THUMBPRINT="+i.Thumbprint())
	token := func(name, token string) {
		l.extra = append(l.extra, "TOKEN_"+name+"="+token)
		l.server.Secret(token)
	}
	now := time.Now()
	token("GOOD", i.Sign(t, i.Claims(client, "alice", now)))
	token("OTHER_AUDIENCE", i.Sign(t, i.Claims("other-client", "alice", now)))
	token("OTHER_SUBJECT", i.Sign(t, i.Claims(client, "mallory", now)))
	token("EXPIRED", i.Sign(t, i.Claims(client, "alice", now.Add(-2*time.Hour))))
	forger := oidctest.New(t, true)
	token("FORGED", oidctest.Sign(t, oidctest.Key{ID: i.Key().ID, Algorithm: jose.RS256, Private: forger.Key().Private}, i.Claims(client, "alice", now)))
}

// run runs a Python suite.
func (l *lab) run(t *testing.T, suite string, env ...string) {
	t.Helper()
	if err := l.suite(t.Context(), suite, env...); err != nil {
		t.Error(err)
	}
}

// suite runs a Python suite and returns what it wrote when it failed.
func (l *lab) suite(ctx context.Context, suite string, env ...string) error {
	command := exec.CommandContext(ctx, filepath.Join(harness.Root(), ".cache/venv/bin/python"), suite+".py")
	command.Env = append(l.server.Environ(l.home, l.extra...), env...)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// known are the secrets that the suites came by.
func (l *lab) known(t *testing.T) []string {
	t.Helper()
	f, err := os.Open(l.secrets)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var s string
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if len(s) >= 8 { // shorter ones are everywhere
			out = append(out, s)
		}
	}
	return out
}

// checkSecrets searches the audit's export for secrets and transcripts, as the harness will search the log.
func (l *lab) checkSecrets(t *testing.T) {
	secrets := l.known(t)
	if len(secrets) < 50 {
		t.Fatalf("the suites noted only %d secrets", len(secrets))
	}
	l.server.Secret(secrets...)
	secrets = append(secrets, l.server.Env["AWS_SECRET_ACCESS_KEY"])
	export, err := exec.CommandContext(t.Context(), l.binary, "admin", "audit", "export", "--data", l.data).Output()
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(export, []byte("\n")); n < 500 {
		t.Errorf("the audit has only %d records", n)
	}
	found, err := harness.Leaks(bytes.NewReader(export), secrets)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		t.Errorf("the audit gives away:\n%s", strings.Join(found, "\n"))
	}
}

// verify verifies the audit of the running server, then of copies in which a byte was changed.
func (l *lab) verify(t *testing.T) {
	check := func(data string) (string, error) {
		out, err := exec.CommandContext(t.Context(), l.binary, "admin", "audit", "verify", "--data", data).CombinedOutput()
		return string(out), err
	}
	if out, err := check(l.data); err != nil || !strings.Contains(out, " 0 findings") {
		t.Fatalf("%v\n%s", err, out)
	}
	data := t.TempDir()
	harness.Tool(t, "cp", "-r", l.data+"/.", data)
	if out, err := check(data); err != nil {
		t.Fatalf("an unchanged copy: %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(data, "audit", "*.audit"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no audit files: %v", err)
	}
	for _, where := range []float64{0.01, 0.5, 0.99} {
		flip(t, files[0], where)
		if out, err := check(data); err == nil || !strings.Contains(out, filepath.Base(files[0])) {
			t.Errorf("a byte changed at %v of the file: %v\n%s", where, err, out)
		}
		flip(t, files[0], where)
	}
	if out, err := check(data); err != nil {
		t.Errorf("the copy as it was: %v\n%s", err, out)
	}
}

// flip inverts a bit of the byte that stands at a fraction of a file.
func flip(t *testing.T, file string, where float64) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	at, b := int64(float64(size)*where), make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// overTLS restarts the server with the certificates of `dictum tls init` and runs what needs TLS; what was made
// before is still there.
func (l *lab) overTLS(t *testing.T) {
	if err := l.server.Stop(); err != nil {
		t.Fatal(err)
	}
	harness.Tool(t, l.binary, "tls", "init", "--data", l.data, "--host", "127.0.0.1")
	if err := l.server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(l.server.API, "https://") {
		t.Fatalf("the server listens at %s", l.server.API)
	}
	l.run(t, "tls", "AWS_ENDPOINT_URL="+l.server.API, "AWS_CA_BUNDLE="+filepath.Join(l.data, "tls", "ca.pem"))
}
