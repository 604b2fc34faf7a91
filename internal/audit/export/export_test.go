package export_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/audit/export"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
)

var _ export.Putter = objects.ReadWriter(nil)

// bucket keeps objects in memory, and fails when told to.
type bucket struct {
	objects map[string][]byte
	// fail is asked before each Put.
	fail func(key string) error
}

func (b *bucket) Put(_ context.Context, name, key string, body io.Reader, _ objects.Metadata) (objects.Object, error) {
	if b.fail != nil {
		if err := b.fail(key); err != nil {
			return objects.Object{}, err
		}
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return objects.Object{}, err
	}
	b.objects[name+"/"+key] = content
	return objects.Object{}, nil
}

// events are the names of all events in the bucket, sorted, each as often as it is there.
func (b *bucket) events(t *testing.T) []string {
	t.Helper()
	var all []string
	for key, content := range b.objects {
		z, err := gzip.NewReader(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Records []struct {
				EventName          string `json:"eventName"`
				RecipientAccountID string `json:"recipientAccountId"`
				AWSRegion          string `json:"awsRegion"`
			}
		}
		if err := json.NewDecoder(z).Decode(&file); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		for _, r := range file.Records {
			all = append(all, r.EventName)
			if r.RecipientAccountID != "" && !strings.HasPrefix(key, "trail/AWSLogs/"+r.RecipientAccountID+"/CloudTrail/"+r.AWSRegion+"/") {
				t.Errorf("%s holds a record of %s in %s", key, r.RecipientAccountID, r.AWSRegion)
			}
		}
	}
	slices.Sort(all)
	return all
}

func openLog(t *testing.T) (*audit.Log, string) {
	t.Helper()
	root, err := kms.NewRoot(bytes.Repeat([]byte{7}, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	now := func() time.Time { return time.Date(2026, 1, 5, 9, 59, 0, 0, time.UTC) }
	l, err := audit.Open(audit.Config{Dir: dir, Keys: audit.DeriveKeys(root), DigestRecords: 7, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, dir
}

func write(t *testing.T, l *audit.Log, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		e := audit.Event{Name: fmt.Sprintf("E%03d", i), Source: "iam.amazonaws.com", Caller: iam.Caller{
			Region: []string{"us-east-1", "eu-west-1", "../evil"}[i%3], Principal: iam.Principal{Kind: iam.KindRoot, AccountID: []string{"111122223333", "444455556666", "", ""}[i%4]},
		}}
		if e.Caller.Region == "../evil" {
			e.Caller.Principal.AccountID = ""
		}
		if err := l.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func wanted(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("E%03d", i))
	}
	return all
}

func TestBucketHasEachRecordOnce(t *testing.T) {
	l, dir := openLog(t)
	b := &bucket{objects: map[string][]byte{}}
	e := &export.Exporter{Source: l, Sink: export.Bucket{Objects: b, Name: "trail"}, Position: filepath.Join(dir, "export.position"), Batch: 5}
	write(t, l, 0, 23)
	if err := e.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, l, 23, 40)
	for range 2 {
		if err := e.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.events(t); !slices.Equal(got, wanted(40)) {
		t.Errorf("got %v", got)
	}
	for key := range b.objects {
		if strings.Contains(key, "..") || !strings.HasSuffix(key, ".json.gz") {
			t.Errorf("key %s", key)
		}
	}
	var like bool
	for key := range b.objects {
		like = like || strings.HasPrefix(key, "trail/AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/05/111122223333_CloudTrail_us-east-1_20260105T0959Z_")
	}
	if !like {
		t.Errorf("no key in CloudTrail's layout")
	}
}

func TestACrashNeitherLosesNorDoubles(t *testing.T) {
	// Each Put, and each writing of the position, is once the last thing that happens; then records come in and
	// the exporter starts again.
	for crash := range 30 {
		l, dir := openLog(t)
		puts := 0
		b := &bucket{objects: map[string][]byte{}}
		b.fail = func(string) error {
			if puts++; puts == crash+1 {
				return errors.New("crash")
			}
			return nil
		}
		e := &export.Exporter{Source: l, Sink: export.Bucket{Objects: b, Name: "trail"}, Position: filepath.Join(dir, "export.position"), Batch: 8}
		write(t, l, 0, 20)
		if crash%2 == 0 { // the position is lost instead, after everything was delivered
			b.fail = nil
			if err := e.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(e.Position); err != nil {
				t.Fatal(err)
			}
		} else if err := e.Once(t.Context()); err == nil && puts > crash {
			t.Fatal("the failure was not told")
		}
		b.fail = nil
		write(t, l, 20, 25)
		if err := e.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := b.events(t); !slices.Equal(got, wanted(25)) {
			t.Errorf("crash at %d: got %v", crash, got)
		}
	}
}

func TestLines(t *testing.T) {
	l, dir := openLog(t)
	var out bytes.Buffer
	e := &export.Exporter{Source: l, Sink: export.Lines{W: &out}, Position: filepath.Join(dir, "lines.position")}
	write(t, l, 0, 3)
	if err := e.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 3 || !json.Valid([]byte(lines[2])) || !strings.Contains(lines[2], `"E002"`) {
		t.Errorf("got %q", lines)
	}
}

func TestADamagedPositionIsTold(t *testing.T) {
	l, dir := openLog(t)
	e := &export.Exporter{Source: l, Sink: export.Lines{W: io.Discard}, Position: filepath.Join(dir, "position")}
	if err := os.WriteFile(e.Position, []byte("000000000000000500000000"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
}

func TestRunDeliversAsRecordsCome(t *testing.T) {
	l, dir := openLog(t)
	read, written := io.Pipe()
	e := &export.Exporter{Source: l, Sink: export.Lines{W: written}, Position: filepath.Join(dir, "position"), Interval: time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	write(t, l, 0, 1)
	if _, err := read.Read(make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	cancel()
	read.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
