package s3_test

import (
	"context"
	"sync"
	"testing"

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
