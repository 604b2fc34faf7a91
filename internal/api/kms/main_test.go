package kms_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/dictum/dictum/internal/api/coverage"
	api "github.com/dictum/dictum/internal/api/kms"
	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store/keys"
	"github.com/dictum/dictum/internal/store/storetest"
)

var (
	recorder coverage.Recorder
	update   = flag.Bool("update", false, "write testdata/coverage.json")
)

// TestMain holds testdata/coverage.json to what a whole run of the tests called.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	part := flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.skip").Value.String() != "" ||
		flag.Lookup("test.fuzz").Value.String() != "" || flag.Lookup("test.list").Value.String() != ""
	if code == 0 && !part {
		s := recorder.Service("AWS Key Management Service", "botocore kms/2014-11-01/service-2.json", api.Operations(), api.Routed())
		if err := s.Check("testdata/coverage.json", *update); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

const (
	account = "111122223333"
	other   = "444455556666"
	region  = "us-east-1"
	secret  = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	// The users: an administrator and one without rights in the first account, an administrator in another.
	alice   = "AKIAALICEALICEALICE1"
	bob     = "AKIABOBBOBBOBBOBBOB1"
	mallory = "AKIAMALLORYMALLORY12"
)

func user(id, accountID, name string) iam.Credential {
	return iam.Credential{AccessKeyID: id, SecretAccessKey: secret, Principal: iam.Principal{
		Kind: iam.KindUser, AccountID: accountID, ARN: "arn:aws:iam::" + accountID + ":user/" + name, UserID: "AIDA" + name, UserName: name,
	}}
}

// people are the credentials of the tests.
type people map[string]iam.Credential

func (p people) Lookup(_ context.Context, id string) (iam.Credential, error) {
	c, ok := p[id]
	if !ok {
		return c, iam.ErrNoSuchKey
	}
	return c, nil
}

var users = people{alice: user(alice, account, "alice"), bob: user(bob, account, "bob"), mallory: user(mallory, other, "mallory")}

// rights are the users' identity policies, by user name.
type rights struct {
	mu       sync.Mutex
	policies map[string]*policy.Document // guarded by mu
}

func (r *rights) PoliciesOf(_ context.Context, p iam.Principal) (iam.Policies, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.policies[p.UserName]; d != nil {
		return iam.Policies{Identity: []*policy.Document{d}}, nil
	}
	return iam.Policies{}, nil
}

func (r *rights) set(t *testing.T, name, statement string) {
	t.Helper()
	d, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[`+statement+`]}`), policy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policies[name] = d
}

// journal keeps audit events.
type journal struct {
	mu     sync.Mutex
	events []audit.Event // guarded by mu
}

func (j *journal) Record(_ context.Context, e audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	return nil
}

// last returns the newest event of a name.
func (j *journal) last(t *testing.T, name string) audit.Event {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := len(j.events) - 1; i >= 0; i-- {
		if j.events[i].Name == name {
			return j.events[i]
		}
	}
	t.Fatalf("no %s on record", name)
	return audit.Event{}
}

// rig is a server with keys in a real database.
type rig struct {
	t       *testing.T
	url     string
	service *kms.Service
	rights  *rights
	journal *journal
}

func start(t *testing.T) *rig {
	t.Helper()
	root, err := kms.OpenRoot(filepath.Join(t.TempDir(), "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := keys.Open(t.Context(), storetest.Open(t))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, rights: &rights{policies: map[string]*policy.Document{}}, journal: &journal{}}
	for _, name := range []string{"alice", "mallory"} {
		r.rights.set(t, name, `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	}
	authorizer := iam.NewAuthorizer(r.rights)
	r.service = kms.NewService(kms.Config{Store: store, Sealer: root, Authorizer: authorizer, Recorder: r.journal})
	quiet := slog.New(slog.DiscardHandler)
	g, err := gateway.New(gateway.Config{
		Services: []gateway.Service{api.New(r.service)}, Credentials: users, Authorizer: authorizer, Auditor: r.journal, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// client is the SDK's, as a user; what it calls with success counts as covered.
func (r *rig) client(key string) *sdk.Client { return r.clientIn(key, region) }

func (r *rig) clientIn(key, region string) *sdk.Client {
	return sdk.New(sdk.Options{
		BaseEndpoint: aws.String(r.url), Region: region, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
		APIOptions: []func(*middleware.Stack) error{func(s *middleware.Stack) error {
			return s.Initialize.Add(middleware.InitializeMiddlewareFunc("coverage",
				func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
					out, m, err := next.HandleInitialize(ctx, in)
					if err == nil {
						recorder.Record(middleware.GetOperationName(ctx), r.t.Name())
					}
					return out, m, err
				}), middleware.Before)
		}},
	})
}

// refused tells whether err is the AWS error with this code and a message that holds the text.
func refused(t *testing.T, err error, code, message string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), message) {
		t.Errorf("got %v\nwant %s: %s", err, code, message)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func isRecent(at *time.Time) bool { return at != nil && time.Since(*at).Abs() < time.Minute }
