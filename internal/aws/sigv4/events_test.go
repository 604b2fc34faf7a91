package sigv4_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/iam"
)

// The SDK's own signer signs; the chain must hold what it signed, and nothing else.
func TestEventChain(t *testing.T) {
	now := time.Date(2026, 11, 23, 23, 59, 59, 0, time.UTC)
	credential := iam.Credential{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}
	sdk := aws.Credentials{AccessKeyID: credential.AccessKeyID, SecretAccessKey: credential.SecretAccessKey}
	type event struct {
		date      time.Time
		payload   string
		signature []byte
	}
	for name, test := range map[string]struct {
		change func(events []event) []event
		bad    int // the first event that is refused, -1 for none
	}{
		"as signed, over midnight": {func(e []event) []event { return e }, -1},
		"another payload":          {func(e []event) []event { e[1].payload = "other"; return e }, 1},
		"another date":             {func(e []event) []event { e[1].date = e[1].date.Add(time.Millisecond); return e }, 1},
		"one left out":             {func(e []event) []event { return append(e[:1], e[2:]...) }, 1},
		"one twice":                {func(e []event) []event { return []event{e[0], e[0]} }, 1},
		"of the future":            {func(e []event) []event { e[0].date = e[0].date.Add(time.Hour); return e }, 0},
		"from before the request":  {func(e []event) []event { e[0].date = e[0].date.Add(-time.Hour); return e }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://dictum.example/stream-transcription", nil)
			if err != nil {
				t.Fatal(err)
			}
			const payload = "STREAMING-AWS4-HMAC-SHA256-EVENTS"
			r.Header.Set("X-Amz-Content-Sha256", payload)
			if err := v4.NewSigner().SignHTTP(t.Context(), sdk, r, payload, "transcribe", "eu-west-1", now); err != nil {
				t.Fatal(err)
			}
			claim, err := sigv4.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			clock := func() time.Time { return now.Add(2 * time.Second) }
			verifier := sigv4.Verifier{Credentials: keys{credential.AccessKeyID: credential}, Now: clock}
			verified, err := verifier.Verify(t.Context(), r, claim, sigv4.Rules{Events: true}, nil)
			if err != nil {
				t.Fatal(err)
			}
			seed, err := hex.DecodeString(claim.Signature)
			if err != nil {
				t.Fatal(err)
			}
			signer := v4.NewStreamSigner(sdk, "transcribe", "eu-west-1", seed)
			var events []event
			for i, payload := range []string{"one", "two", ""} {
				date := now.Add(time.Duration(i) * time.Second)
				var headers eventstream.Headers
				headers.Set(":date", eventstream.TimestampValue(date))
				var encoded bytes.Buffer
				if err := eventstream.EncodeHeaders(&encoded, headers); err != nil {
					t.Fatal(err)
				}
				signature, err := signer.GetSignature(t.Context(), encoded.Bytes(), []byte(payload), date)
				if err != nil {
					t.Fatal(err)
				}
				events = append(events, event{date, payload, signature})
			}
			chain := verified.Events(clock)
			for i, e := range test.change(events) {
				err := chain.Verify(e.date, []byte(e.payload), e.signature)
				if i == test.bad {
					if !errors.Is(err, sigv4.ErrEventSignature) {
						t.Errorf("event %d: %v", i, err)
					}
					return
				}
				if err != nil {
					t.Fatalf("event %d: %v", i, err)
				}
			}
			if test.bad >= 0 {
				t.Error("all were taken")
			}
		})
	}
}
