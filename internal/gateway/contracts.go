package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
)

// Claimer is a Service that can tell its requests from others without their signature: by target
// header, path or form. An unsigned request gets its error in the claiming service's format, and a
// request signed for another service is refused.
type Claimer interface {
	Claims(r *http.Request) bool
}

// Speaker is a Service that says which protocol's codes and texts its errors have. One that
// is not a Speaker has S3's.
type Speaker interface {
	Protocol() awserr.Protocol
}

// Authorizer decides whether a verified call may go on.
type Authorizer interface {
	// Authorize returns nil, or a failure of kind awserr.NotAuthorized. It must be safe for
	// concurrent use and must not change anything.
	Authorize(ctx context.Context, c *Call) error
}

// Auditor keeps a record of every call, refused ones too.
type Auditor interface {
	// Record stores one event. It is called once a request, after the outcome is known. An error is
	// logged; the client has its answer by then.
	Record(ctx context.Context, e Event) error
}

// Event is what happened to one request. It holds no secrets, no tokens and no content.
type Event struct {
	Time      time.Time
	RequestID string
	Service   string
	// Action and Resource are empty when the request failed before they were known.
	Action   string
	Resource string
	Region   string
	// Principal is zero when the signature was not verified.
	Principal iam.Principal
	// ClaimedKeyID is the access key id that an unverified request named, if it named one.
	ClaimedKeyID string
	// SourceIP is the address of the TCP peer.
	SourceIP  string
	UserAgent string
	Method    string
	// Status is the HTTP status of the answer; ErrorCode and ErrorMessage are empty on success.
	Status       int
	ErrorCode    string
	ErrorMessage string
	Duration     time.Duration
	// BytesIn and BytesOut are the sizes of the bodies as they travelled.
	BytesIn, BytesOut int64
}

// Observer counts requests, for metrics.
type Observer interface {
	// Observe is called once a request. Service and action are from a fixed set of names ("" when
	// unknown), so that they can be labels.
	Observe(service, action string, status int, took time.Duration)
}
