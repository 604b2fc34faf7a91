package cli_test

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/cli"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store"
	"github.com/dictum/dictum/internal/store/identity"
)

// stopped makes a data folder as a server leaves it.
func stopped(t *testing.T) (data, account string) {
	t.Helper()
	data = t.TempDir()
	root, err := kms.OpenRoot(filepath.Join(data, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(data, "dictum.db"), root.Derive("store/v1", store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	identities, err := identity.Open(t.Context(), db, root)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := iam.Bootstrap(t.Context(), identities, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return data, c.Principal.AccountID
}

func TestAdminAccountOnAStoppedServer(t *testing.T) {
	data, first := stopped(t)
	run := func(want int, args ...string) (string, string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := cli.Run(t.Context(), append([]string{"admin", "account"}, args...), &out, &errs); got != want {
			t.Fatalf("%v: exit %d, want %d\n%s%s", args, got, want, &out, &errs)
		}
		return out.String(), errs.String()
	}
	keys := regexp.MustCompile(`(?s)^# account (\d{12}), (\S+);.*\nexport AWS_ACCESS_KEY_ID=(AKIA\w{16})\nexport AWS_SECRET_ACCESS_KEY=\S+\nunset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE\n$`)
	out, _ := run(0, "create", "--data", data, "Acme & Co")
	made := keys.FindStringSubmatch(out)
	if made == nil || made[2] != "arn:aws:iam::"+made[1]+":user/admin" {
		t.Fatalf("printed %q", out)
	}
	out, _ = run(0, "list", "--data", data)
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[1], first) || !strings.HasSuffix(lines[2], "Acme & Co") {
		t.Errorf("printed %q", out)
	}
	out, _ = run(0, "root-key", "--data", data, made[1])
	if k := keys.FindStringSubmatch(out); k == nil || k[2] != "arn:aws:iam::"+made[1]+":root" {
		t.Errorf("printed %q", out)
	}
	if _, errs := run(2, "root-key", "--data", data, "111122223333"); !strings.Contains(errs, "there is no account 111122223333") {
		t.Errorf("said %q", errs)
	}
	var report, errs bytes.Buffer
	if code := cli.Run(t.Context(), []string{"admin", "audit", "export", "--data", data}, &report, &errs); code != 0 || !strings.Contains(report.String(), "CreateRootAccessKey") || !strings.Contains(report.String(), made[3]) {
		t.Errorf("audit: exit %d, %s%s", code, &report, &errs)
	}
	empty := t.TempDir()
	if code := cli.Run(t.Context(), []string{"admin", "account", "list", "--data", empty}, &bytes.Buffer{}, &errs); code == 0 || !strings.Contains(errs.String(), "no server has run in") {
		t.Errorf("exit %d, %s", code, &errs)
	}
}
