package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/admin"
	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store/identity"
	"github.com/dictum/dictum/internal/store/storetest"
)

type recorder struct{ events []audit.Event }

func (r *recorder) Record(_ context.Context, e audit.Event) error {
	r.events = append(r.events, e)
	return nil
}

// serve runs an operator on a socket in data until the test ends, or stop is called.
func serve(t *testing.T, data string) (dir *iam.Directory, events *recorder, stop func()) {
	t.Helper()
	root, err := kms.NewRoot(bytes.Repeat([]byte{1}, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	store, err := identity.Open(t.Context(), storetest.Open(t), root)
	if err != nil {
		t.Fatal(err)
	}
	dir, events = iam.NewDirectory(store, nil), &recorder{}
	listener, err := admin.Listen(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- admin.Serve(ctx, listener, admin.Local{Directory: dir, Recorder: events}, slog.New(slog.DiscardHandler))
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return dir, events, stop
}

func TestOperatorOverTheSocket(t *testing.T) {
	data := filepath.Join(t.TempDir(), strings.Repeat("long", 30)) // longer than a socket's address
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	c, ctx := admin.Dial(data), t.Context()
	if _, err := c.Accounts(ctx); !errors.Is(err, admin.ErrNotRunning) {
		t.Fatalf("without a server: %v", err)
	}
	dir, events, stop := serve(t, data)
	info, err := os.Stat(filepath.Join(data, "admin.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket %v, %v", info, err)
	}
	one, err := c.CreateAccount(ctx, "one")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := dir.Lookup(ctx, one.AccessKeyID); err != nil || found.SecretAccessKey != one.SecretAccessKey || found.Principal.ARN != one.ARN {
		t.Errorf("%+v, %v", found, err)
	}
	key, err := c.CreateRootKey(ctx, one.AccountID)
	if err != nil || key.ARN != "arn:aws:iam::"+one.AccountID+":root" {
		t.Errorf("%+v, %v", key, err)
	}
	if found, err := dir.Lookup(ctx, key.AccessKeyID); err != nil || found.Principal.Kind != iam.KindRoot {
		t.Errorf("%+v, %v", found, err)
	}
	if accounts, err := c.Accounts(ctx); err != nil || len(accounts) != 1 || accounts[0].Name != "one" || accounts[0].Created.IsZero() {
		t.Errorf("%+v, %v", accounts, err)
	}
	var refusal *iam.Refusal
	for name, call := range map[string]func() (admin.Key, error){
		"no such account": func() (admin.Key, error) { return c.CreateRootKey(ctx, "111122223333") },
		"no account id":   func() (admin.Key, error) { return c.CreateRootKey(ctx, "../x") },
		"long name":       func() (admin.Key, error) { return c.CreateAccount(ctx, strings.Repeat("x", 51)) },
		"control in name": func() (admin.Key, error) { return c.CreateAccount(ctx, "a\nb") },
		"a third root key": func() (admin.Key, error) {
			_, _ = c.CreateRootKey(ctx, one.AccountID)
			return c.CreateRootKey(ctx, one.AccountID)
		},
	} {
		if k, err := call(); !errors.As(err, &refusal) {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
	}
	t.Run("changes are on record, without secrets", func(t *testing.T) {
		record, err := json.Marshal(events.events)
		if err != nil {
			t.Fatal(err)
		}
		if len(events.events) != 3 || events.events[0].Name != "CreateAccount" || events.events[1].Name != "CreateRootAccessKey" {
			t.Errorf("%s", record)
		}
		if bytes.Contains(record, []byte(one.SecretAccessKey)) || bytes.Contains(record, []byte(key.SecretAccessKey)) {
			t.Error("a secret is on record")
		}
	})
	stop()
	if _, err := c.Accounts(ctx); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("after the server: %v", err)
	}
	t.Run("the socket that a server left is replaced", func(t *testing.T) {
		if _, err := os.Stat(filepath.Join(data, "admin.sock")); err != nil {
			t.Fatal(err)
		}
		serve(t, data)
		if accounts, err := c.Accounts(ctx); err != nil || len(accounts) != 0 {
			t.Errorf("%+v, %v", accounts, err)
		}
	})
}
