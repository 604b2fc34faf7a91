package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

// token is a query service with one action that needs no signature.
type token struct{ *awsquery.Service }

type whoOutput struct{ Account, Region, Service string }

func newToken() token {
	everyone := func(context.Context, *gateway.Call, *struct{}) ([]iam.Access, error) { return nil, nil }
	who := func(_ context.Context, c *gateway.Call, _ *struct{}) (*whoOutput, error) {
		return &whoOutput{"<" + c.Principal.AccountID + ">", c.Region, c.Service}, nil
	}
	return token{awsquery.NewService("token", "https://token/", "1", awsquery.Actions{
		"Open": awsquery.OpOn(everyone, who), "Closed": awsquery.OpOn(everyone, who),
	})}
}

// Open implements gateway.Opener.
func (token) Open(_ *http.Request, body []byte) bool {
	form, err := url.ParseQuery(string(body))
	return err == nil && form.Get("Action") == "Open"
}

func TestUnsignedActions(t *testing.T) {
	events := &recorder{}
	// Another query service comes first: both claim the form, and only one of them is open to it.
	other := awsquery.NewService("other", "https://other/", "1", awsquery.Actions{})
	g, err := gateway.New(gateway.Config{
		Services: []gateway.Service{other, newToken()}, Credentials: mapped{}, Authorizer: gateway.Administrators{}, Auditor: events,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	defer server.Close()
	tests := []struct {
		name, body, header string
		status             int
		want               string
	}{
		{"the open action", "Action=Open&Version=1", "", 200, "<Account>&lt;&gt;</Account><Region>us-east-1</Region><Service>token</Service>"},
		{"another action", "Action=Closed&Version=1", "", 403, "MissingAuthenticationToken"},
		{"a body that is too large", "Action=Open&Version=1&x=" + strings.Repeat("x", 64<<10), "", 403, "MissingAuthenticationToken"},
		{"a signature that does not hold", "Action=Open&Version=1", "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/token/aws4_request", 400, "IncompleteSignature"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if tt.header != "" {
				r.Header.Set("Authorization", tt.header)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			var b strings.Builder
			if err := answer.Write(&b); err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != tt.status || !strings.Contains(b.String(), tt.want) {
				t.Errorf("got %d %s, want %d %s", answer.StatusCode, b.String(), tt.status, tt.want)
			}
			if e := events.last(); (e.ErrorCode == "") != (tt.status == 200) || e.Caller.Principal.AccountID != "" {
				t.Errorf("on record: %+v", e)
			}
		})
	}
}
