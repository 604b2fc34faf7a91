package iam_test

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/iam"
)

var start = time.Date(2026, 11, 22, 23, 59, 59, 0, time.UTC)

func links(t *testing.T, secret byte, now time.Time) *iam.ServiceCredentials {
	t.Helper()
	s, err := iam.NewServiceCredentials(bytes.Repeat([]byte{secret}, 32), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNewIdentitiesLookLikeAWS(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		a, err := iam.NewAccount("a", start)
		if err != nil {
			t.Fatal(err)
		}
		u, err := iam.NewUser(a.ID, "admin", start)
		if err != nil {
			t.Fatal(err)
		}
		k, err := iam.NewAccessKey(a.ID, u.ID, start)
		if err != nil {
			t.Fatal(err)
		}
		for pattern, value := range map[string]string{
			`^[1-9][0-9]{11}$`: a.ID, `^AIDA[A-Z2-7]{16}$`: u.ID, `^AKIA[A-Z2-7]{16}$`: k.ID, `^[A-Za-z0-9+/]{40}$`: k.Secret,
		} {
			if !regexp.MustCompile(pattern).MatchString(value) {
				t.Errorf("%q does not match %s", value, pattern)
			}
			if seen[value] {
				t.Errorf("%q came twice", value)
			}
			seen[value] = true
		}
		if want := "arn:aws:iam::" + a.ID + ":user/admin"; k.Credential(u).Principal.ARN != want {
			t.Errorf("ARN %s, want %s", k.Credential(u).Principal.ARN, want)
		}
	}
}

func TestServiceCredentials(t *testing.T) {
	const account = "011122223333"
	today := links(t, 1, start)
	c, err := today.ForAccount(account)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^ASIA[A-Z2-7]{16}$`).MatchString(c.AccessKeyID) || len(c.SecretAccessKey) != 40 || c.SessionToken == "" ||
		c.Principal.AccountID != account || c.Principal.Service != iam.ServiceTranscribe {
		t.Errorf("credential %+v", c)
	}
	t.Run("another process finds the same", func(t *testing.T) {
		found, err := links(t, 1, start.Add(100*time.Hour)).Lookup(t.Context(), c.AccessKeyID)
		if err != nil || found != c {
			t.Errorf("got %+v, %v", found, err)
		}
	})
	t.Run("it outlives a week-long link of its last second", func(t *testing.T) {
		if end := start.Add(7 * 24 * time.Hour); c.Expires.Before(end) {
			t.Errorf("expires %v, before %v", c.Expires, end)
		}
	})
	t.Run("days and accounts differ in everything", func(t *testing.T) {
		tomorrow, err := links(t, 1, start.Add(time.Second)).ForAccount(account)
		if err != nil {
			t.Fatal(err)
		}
		other, err := today.ForAccount("111122223333")
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []iam.Credential{tomorrow, other} {
			if d.AccessKeyID == c.AccessKeyID || d.SecretAccessKey == c.SecretAccessKey || d.SessionToken == c.SessionToken {
				t.Errorf("%+v and %+v share something", c, d)
			}
		}
	})
	t.Run("ids of another root, changed or made up are unknown", func(t *testing.T) {
		changed := []byte(c.AccessKeyID)
		changed[6] ^= 1 // still base32: the letters of the account
		for _, id := range []string{"", "ASIA", "AKIA" + c.AccessKeyID[4:], c.AccessKeyID + "A", string(changed), "ASIA1111111111111111", "ASIA7777777777777777"} {
			if _, err := today.Lookup(t.Context(), id); !errors.Is(err, iam.ErrNoSuchKey) {
				t.Errorf("%q: %v", id, err)
			}
		}
		if _, err := links(t, 2, start).Lookup(t.Context(), c.AccessKeyID); !errors.Is(err, iam.ErrNoSuchKey) {
			t.Errorf("another root: %v", err)
		}
	})
	for _, bad := range []string{"", "1", "11112222333x", "1111222233334"} {
		if _, err := today.ForAccount(bad); err == nil {
			t.Errorf("account %q was accepted", bad)
		}
	}
	if _, err := iam.NewServiceCredentials(make([]byte, 31), nil); err == nil {
		t.Error("a short secret was accepted")
	}
}

// place counts how often it is asked.
type place struct {
	keys  map[string]iam.Credential
	asked int
	err   error
}

func (p *place) Lookup(_ context.Context, id string) (iam.Credential, error) {
	p.asked++
	if p.err != nil {
		return iam.Credential{}, p.err
	}
	if c, ok := p.keys[id]; ok {
		return c, nil
	}
	return iam.Credential{}, iam.ErrNoSuchKey
}

func TestResolver(t *testing.T) {
	p := &place{keys: map[string]iam.Credential{"AKIA1": {AccessKeyID: "AKIA1"}}}
	r := iam.NewResolver(time.Hour, links(t, 1, start), p)
	for range 3 {
		if c, err := r.Lookup(t.Context(), "AKIA1"); err != nil || c.AccessKeyID != "AKIA1" {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	if p.asked != 1 {
		t.Errorf("asked %d times for a known key, want 1", p.asked)
	}
	delete(p.keys, "AKIA1")
	r.Forget("AKIA1")
	for range 2 {
		if _, err := r.Lookup(t.Context(), "AKIA1"); !errors.Is(err, iam.ErrNoSuchKey) {
			t.Errorf("a forgotten key: %v", err)
		}
	}
	if p.asked != 3 {
		t.Errorf("asked %d times, want 3: unknown keys are not remembered", p.asked)
	}
	p.err = errors.New("disk broke")
	if _, err := r.Lookup(t.Context(), "AKIA2"); !errors.Is(err, p.err) {
		t.Errorf("got %v, want the store's error", err)
	}
	t.Run("a change that it was not told of takes effect in time", func(t *testing.T) {
		p := &place{keys: map[string]iam.Credential{"AKIA1": {}}}
		r := iam.NewResolver(time.Nanosecond, p)
		_, _ = r.Lookup(t.Context(), "AKIA1")
		delete(p.keys, "AKIA1")
		if _, err := r.Lookup(t.Context(), "AKIA1"); !errors.Is(err, iam.ErrNoSuchKey) {
			t.Errorf("got %v", err)
		}
	})
}
