package cloudtrail_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dictum/dictum/internal/api/cloudtrail"
	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
)

const account = "111122223333"

// oneKey knows one user's key.
type oneKey struct{}

func (oneKey) Lookup(_ context.Context, id string) (iam.Credential, error) {
	if id != "AKIAIOSFODNN7EXAMPLE" {
		return iam.Credential{}, iam.ErrNoSuchKey
	}
	return iam.Credential{AccessKeyID: id, SecretAccessKey: "secret", Principal: iam.Principal{
		Kind: iam.KindUser, AccountID: account, ARN: "arn:aws:iam::" + account + ":user/alice", UserID: "AIDAEXAMPLE", UserName: "alice",
	}}, nil
}

// start serves an audit log's history behind a gateway that records into the same log.
func start(t *testing.T) (url string, l *audit.Log) {
	t.Helper()
	root, err := kms.NewRoot(bytes.Repeat([]byte{7}, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	l, err = audit.Open(audit.Config{Dir: t.TempDir(), Keys: audit.DeriveKeys(root)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	front, err := gateway.New(gateway.Config{
		Services: []gateway.Service{cloudtrail.New(cloudtrail.Config{History: l})}, Credentials: oneKey{}, Authorizer: gateway.Administrators{}, Auditor: l,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(front)
	t.Cleanup(server.Close)
	return server.URL, l
}

// call signs and sends an operation and returns the answer.
func call(t *testing.T, url, operation, body string) (status int, answer map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."+operation)
	sum := sha256.Sum256([]byte(body))
	key := aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"}
	if err := v4.NewSigner().SignHTTP(t.Context(), key, r, hex.EncodeToString(sum[:]), "cloudtrail", "us-west-2", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &answer); err != nil {
		t.Fatalf("%v: %s", err, content)
	}
	return resp.StatusCode, answer
}

func record(t *testing.T, l *audit.Log, name string) {
	t.Helper()
	principal, _ := oneKey{}.Lookup(t.Context(), "AKIAIOSFODNN7EXAMPLE")
	principal.Principal.AccessKeyID = principal.AccessKeyID
	e := audit.Event{
		Name: name, Source: "iam.amazonaws.com",
		Caller:    iam.Caller{Principal: principal.Principal, Region: "us-west-2", Time: time.Now()},
		Resources: []audit.Resource{{ARN: "arn:aws:iam::" + account + ":user/staff/bob", AccountID: account}},
	}
	if err := l.Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func TestLookupEvents(t *testing.T) {
	url, l := start(t)
	record(t, l, "CreateUser")
	status, answer := call(t, url, "LookupEvents", `{}`)
	events, _ := answer["Events"].([]any)
	if status != 200 || len(events) != 1 || answer["NextToken"] != nil {
		t.Fatalf("got %d, %v", status, answer)
	}
	e := events[0].(map[string]any)
	for member, want := range map[string]string{
		"EventName": "CreateUser", "EventSource": "iam.amazonaws.com", "Username": "alice", "ReadOnly": "false", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
		"Resources": "[map[ResourceName:bob ResourceType:AWS::IAM::User]]",
	} {
		if got := fmt.Sprint(e[member]); got != want {
			t.Errorf("%s: got %q, want %q", member, got, want)
		}
	}
	if at, ok := e["EventTime"].(float64); !ok || time.Since(time.Unix(int64(at), 0)) > time.Minute {
		t.Errorf("EventTime: got %v", e["EventTime"])
	}
	var document map[string]any
	text, _ := e["CloudTrailEvent"].(string)
	if err := json.Unmarshal([]byte(text), &document); err != nil || document["eventID"] != e["EventId"] {
		t.Errorf("CloudTrailEvent: got %q, %v", text, err)
	}
	t.Run("is on record itself", func(t *testing.T) {
		_, answer := call(t, url, "LookupEvents", `{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"LookupEvents"}]}`)
		if events, _ := answer["Events"].([]any); len(events) == 0 || events[0].(map[string]any)["ReadOnly"] != "true" {
			t.Errorf("got %v", answer)
		}
	})
}

func TestLookupEventsByPages(t *testing.T) {
	url, l := start(t)
	for i := range 7 {
		record(t, l, fmt.Sprint("Event", i))
	}
	var got []string
	body := map[string]any{"MaxResults": 3, "LookupAttributes": []any{map[string]string{"AttributeKey": "EventSource", "AttributeValue": "iam.amazonaws.com"}}}
	for {
		text, _ := json.Marshal(body)
		status, answer := call(t, url, "LookupEvents", string(text))
		if status != 200 {
			t.Fatalf("got %v", answer)
		}
		for _, e := range answer["Events"].([]any) {
			got = append(got, e.(map[string]any)["EventName"].(string))
		}
		token, more := answer["NextToken"]
		if !more {
			break
		}
		body["NextToken"] = token
	}
	if want := "Event6 Event5 Event4 Event3 Event2 Event1 Event0"; strings.Join(got, " ") != want {
		t.Errorf("got %v", got)
	}
}

func TestRefusals(t *testing.T) {
	url, _ := start(t)
	for _, tc := range []struct{ name, operation, body, code, says string }{
		{"two attributes", "LookupEvents", `{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"a"},{"AttributeKey":"Username","AttributeValue":"b"}]}`, "InvalidLookupAttributesException", "one"},
		{"an unknown attribute", "LookupEvents", `{"LookupAttributes":[{"AttributeKey":"Color","AttributeValue":"a"}]}`, "InvalidLookupAttributesException", `"Color"`},
		{"an empty value", "LookupEvents", `{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":""}]}`, "InvalidLookupAttributesException", "2000"},
		{"a long value", "LookupEvents", `{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"` + strings.Repeat("ä", 2001) + `"}]}`, "InvalidLookupAttributesException", "2000"},
		{"half a truth", "LookupEvents", `{"LookupAttributes":[{"AttributeKey":"ReadOnly","AttributeValue":"maybe"}]}`, "InvalidLookupAttributesException", "true or false"},
		{"too many results", "LookupEvents", `{"MaxResults":51}`, "InvalidMaxResultsException", "51"},
		{"no results", "LookupEvents", `{"MaxResults":0}`, "InvalidMaxResultsException", "between 1 and 50"},
		{"an end before the start", "LookupEvents", `{"StartTime":1767614400,"EndTime":1767610800}`, "InvalidTimeRangeException", "start time"},
		{"a token of nobody's", "LookupEvents", `{"NextToken":"AAAA"}`, "InvalidNextTokenException", "NextToken"},
		{"an empty token", "LookupEvents", `{"NextToken":""}`, "InvalidNextTokenException", "NextToken"},
		{"an unknown category", "LookupEvents", `{"EventCategory":"weather"}`, "InvalidEventCategoryException", "weather"},
		{"another operation", "CreateTrail", `{}`, "UnsupportedOperationException", "CreateTrail"},
		{"an unknown operation", "DoMagic", `{}`, "UnknownOperationException", "DoMagic"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, answer := call(t, url, tc.operation, tc.body)
			message, _ := answer["message"].(string)
			if message == "" {
				message, _ = answer["Message"].(string)
			}
			if status != 400 || answer["__type"] != tc.code || tc.name != "an unknown operation" && !strings.Contains(message, tc.says) {
				t.Errorf("got %d, %v", status, answer)
			}
		})
	}
	t.Run("Insights events: none are made here", func(t *testing.T) {
		status, answer := call(t, url, "LookupEvents", `{"EventCategory":"insight"}`)
		if events, ok := answer["Events"].([]any); status != 200 || !ok || len(events) != 0 {
			t.Errorf("got %d, %v", status, answer)
		}
	})
}
