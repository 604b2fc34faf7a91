package sigv4_test

import (
	"bytes"
	"context"
	"encoding/hex"
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
	"github.com/dictum/dictum/internal/aws/eventstream"
	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/iam"
)

// oneKey is a credential store with one key.
type oneKey iam.Credential

func (k oneKey) Lookup(_ context.Context, id string) (iam.Credential, error) {
	if id != k.AccessKeyID {
		return iam.Credential{}, iam.ErrNoSuchKey
	}
	return iam.Credential(k), nil
}

var (
	streamKey   = oneKey{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}
	streamCreds = aws.Credentials{AccessKeyID: streamKey.AccessKeyID, SecretAccessKey: streamKey.SecretAccessKey}
	beforeNight = time.Date(2026, 11, 23, 23, 59, 58, 0, time.UTC)
)

// openStream signs a request as AWS's SDK does, verifies it, and returns the chain and the SDK's signer of events.
func openStream(t *testing.T, now func() time.Time) (*sigv4.EventChain, *v4.StreamSigner) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://host/stream-transcription", nil)
	r.Header.Set("X-Amz-Content-Sha256", sigv4.StreamingEvents)
	signed := r.Clone(t.Context())
	signed.RequestURI, signed.ContentLength = "", -1
	if err := v4.NewSigner().SignHTTP(t.Context(), streamCreds, signed, sigv4.StreamingEvents, "transcribe", "eu-west-1", beforeNight); err != nil {
		t.Fatal(err)
	}
	r.Header = signed.Header
	verifier := sigv4.Verifier{Credentials: streamKey, Now: now, Keys: sigv4.NewKeyCache()}
	claim, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := verifier.Verify(t.Context(), r, claim, sigv4.RulesForEvents(), nil)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := hex.DecodeString(claim.Signature)
	if err != nil {
		t.Fatal(err)
	}
	return verifier.Events(verified), v4.NewStreamSigner(streamCreds, "transcribe", "eu-west-1", seed)
}

func TestEventChain(t *testing.T) {
	type event struct {
		date               time.Time
		payload, signature []byte
	}
	// sign has the SDK sign events that are a second apart, over midnight.
	sign := func(t *testing.T, signer *v4.StreamSigner, n int) (out []event) {
		for i := range n {
			date, payload := beforeNight.Add(time.Duration(i)*time.Second+123*time.Millisecond), bytes.Repeat([]byte{byte(i)}, 100)
			signature, err := signer.GetSignature(t.Context(), eventstream.EncodedDate(date), payload, date)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, event{date, payload, signature})
		}
		return out
	}
	at := func(d time.Duration) func() time.Time { return func() time.Time { return beforeNight.Add(d) } }
	verify := func(c *sigv4.EventChain, e event) error {
		return c.Verify(e.date, eventstream.EncodedDate(e.date), e.payload, e.signature)
	}

	t.Run("the SDK's signatures hold, over midnight", func(t *testing.T) {
		chain, signer := openStream(t, at(0))
		for i, e := range sign(t, signer, 5) {
			if err := verify(chain, e); err != nil {
				t.Fatalf("event %d: %v", i, err)
			}
		}
	})
	tests := []struct {
		name   string
		change func([]event) []event
	}{
		{"another payload", func(e []event) []event { e[1].payload[0]++; return e }},
		{"another date", func(e []event) []event { e[1].date = e[1].date.Add(time.Millisecond); return e }},
		{"an event left out", func(e []event) []event { return append(e[:1], e[2:]...) }},
		{"an event twice", func(e []event) []event { return []event{e[0], e[0]} }},
		{"two events exchanged", func(e []event) []event { return []event{e[0], e[2], e[1]} }},
		{"a short signature", func(e []event) []event { e[1].signature = e[1].signature[:31]; return e }},
	}
	for _, tt := range tests {
		t.Run(tt.name+" is refused", func(t *testing.T) {
			chain, signer := openStream(t, at(0))
			events := tt.change(sign(t, signer, 3))
			if err := verify(chain, events[0]); err != nil {
				t.Fatal(err)
			}
			if err := verify(chain, events[1]); !errors.Is(err, awserr.Fail(awserr.WrongChunkSignature)) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("an event of the future is refused", func(t *testing.T) {
		chain, signer := openStream(t, at(0))
		e := event{date: beforeNight.Add(16 * time.Minute)}
		e.signature, _ = signer.GetSignature(t.Context(), eventstream.EncodedDate(e.date), nil, e.date)
		if err := verify(chain, e); !errors.Is(err, awserr.Fail(awserr.NotYetCurrent)) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an event from before the request is refused", func(t *testing.T) {
		chain, signer := openStream(t, at(0))
		e := event{date: beforeNight.Add(-16 * time.Minute)}
		e.signature, _ = signer.GetSignature(t.Context(), eventstream.EncodedDate(e.date), nil, e.date)
		if err := verify(chain, e); !errors.Is(err, awserr.Fail(awserr.Expired)) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an event that waited long is good", func(t *testing.T) {
		shift := time.Duration(0)
		chain, signer := openStream(t, func() time.Time { return beforeNight.Add(shift) })
		shift = 2 * time.Hour
		if err := verify(chain, sign(t, signer, 1)[0]); err != nil {
			t.Error(err)
		}
	})
}

func TestRequestsOfEventStreams(t *testing.T) {
	verify := func(r *http.Request, now time.Time) error {
		claim, err := sigv4.Parse(r)
		if err != nil {
			return err
		}
		verifier := sigv4.Verifier{Credentials: streamKey, Now: func() time.Time { return now }}
		_, err = verifier.Verify(r.Context(), r, claim, sigv4.RulesForEvents(), nil)
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
