package gateway

import (
	"net/http"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// Claimer is a Service that can tell its requests from others without their signature: by target
// header, path or form. An unsigned request gets its error in the claiming service's format, and a
// request signed for another service is refused.
type Claimer interface {
	Claims(r *http.Request) bool
}

// Opener is a Service with actions that need no signature, because what they are sent proves who
// asks: AssumeRoleWithWebIdentity. Such a call has no Principal until its handler sets one.
type Opener interface {
	Service
	Claimer
	// Open tells whether a request that it claims is for such an action. The body is the request's; r.Body must be
	// left alone.
	Open(r *http.Request, body []byte) bool
}

// Speaker is a Service that says which protocol's codes and texts its errors have. One that
// is not a Speaker has S3's.
type Speaker interface {
	Protocol() awserr.Protocol
}

// Streamer is a Service with requests whose bodies are streams of events, read while the answer is written.
type Streamer interface {
	Service
	// Streams tells such a request. Its body is given to the handler as it comes, without limits of size or time, and
	// Call.Events holds what is signed in it.
	Streams(r *http.Request) bool
}

// ReadOnly tells, by its name, an operation that changes nothing; CloudTrail counts making data keys
// and temporary credentials among these.
func ReadOnly(action string) bool {
	for _, verb := range []string{"Get", "List", "Head", "Describe", "Lookup", "Simulate", "Generate", "Encrypt", "Decrypt", "ReEncrypt", "AssumeRole", "Decode"} {
		if strings.HasPrefix(action, verb) {
			return true
		}
	}
	return false
}

// Observer counts requests, for metrics.
type Observer interface {
	// Observe is called once a request. Service and action are from a fixed set of names ("" when
	// unknown), so that they can be labels. Controlled is the part of the time that authorisation and the
	// audit took.
	Observe(service, action string, status int, took, controlled time.Duration)
}
