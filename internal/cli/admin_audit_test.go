package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
)

// auditLog writes a log of these operations into a data folder, as a server does, and returns its only file.
func auditLog(t *testing.T, data string, operations ...string) string {
	t.Helper()
	root, err := kms.OpenRoot(filepath.Join(data, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := audit.Open(audit.Config{Dir: filepath.Join(data, "audit"), Keys: audit.DeriveKeys(root)})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range operations {
		e := audit.Event{Name: name, Source: "iam.amazonaws.com", Caller: iam.Caller{Time: time.Now(), Region: "us-east-1"}}
		if err := l.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(data, "audit", "*.audit"))
	if len(files) != 1 {
		t.Fatalf("got files %v", files)
	}
	return files[0]
}

func TestAdminAuditVerify(t *testing.T) {
	data := t.TempDir()
	t.Run("says when there is no log and makes none", func(t *testing.T) {
		code, _, stderr := run(t, "admin", "audit", "verify", "--data", data)
		if left, _ := os.ReadDir(data); code != 3 || !strings.Contains(stderr, "no server has run") || len(left) != 0 {
			t.Errorf("got %d, %q, folder %v", code, stderr, left)
		}
	})
	file := auditLog(t, data, "CreateUser", "DeleteUser")
	t.Run("a sound log", func(t *testing.T) {
		code, stdout, stderr := run(t, "admin", "audit", "verify", "--data", data)
		if code != 0 || !strings.Contains(stdout, "2 records") || !strings.Contains(stdout, "0 findings") {
			t.Errorf("got %d, %q, %q", code, stdout, stderr)
		}
	})
	t.Run("a changed one has a line for each finding and code 1", func(t *testing.T) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, _ := run(t, "admin", "audit", "verify", "--data", data)
		if code != 1 || !strings.Contains(stdout, filepath.Base(file)+" at byte") || !strings.Contains(stdout, "1 findings") {
			t.Errorf("got %d, %q", code, stdout)
		}
	})
}

func TestAdminAuditExport(t *testing.T) {
	data := t.TempDir()
	auditLog(t, data, "CreateUser", "DeleteUser")
	code, stdout, stderr := run(t, "admin", "audit", "export", "--data", data, "--since", "1h")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != 0 || len(lines) != 2 {
		t.Fatalf("got %d, %q, %q", code, stdout, stderr)
	}
	for i, want := range []string{"CreateUser", "DeleteUser"} {
		var d struct {
			EventName string `json:"eventName"`
		}
		if err := json.Unmarshal([]byte(lines[i]), &d); err != nil || d.EventName != want {
			t.Errorf("line %d: %q, %v", i, lines[i], err)
		}
	}
	if _, stdout, _ = run(t, "admin", "audit", "export", "--data", data, "--since", "2199-01-01"); stdout != "" {
		t.Errorf("records of the future: %q", stdout)
	}
	if code, _, stderr = run(t, "admin", "audit", "export", "--data", data, "--since", "soon"); code != 2 || !strings.Contains(stderr, "--since") {
		t.Errorf("got %d, %q", code, stderr)
	}
}
