package iam_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"

	apiiam "github.com/dictum/dictum/internal/api/iam"
	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store/identity"
	"github.com/dictum/dictum/internal/store/storetest"
)

const (
	allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	trust    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"transcribe.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
)

// site is a server with IAM alone, authorised by real policies in a real, encrypted database.
type site struct {
	url     string
	dir     *iam.Directory
	admin   iam.Credential
	account string
	events  *recorder
}

type recorder struct {
	mu     sync.Mutex
	events []audit.Event
}

func (r *recorder) Record(_ context.Context, e audit.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return nil
}

func newSite(t testing.TB) *site {
	t.Helper()
	root, err := kms.NewRoot(bytes.Repeat([]byte{7}, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	store, err := identity.Open(t.Context(), storetest.Open(t), root)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{dir: iam.NewDirectory(store, nil), events: &recorder{}}
	if s.admin, err = s.dir.CreateAccount(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	s.account = s.admin.Principal.AccountID
	resolver := iam.NewResolver(0, s.dir)
	s.dir.OnKeyChange(resolver.Forget)
	authorizer := iam.NewAuthorizer(s.dir)
	front, err := gateway.New(gateway.Config{
		Services:    []gateway.Service{apiiam.New(apiiam.Config{Directory: s.dir, Explainer: authorizer})},
		Credentials: resolver, Authorizer: authorizer, Auditor: s.events, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(front)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// as is an SDK client that signs with a key.
func (s *site) as(id, secret string) *sdk.Client {
	return sdk.New(sdk.Options{
		// Under load smithy-go 1.28 tears long answers: it closes the request's body as soon as the answer begins, and
		// WriteTo of a closed body returns io.EOF, for which net/http closes the connection. The SDK tries again.
		Region: "eu-west-3", BaseEndpoint: &s.url, RetryMaxAttempts: 3,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
		}),
	})
}

func (s *site) client() *sdk.Client { return s.as(s.admin.AccessKeyID, s.admin.SecretAccessKey) }

// with makes a user with this policy and returns its client.
func (s *site) with(t *testing.T, name, policy string) *sdk.Client {
	t.Helper()
	u, err := s.dir.CreateUser(t.Context(), s.account, iam.NewEntity{Name: name})
	must(t, err)
	if policy != "" {
		must(t, s.dir.PutInline(t.Context(), s.account, iam.Holder{Type: iam.TypeUser, Name: name}, "own", policy))
	}
	k, err := s.dir.CreateKey(t.Context(), s.account, u.ID)
	must(t, err)
	return s.as(k.ID, k.Secret)
}

func (s *site) arn(resource string) string {
	return "arn:aws:iam::" + s.account + ":" + resource
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused wants an AWS error of this code whose message has this part.
func refused(t *testing.T, err error, code, part string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), part) {
		t.Errorf("got %v, want %s with %q", err, code, part)
	}
}

func recent(t *testing.T, at *time.Time) {
	t.Helper()
	if at == nil || time.Since(*at) > time.Minute || at.Nanosecond() != 0 {
		t.Errorf("time %v is not a whole second of now", at)
	}
}
