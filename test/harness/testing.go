package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Root is the folder of the checkout.
var Root = sync.OnceValue(func() string {
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, statErr := os.Stat(filepath.Join(dir, "go.mod")); statErr == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	panic("harness: not inside the checkout")
})

// Binary is bin/dictum, built from the sources as they are now, once a process.
var Binary = sync.OnceValues(func() (string, error) {
	build := exec.Command(filepath.Join(Root(), "scripts", "build.sh"))
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build dictum: %w:\n%s", err, out)
	}
	return filepath.Join(Root(), "bin", "dictum"), nil
})

// Run starts a server for a test and stops it gracefully at the test's end; the server's log is
// printed when the test fails. Flags are added to the command line.
func Run(t testing.TB, flags ...string) *Server {
	t.Helper()
	return RunIn(t, t.TempDir(), flags...)
}

// RunIn is Run on a given data folder.
func RunIn(t testing.TB, data string, flags ...string) *Server {
	t.Helper()
	return RunWith(t, Options{Data: data, Flags: flags})
}

// RunWith is Run with options; the program and the name are filled in. The server logs all that it can, so that
// secrets in its log are found.
func RunWith(t testing.TB, o Options) *Server {
	t.Helper()
	var err error
	if o.Binary, err = Binary(); err != nil {
		t.Fatal(err)
	}
	o.Name, o.Debug = t.Name(), true
	s, err := Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("server log:\n%s", s.Output())
		}
	})
	return s
}

// Until polls a condition until it holds and fails the test when it does not within the limit.
// It is for states that another process reaches in its own time.
func Until(t testing.TB, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(pollInterval)
	}
}

// Environ is the environment for a program that shall use the server: the process's own without
// any AWS setting, with a home folder of its own, then what `dictum env` exports, then extra.
func (s *Server) Environ(home string, extra ...string) []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "AWS_") && !strings.HasPrefix(pair, "HOME=") {
			env = append(env, pair)
		}
	}
	// No pager: there is no terminal to page on. No instance metadata: it is not there.
	env = append(env, "HOME="+home, "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true")
	for name, value := range s.Env {
		env = append(env, name+"="+value)
	}
	return append(env, extra...)
}
