package sts_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	api "github.com/dictum/dictum/internal/api/sts"
	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store/identity"
	"github.com/dictum/dictum/internal/store/sessions"
	"github.com/dictum/dictum/internal/store/storetest"
	"github.com/dictum/dictum/internal/sts"
)

// bench is a server of real parts: database, directory, policies, sessions, gateway; and two accounts.
type bench struct {
	*iam.Directory
	url     string
	domain  *sts.Service
	account string
	admin   iam.Credential
	// stranger administers another account.
	stranger iam.Credential

	mu     sync.Mutex // guards what follows
	ahead  time.Duration
	events []audit.Event
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Add(b.ahead)
}

func (b *bench) advance(by time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead += by
}

// Record implements audit.Recorder.
func (b *bench) Record(_ context.Context, e audit.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
	return nil
}

// record is all that was recorded, as text.
func (b *bench) record(t testing.TB) string {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	text, err := json.Marshal(b.events)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type listed struct{ UserName string }

func newBench(t testing.TB) *bench {
	t.Helper()
	root, err := kms.NewRoot(bytes.Repeat([]byte{1}, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.Open(t)
	identities, err := identity.Open(t.Context(), db, root)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{}
	b.Directory = iam.NewDirectory(identities, b.now)
	for _, c := range []*iam.Credential{&b.admin, &b.stranger} {
		if *c, err = b.CreateAccount(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	b.account = b.admin.Principal.AccountID
	kept, err := sessions.Open(t.Context(), db, root, 0, b.now)
	if err != nil {
		t.Fatal(err)
	}
	resolver := iam.NewResolver(0, kept, b.Directory)
	authorizer := sts.Limits{Next: iam.NewAuthorizer(b.Directory)}
	b.domain, err = sts.New(sts.Config{
		Directory: b.Directory, Sessions: kept, Authorizer: authorizer, Forget: resolver.Forget, Log: slog.New(slog.DiscardHandler), Now: b.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	// Another service, for what the sessions may do elsewhere.
	other := awsquery.NewService("iam", "https://iam.amazonaws.com/doc/2010-05-08/", "2010-05-08", awsquery.Actions{
		"GetUser": awsquery.Op(func(_ context.Context, c *gateway.Call, _ *struct{}) (*listed, error) {
			return &listed{c.Principal.UserName}, nil
		}),
	})
	g, err := gateway.New(gateway.Config{
		Services: []gateway.Service{other, api.New(b.domain)}, Credentials: resolver, Authorizer: authorizer, Auditor: b, Now: b.now,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// client is AWS's own, acting with a key.
func (b *bench) client(key, secret, token string) *awssts.Client {
	return awssts.New(awssts.Options{
		Region: "us-west-2", BaseEndpoint: aws.String(b.url), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret, SessionToken: token}, nil
		}),
	})
}

func (b *bench) as(c iam.Credential) *awssts.Client {
	return b.client(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
}

// user makes a user with a policy and returns a key of it.
func (b *bench) user(t testing.TB, name, policy string) iam.Credential {
	t.Helper()
	u, err := b.CreateUser(t.Context(), b.account, iam.NewEntity{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	if policy != "" {
		if err := b.PutInline(t.Context(), b.account, iam.Holder{Type: iam.TypeUser, Name: u.Name}, "p", policy); err != nil {
			t.Fatal(err)
		}
	}
	k, err := b.CreateKey(t.Context(), b.account, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return k.Credential(u)
}

// role makes a role that its trust policy's statements and a policy of its own describe, and returns its ARN.
func (b *bench) role(t testing.TB, name, trust, policy string) string {
	t.Helper()
	r, err := b.CreateRole(t.Context(), b.account, iam.NewRole{
		NewEntity: iam.NewEntity{Name: name, Path: "/team/", Tags: iam.Tags{"kind": name}}, MaxSession: 2 * time.Hour, Trust: statements(trust),
	})
	if err != nil {
		t.Fatalf("role %s: %v", name, err)
	}
	if policy != "" {
		if err := b.PutInline(t.Context(), b.account, iam.Holder{Type: iam.TypeRole, Name: name}, "p", statements(policy)); err != nil {
			t.Fatal(err)
		}
	}
	return r.ARN()
}

func statements(s string) string { return `{"Version":"2012-10-17","Statement":[` + s + `]}` }

const (
	mayAll    = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	mayAssume = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:*","iam:GetUser"],"Resource":"*"}]}`
)

// trustAccount is a trust statement for everyone in the bench's account whose policies let them.
func (b *bench) trustAccount(actions, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Effect":"Allow","Principal":{"AWS":%q},"Action":[%s]%s}`, b.account, actions, condition)
}

// want checks an error's code, status and a part of its text.
func want(t testing.TB, err error, status int, code, text string) {
	t.Helper()
	var api smithy.APIError
	var http *smithyhttp.ResponseError
	if !errors.As(err, &api) || !errors.As(err, &http) {
		t.Errorf("got %v, want %d %s", err, status, code)
		return
	}
	if http.HTTPStatusCode() != status || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Errorf("got  %d %s: %s\nwant %d %s: %s", http.HTTPStatusCode(), api.ErrorCode(), api.ErrorMessage(), status, code, text)
	}
}

// device gives a user a second factor and returns its serial number and seed.
func (b *bench) device(t testing.TB, user string) (serial, seed string) {
	t.Helper()
	m, seed, err := b.CreateDevice(t.Context(), b.account, iam.NewEntity{Name: user})
	if err != nil {
		t.Fatal(err)
	}
	now := b.now()
	if err := b.EnableDevice(t.Context(), b.account, user, m.Serial(), code(t, seed, now.Add(-30*time.Second)), code(t, seed, now)); err != nil {
		t.Fatal(err)
	}
	b.advance(time.Minute) // those two codes are used up
	return m.Serial(), seed
}

// code is what an authenticator app shows (RFC 6238).
func code(t testing.TB, seed string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(seed)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, at.Unix()/30)
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[19]&15:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}
