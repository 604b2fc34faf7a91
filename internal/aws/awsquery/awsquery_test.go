package awsquery_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

var errLater = &awserr.Error{Code: "InvalidAction", Status: 400, Message: "later"}

type greeting struct{ Greeting string }

type emptyList struct{ Names awsquery.List[string] }

type pair struct {
	Key   string `xml:"key"`
	Value *string
}

type Common struct{ Marker string }

type everything struct {
	Common
	Text   string
	Secret string `audit:"-"`
	Count  *int32
	Flag   bool
	Since  time.Time
	Blob   []byte
	Names  []string
	Pairs  []pair
	Inner  *pair
}

func service() *awsquery.Service {
	return awsquery.NewService("test", "https://ns/", "2020-01-01", awsquery.Actions{
		"Greet": awsquery.Op(func(_ context.Context, _ *gateway.Call, in *struct{ Name string }) (*greeting, error) {
			return &greeting{"hello " + in.Name}, nil
		}),
		"Nothing": awsquery.Op(func(context.Context, *gateway.Call, *struct{}) (*awsquery.None, error) { return nil, nil }),
		"Echo": awsquery.OpOn(
			func(_ context.Context, _ *gateway.Call, in *everything) ([]iam.Access, error) {
				return []iam.Access{{Resource: in.Text}, {Action: "other:Do", Resource: "*"}}, nil
			},
			func(_ context.Context, _ *gateway.Call, in *everything) (*everything, error) { return in, nil }),
		"GetOpen": awsquery.OpOn(
			func(context.Context, *gateway.Call, *struct{}) ([]iam.Access, error) { return nil, nil },
			func(context.Context, *gateway.Call, *struct{}) (*emptyList, error) { return &emptyList{}, nil }),
		"MakeList": awsquery.Op(func(context.Context, *gateway.Call, *struct{}) (*emptyList, error) {
			return &emptyList{awsquery.ListOf([]int{1, 2}, strconv.Itoa)}, nil
		}),
		"Later": awsquery.Refuse(errLater),
	})
}

func post(form string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return r
}

func TestActions(t *testing.T) {
	tests := []struct {
		name string
		r    *http.Request
		body string
		want awserr.Kind
	}{
		{name: "form", r: post("Action=Greet&Version=2020-01-01&Name=a%26b%3C"), body: `<GreetResponse xmlns="https://ns/"><GreetResult><Greeting>hello a&amp;b&lt;</Greeting></GreetResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GreetResponse>`},
		{name: "query", r: httptest.NewRequest(http.MethodGet, "/?Action=Nothing&Version=2020-01-01", nil), body: `<NothingResponse xmlns="https://ns/"><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></NothingResponse>`},
		{name: "an empty list is shown", r: post("Action=GetOpen&Version=2020-01-01"), body: `<GetOpenResponse xmlns="https://ns/"><GetOpenResult><Names></Names></GetOpenResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetOpenResponse>`},
		{name: "unknown action", r: post("Action=Fly&Version=2020-01-01"), want: awserr.UnknownOperation},
		{name: "another version", r: post("Action=Greet&Version=2011-06-15"), want: awserr.UnknownOperation},
		{name: "no action", r: post(""), want: awserr.UnknownOperation},
		{name: "a parameter twice", r: post("Action=Greet&Action=Nothing&Version=2020-01-01"), want: awserr.Serialization},
		{name: "broken escape", r: post("Action=%zz"), want: awserr.Serialization},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !service().Claims(tt.r) {
				t.Error("not claimed")
			}
			route, err := service().Route(tt.r, &gateway.Call{})
			if tt.want != "" {
				if !errors.Is(err, awserr.Fail(tt.want)) {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			if err := route.Handler(w, tt.r, &gateway.Call{Caller: iam.Caller{RequestID: "id"}}); err != nil {
				t.Fatal(err)
			}
			if got := w.Body.String(); got != tt.body {
				t.Errorf("got  %s\nwant %s", got, tt.body)
			}
		})
	}
	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}")), httptest.NewRequest(http.MethodGet, "/bucket?Action=x", nil), httptest.NewRequest(http.MethodGet, "/", nil),
	} {
		if service().Claims(r) {
			t.Errorf("claims %s %s", r.Method, r.URL)
		}
	}
}
