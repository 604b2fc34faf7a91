package embedded_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/dictum/dictum/internal/objects"
)

// crashChild, when set, makes the test binary put objects into this folder until it is killed.
const crashChild = "DICTUM_TEST_OBJECTS_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashChild); dir != "" {
		putForever(dir)
	}
	os.Exit(m.Run())
}

// version is the content of the n-th put: n over and over, so that mixtures show.
func version(n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%08d", n), 20_000) }

// putForever replaces one object with versions and prints the number of each once it is stored.
func putForever(dir string) {
	t := &testing.B{}
	r := start(t, dir)
	ctx := context.Background()
	_ = r.CreateBucket(ctx, objects.Bucket{Name: "b", AccountID: "1"}) // Of an earlier round it is there.
	for n := 1; ; n++ {
		if _, err := r.Put(ctx, "b", "k", bytes.NewReader(version(n)), objects.Metadata{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

func TestKillDuringPutsLeavesAWholeObject(t *testing.T) {
	dir := t.TempDir()
	for round := range 4 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashChild+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		last := 0
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
				t.Fatal(err)
			}
			if last == 10+3*round {
				child.Process.Kill()
			}
		}
		child.Wait()
		r := start(t, dir)
		got := r.get(t, "k")
		// The one acknowledged last, or the one after it.
		if !bytes.Equal(got, version(last)) && !bytes.Equal(got, version(last+1)) {
			t.Errorf("round %d: %.16s…, %d was acknowledged last", round, got, last)
		}
		r.close()
	}
}
