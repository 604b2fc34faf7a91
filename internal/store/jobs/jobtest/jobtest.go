// Package jobtest opens all that transcription jobs stand on, for tests: accounts with users and roles,
// policies, keys, object storage and the audit, each the real one over a database that is gone after the test.
// Start at Open.
package jobtest

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/embedded"
	"github.com/dictum/dictum/internal/objects/guarded"
	"github.com/dictum/dictum/internal/store"
	"github.com/dictum/dictum/internal/store/identity"
	"github.com/dictum/dictum/internal/store/keys"
	objectstore "github.com/dictum/dictum/internal/store/objects"
	"github.com/dictum/dictum/internal/store/sessions"
	"github.com/dictum/dictum/internal/store/storetest"
	"github.com/dictum/dictum/internal/sts"
	"github.com/dictum/dictum/internal/transcribe/job"
)

// The accounts and the region of tests.
const (
	Account = "111122223333"
	Other   = "444455556666"
	Region  = "us-east-1"
)

// World is what jobs stand on.
type World struct {
	DB         *store.DB
	Objects    *embedded.Store
	Directory  *iam.Directory
	Authorizer iam.Authorizer
	Keys       *kms.Service
	Roles      *sts.Service
	Audit      *audit.Log

	auditDir  string
	auditKeys audit.Keys
}

// Open makes a world with two accounts and nothing in them.
func Open(t testing.TB) *World {
	t.Helper()
	ctx := t.Context()
	root := must(kms.NewRoot(bytes.Repeat([]byte{1}, kms.RootKeySize)))(t)
	w := &World{DB: storetest.Open(t), auditDir: t.TempDir(), auditKeys: audit.DeriveKeys(root)}
	w.Audit = must(audit.Open(audit.Config{Dir: w.auditDir, Keys: w.auditKeys}))(t)
	t.Cleanup(func() {
		if err := w.Audit.Close(); err != nil {
			t.Error(err)
		}
	})

	identities := must(identity.Open(ctx, w.DB, root))(t)
	for _, id := range []string{Account, Other} {
		if err := identities.CreateAccount(ctx, iam.Account{ID: id, Created: time.Now()}, nil); err != nil {
			t.Fatal(err)
		}
	}
	w.Directory = iam.NewDirectory(identities, nil)
	w.Authorizer = iam.NewAuthorizer(w.Directory, iam.WithServiceBuckets(objects.IsServiceBucket))
	w.Keys = kms.NewService(kms.Config{Store: must(keys.Open(ctx, w.DB))(t), Sealer: root, Authorizer: w.Authorizer, Recorder: w.Audit})
	w.Objects = must(embedded.Open(embedded.Config{Dir: t.TempDir(), Index: must(objectstore.Open(ctx, w.DB))(t), Keys: kms.NewKeys(root, w.Keys)}))(t)
	t.Cleanup(func() { w.Objects.Close() })
	w.Roles = must(sts.New(sts.Config{
		Directory: w.Directory, Sessions: must(sessions.Open(ctx, w.DB, root, 0, nil))(t), Authorizer: w.Authorizer,
	}))(t)
	return w
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Rights are those of jobs over a store, which is w.Objects or wraps it.
func (w *World) Rights(o objects.Store) *job.Rights {
	return &job.Rights{
		Storage: guarded.New(guarded.Config{Objects: o, Authorizer: w.Authorizer, Gate: w.Keys, Recorder: w.Audit}),
		Roles:   w.Roles, Keys: w.Keys, Buckets: o, Rules: guarded.NewRules(o, w.Keys), Authorizer: w.Authorizer,
	}
}

// Root is an account itself.
func Root(account string) iam.Principal {
	return iam.Principal{Kind: iam.KindRoot, AccountID: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account}
}

// Caller is a principal that calls now.
func Caller(p iam.Principal) iam.Caller {
	return iam.Caller{Principal: p, Region: Region, Time: time.Now(), Secure: true, SourceIP: "192.0.2.1"}
}

// User makes a user with a policy: see Policy.
func (w *World) User(t testing.TB, account, name string, statements ...string) iam.Principal {
	t.Helper()
	u, err := w.Directory.CreateUser(t.Context(), account, iam.NewEntity{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	w.Allow(t, account, iam.Holder{Type: iam.TypeUser, Name: name}, statements...)
	return iam.Principal{Kind: iam.KindUser, AccountID: account, ARN: u.ARN(), UserID: u.ID, UserName: name, AccessKeyID: "AKIAEXAMPLE"}
}

// Role makes a role with a trust policy and a policy.
func (w *World) Role(t testing.TB, account, name, trust string, statements ...string) (arn string) {
	t.Helper()
	r, err := w.Directory.CreateRole(t.Context(), account, iam.NewRole{NewEntity: iam.NewEntity{Name: name}, Trust: Policy(trust)})
	if err != nil {
		t.Fatal(err)
	}
	w.Allow(t, account, iam.Holder{Type: iam.TypeRole, Name: name}, statements...)
	return r.ARN()
}

// Allow replaces the policy of a user or role; without statements it has none.
func (w *World) Allow(t testing.TB, account string, h iam.Holder, statements ...string) {
	t.Helper()
	if len(statements) == 0 {
		_ = w.Directory.DeleteInline(t.Context(), account, h, "p") // there may be none
		return
	}
	if err := w.Directory.PutInline(t.Context(), account, h, "p", Policy(statements...)); err != nil {
		t.Fatal(err)
	}
}

// Policy makes a policy of statements. One begins with a word, "Allow" or "Deny", and goes on with the JSON of its
// other elements: Allow "Action":"s3:*","Resource":"*".
func Policy(statements ...string) string {
	list := make([]string, len(statements))
	for i, s := range statements {
		effect, rest, _ := strings.Cut(s, " ")
		list[i] = `{"Effect":"` + effect + `",` + rest + `}`
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(list, ",") + `]}`
}

// Bucket makes a bucket, or changes the policy of one that is there; without statements it has none.
func (w *World) Bucket(t testing.TB, name, account, region string, statements ...string) {
	t.Helper()
	if _, err := w.Objects.Bucket(t.Context(), name); err != nil {
		if err := w.Objects.CreateBucket(t.Context(), objects.Bucket{Name: name, AccountID: account, Region: region}); err != nil {
			t.Fatal(err)
		}
	}
	err := w.Objects.Configure(t.Context(), name, func(s *objects.Settings) error {
		s.Policy = ""
		if len(statements) > 0 {
			s.Policy = Policy(statements...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Key makes a key with a key policy; without statements the account's policies decide.
func (w *World) Key(t testing.TB, account string, in kms.NewKey, statements ...string) kms.CustomerKey {
	t.Helper()
	if len(statements) > 0 {
		in.Policy, in.BypassLockoutCheck = Policy(statements...), true
	}
	k, err := w.Keys.CreateKey(t.Context(), Caller(Root(account)), in)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Target is a key as operations on it take it.
func (w *World) Target(t testing.TB, k kms.CustomerKey) kms.Target {
	t.Helper()
	target, err := w.Keys.Find(t.Context(), Caller(Root(k.AccountID)), k.ARN)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// Event is what tests look at of an audit record.
type Event struct {
	EventSource, EventName, ErrorCode, SourceIPAddress string
	UserIdentity                                       struct{ Type, ARN, InvokedBy string }
	RequestParameters, AdditionalEventData             map[string]any
	Resources                                          []audit.Resource
}

// Events are all of a name that were recorded.
func (w *World) Events(t testing.TB, name string) []Event {
	t.Helper()
	var out []Event
	_, err := audit.Scan(context.Background(), w.auditDir, w.auditKeys, 0, func(r audit.Record) error {
		var e Event
		if err := json.Unmarshal(r.Document, &e); err != nil {
			return err
		}
		if e.EventName == name {
			out = append(out, e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
