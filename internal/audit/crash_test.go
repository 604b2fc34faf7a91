package audit_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dictum/dictum/internal/audit"
)

func TestAnUnfinishedRecordIsCut(t *testing.T) {
	whole := func(t *testing.T) []byte { // a frame as a writer that crashed would have begun it
		_, files := sample(t)
		p := parse(t, files[0])
		return p.frames[1].Raw
	}(t)
	for name, tail := range map[string][]byte{
		"a piece of a header":  whole[:7],
		"a piece of a record":  whole[:300],
		"zeros of a lost page": make([]byte, 4096),
		"other bytes":          bytes.Repeat([]byte{0xda, 0x7e, 'R'}, 200),
	} {
		t.Run(name, func(t *testing.T) {
			dir, files := sample(t)
			now := func() time.Time { return noon.Add(49 * time.Hour) } // the third day
			file, err := os.OpenFile(files[2], os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.Write(tail); err != nil {
				t.Fatal(err)
			}
			file.Close()
			if r := wantSound(t, dir); !strings.Contains(strings.Join(r.Notes, "\n"), "unfinished record") {
				t.Errorf("got notes %v", r.Notes)
			}
			before := len(names(t, dir))
			l := open(t, audit.Config{Dir: dir, Keys: keys(t), Now: now})
			record(t, l, start("after"))
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			r := wantSound(t, dir)
			if !strings.Contains(strings.Join(r.Notes, "\n"), fmt.Sprintf("cut %d bytes of an unfinished record after 18", len(tail))) {
				t.Errorf("got notes %v", r.Notes)
			}
			if r.Files != 3 || len(names(t, dir)) != before+1 {
				t.Errorf("got %+v, %d names instead of %d", r, len(names(t, dir)), before+1)
			}
			var said bool
			_, err = audit.Scan(t.Context(), dir, keys(t), 0, func(r audit.Record) error {
				said = said || bytes.Contains(r.Document, []byte(`"eventName":"RecoverAuditLog"`))
				return nil
			})
			if err != nil || !said {
				t.Errorf("the cut is not on record (%v)", err)
			}
		})
	}
}

// childDir tells a process of this test that it is to write a log there until it is killed.
const childDir = "DICTUM_TEST_AUDIT_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		writeForever(dir)
		return
	}
	os.Exit(m.Run())
}

// writeForever records by eight at a time and prints each name once it is acknowledged.
func writeForever(dir string) {
	t := &testing.T{}
	l, err := audit.Open(audit.Config{Dir: dir, Keys: keys(t), MaxFile: 256 << 10, DigestRecords: 40})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", os.Getpid(), worker, i)
				if err := l.Record(context.Background(), start(name)); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				_, _ = os.Stdout.WriteString("ack " + name + "\n") // one write a line
			}
		})
	}
	group.Wait()
}

func TestKilledAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range 8 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childDir+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			name, ok := strings.CutPrefix(lines.Text(), "ack ")
			if !ok {
				t.Fatalf("child says %q", lines.Text())
			}
			acknowledged[name] = true
			if n == 100+37*round {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait()
		wantSound(t, dir)
	}
	l := open(t, audit.Config{Dir: dir, Keys: keys(t)})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := wantSound(t, dir)
	t.Logf("%d acknowledged; %+v", len(acknowledged), r)
	for _, name := range names(t, dir) {
		delete(acknowledged, name)
	}
	if len(acknowledged) > 0 {
		t.Errorf("%d acknowledged records are lost", len(acknowledged))
	}
}

func TestAFullDisk(t *testing.T) {
	// A limit on the size of files stands for the disk's: the write fails half-way.
	dir := t.TempDir()
	l := open(t, audit.Config{Dir: dir, Keys: keys(t)})
	record(t, l, start("before"))
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Skip(err)
	}
	files, _ := os.ReadDir(dir)
	var size int64
	for _, f := range files {
		if info, err := f.Info(); err == nil && strings.HasSuffix(f.Name(), ".audit") {
			size = info.Size()
		}
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(size) + 4096, Max: old.Max}); err != nil {
		t.Skip(err)
	}
	var failed error
	for i := 0; failed == nil && i < 100; i++ {
		failed = l.Record(t.Context(), start("x"))
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if failed == nil || errors.Is(failed, audit.ErrFailed) {
		t.Fatalf("got %v, want a failure of the write alone", failed)
	}
	wantSound(t, dir)
	record(t, l, start("after"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, dir)
	if all := names(t, dir); all[0] != "before" || all[len(all)-1] != "after" {
		t.Errorf("got %v", all)
	}
}
