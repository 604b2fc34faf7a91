package awsjson_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/awsjson"
	"github.com/dictum/dictum/internal/gateway"
)

type inner struct {
	Uri  string
	Tags map[string]string
}

// everything has one member of each shape that a service model can have.
type everything struct {
	String  *string
	Enum    string
	Integer *int32
	Long    int64
	Float   *float32
	Double  float64
	Boolean *bool
	Time    *time.Time
	Blob    []byte
	List    []inner
	Map     map[string]inner
	Nested  *inner
	Renamed string `json:"renamedMember,omitempty"`
	Hidden  string `json:"-"`
}

func service() *awsjson.Service {
	return awsjson.NewService("test", "Test", awsjson.Operations{
		"Echo":   awsjson.Op(func(_ context.Context, _ *gateway.Call, in *everything) (*everything, error) { return in, nil }),
		"Refuse": awsjson.Refuse(awserr.BadRequest("not available yet")),
	})
}

// roundTrip has Echo decode and encode a body in one of the protocols.
func roundTrip(body []byte, isCBOR bool) (*httptest.ResponseRecorder, error) {
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("X-Amz-Target", "Test.Echo")
	if isCBOR {
		r = httptest.NewRequest(http.MethodPost, "/service/Test/operation/Echo", bytes.NewReader(body))
		r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	route, err := service().Route(r, &gateway.Call{})
	if err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	return w, route.Handler(w, r, &gateway.Call{})
}

func TestEchoJSON(t *testing.T) {
	tests := []struct{ name, in, out string }{
		{"empty body", ``, `{}`},
		{"empty structure", `{}`, `{}`},
		{
			"every shape", `{"String":"","Enum":"e","Integer":-1,"Long":9007199254740993,"Float":0.5,"Double":1e-9,"Boolean":false,"Time":1599750586.471,` +
				`"Blob":"aGk=","List":[{"Uri":"s3://b/k?a&b<c>"},{}],"Map":{"b":{"Uri":"y"},"a":{"Tags":{"k":"v"}}},"Nested":{"Tags":{}},"renamedMember":"r"}`,
			`{"String":"","Enum":"e","Integer":-1,"Long":9007199254740993,"Float":0.5,"Double":1e-09,"Boolean":false,"Time":1599750586.471,` +
				`"Blob":"aGk=","List":[{"Uri":"s3://b/k?a&b<c>"},{}],"Map":{"a":{"Tags":{"k":"v"}},"b":{"Uri":"y"}},"Nested":{"Tags":{}},"renamedMember":"r"}`,
		},
		{"null is absent", `{"String":null,"List":null,"Nested":null,"Time":null,"Map":{"a":null}}`, `{"Map":{}}`},
		{"unknown members are ignored", `{"Other":{"a":[1,2,{"b":null}]},"Enum":"e"}`, `{"Enum":"e"}`},
		{"names are case-sensitive", `{"enum":"e","Renamed":"x","Hidden":"h"}`, `{}`},
		{"whole numbers in other spellings", `{"Integer":10.0,"Long":1e3}`, `{"Integer":10,"Long":1000}`},
		{"escapes", `{"Enum":"\u0000\u001f\"\\\/\n\r\té😀\ud83d\ude00"}`, `{"Enum":"\u0000\u001f\"\\/\n\r\té😀😀"}`},
		{"blanks around", " \n{}\t", `{}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, err := roundTrip([]byte(tt.in), false)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.Body.String(); got != tt.out {
				t.Errorf("got  %s\nwant %s", got, tt.out)
			}
		})
	}
}

func TestWrongTypes(t *testing.T) {
	tests := []struct{ name, in, reason string }{
		{"number for a string", `{"String":1}`, "NUMBER_VALUE can not be converted to a String"},
		{"boolean for a string", `{"Enum":true}`, "TRUE_VALUE can not be converted to a String"},
		{"structure for a string", `{"String":{}}`, "Start of structure or map found where not expected."},
		{"list for a string", `{"String":[]}`, "Start of list found where not expected."},
		{"string for an integer", `{"Integer":"1"}`, "STRING_VALUE can not be converted to an Integer"},
		{"fraction for an integer", `{"Integer":1.5}`, "NUMBER_VALUE can not be converted to an Integer"},
		{"integer beyond 32 bits", `{"Integer":2147483648}`, "NUMBER_VALUE can not be converted to an Integer"},
		{"integer beyond 64 bits", `{"Long":9223372036854775808}`, "NUMBER_VALUE can not be converted to an Integer"},
		{"string for a boolean", `{"Boolean":"true"}`, "STRING_VALUE can not be converted to a Boolean"},
		{"string for a number", `{"Double":"NaN"}`, "STRING_VALUE can not be converted to a Float"},
		{"number beyond a double", `{"Double":1e999}`, "NUMBER_VALUE can not be converted to a Float"},
		{"string for a time", `{"Time":"2020-09-10T15:09:46Z"}`, "STRING_VALUE can not be converted to a Timestamp"},
		{"structure for a list", `{"List":{}}`, "Start of structure"},
		{"string in a list of structures", `{"List":["a"]}`, "STRING_VALUE can not be converted to a structure"},
		{"list for a map", `{"Map":[]}`, "Start of list"},
		{"number for a blob", `{"Blob":1}`, "NUMBER_VALUE can not be converted to a Blob"},
		{"a blob that is not base64", `{"Blob":"!"}`, "not base64"},
		{"list for the body", `[]`, "must be a structure"},
		{"null for the body", `null`, "must be a structure"},
		{"half a document", `{"String":"a"`, "could not parse"},
		{"two documents", `{}{}`, "after the structure"},
		{"text", `hello`, "could not parse"},
		{"trailing comma", `{"String":"a",}`, "could not parse"},
		{"a member twice", `{"Enum":"a","Enum":"b"}`, "occurs twice"},
		{"not UTF-8", "{\"Enum\":\"\xff\"}", "UTF-8"},
		{"nested too deeply", strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), "too deeply nested"},
		{"arrays nested too deeply", `{"a":` + strings.Repeat(`[`, 500_000), "too deeply nested"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := roundTrip([]byte(tt.in), false)
			if !errors.Is(err, awserr.Fail(awserr.Serialization)) || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("got %v, want %q", err, tt.reason)
			}
		})
	}
}

func TestEchoCBOR(t *testing.T) {
	at := time.UnixMilli(1599750586471).UTC()
	in, err := cbor.Marshal(map[string]any{
		"String": "s", "Integer": 7, "Long": uint64(1 << 40), "Double": 0.25, "Boolean": true, "Blob": []byte{1, 2},
		"Time": cbor.Tag{Number: 1, Content: 1599750586.471}, "List": []any{map[string]any{"Uri": "u"}}, "Other": nil,
	})
	if err != nil {
		t.Fatal(err)
	}
	w, err := roundTrip(in, true)
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		String  string
		Integer int
		Long    uint64
		Double  float64
		Boolean bool
		Blob    []byte
		Time    time.Time
		List    []inner
		Nested  *inner
	}
	if err := cbor.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	if out.String != "s" || out.Integer != 7 || out.Long != 1<<40 || out.Double != 0.25 || !out.Boolean || !bytes.Equal(out.Blob, []byte{1, 2}) ||
		out.Time.Sub(at).Abs() > time.Millisecond || len(out.List) != 1 || out.List[0].Uri != "u" || out.Nested != nil {
		t.Errorf("got %+v", out)
	}
	for name, body := range map[string][]byte{
		"text for the body": {0x61, 'a'}, "cut": in[:len(in)-3], "an integer key": {0xa1, 0x01, 0x02},
		"a key twice": {0xa2, 0x61, 'a', 0x01, 0x61, 'a', 0x02}, "nested too deeply": bytes.Repeat([]byte{0x81}, 1000), "an enormous length": {0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		if _, err := roundTrip(body, true); !errors.Is(err, awserr.Fail(awserr.Serialization)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefuse(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
	r.Header.Set("X-Amz-Target", "com.example.Test.Refuse")
	route, err := service().Route(r, &gateway.Call{})
	if err != nil || route.Action != "Refuse" || route.Access[0].Resource != "*" {
		t.Fatalf("%+v, %v", route, err)
	}
	err = route.Handler(httptest.NewRecorder(), r, &gateway.Call{})
	var e *awserr.Error
	if !errors.As(err, &e) || e.Code != "BadRequestException" {
		t.Errorf("got %v", err)
	}
}

// FuzzJSON holds the decoder against encoding/json: what we take it takes, and the echo decodes again
// to the same echo.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"String":"a","Integer":1,"List":[{"Uri":"u"}],"Time":1.5}`, `{"Map":{"":{}},"Blob":"aGk="}`, `[[[[`, `{"Enum":"\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w, err := roundTrip(body, false)
		if err != nil {
			if !errors.Is(err, awserr.Fail(awserr.Serialization)) {
				t.Fatalf("error %v is not in the table", err)
			}
			return
		}
		if len(body) > 0 && !json.Valid(body) {
			t.Fatalf("accepted %q", body)
		}
		first := w.Body.Bytes()
		if !json.Valid(first) {
			t.Fatalf("answered %q", first)
		}
		again, err := roundTrip(first, false)
		if err != nil || !bytes.Equal(again.Body.Bytes(), first) {
			t.Fatalf("echo %q became %v (%v)", first, again, err)
		}
	})
}

// FuzzCBOR feeds arbitrary bytes: no panic and only table errors.
func FuzzCBOR(f *testing.F) {
	f.Add([]byte{0xa1, 0x64, 'T', 'i', 'm', 'e', 0xc1, 0xfb, 0x41, 0xd7, 0xd6, 0x89, 0xde, 0x9e, 0x35, 0x3f})
	f.Add([]byte{0xbf, 0x64, 'E', 'n', 'u', 'm', 0x61, 'x', 0xff})
	nan, _ := cbor.Marshal(map[string]any{"Double": math.NaN(), "Long": -1})
	f.Add(nan)
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := roundTrip(body, true); err != nil && !errors.Is(err, awserr.Fail(awserr.Serialization)) {
			t.Fatalf("error %v is not in the table", err)
		}
	})
}

func BenchmarkEcho(b *testing.B) {
	body := []byte(`{"String":"job","Enum":"en-US","List":[{"Uri":"s3://bucket/key"}],"Map":{"a":{"Uri":"y"}},"Boolean":true}`)
	b.ReportAllocs()
	for b.Loop() {
		w, err := roundTrip(body, false)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, w.Body)
	}
}
