package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// StreamingEvents is the x-amz-content-sha256 of a request whose body is an event stream, each of its messages
// signed in an envelope of its own.
const StreamingEvents = "STREAMING-AWS4-HMAC-SHA256-EVENTS"

// eventAlgorithm begins the string to sign of an event.
const eventAlgorithm = "AWS4-HMAC-SHA256-PAYLOAD"

// RulesForEvents are the rules of requests that open an event stream: nothing of the body is signed with the request,
// and a presigned URL lives for five minutes at most (spec streaming.md §3.2, §5).
func RulesForEvents() Rules { return Rules{Events: true, MaxExpires: 5 * time.Minute} }

// EventChain verifies the envelopes of an event stream. Each signature covers the one before it, the first that of
// the request, so that none can be left out, repeated or put elsewhere. It is for one goroutine.
//
// Source: spec streaming.md §3.2; https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html.
type EventChain struct {
	keys    *KeyCache
	secret  string
	scope   Scope
	begun   time.Time
	prior   string
	skew    time.Duration
	nowFunc func() time.Time
}

// Events starts the chain of the events that follow a request.
func (v *Verifier) Events(verified *Verified) *EventChain {
	skew := v.Skew
	if skew == 0 {
		skew = DefaultSkew
	}
	return &EventChain{
		keys: v.Keys, secret: verified.Credential.SecretAccessKey, scope: verified.Claim.Scope, begun: verified.Claim.Time,
		prior: verified.Claim.Signature, skew: skew, nowFunc: v.now,
	}
}

// Verify proves that an envelope is the next of the stream: its date, that header's bytes on the wire, the payload and
// the raw signature. It returns an *awserr.Failure, after which nothing of the stream can be verified any more.
//
// The date may be as far ahead of ours as that of a request. It may be behind by any time since the request was signed:
// who reads a stream that came faster than it is worked on reads old events, and the chain alone shows that they are
// not repeated.
func (c *EventChain) Verify(date time.Time, encodedDate, payload, signature []byte) error {
	now := c.nowFunc().UTC()
	date = date.UTC().Truncate(time.Second)
	details := []string{"signed", date.Format(timeLayout), "now", now.Format(timeLayout)}
	if newest := now.Add(c.skew); date.After(newest) {
		return awserr.Fail(awserr.NotYetCurrent, append(details, "newest", newest.Format(timeLayout))...)
	}
	if oldest := c.begun.Add(-c.skew); date.Before(oldest) {
		return awserr.Fail(awserr.Expired, append(details, "oldest", oldest.UTC().Format(timeLayout))...)
	}
	scope := c.scope
	scope.Date = date.Format(dateLayout) // it changes at midnight, and the request's does not
	headers, content := sha256.Sum256(encodedDate), sha256.Sum256(payload)
	toSign := fmt.Sprintf("%s\n%s\n%s\n%s\n%x\n%x", eventAlgorithm, date.Format(timeLayout), scope, c.prior, headers, content)
	key := c.keys.get(c.secret, scope)
	want := hmacSHA256(key[:], toSign)
	if !hmac.Equal(want[:], signature) {
		return awserr.Fail(awserr.WrongChunkSignature)
	}
	c.prior = hex.EncodeToString(signature)
	return nil
}
