package sts_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store/identity"
	"github.com/dictum/dictum/internal/store/sessions"
	"github.com/dictum/dictum/internal/store/storetest"
	"github.com/dictum/dictum/internal/sts"
)

const transcribe = "transcribe.amazonaws.com"

// desk is the service over a real directory, with one account.
type desk struct {
	*sts.Service
	directory  *iam.Directory
	authorizer iam.Authorizer
	account    string
}

func newDesk(t *testing.T) *desk {
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
	kept, err := sessions.Open(t.Context(), db, root, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{directory: iam.NewDirectory(identities, nil)}
	admin, err := d.directory.CreateAccount(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	d.account = admin.Principal.AccountID
	d.authorizer = sts.Limits{Next: iam.NewAuthorizer(d.directory)}
	d.Service, err = sts.New(sts.Config{Directory: d.directory, Sessions: kept, Authorizer: d.authorizer})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) role(t *testing.T, name, principal, condition string) string {
	t.Helper()
	r, err := d.directory.CreateRole(t.Context(), d.account, iam.NewRole{
		NewEntity: iam.NewEntity{Name: name},
		Trust:     `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"` + condition + `}]}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.ARN()
}

func TestServiceRole(t *testing.T) {
	d := newDesk(t)
	job := "arn:aws:transcribe:us-west-2:" + d.account + ":transcription-job/j"
	service := `{"Service":"` + transcribe + `"}`
	open := d.role(t, "open", service, "")
	bound := d.role(t, "bound", service, `,"Condition":{"StringEquals":{"aws:SourceAccount":"`+d.account+`"},"ArnLike":{"aws:SourceArn":"arn:aws:transcribe:us-west-2:`+d.account+`:*"}}`)
	streaming := d.role(t, "streaming", `{"Service":"transcribe.streaming.amazonaws.com"}`, "")
	users := d.role(t, "users", `{"AWS":"`+d.account+`"}`, "")
	tests := []struct {
		name, role, account, source string
		ok                          bool
	}{
		{"a role that trusts the service", open, d.account, job, true},
		{"bound to this account and its jobs", bound, d.account, job, true},
		{"for another account", bound, "999999999999", job, false},
		{"for another account's job", bound, d.account, "arn:aws:transcribe:us-west-2:999999999999:transcription-job/j", false},
		{"for nobody", bound, "", "", false},
		{"another service's", streaming, d.account, job, false},
		{"the account's users'", users, d.account, job, false},
		{"one that does not exist", open + "x", d.account, job, false},
		{"no role at all", "arn:aws:s3:::bucket", d.account, job, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := d.ServiceRole(t.Context(), tt.role, transcribe, tt.account, tt.source)
			if !tt.ok {
				if !errors.Is(err, sts.ErrNotTrusted) {
					t.Errorf("got %v, want %v", err, sts.ErrNotTrusted)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.Kind != iam.KindRole || p.AccountID != d.account || p.Session == nil || p.Session.RoleARN != tt.role || p.AccessKeyID != "" ||
				!strings.HasSuffix(p.ARN, "/transcribe") || p.UserID != p.Session.RoleID+":transcribe" {
				t.Errorf("%+v", p)
			}
		})
	}
	t.Run("the session has the role's rights and no others", func(t *testing.T) {
		holder := iam.Holder{Type: iam.TypeRole, Name: "open"}
		if err := d.directory.PutInline(t.Context(), d.account, holder, "p", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::in/*"}]}`); err != nil {
			t.Fatal(err)
		}
		p, err := d.ServiceRole(t.Context(), open, transcribe, d.account, job)
		if err != nil {
			t.Fatal(err)
		}
		c := iam.Caller{Principal: p, Time: time.Now()}.Through(transcribe)
		for action, want := range map[string]bool{"s3:GetObject": true, "s3:PutObject": false} {
			err := d.authorizer.Authorize(t.Context(), c, iam.Access{Action: action, Resource: "arn:aws:s3:::in/a", Owner: d.account})
			if (err == nil) != want {
				t.Errorf("%s: %v", action, err)
			}
		}
	})
}

// yes is an authorizer that allows everything, to see what is refused before it is asked.
type yes struct{}

func (yes) Authorize(context.Context, iam.Caller, iam.Access) error { return nil }

func TestLimits(t *testing.T) {
	issued := &iam.Session{Issued: time.Now()}
	strong := &iam.Session{Issued: time.Now(), MFA: time.Now()}
	role := &iam.Session{Issued: time.Now(), RoleID: "AROA1"}
	tests := []struct {
		name    string
		kind    iam.Kind
		session *iam.Session
		action  string
		ok      bool
	}{
		{"a long-term key", iam.KindUser, nil, "iam:CreateUser", true},
		{"a user's session", iam.KindUser, issued, "iam:CreateUser", false},
		{"the root's session", iam.KindRoot, issued, "iam:CreateUser", false},
		{"with a second factor", iam.KindUser, strong, "iam:CreateUser", true},
		{"a role's session", iam.KindRole, role, "iam:CreateUser", true},
		{"passing a role", iam.KindUser, issued, "iam:PassRole", true},
		{"other services", iam.KindUser, issued, "transcribe:StartTranscriptionJob", true},
		{"assuming a role", iam.KindUser, issued, "sts:AssumeRole", true},
		{"tagging the session", iam.KindUser, issued, "sts:TagSession", true},
		{"more of STS", iam.KindUser, strong, "sts:GetAccessKeyInfo", false},
		{"more of STS by a role", iam.KindRole, role, "sts:GetAccessKeyInfo", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := sts.Limits{Next: yes{}}.Authorize(t.Context(), iam.Caller{Principal: iam.Principal{Kind: tt.kind, Session: tt.session}}, iam.Access{Action: tt.action})
			if (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
			if err != nil && awserr.For(awserr.Query, err).Status != 403 {
				t.Errorf("got %v", awserr.For(awserr.Query, err))
			}
		})
	}
}

func TestNewChecks(t *testing.T) {
	if _, err := sts.New(sts.Config{}); err == nil {
		t.Error("a service of nothing was made")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	d := newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
