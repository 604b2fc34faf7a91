package sessions_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store"
	"github.com/dictum/dictum/internal/store/sessions"
	"github.com/dictum/dictum/internal/store/storetest"
	"github.com/dictum/dictum/internal/sts"
)

const account = "111122223333"

var start = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, db *store.DB, limit int, now func() time.Time) *sessions.Sessions {
	t.Helper()
	root, err := kms.NewRoot(bytes.Repeat([]byte{1}, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sessions.Open(t.Context(), db, root, limit, now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func session(n int, expires time.Time) iam.Credential {
	id := fmt.Sprintf("ASIA%016d", n)
	return iam.Credential{
		AccessKeyID: id, SecretAccessKey: fmt.Sprintf("secret-%d", n), SessionToken: fmt.Sprintf("token-%d", n), Expires: expires,
		Principal: iam.Principal{
			Kind: iam.KindRole, AccountID: account, ARN: "arn:aws:sts::" + account + ":assumed-role/r/s", UserID: "AROA1:s", AccessKeyID: id,
			Session: &iam.Session{
				RoleARN: "arn:aws:iam::" + account + ":role/r", RoleID: "AROA1", RoleName: "r", Name: "s", Issued: start, MFA: start,
				Policies: []string{`{"Version":"2012-10-17"}`}, Tags: map[string]string{"a": "ü"}, Transitive: []string{"a"},
				SourceIdentity: "alice", Provider: "idp.example", Subject: "u", Chained: true,
			},
		},
	}
}

func TestSessions(t *testing.T) {
	db := storetest.Open(t)
	s := open(t, db, 0, nil)
	one, other := session(1, start.Add(time.Hour)), session(2, start.Add(2*time.Hour))
	for _, c := range []iam.Credential{one, other} {
		if err := s.Put(t.Context(), "AROA1", c); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("what was put is found, to the last member", func(t *testing.T) {
		if got, err := s.Lookup(t.Context(), one.AccessKeyID); err != nil || !reflect.DeepEqual(got, one) {
			t.Errorf("got  %+v %+v, %v\nwant %+v %+v", got, got.Principal.Session, err, one, one.Principal.Session)
		}
		if _, err := s.Lookup(t.Context(), "ASIA9"); !errors.Is(err, iam.ErrNoSuchKey) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an id is used once", func(t *testing.T) {
		if err := s.Put(t.Context(), "AROA1", one); !store.IsConflict(err) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("rows that were tampered with open nothing", func(t *testing.T) {
		for _, change := range []string{
			`UPDATE sessions SET expires = expires + 1000 WHERE id = ?`,
			`UPDATE sessions SET sealed = (SELECT sealed FROM sessions WHERE id = '` + other.AccessKeyID + `') WHERE id = ?`,
		} {
			third := session(3, start.Add(time.Hour))
			if err := s.Put(t.Context(), "AROA2", third); err != nil {
				t.Fatal(err)
			}
			err := db.Tx(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), change, third.AccessKeyID)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Lookup(t.Context(), third.AccessKeyID); !errors.Is(err, kms.ErrSealed) {
				t.Errorf("%s: %v", change, err)
			}
			if _, err := s.Revoke(t.Context(), "AROA2"); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("they outlive a restart", func(t *testing.T) {
		if got, err := open(t, db, 0, nil).Lookup(t.Context(), other.AccessKeyID); err != nil || got.SessionToken != other.SessionToken {
			t.Errorf("%v", err)
		}
	})
	t.Run("ended ones are swept", func(t *testing.T) {
		if n, err := s.Sweep(t.Context(), start.Add(90*time.Minute)); err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
		if _, err := s.Lookup(t.Context(), one.AccessKeyID); !errors.Is(err, iam.ErrNoSuchKey) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("revoking takes all of the owner's", func(t *testing.T) {
		ids, err := s.Revoke(t.Context(), "AROA1")
		if err != nil || len(ids) != 1 || ids[0] != other.AccessKeyID {
			t.Errorf("%v, %v", ids, err)
		}
		if ids, err := s.Revoke(t.Context(), "AROA1"); err != nil || len(ids) != 0 {
			t.Errorf("again: %v, %v", ids, err)
		}
	})
}

func TestLimit(t *testing.T) {
	now := start
	s := open(t, storetest.Open(t), 3, func() time.Time { return now })
	put := func(n int) error { return s.Put(t.Context(), "AROA1", session(n, now.Add(time.Hour))) }
	for n := range 3 {
		if err := put(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(3); !errors.Is(err, sts.ErrTooManySessions) {
		t.Errorf("got %v, want %v", err, sts.ErrTooManySessions)
	}
	other := session(4, now.Add(time.Hour))
	other.Principal.AccountID = "444455556666"
	if err := s.Put(t.Context(), "AROA2", other); err != nil {
		t.Errorf("another account: %v", err)
	}
	now = now.Add(time.Hour)
	for n := range 3 {
		if err := put(10 + n); err != nil {
			t.Errorf("when the old ones have ended: %v", err)
		}
	}
	if err := put(20); !errors.Is(err, sts.ErrTooManySessions) {
		t.Errorf("got %v, want %v", err, sts.ErrTooManySessions)
	}
	if _, err := s.Revoke(t.Context(), "AROA1"); err != nil {
		t.Fatal(err)
	}
	if err := put(21); err != nil {
		t.Errorf("when they were revoked: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	s := open(t, storetest.Open(t), 20, nil)
	end := time.Now().Add(time.Hour)
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored := 0
	for n := range 40 {
		wg.Go(func() {
			err := s.Put(t.Context(), "AROA1", session(n, end))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				stored++
			case !errors.Is(err, sts.ErrTooManySessions):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if stored != 20 {
		t.Errorf("%d sessions where there is room for 20", stored)
	}
}

func BenchmarkPut(b *testing.B) {
	s := open(b, storetest.Open(b), 0, nil)
	end := time.Now().Add(time.Hour)
	n := 0
	for b.Loop() {
		n++
		if err := s.Put(b.Context(), "AROA1", session(n, end)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	s := open(b, storetest.Open(b), 0, nil)
	c := session(1, time.Now().Add(time.Hour))
	if err := s.Put(b.Context(), "AROA1", c); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Lookup(b.Context(), c.AccessKeyID); err != nil {
			b.Fatal(err)
		}
	}
}
