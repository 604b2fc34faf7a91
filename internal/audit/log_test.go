package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
)

func rootKey(t testing.TB, fill byte) *kms.Root {
	t.Helper()
	r, err := kms.NewRoot(bytes.Repeat([]byte{fill}, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func keys(t testing.TB) audit.Keys { return audit.DeriveKeys(rootKey(t, 7)) }

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: noon} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t testing.TB, config audit.Config) *audit.Log {
	t.Helper()
	l, err := audit.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func alice() iam.Caller {
	return iam.Caller{
		Principal: iam.Principal{
			Kind: iam.KindUser, AccountID: "111122223333", ARN: "arn:aws:iam::111122223333:user/alice", UserID: "AIDAEXAMPLE",
			UserName: "alice", AccessKeyID: "AKIAIOSFODNN7EXAMPLE",
		},
		Region: "us-west-2", SourceIP: "192.0.2.10", UserAgent: "aws-cli/2.x", Time: noon, RequestID: "47b8e8d3-0000-4000-8000-000000000000",
	}
}

// start is the event of a transcription job with this name.
func start(name string) audit.Event {
	return audit.Event{
		Caller: alice(), Source: "transcribe.amazonaws.com", Name: "StartTranscriptionJob",
		Request:   map[string]any{"transcriptionJobName": name},
		Resources: []audit.Resource{{ARN: "arn:aws:transcribe:us-west-2:111122223333:transcription-job/" + name, AccountID: "111122223333"}},
	}
}

func record(t testing.TB, l *audit.Log, events ...audit.Event) {
	t.Helper()
	for _, e := range events {
		if err := l.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// names are the job names on record, in order.
func names(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	_, err := audit.Scan(t.Context(), dir, keys(t), 0, func(r audit.Record) error {
		var d struct {
			RequestParameters struct {
				TranscriptionJobName string `json:"transcriptionJobName"`
			} `json:"requestParameters"`
		}
		if err := json.Unmarshal(r.Document, &d); err != nil {
			return err
		}
		if n := d.RequestParameters.TranscriptionJobName; n != "" {
			all = append(all, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func verify(t testing.TB, dir string) audit.Report {
	t.Helper()
	report, err := audit.Verify(t.Context(), dir, keys(t))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func wantSound(t testing.TB, dir string) audit.Report {
	t.Helper()
	report := verify(t, dir)
	for _, f := range report.Findings {
		t.Errorf("finding in a sound log: %s", f)
	}
	return report
}

func TestRecordsAreKeptInOrder(t *testing.T) {
	dir := t.TempDir()
	l := open(t, audit.Config{Dir: dir, Keys: keys(t)})
	record(t, l, start("a"), start("b"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, audit.Config{Dir: dir, Keys: keys(t)})
	record(t, l, start("c"))
	if got, want := fmt.Sprint(names(t, dir)), "[a b c]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if r := wantSound(t, dir); r.Records != 3 || r.Files != 1 {
		t.Errorf("got %+v", r)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, dir)
}

func TestClosedLogTakesNothing(t *testing.T) {
	l := open(t, audit.Config{Dir: t.TempDir(), Keys: keys(t)})
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), start("a")); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsInClear(t *testing.T) {
	dir := t.TempDir()
	l := open(t, audit.Config{Dir: dir, Keys: keys(t)})
	record(t, l, start("a-telling-name"))
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"telling", "alice", "111122223333", "transcribe"} {
			if bytes.Contains(b, []byte(text)) {
				t.Errorf("%s has %q in clear", filepath.Base(name), text)
			}
		}
		if info, _ := os.Stat(name); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(name), info.Mode())
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	l := open(t, audit.Config{Dir: dir, Keys: keys(t), MaxFile: 64 << 10, DigestRecords: 50})
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			for j := range 20 {
				if err := l.Record(t.Context(), start(fmt.Sprintf("%d-%d", i, j))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	// A reader sees a sound log at any moment.
	for range 5 {
		wantSound(t, dir)
	}
	group.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := wantSound(t, dir)
	if r.Records != 640 || r.Files < 5 || r.Digests < 13 {
		t.Errorf("got %+v", r)
	}
	seen := map[string]bool{}
	for _, n := range names(t, dir) {
		seen[n] = true
	}
	if len(seen) != 640 {
		t.Errorf("%d of 640 on record", len(seen))
	}
}

func TestRecordGivesUpWithItsContext(t *testing.T) {
	l := open(t, audit.Config{Dir: t.TempDir(), Keys: keys(t)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// Either the record was quicker, or the context's error is told.
	if err := l.Record(ctx, start("a")); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAFileADay(t *testing.T) {
	dir, now := t.TempDir(), newClock()
	l := open(t, audit.Config{Dir: dir, Keys: keys(t), Now: now.Now, Retention: 3 * 24 * time.Hour})
	for day := range 10 {
		record(t, l, start(fmt.Sprint("day", day)))
		now.add(24 * time.Hour)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := wantSound(t, dir)
	// Of the tenth day on, files that ended three days before are gone: days 0 to 4.
	if got := strings.Join(names(t, dir), " "); got != "day5 day6 day7 day8 day9" {
		t.Errorf("got %s in %+v", got, r)
	}
	if r.First == 1 {
		t.Errorf("got %+v", r)
	}
}

func TestRecordWaitsForTheDiskAndSharesIt(t *testing.T) {
	var syncs atomic.Int64
	held, release := make(chan bool), make(chan bool)
	config := audit.WithSync(audit.Config{Dir: t.TempDir(), Keys: keys(t)}, func(f *os.File) error {
		if syncs.Add(1) == 1 {
			close(held)
			<-release
		}
		return f.Sync()
	})
	l := open(t, config)
	const callers = 50
	returned := make(chan error, callers+1)
	call := func() { returned <- l.Record(t.Context(), start("x")) }
	go call()
	<-held // the first is in its sync: the others must wait for the next one
	for range callers {
		go call()
	}
	for l.Waiting() < callers {
		runtime.Gosched()
	}
	if len(returned) > 0 {
		t.Error("a record was acknowledged before the disk had it")
	}
	close(release)
	for range callers + 1 {
		if err := <-returned; err != nil {
			t.Error(err)
		}
	}
	if got := syncs.Load(); got != 2 {
		t.Errorf("%d syncs for %d records, want 2", got, callers+1)
	}
}

func TestAFailedSyncStopsTheLog(t *testing.T) {
	dir := t.TempDir()
	var broken atomic.Bool
	l := open(t, audit.WithSync(audit.Config{Dir: dir, Keys: keys(t)}, func(f *os.File) error {
		if broken.Load() {
			return unix.EIO
		}
		return f.Sync()
	}))
	record(t, l, start("before"))
	broken.Store(true)
	for range 2 {
		if err := l.Record(t.Context(), start("lost")); !errors.Is(err, audit.ErrFailed) || !errors.Is(err, unix.EIO) {
			t.Errorf("got %v", err)
		}
		broken.Store(false) // a disk that says it is well again is not to be trusted
	}
	if !errors.Is(l.Err(), audit.ErrFailed) || !errors.Is(l.Close(), audit.ErrFailed) {
		t.Error("the failure is not told")
	}
	l = open(t, audit.Config{Dir: dir, Keys: keys(t)})
	record(t, l, start("after"))
	wantSound(t, dir)
}

func TestScanFromANumber(t *testing.T) {
	dir, files := sample(t)
	scan := func(from uint64) string {
		var all []string
		last, err := audit.Scan(t.Context(), dir, keys(t), from, func(r audit.Record) error {
			all = append(all, fmt.Sprint(r.Sequence))
			return nil
		})
		if err != nil && !errors.Is(err, audit.ErrDamaged) || last < 18 {
			t.Errorf("from %d: last %d, %v", from, last, err)
		}
		return strings.Join(all, " ")
	}
	every := "2 3 4 5 8 9 10 11 14 15 16 17"
	for from := uint64(0); from <= 19; from++ {
		var want []string
		for _, n := range strings.Fields(every) {
			if i, _ := strconv.Atoi(n); uint64(i) >= from {
				want = append(want, n)
			}
		}
		if got := scan(from); got != strings.Join(want, " ") {
			t.Errorf("from %d: got %s, want %v", from, got, want)
		}
	}
	t.Run("past a number that was changed to hide others", func(t *testing.T) {
		p := parse(t, files[2])
		p.frames[p.index(16)].Raw[15] = 1 // its header says that it is record 1
		p.save()
		if got := scan(14); got != "14 15 17" {
			t.Errorf("got %s", got)
		}
	})
}
