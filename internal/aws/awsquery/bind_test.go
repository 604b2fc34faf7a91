package awsquery_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/gateway"
)

const echo = "Action=Echo&Version=2020-01-01&"

func TestParametersBindToTypes(t *testing.T) {
	tests := []struct {
		name, form string
		// shown is the audit's view of the parameters; refused a part of the error's message.
		shown   map[string]any
		refused string
	}{
		{name: "scalars", form: "Text=a%20b&Count=-7&Flag=true&Since=2026-11-22T10:00:00%2B02:00&Marker=m", shown: map[string]any{
			"text": "a b", "count": int32(-7), "flag": true, "since": "2026-11-22T08:00:00Z", "marker": "m",
		}},
		{name: "secrets and blobs stay out of the audit", form: "Secret=s&Blob=aGk%3D&Text=t", shown: map[string]any{"text": "t"}},
		{name: "a list in the order of its numbers", form: "Names.member.10=c&Names.member.2=b&Names.member.1=a", shown: map[string]any{"names": []any{"a", "b", "c"}}},
		{name: "an empty list", form: "Names=", shown: map[string]any{"names": []any{}}},
		{name: "a list of structures", form: "Pairs.member.1.key=k&Pairs.member.1.Value=v&Pairs.member.2.key=l", shown: map[string]any{
			"pairs": []any{map[string]any{"key": "k", "value": "v"}, map[string]any{"key": "l"}},
		}},
		{name: "a structure", form: "Inner.key=k", shown: map[string]any{"inner": map[string]any{"key": "k"}}},
		{name: "unknown parameters", form: "Nobody=1&Text.Nobody.x=", refused: "Text is a single value"},
		{name: "unknown names", form: "Nobody=1&Nobody.member.x=2&text=t", shown: map[string]any{}},
		{name: "not a number", form: "Count=many", refused: "Count: STRING_VALUE can not be converted to an Integer"},
		{name: "too large a number", form: "Count=2147483648", refused: "can not be converted to an Integer"},
		{name: "not a truth value", form: "Flag=yes", refused: "Flag: STRING_VALUE can not be converted to a Boolean"},
		{name: "not a time", form: "Since=yesterday", refused: "Since: STRING_VALUE can not be converted to a Timestamp"},
		{name: "not base64", form: "Blob=%21", refused: "Blob: STRING_VALUE can not be converted to a Blob"},
		{name: "a list as a value", form: "Names=a", refused: "Names is a list"},
		{name: "a value as a list", form: "Text.member.1=a", refused: "Text is a single value"},
		{name: "a structure as a value", form: "Inner=a", refused: "Inner is a structure"},
		{name: "index zero", form: "Names.member.0=a", refused: "is no index"},
		{name: "an index written twice", form: "Names.member.1=a&Names.member.01=b", refused: "is no index"},
		{name: "a huge index", form: "Names.member.99999999999999999999=a", refused: "is no index"},
		{name: "too deep", form: strings.Repeat("a.", 10) + "a=1", refused: "too deeply nested"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			route, err := service().Route(post(echo+tt.form), &gateway.Call{})
			if tt.refused != "" {
				var e *awserr.Error
				if !errors.As(err, &e) || e.Code != "MalformedInput" || !strings.Contains(e.Message, tt.refused) {
					t.Errorf("got %v, want MalformedInput with %q", err, tt.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(route.Request, any(tt.shown)) {
				t.Errorf("audit shows %v, want %v", route.Request, tt.shown)
			}
		})
	}
	t.Run("too many parameters", func(t *testing.T) {
		var form strings.Builder
		for i := range 5000 {
			fmt.Fprintf(&form, "p%d=1&", i)
		}
		if _, err := service().Route(post(echo+form.String()), &gateway.Call{}); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("got %v", err)
		}
	})
}

func TestPermissions(t *testing.T) {
	for form, want := range map[string][]string{
		echo + "Text=arn":                     {"test:Echo arn", "other:Do *"},
		"Action=Greet&Version=2020-01-01":     {"test:Greet *"},
		"Action=Later&Version=2020-01-01":     {"test:Later *"},
		"Action=GetOpen&Version=2020-01-01&X": {},
	} {
		route, err := service().Route(post(form), &gateway.Call{})
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, a := range route.Access {
			got = append(got, a.Action+" "+a.Resource)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s needs %v, want %v", form, got, want)
		}
	}
	t.Run("a refused action answers with its error", func(t *testing.T) {
		r := post("Action=Later&Version=2020-01-01")
		route, err := service().Route(r, &gateway.Call{})
		if err != nil {
			t.Fatal(err)
		}
		if err := route.Handler(httptest.NewRecorder(), r, &gateway.Call{}); !errors.Is(err, errLater) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAuditShowsTheAnswer(t *testing.T) {
	r, c := post("Action=MakeList&Version=2020-01-01"), &gateway.Call{}
	route, err := service().Route(r, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := route.Handler(httptest.NewRecorder(), r, c); err != nil {
		t.Fatal(err)
	}
	if want := any(map[string]any{"names": []any{"1", "2"}}); !reflect.DeepEqual(c.Response, want) {
		t.Errorf("got %v, want %v", c.Response, want)
	}
}

func TestValidatorSeesTheParameters(t *testing.T) {
	want := map[string]any{"Action": "Echo", "Version": "2020-01-01", "Text": "t", "Names": []any{"a"}, "Pairs": []any{map[string]any{"key": "k"}}}
	s := service().Validated(func(action string, params map[string]any) error {
		if action != "Echo" || !reflect.DeepEqual(params, want) {
			t.Errorf("%s got %v, want %v", action, params, want)
		}
		return errLater
	})
	r := post(echo + "Text=t&Names.member.1=a&Pairs.member.1.key=k")
	route, err := s.Route(r, &gateway.Call{})
	if err != nil {
		t.Fatal(err)
	}
	if err := route.Handler(httptest.NewRecorder(), r, &gateway.Call{}); !errors.Is(err, errLater) {
		t.Errorf("got %v", err)
	}
}

// FuzzParameters holds that no form panics and that every refusal is an AWS error.
func FuzzParameters(f *testing.F) {
	for _, seed := range []string{
		"Text=a&Names.member.1=b&Pairs.member.1.key=k", "Names=", "Names.member=x", "Inner.key.x=1", "Pairs.member.1=x", ".=1&..=2&Names.member.=3",
		"Text=a&Text.x=b", "Names.member.1=a&Names.x=b", "Count=1e9", "Inner=&Inner.key=1", "Since=2026-11-22T10:00:00Z", "a%2eb=1;c",
	} {
		f.Add(seed)
	}
	s := service().Validated(func(string, map[string]any) error { return nil })
	f.Fuzz(func(t *testing.T, form string) {
		r := post(echo + form)
		route, err := s.Route(r, &gateway.Call{})
		if err != nil {
			var e *awserr.Error
			var failure *awserr.Failure
			if !errors.As(err, &e) && !errors.As(err, &failure) {
				t.Fatalf("%q: %v", form, err)
			}
			return
		}
		if err := route.Handler(httptest.NewRecorder(), r, &gateway.Call{}); err != nil {
			t.Fatalf("%q: %v", form, err)
		}
	})
}
