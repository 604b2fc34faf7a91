package process_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestTheChildDoesNotGetTheParentsSecrets(t *testing.T) {
	const secret = "environment-secret"
	for _, name := range []string{"DICTUM_ROOT", "MY_OWN_ROOT_KEY", "VAULT_TOKEN", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, secret)
	}
	s := start(t)
	deadline := time.Now().Add(30 * time.Second)
	var environ string
	// Between fork and exec the child still has the parent's.
	for !strings.Contains(environ, childVariable+"=1") || strings.Contains(environ, secret) {
		if time.Now().After(deadline) {
			t.Fatalf("the child's environment is %q", strings.ReplaceAll(environ, "\x00", " "))
		}
		time.Sleep(10 * time.Millisecond)
		if pid := s.PID(); pid != 0 {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
			if err != nil {
				t.Fatal(err)
			}
			environ = string(b)
		}
	}
	if !strings.Contains(environ, "PATH=") {
		t.Errorf("the child lacks its path: %q", environ)
	}
}
