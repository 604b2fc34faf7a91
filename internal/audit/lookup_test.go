package audit_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
)

func at(e audit.Event, t time.Time) audit.Event {
	e.Caller.Time = t
	return e
}

// lookup returns the resource names of all pages.
func lookup(t *testing.T, l *audit.Log, q audit.Query) []string {
	t.Helper()
	var all []string
	for range 1000 {
		page, err := l.Lookup(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			name := e.Name
			if len(e.Resources) > 0 {
				name = e.Resources[0].Name
			}
			all = append(all, name)
		}
		if page.NextToken == "" {
			return all
		}
		q.NextToken = page.NextToken
	}
	t.Fatal("pages without end")
	return nil
}

func alices() audit.Query { return audit.Query{Account: "111122223333", Region: "us-west-2"} }

func TestLookup(t *testing.T) {
	now := newClock()
	l := open(t, audit.Config{Dir: t.TempDir(), Keys: keys(t), Now: now.Now})
	role := start("by-role")
	role.Caller.Principal = iam.Principal{
		Kind: iam.KindRole, AccountID: "111122223333", ARN: "arn:aws:sts::111122223333:assumed-role/worker/night", AccessKeyID: "ASIAROLE",
		Session: &iam.Session{RoleName: "worker"},
	}
	data := start("content")
	data.Data = true
	other, elsewhere := start("other-account"), start("other-region")
	other.Caller.Principal.AccountID, other.Resources = "444455556666", nil
	elsewhere.Caller.Region = "eu-west-1"
	read := start("read")
	read.Name, read.ReadOnly = "GetTranscriptionJob", true
	bucket := start("x")
	bucket.Name, bucket.Source = "CreateBucket", "s3.amazonaws.com"
	bucket.Resources = []audit.Resource{{ARN: "arn:aws:s3:::media", AccountID: "111122223333"}}
	for i, e := range []audit.Event{start("first"), role, data, other, elsewhere, read, bucket} {
		now.add(time.Hour) // over midnight: two files
		record(t, l, at(e, noon.Add(time.Duration(i+1)*time.Hour)))
	}
	now.add(24 * time.Hour)
	record(t, l, at(start("next-day"), now.Now()))

	for _, tc := range []struct {
		name string
		edit func(q *audit.Query)
		want string
	}{
		{"management events of the account and region, newest first", func(*audit.Query) {}, "next-day media read by-role first"},
		{"another account", func(q *audit.Query) { q.Account = "444455556666" }, "StartTranscriptionJob"},
		{"another region", func(q *audit.Query) { q.Region = "eu-west-1" }, "other-region"},
		{"an unknown account", func(q *audit.Query) { q.Account = "999999999999" }, ""},
		{"event name", only(audit.KeyEventName, "GetTranscriptionJob"), "read"},
		{"read only", only(audit.KeyReadOnly, "true"), "read"},
		{"not read only", only(audit.KeyReadOnly, "false"), "next-day media by-role first"},
		{"user name", only(audit.KeyUsername, "alice"), "next-day media read first"},
		{"a session's name", only(audit.KeyUsername, "night"), "by-role"},
		{"event source", only(audit.KeyEventSource, "s3.amazonaws.com"), "media"},
		{"access key", only(audit.KeyAccessKeyID, "ASIAROLE"), "by-role"},
		{"resource name", only(audit.KeyResourceName, "first"), "first"},
		{"resource ARN", only(audit.KeyResourceName, "arn:aws:s3:::media"), "media"},
		{"resource type", only(audit.KeyResourceType, "AWS::S3::Bucket"), "media"},
		{"no such event id", only(audit.KeyEventID, "47b8e8d3"), ""},
		{"from a time on", func(q *audit.Query) { q.Start = noon.Add(6 * time.Hour) }, "next-day media read"},
		{"up to a time", func(q *audit.Query) { q.End = noon.Add(6 * time.Hour) }, "read by-role first"},
		{"a span", func(q *audit.Query) { q.Start, q.End = noon.Add(2*time.Hour), noon.Add(6*time.Hour) }, "read by-role"},
		{"before all", func(q *audit.Query) { q.End = noon.Add(-100 * time.Hour) }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, limit := range []int{0, 1, 2} {
				q := alices()
				tc.edit(&q)
				q.Limit = limit
				if got := strings.Join(lookup(t, l, q), " "); got != tc.want {
					t.Errorf("pages of %d: got %q, want %q", limit, got, tc.want)
				}
			}
		})
	}
	t.Run("event id", func(t *testing.T) {
		page, err := l.Lookup(t.Context(), alices())
		if err != nil {
			t.Fatal(err)
		}
		q := alices()
		only(audit.KeyEventID, page.Events[1].ID)(&q)
		if got := lookup(t, l, q); !slices.Equal(got, []string{"media"}) {
			t.Errorf("got %v", got)
		}
	})
}

func only(k audit.Key, value string) func(*audit.Query) {
	return func(q *audit.Query) { q.Attributes = []audit.Attribute{{Key: k, Value: value}} }
}

func TestLookupTokens(t *testing.T) {
	now := newClock()
	l := open(t, audit.Config{Dir: t.TempDir(), Keys: keys(t), Now: now.Now, Retention: 48 * time.Hour})
	for i := range 4 {
		record(t, l, start(fmt.Sprint(i)))
	}
	q := alices()
	q.Limit = 2
	page, err := l.Lookup(t.Context(), q)
	if err != nil || page.NextToken == "" || len(page.Events) != 2 {
		t.Fatalf("got %+v, %v", page, err)
	}
	q.NextToken = page.NextToken
	t.Run("what is recorded meanwhile moves no page", func(t *testing.T) {
		record(t, l, start("meanwhile"))
		if got := lookup(t, l, q); !slices.Equal(got, []string{"1", "0"}) {
			t.Errorf("got %v", got)
		}
	})
	for name, edit := range map[string]func(q *audit.Query){
		"another account":   func(q *audit.Query) { q.Account = "444455556666" },
		"another region":    func(q *audit.Query) { q.Region = "eu-west-1" },
		"another attribute": only(audit.KeyReadOnly, "true"),
		"another time":      func(q *audit.Query) { q.Start = noon },
		"another token":     func(q *audit.Query) { q.NextToken = "AAAA" },
		"no base64":         func(q *audit.Query) { q.NextToken = "!" },
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			q := q
			edit(&q)
			if _, err := l.Lookup(t.Context(), q); !errors.Is(err, audit.ErrBadToken) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("ends where retention took the rest", func(t *testing.T) {
		for range 4 {
			now.add(24 * time.Hour)
			record(t, l, start("later"))
		}
		if got := lookup(t, l, q); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
}

func TestLookupAcrossAccounts(t *testing.T) {
	l := open(t, audit.Config{Dir: t.TempDir(), Keys: keys(t)})
	shared := start("theirs")
	shared.Resources[0].AccountID = "444455556666"
	denied := start("denied")
	denied.Resources[0].AccountID, denied.ErrorCode = "444455556666", "AccessDenied"
	record(t, l, shared, denied)
	theirs := audit.Query{Account: "444455556666", Region: "us-west-2"}
	if got := lookup(t, l, theirs); !slices.Equal(got, []string{"theirs"}) {
		t.Errorf("the owner sees %v, want what succeeded only", got)
	}
	if got := lookup(t, l, alices()); !slices.Equal(got, []string{"denied", "theirs"}) {
		t.Errorf("the caller sees %v", got)
	}
}

func TestLookupPassesOverDamage(t *testing.T) {
	dir, files := sample(t)
	p := parse(t, files[1])
	p.frames[p.index(9)].Raw[100] ^= 1 // record 9 does not open
	p.frames[p.index(11)].Raw[2] ^= 1  // record 11 is no frame
	p.save()
	q := parse(t, files[0])
	q.header[20] ^= 1 // nothing of the first file can be read
	q.save()
	l := open(t, audit.Config{Dir: dir, Keys: keys(t), Retention: -1, Now: func() time.Time { return noon.Add(49 * time.Hour) }})
	for _, limit := range []int{1, 50} {
		query := alices()
		query.Limit = limit
		if got, want := strings.Join(lookup(t, l, query), " "), "job-2-3 job-2-2 job-2-1 job-2-0 job-1-2 job-1-0"; got != want {
			t.Errorf("pages of %d: got %s, want %s", limit, got, want)
		}
	}
}
