package s3_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
)

const administrator = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// rights are the identity policies of the tests' users, by ARN. Who has none administers his account.
type rights struct {
	mu       sync.Mutex
	policies map[string]*policy.Document // guarded by mu
}

func newRights() *rights { return &rights{policies: map[string]*policy.Document{}} }

// PoliciesOf implements iam.PolicySource.
func (r *rights) PoliciesOf(_ context.Context, p iam.Principal) (iam.Policies, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	doc := r.policies[p.ARN]
	if doc == nil {
		var err error
		if doc, err = policy.Parse([]byte(administrator), policy.Identity); err != nil {
			return iam.Policies{}, err
		}
	}
	return iam.Policies{Identity: []*policy.Document{doc}}, nil
}

// set gives the user of a key one policy.
func (r *rights) set(t testing.TB, key, text string) {
	t.Helper()
	doc, err := policy.Parse([]byte(text), policy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policies[people[key].Principal.ARN] = doc
}

// names takes the principals of the tests' accounts for existing, but for a user named nobody.
type names struct{}

// Pin implements iam.Namer.
func (names) Pin(_ context.Context, text string) (string, error) {
	nobody := "arn:aws:iam::" + account + ":user/nobody"
	if strings.Contains(text, nobody) {
		return "", &iam.UnknownPrincipalError{ARN: nobody}
	}
	return text, nil
}

// Show implements iam.Namer.
func (names) Show(_ context.Context, text string) (string, error) { return text, nil }

// journal keeps events in memory.
type journal struct {
	mu     sync.Mutex
	events []audit.Event // guarded by mu
}

// Record implements audit.Recorder.
func (j *journal) Record(_ context.Context, e audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	return nil
}

// last returns the last event with the name.
func (j *journal) last(t testing.TB, name string) audit.Event {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := len(j.events) - 1; i >= 0; i-- {
		if j.events[i].Name == name {
			return j.events[i]
		}
	}
	t.Fatalf("no event %s", name)
	return audit.Event{}
}
