package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/store/jobs"
	"github.com/dictum/dictum/internal/store/storetest"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
)

var (
	us    = job.Scope{AccountID: "111122223333", Region: "us-east-1"}
	eu    = job.Scope{AccountID: "111122223333", Region: "eu-west-1"}
	other = job.Scope{AccountID: "444455556666", Region: "us-east-1"}
	start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

func open(t *testing.T) *jobs.Jobs {
	t.Helper()
	return reopen(t, filepath.Join(t.TempDir(), "dictum.db"))
}

func reopen(t *testing.T, path string) *jobs.Jobs {
	t.Helper()
	s, err := jobs.Open(t.Context(), storetest.OpenAt(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func admit(status job.Status) func(job.Load, *job.Job) error {
	return func(_ job.Load, j *job.Job) error { return j.Admit(status, start) }
}

func newJob(sc job.Scope, name string) job.Job {
	uri := "s3://bucket/" + name
	return job.Job{
		Principal: iam.Principal{Kind: iam.KindUser, AccountID: sc.AccountID, ARN: "arn:aws:iam::" + sc.AccountID + ":user/u", UserID: "AIDAU", UserName: "u"},
		ID:        fmt.Sprintf("%s/%s/%s", sc.AccountID, sc.Region, name), Scope: sc, Name: name, Created: start,
		Request: model.StartTranscriptionJobRequest{TranscriptionJobName: &name, Media: &model.Media{MediaFileUri: &uri}},
		Media:   job.Location{Bucket: "bucket", Key: name}, Output: job.Output{Bucket: "out", Key: name + ".json"},
	}
}

func create(t *testing.T, s *jobs.Jobs, sc job.Scope, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := s.Create(t.Context(), newJob(sc, name), admit(job.InProgress)); err != nil {
			t.Fatal(err)
		}
	}
}

func claim(t *testing.T, s *jobs.Jobs, now time.Time) job.Claim {
	t.Helper()
	c, err := s.Claim(t.Context(), "worker", now, now.Add(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func complete(at time.Time) func(*job.Job) error {
	return func(j *job.Job) error { return j.Complete(at, job.Detected{MediaFormat: "wav", SampleRate: 8000}) }
}

func TestWhatIsCreatedComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dictum.db")
	s := reopen(t, path)
	j := newJob(us, "one")
	code := "en-US"
	j.Request.LanguageCode = &code
	j.Tags = []job.Tag{{Key: "z", Value: "1"}, {Key: "a", Value: ""}}
	if _, err := s.Create(t.Context(), j, admit(job.InProgress)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), us, "one")
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != job.InProgress || !got.Started.Equal(start) || *got.Request.LanguageCode != code || *got.Request.Media.MediaFileUri != "s3://bucket/one" {
		t.Errorf("got %+v", got)
	}
	if fmt.Sprint(got.Tags) != fmt.Sprint(j.Tags) {
		t.Errorf("tags %v, want %v", got.Tags, j.Tags)
	}
	for _, sc := range []job.Scope{eu, other} {
		if _, err := s.Get(t.Context(), sc, "one"); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("%v sees the job: %v", sc, err)
		}
	}
}

func TestNamesAreUniquePerScopeWhateverTheStatus(t *testing.T) {
	s := open(t)
	create(t, s, us, "one")
	create(t, s, eu, "one")
	create(t, s, other, "one")
	if _, err := s.Create(t.Context(), newJob(us, "one"), admit(job.InProgress)); !errors.Is(err, job.ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
	create(t, s, us, "ONE") // names are case-sensitive
}

func TestConcurrentStartsOfOneNameMakeOneJob(t *testing.T) {
	s := open(t)
	var made, taken int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			j := newJob(us, "one")
			j.ID = fmt.Sprint(i)
			_, err := s.Create(context.Background(), j, admit(job.InProgress))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				made++
			case errors.Is(err, job.ErrExists):
				taken++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made != 1 || taken != 19 {
		t.Errorf("%d made, %d refused", made, taken)
	}
}

func TestListPagesNewestFirst(t *testing.T) {
	s := open(t)
	for i := range 7 {
		create(t, s, us, fmt.Sprintf("Job-%d", i))
	}
	create(t, s, eu, "job-elsewhere")
	c := claim(t, s, start)
	if err := s.Commit(t.Context(), c, complete(start)); err != nil {
		t.Fatal(err)
	}
	var names []string
	q := job.Query{Max: 3}
	pages := 0
	for {
		page, err := s.List(t.Context(), us, q)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, j := range page.Jobs {
			names = append(names, j.Name)
		}
		if page.Next == "" {
			break
		}
		q.Token = page.Next
	}
	if got, want := fmt.Sprint(names), "[Job-6 Job-5 Job-4 Job-3 Job-2 Job-1 Job-0]"; got != want || pages != 3 {
		t.Errorf("got %s in %d pages, want %s in 3", got, pages, want)
	}
	for name, tc := range map[string]struct {
		q    job.Query
		want int
	}{
		"status":                        {job.Query{Status: job.Completed, Max: 10}, 1},
		"name, whatever the case":       {job.Query{NameContains: "jOB-3", Max: 10}, 1},
		"name is no pattern":            {job.Query{NameContains: "%", Max: 10}, 0},
		"both":                          {job.Query{Status: job.Completed, NameContains: "Job-3", Max: 10}, 0},
		"a full last page has no token": {job.Query{Max: 7}, 7},
	} {
		page, err := s.List(t.Context(), us, tc.q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Jobs) != tc.want || page.Next != "" {
			t.Errorf("%s: %d jobs, next %q; want %d", name, len(page.Jobs), page.Next, tc.want)
		}
	}
	for _, token := range []string{"x", "am9icy8xLw==", "am9icy8xLy01"} {
		if _, err := s.List(t.Context(), us, job.Query{Token: token, Max: 5}); !errors.Is(err, job.ErrBadToken) {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

// A lease is what keeps a second worker away, and its fence what keeps a late one out.
func TestFencing(t *testing.T) {
	s := open(t)
	create(t, s, us, "one")
	first := claim(t, s, start)
	if _, err := s.Claim(t.Context(), "b", start.Add(29*time.Second), start.Add(time.Minute)); !errors.Is(err, job.ErrNoWork) {
		t.Fatalf("the job is leased, but another worker got %v", err)
	}
	if err := s.Extend(t.Context(), first, start.Add(40*time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(t.Context(), "b", start.Add(39*time.Second), start.Add(time.Minute)); !errors.Is(err, job.ErrNoWork) {
		t.Fatalf("the lease was extended, but another worker got %v", err)
	}
	second := claim(t, s, start.Add(41*time.Second))
	if second.Job.ID != first.Job.ID || second.Fence <= first.Fence || second.Job.Attempts != 2 {
		t.Fatalf("after the lease: %+v", second)
	}
	for name, late := range map[string]func() error{
		"extend":  func() error { return s.Extend(t.Context(), first, start.Add(time.Hour)) },
		"commit":  func() error { return s.Commit(t.Context(), first, complete(start)) },
		"release": func() error { return s.Release(t.Context(), first, job.Release{}) },
	} {
		if err := late(); !errors.Is(err, job.ErrLostLease) {
			t.Errorf("late %s: %v, want ErrLostLease", name, err)
		}
	}
	if err := s.Commit(t.Context(), second, complete(start.Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), second, complete(start.Add(time.Hour))); !errors.Is(err, job.ErrLostLease) {
		t.Errorf("second end of one job: %v", err)
	}
	got, _ := s.Get(t.Context(), us, "one")
	if got.Status != job.Completed || !got.Completed.Equal(start.Add(time.Minute)) {
		t.Errorf("got %+v", got)
	}
}

// A commit whose change fails changes nothing.
func TestCommitIsAllOrNothing(t *testing.T) {
	s := open(t)
	create(t, s, us, "one")
	c := claim(t, s, start)
	boom := errors.New("boom")
	err := s.Commit(t.Context(), c, func(j *job.Job) error {
		_ = j.Complete(start, job.Detected{})
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if got, _ := s.Get(t.Context(), us, "one"); got.Status != job.InProgress {
		t.Errorf("status %s", got.Status)
	}
}

func TestManyWorkersClaimEachJobOnce(t *testing.T) {
	s := open(t)
	const n = 40
	for i := range n {
		create(t, s, us, fmt.Sprint(i))
	}
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for {
				c, err := s.Claim(context.Background(), fmt.Sprint(w), start, start.Add(time.Minute))
				if errors.Is(err, job.ErrNoWork) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				seen[c.Job.ID]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != n {
		t.Errorf("%d of %d jobs claimed", len(seen), n)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("job %s claimed %d times", id, times)
		}
	}
}

func TestAccountsTakeTurns(t *testing.T) {
	s := open(t)
	create(t, s, us, "a1", "a2", "a3", "a4")
	create(t, s, other, "b1", "b2")
	var order []string
	for range 6 {
		order = append(order, claim(t, s, start).Job.Name)
	}
	if got, want := fmt.Sprint(order), "[a1 b1 a2 b2 a3 a4]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReleaseAndReclaim(t *testing.T) {
	s := open(t)
	create(t, s, us, "one")
	c := claim(t, s, start)
	if err := s.Release(t.Context(), c, job.Release{NotBefore: start.Add(time.Second), Errors: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(t.Context(), "w", start, start.Add(time.Minute)); !errors.Is(err, job.ErrNoWork) {
		t.Errorf("claimed before its time: %v", err)
	}
	c = claim(t, s, start.Add(time.Second))
	if c.Job.Errors != 1 || c.Job.Attempts != 2 {
		t.Errorf("errors %d, attempts %d", c.Job.Errors, c.Job.Attempts)
	}
	// The process died; its successor of the same name need not wait for the lease.
	if n, err := s.Reclaim(t.Context(), "worker"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := s.Extend(t.Context(), c, start.Add(time.Hour)); !errors.Is(err, job.ErrLostLease) {
		t.Errorf("the dead process's claim still holds: %v", err)
	}
	claim(t, s, start.Add(2*time.Second))
	if d, err := s.Depth(t.Context(), start.Add(3*time.Second)); err != nil || d != (job.Depth{Running: 1}) {
		t.Errorf("depth %+v, %v", d, err)
	}
	if d, _ := s.Depth(t.Context(), start.Add(time.Hour)); d != (job.Depth{Waiting: 1}) {
		t.Errorf("depth after the lease %+v", d)
	}
}

func TestQueueIsPromotedFirstComeFirstServed(t *testing.T) {
	s := open(t)
	for i := range 4 {
		if _, err := s.Create(t.Context(), newJob(us, fmt.Sprint(i)), admit(job.Queued)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Claim(t.Context(), "w", start, start.Add(time.Minute)); !errors.Is(err, job.ErrNoWork) {
		t.Fatalf("a queued job was claimed: %v", err)
	}
	upTo := func(most int) func(job.Load) bool { return func(l job.Load) bool { return l.Deferred < most } }
	if n, err := s.Promote(t.Context(), start.Add(time.Second), upTo(2)); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	first := claim(t, s, start.Add(time.Second))
	if first.Job.Name != "0" || !first.Job.Started.Equal(start.Add(time.Second)) || !first.Job.Deferred {
		t.Errorf("got %+v", first.Job)
	}
	if n, _ := s.Promote(t.Context(), start, upTo(2)); n != 0 {
		t.Errorf("%d more than the share", n)
	}
	if err := s.Commit(t.Context(), first, complete(start)); err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Promote(t.Context(), start, upTo(2)); n != 1 {
		t.Errorf("promoted %d after one ended, want 1", n)
	}
}

func TestDeleteRemembersOutputUntilItIsCollected(t *testing.T) {
	s := open(t)
	j := newJob(us, "one")
	j.Tags = []job.Tag{{Key: "k", Value: "v"}}
	if _, err := s.Create(t.Context(), j, admit(job.InProgress)); err != nil {
		t.Fatal(err)
	}
	c := claim(t, s, start)
	g := job.Garbage{Location: job.Location{Bucket: "b", Key: "k"}, NotBefore: start.Add(time.Minute)}
	if err := s.Delete(t.Context(), j.ID, []job.Garbage{g}); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), j.ID, nil); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("second deletion: %v", err)
	}
	if err := s.Commit(t.Context(), c, complete(start)); !errors.Is(err, job.ErrLostLease) {
		t.Errorf("commit to a deleted job: %v", err)
	}
	create(t, s, us, "one") // the name is free
	if tags, _ := s.Tags(t.Context(), us, "one"); len(tags) != 0 {
		t.Errorf("tags of the deleted job are back: %v", tags)
	}
	if due, _ := s.Garbage(t.Context(), start, 10); len(due) != 0 {
		t.Errorf("due too early: %v", due)
	}
	due, err := s.Garbage(t.Context(), start.Add(time.Minute), 10)
	if err != nil || len(due) != 1 || due[0].Location != g.Location {
		t.Fatalf("due: %v, %v", due, err)
	}
	if err := s.Collected(t.Context(), due[0]); err != nil {
		t.Fatal(err)
	}
	if due, _ := s.Garbage(t.Context(), start.Add(time.Hour), 10); len(due) != 0 {
		t.Errorf("collected, but still there: %v", due)
	}
}

func TestTags(t *testing.T) {
	s := open(t)
	create(t, s, us, "one")
	set := func(want error, tags ...job.Tag) {
		t.Helper()
		if err := s.SetTags(t.Context(), us, "one", tags, 3); !errors.Is(err, want) {
			t.Errorf("SetTags: %v, want %v", err, want)
		}
	}
	set(nil, job.Tag{Key: "a", Value: "1"}, job.Tag{Key: "b", Value: "2"})
	set(nil, job.Tag{Key: "a", Value: "3"}, job.Tag{Key: "c", Value: "4"})
	set(job.ErrTooManyTags, job.Tag{Key: "d", Value: "5"})
	if err := s.RemoveTags(t.Context(), us, "one", []string{"b", "never there"}); err != nil {
		t.Error(err)
	}
	if tags, err := s.Tags(t.Context(), us, "one"); err != nil || fmt.Sprint(tags) != "[{a 3} {c 4}]" {
		t.Errorf("got %v, %v", tags, err)
	}
	if err := s.SetTags(t.Context(), eu, "one", nil, 3); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("foreign region: %v", err)
	}
}

func TestExpired(t *testing.T) {
	s := open(t)
	create(t, s, us, "old", "new", "running")
	for _, at := range []time.Time{start, start.Add(time.Hour)} {
		if err := s.Commit(t.Context(), claim(t, s, start), complete(at)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Expired(t.Context(), start.Add(time.Minute), 10)
	if err != nil || len(got) != 1 || got[0].Name != "old" {
		t.Errorf("got %v, %v", got, err)
	}
}

// BenchmarkClaim claims and releases with a backlog of AWS's whole queue in ten accounts.
func BenchmarkClaim(b *testing.B) {
	s, err := jobs.Open(b.Context(), storetest.Open(b))
	if err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		sc := job.Scope{AccountID: fmt.Sprintf("%012d", i%10), Region: "us-east-1"}
		if _, err := s.Create(b.Context(), newJob(sc, fmt.Sprint(i)), admit(job.InProgress)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		c, err := s.Claim(b.Context(), "w", start, start.Add(time.Minute))
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Release(b.Context(), c, job.Release{Attempts: -1}); err != nil {
			b.Fatal(err)
		}
	}
}
