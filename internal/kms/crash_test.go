package kms_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dictum/dictum/internal/kms"
)

// crashDir tells the test binary that it is the process to be killed, and where it works.
const crashDir = "DICTUM_TEST_CRASH_DIR"

// TestKilledWhileRotating kills a process that does nothing but rotate root and wrapping key. Each time, a start
// opens the folder, with the keys of before.
func TestKilledWhileRotating(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		rotateForever(dir) // does not return
	}
	dir, in := t.TempDir(), kms.Context{"a": "b"}
	r := openRoot(t, dir)
	want := r.Derive("x", 32)
	sealed, err := r.Seal([]byte("secret"), in)
	if err != nil {
		t.Fatal(err)
	}
	rotations := 0
	for round := range 20 {
		c := exec.Command(os.Args[0], "-test.run=^TestKilledWhileRotating$")
		c.Env = append(os.Environ(), crashDir+"="+dir)
		progress, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		// Each byte is a rotation that is done; the next one is under way when the process dies.
		n := 1 + round%5
		if _, err := io.ReadFull(progress, make([]byte, n)); err != nil {
			t.Errorf("round %d: the process ended by itself: %v", round, err)
		}
		c.Process.Kill()
		c.Wait()
		rotations += n
		again, err := kms.OpenRoot(filepath.Join(dir, "root.key"))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if got, err := again.Open(sealed, in); err != nil || string(got) != "secret" || !bytes.Equal(again.Derive("x", 32), want) {
			t.Fatalf("round %d: %q, %v", round, got, err)
		}
	}
	if r = openRoot(t, dir); r.WrappingKeyID() == "dictum/root/v1" {
		t.Error("nothing was rotated")
	}
	t.Logf("at least %d rotations in 20 processes, now at %s", rotations, r.WrappingKeyID())
}

func rotateForever(dir string) {
	file := filepath.Join(dir, "root.key")
	ctx := context.Background()
	r, err := kms.OpenRoot(file)
	for err == nil {
		if err = r.RotateRootFile(ctx, file); err != nil {
			break
		}
		fmt.Print(".")
		if err = r.RotateWrappingKey(ctx); err != nil {
			break
		}
		fmt.Print(".")
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
