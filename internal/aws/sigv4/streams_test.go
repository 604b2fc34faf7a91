package sigv4_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/iam"
)

var (
	streamCreds = aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}
	beforeNight = time.Date(2026, 11, 23, 23, 59, 58, 0, time.UTC)
)

func TestRequestsOfEventStreams(t *testing.T) {
	verify := func(r *http.Request, now time.Time) error {
		claim, err := sigv4.Parse(r)
		if err != nil {
			return err
		}
		verifier := sigv4.Verifier{Credentials: keys{"AKIDEXAMPLE": iam.Credential{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}}, Now: func() time.Time { return now }}
		_, err = verifier.Verify(r.Context(), r, claim, sigv4.Rules{Events: true, MaxExpires: 5 * time.Minute}, nil)
		return err
	}
	signed := func(t *testing.T, payload string, named bool) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "https://host/stream-transcription", nil)
		if named {
			r.Header.Set("X-Amz-Content-Sha256", payload)
		}
		signed := r.Clone(t.Context())
		signed.RequestURI = ""
		if err := v4.NewSigner().SignHTTP(t.Context(), streamCreds, signed, payload, "transcribe", "eu-west-1", beforeNight); err != nil {
			t.Fatal(err)
		}
		r.Header = signed.Header
		return r
	}
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	t.Run("a body that is not named is signed as empty", func(t *testing.T) {
		if err := verify(signed(t, empty, false), beforeNight); err != nil {
			t.Error(err)
		}
	})
	t.Run("no other hash is taken", func(t *testing.T) {
		for _, payload := range []string{"UNSIGNED-PAYLOAD", strings.Repeat("0", 64), "STREAMING-UNSIGNED-PAYLOAD-TRAILER"} {
			if err := verify(signed(t, payload, true), beforeNight); !errors.Is(err, awserr.Fail(awserr.BadPayloadHash)) {
				t.Errorf("%s: %v", payload, err)
			}
		}
	})

	presign := func(t *testing.T, life time.Duration, headers http.Header) *http.Request {
		t.Helper()
		const target = "https://host:8443/stream-transcription-websocket?language-code=en-US&language-options=en-US%2Cfr-FR&X-Amz-Expires="
		r := httptest.NewRequest(http.MethodGet, target+strconv.Itoa(int(life/time.Second)), nil)
		for name := range headers {
			r.Header[name] = headers[name]
		}
		signed := r.Clone(t.Context())
		signed.RequestURI = ""
		uri, _, err := v4.NewSigner().PresignHTTP(t.Context(), streamCreds, signed, empty, "transcribe", "eu-west-1", beforeNight)
		if err != nil {
			t.Fatal(err)
		}
		out := httptest.NewRequest(http.MethodGet, uri, nil)
		out.Header = r.Header
		return out
	}
	tests := []struct {
		name    string
		life    time.Duration
		later   time.Duration
		headers http.Header
		want    error
	}{
		{"a URL is good", 300 * time.Second, 0, nil, nil},
		{"to its end", 60 * time.Second, time.Minute, nil, nil},
		{"and not after", 60 * time.Second, 61 * time.Second, nil, awserr.Fail(awserr.ExpiredURL)},
		{"five minutes are the most", 301 * time.Second, 0, nil, awserr.Fail(awserr.MalformedQuery)},
		{"headers that are listed are verified", 300 * time.Second, 0, http.Header{"Content-Type": {"application/json"}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := verify(presign(t, tt.life, tt.headers), beforeNight.Add(tt.later)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	t.Run("another parameter breaks the signature", func(t *testing.T) {
		r := presign(t, time.Minute, nil)
		other := httptest.NewRequest(http.MethodGet, strings.Replace(r.RequestURI, "en-US", "fr-FR", 1), nil)
		if err := verify(other, beforeNight); !errors.Is(err, awserr.Fail(awserr.WrongSignature)) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("another header breaks the signature", func(t *testing.T) {
		r := presign(t, time.Minute, http.Header{"Content-Type": {"application/json"}})
		r.Header.Set("Content-Type", "text/plain")
		if err := verify(r, beforeNight); !errors.Is(err, awserr.Fail(awserr.WrongSignature)) {
			t.Errorf("got %v", err)
		}
	})
}
