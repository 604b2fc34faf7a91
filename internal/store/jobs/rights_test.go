package jobs_test

import (
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"testing"
	"testing/fstest"
	"time"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/store/jobs"
	"github.com/dictum/dictum/internal/store/storetest"
	"github.com/dictum/dictum/internal/transcribe/job"
)

func TestPrincipalAndKeyComeBack(t *testing.T) {
	s := open(t)
	j := newJob(us, "one")
	j.KeyARN = "arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	j.Principal = iam.Principal{
		Kind: iam.KindRole, AccountID: us.AccountID, ARN: "arn:aws:sts::111122223333:assumed-role/r/s", UserID: "AROAR:s", AccessKeyID: "ASIAX",
		Session: &iam.Session{
			RoleARN: "arn:aws:iam::111122223333:role/r", RoleID: "AROAR", RoleName: "r", Name: "s", Issued: start, MFA: start,
			Policies: []string{`{"Statement":[]}`}, Tags: map[string]string{"team": "a"}, Transitive: []string{"team"}, SourceIdentity: "alice", Chained: true,
		},
	}
	if _, err := s.Create(t.Context(), j, admit(job.InProgress)); err != nil {
		t.Fatal(err)
	}
	for how, got := range map[string]job.Job{"get": get(t, s, "one"), "claim": claim(t, s, start).Job} {
		if !reflect.DeepEqual(got.Principal, j.Principal) || got.KeyARN != j.KeyARN {
			t.Errorf("%s: got %+v %+v, %s", how, got.Principal, got.Principal.Session, got.KeyARN)
		}
	}
}

func get(t *testing.T, s *jobs.Jobs, name string) job.Job {
	t.Helper()
	j, err := s.Get(t.Context(), us, name)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// A database of the version before principals were stored goes on working.
func TestJobsFromBeforeActForTheAccount(t *testing.T) {
	db := storetest.OpenAt(t, filepath.Join(t.TempDir(), "dictum.db"))
	first, err := fs.ReadFile(jobs.Migrations(), "migrations/00001_create.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), "jobs", fstest.MapFS{"migrations/00001_create.sql": {Data: first}}); err != nil {
		t.Fatal(err)
	}
	err = db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO transcription_jobs (id, account_id, region, name, status, request, caller,
			media_bucket, media_key, output_service, output_bucket, output_key, created_ms)
			VALUES ('1', '111122223333', 'us-east-1', 'old', 'IN_PROGRESS', '{}', 'arn:aws:iam::111122223333:user/admin', 'b', 'k', 1, 'o', 'x', 1)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := jobs.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	want := iam.Principal{Kind: iam.KindRoot, AccountID: "111122223333", ARN: "arn:aws:iam::111122223333:root", UserID: "111122223333"}
	if got := claim(t, s, start).Job; got.Name != "old" || got.Principal != want || got.KeyARN != "" || got.Output.Expired {
		t.Errorf("got %+v", got)
	}
}

func TestExpiredOutput(t *testing.T) {
	s := open(t)
	for _, service := range []bool{true, false} {
		j := newJob(us, map[bool]string{true: "service", false: "customer"}[service])
		j.Output.Service = service
		if _, err := s.Create(t.Context(), j, admit(job.InProgress)); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(t.Context(), claim(t, s, start), complete(start)); err != nil {
			t.Fatal(err)
		}
	}
	expired := func(at time.Time) []job.Job {
		t.Helper()
		list, err := s.ExpiredOutput(t.Context(), at, 10)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if list := expired(start); len(list) != 0 {
		t.Errorf("output of the moment is due: %v", list)
	}
	list := expired(start.Add(time.Second))
	if len(list) != 1 || list[0].Name != "service" {
		t.Fatalf("got %v", list)
	}
	gone := []job.Garbage{{Location: job.Location{Bucket: list[0].Output.Bucket, Key: list[0].Output.Key}, NotBefore: start}}
	if err := s.DropOutput(t.Context(), list[0].ID, gone); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "service"); !got.Output.Expired || got.Status != job.Completed {
		t.Errorf("got %+v", got)
	}
	if list := expired(start.Add(time.Second)); len(list) != 0 {
		t.Errorf("output expires twice: %v", list)
	}
	if due, err := s.Garbage(t.Context(), start, 10); err != nil || len(due) != 1 {
		t.Errorf("garbage %v, %v", due, err)
	}
	if err := s.DropOutput(t.Context(), "none", nil); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
