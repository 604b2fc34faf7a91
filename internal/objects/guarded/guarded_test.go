package guarded_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/embedded"
	"github.com/dictum/dictum/internal/objects/guarded"
	"github.com/dictum/dictum/internal/objects/objectstest"
	"github.com/dictum/dictum/internal/store/storetest"
)

const (
	owner    = "111122223333"
	stranger = "444455556666"
	// The users that the tests act as.
	alice   = "arn:aws:iam::111122223333:user/alice"
	mallory = "arn:aws:iam::444455556666:user/mallory"
)

// rights are the users' policies by ARN.
type rights map[string]string

// PoliciesOf implements iam.PolicySource.
func (r rights) PoliciesOf(_ context.Context, p iam.Principal) (iam.Policies, error) {
	text, ok := r[p.ARN]
	if !ok {
		return iam.Policies{}, iam.ErrNoSuchEntity
	}
	doc, err := policy.Parse([]byte(text), policy.Identity)
	return iam.Policies{Identity: []*policy.Document{doc}}, err
}

func allow(action, resource string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"}]}`
}

// journal keeps events in memory, or fails.
type journal struct {
	mu     sync.Mutex
	events []audit.Event // guarded by mu
	err    error
}

// Record implements audit.Recorder.
func (j *journal) Record(_ context.Context, e audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	return j.err
}

func (j *journal) last(t testing.TB) audit.Event {
	t.Helper()
	if len(j.events) == 0 {
		t.Fatal("nothing was recorded")
	}
	return j.events[len(j.events)-1]
}

// rig is a store with alice's bucket "lab", which holds "in/a" and has the settings.
type rig struct {
	*guarded.Store
	objects *embedded.Store
	keys    *kms.Service
	journal *journal
}

func start(t testing.TB, r rights, settings objects.Settings) rig {
	t.Helper()
	j, who := &journal{}, iam.NewAuthorizer(r)
	content, keys := objectstest.OpenWithKeys(t, storetest.Open(t), who, j)
	if err := content.CreateBucket(t.Context(), objects.Bucket{Name: "lab", AccountID: owner, Region: "us-east-1", Settings: settings}); err != nil {
		t.Fatal(err)
	}
	if _, err := content.Put(t.Context(), "lab", "in/a", strings.NewReader("content"), objects.Metadata{}); err != nil {
		t.Fatal(err)
	}
	s := guarded.New(guarded.Config{Objects: content, Authorizer: who, Gate: keys, Recorder: j})
	return rig{s, content, keys, j}
}

// user acts through Transcribe.
func user(arn string) iam.Caller {
	return iam.Caller{
		Principal: iam.Principal{Kind: iam.KindUser, AccountID: strings.Split(arn, ":")[4], ARN: arn, UserID: "AIDA" + arn},
		Region:    "us-east-1", Secure: true,
	}.Through("transcribe.amazonaws.com")
}

// transcribe acts for a job of an account.
func transcribe(account string) iam.Caller {
	return iam.Caller{
		Principal: iam.Principal{Kind: iam.KindService, Service: "transcribe.amazonaws.com"}, Region: "us-east-1", Secure: true,
		SourceAccount: account, SourceARN: "arn:aws:transcribe:us-east-1:" + account + ":transcription-job/j",
	}
}

// act does one thing with the object and returns its error.
func (r rig) act(t testing.TB, c iam.Caller, what, key string) error {
	t.Helper()
	o := r.For(c)
	switch what {
	case "open":
		_, content, err := o.Open(t.Context(), "lab", key)
		if err == nil {
			defer content.Close()
			if b, err := io.ReadAll(content); err != nil || string(b) != "content" {
				t.Errorf("read %q, %v", b, err)
			}
		}
		return err
	case "put":
		_, err := o.Put(t.Context(), "lab", key, strings.NewReader("content"), objects.Metadata{})
		return err
	default:
		return o.Delete(t.Context(), "lab", key)
	}
}

const bucketPolicy = `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::lab/in/*"},
 {"Effect":"Allow","Principal":{"Service":"transcribe.amazonaws.com"},"Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::lab/*",
  "Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"},"ArnLike":{"aws:SourceArn":"arn:aws:transcribe:*:111122223333:*"}}},
 {"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::lab/secret/*"}]}`

func TestRights(t *testing.T) {
	all := allow("s3:*", "*")
	for _, c := range []struct {
		rule       string
		identity   string // of whoever acts
		caller     iam.Caller
		what, key  string
		wantDenied bool
	}{
		{"a user of the account reads", all, user(alice), "open", "in/a", false},
		{"writes", all, user(alice), "put", "out/b", false},
		{"deletes", all, user(alice), "delete", "in/a", false},
		{"nothing is allowed by default", allow("kms:*", "*"), user(alice), "open", "in/a", true},
		{"each action by itself: reading", allow("s3:PutObject", "*"), user(alice), "open", "in/a", true},
		{"each action by itself: writing", allow("s3:GetObject", "*"), user(alice), "put", "in/a", true},
		{"each action by itself: deleting", allow("s3:GetObject", "*"), user(alice), "delete", "in/a", true},
		{"each key by itself", allow("s3:GetObject", "arn:aws:s3:::lab/in/*"), user(alice), "open", "in/a", false},
		{"and no other", allow("s3:PutObject", "arn:aws:s3:::lab/out/*"), user(alice), "put", "in/a", true},
		{"dots in a key climb nowhere", allow("s3:PutObject", "arn:aws:s3:::lab/secret/*"), user(alice), "put", "out/../secret/x", true},
		{"an explicit deny of the bucket", all, user(alice), "put", "secret/x", true},
		{"another account, when both sides allow", all, user(mallory), "open", "in/a", false},
		{"another account, when its own side does not", allow("kms:*", "*"), user(mallory), "open", "in/a", true},
		{"another account, when the bucket does not", all, user(mallory), "put", "in/a", true},
		{"the service for a job of the account", "", transcribe(owner), "open", "in/a", false},
		{"the service writes for it", "", transcribe(owner), "put", "out/b", false},
		{"the service only does what it may", "", transcribe(owner), "delete", "in/a", true},
		{"the service for another account's job", "", transcribe(stranger), "open", "in/a", true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := start(t, rights{c.caller.Principal.ARN: c.identity}, objects.Settings{Policy: bucketPolicy})
			err := r.act(t, c.caller, c.what, c.key)
			if denied := errors.Is(err, objects.ErrAccessDenied); denied != c.wantDenied || (err != nil && !denied) {
				t.Errorf("got %v", err)
			}
			e := r.journal.last(t)
			if (e.ErrorCode == "AccessDenied") != c.wantDenied || e.Source != "s3.amazonaws.com" || !e.Data || len(e.Resources) != 2 {
				t.Errorf("event: %+v", e)
			}
		})
	}
}

func TestWhoMayNotListLearnsNoKeys(t *testing.T) {
	r := start(t, rights{alice: allow("s3:GetObject", "*")}, objects.Settings{})
	if err := r.act(t, user(alice), "open", "none"); !errors.Is(err, objects.ErrAccessDenied) || !strings.Contains(err.Error(), "s3:ListBucket") {
		t.Errorf("without s3:ListBucket: %v", err)
	}
	r = start(t, rights{alice: allow("s3:*", "*")}, objects.Settings{})
	if err := r.act(t, user(alice), "open", "none"); !errors.Is(err, objects.ErrNoSuchKey) || r.journal.last(t).ErrorCode != "NoSuchKey" {
		t.Errorf("with it: %v", err)
	}
}

func TestRestrictPublicBuckets(t *testing.T) {
	public := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::lab/*"}]}`
	for _, restricted := range []bool{false, true} {
		r := start(t, rights{alice: allow("s3:*", "*"), mallory: allow("s3:*", "*")},
			objects.Settings{Policy: public, Block: &objects.PublicAccessBlock{RestrictPublicBuckets: restricted}})
		if err := r.act(t, user(mallory), "open", "in/a"); errors.Is(err, objects.ErrAccessDenied) != restricted {
			t.Errorf("restricted %v, another account: %v", restricted, err)
		}
		if err := r.act(t, user(alice), "open", "in/a"); err != nil {
			t.Errorf("restricted %v, the owner's account: %v", restricted, err)
		}
		if err := r.act(t, transcribe(stranger), "open", "in/a"); err != nil {
			t.Errorf("restricted %v, a service: %v", restricted, err)
		}
	}
}

func TestSettingsStayWithTheBucket(t *testing.T) {
	r := start(t, rights{}, objects.Settings{Policy: bucketPolicy})
	b, err := r.For(user(mallory)).Bucket(t.Context(), "lab")
	if err != nil || b.Region != "us-east-1" || b.AccountID != owner || b.Settings.Policy != "" {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestNothingIsGivenThatIsNotOnRecord(t *testing.T) {
	r := start(t, rights{alice: allow("s3:*", "*")}, objects.Settings{})
	r.journal.err = errors.New("the disk is full")
	_, content, err := r.For(user(alice)).Open(t.Context(), "lab", "in/a")
	if err == nil || content != nil {
		t.Errorf("open: %v, %v", content, err)
	}
	if err := r.act(t, user(alice), "put", "in/b"); err == nil {
		t.Error("put succeeded")
	}
}

func TestEventsNameWhoActsThroughWhat(t *testing.T) {
	r := start(t, rights{alice: allow("s3:*", "*")}, objects.Settings{})
	if err := r.act(t, user(alice), "put", "out/b"); err != nil {
		t.Fatal(err)
	}
	e := r.journal.last(t)
	if e.Name != "PutObject" || e.ReadOnly || e.Caller.Principal.ARN != alice || e.Caller.Via[0] != "transcribe.amazonaws.com" {
		t.Errorf("%+v", e)
	}
	if got := e.Resources[0]; got.ARN != "arn:aws:s3:::lab/out/b" || got.Type != "AWS::S3::Object" {
		t.Errorf("resource: %+v", got)
	}
}

func TestKeys(t *testing.T) {
	r := rights{alice: allow("*", "*")}
	s := start(t, r, objects.Settings{})
	k, err := s.keys.CreateKey(t.Context(), user(alice), kms.NewKey{})
	if err != nil {
		t.Fatal(err)
	}
	target, err := s.keys.Find(t.Context(), user(alice), k.ARN)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.keys.CreateAlias(t.Context(), s.keys.Alias(user(alice), "alias/lab"), target); err != nil {
		t.Fatal(err)
	}
	put := func(e objects.Encryption) (objects.Object, error) {
		return s.For(user(alice)).Put(t.Context(), "lab", "out/b", strings.NewReader("content"), objects.Metadata{Encryption: e})
	}
	t.Run("a key in any form, with a context", func(t *testing.T) {
		for _, form := range []string{k.ID, k.ARN, "alias/lab", "arn:aws:kms:us-east-1:" + owner + ":alias/lab"} {
			o, err := put(objects.Encryption{KeyARN: form, Context: kms.Context{"team": "red"}})
			if err != nil || o.Metadata.Encryption.KeyARN != k.ARN || o.Metadata.Encryption.Context["team"] != "red" {
				t.Errorf("%s: %+v, %v", form, o, err)
			}
		}
		if err := s.act(t, user(alice), "open", "out/b"); err != nil {
			t.Error(err)
		}
	})
	t.Run("keys are used through both services", func(t *testing.T) {
		for _, e := range s.journal.events {
			if e.Source != "kms.amazonaws.com" {
				continue
			}
			if via := strings.Join(e.Caller.Via, " "); via != "transcribe.amazonaws.com s3.amazonaws.com" || e.Caller.Principal.ARN != alice {
				t.Errorf("%s via %s by %s", e.Name, via, e.Caller.Principal.ARN)
			}
		}
	})
	t.Run("the bucket's default", func(t *testing.T) {
		if err := s.objects.Configure(t.Context(), "lab", func(settings *objects.Settings) error {
			settings.Default = objects.Encryption{KeyARN: "alias/lab", BucketKey: true}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		o, err := put(objects.Encryption{})
		if e := o.Metadata.Encryption; err != nil || e.KeyARN != k.ARN || !e.BucketKey {
			t.Errorf("%+v, %v", e, err)
		}
	})
	t.Run("without the key's permissions", func(t *testing.T) {
		r[alice] = allow("s3:*", "*")
		if _, err := put(objects.Encryption{KeyARN: k.ARN}); !errors.Is(err, objects.ErrAccessDenied) || !strings.Contains(err.Error(), "kms:GenerateDataKey") {
			t.Errorf("put: %v", err)
		}
		if err := s.act(t, user(alice), "open", "out/b"); !errors.Is(err, objects.ErrAccessDenied) || !strings.Contains(err.Error(), "kms:Decrypt") {
			t.Errorf("open: %v", err)
		}
		if e := s.journal.last(t); e.Name != "GetObject" || e.ErrorCode != "AccessDenied" {
			t.Errorf("event: %+v", e)
		}
		r[alice] = allow("*", "*")
	})
	t.Run("a disabled key", func(t *testing.T) {
		if err := s.keys.Disable(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		var failed *objects.KeyError
		if _, err := put(objects.Encryption{KeyARN: k.ARN}); !errors.As(err, &failed) || errors.Is(err, objects.ErrAccessDenied) {
			t.Errorf("put: %v", err)
		}
		if err := s.act(t, user(alice), "open", "out/b"); !errors.As(err, &failed) || s.journal.last(t).ErrorCode != "KMS.DisabledException" {
			t.Errorf("open: %v", err)
		}
	})
}
