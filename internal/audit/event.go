// Package audit keeps the record of who did what: events in CloudTrail's form, durable before the
// answer is sent, chained by hashes and signed, so that a changed, missing or reordered record is found.
// Start at Event and Recorder.
package audit

import (
	"context"

	"github.com/dictum/dictum/internal/iam"
)

// Event is one act. It holds no secrets, no tokens and no content of objects or transcripts.
type Event struct {
	// Caller says who, from where, when, in which region, with which request.
	Caller iam.Caller
	// Source is the service's own name: "transcribe.amazonaws.com".
	Source string
	// Name is the API operation, "StartTranscriptionJob"; empty when the request failed before it was known.
	Name string
	// ReadOnly operations change nothing.
	ReadOnly bool
	// Data marks an act on the content of a resource (an object), not on the resource itself.
	Data bool
	// Resources are those acted on.
	Resources []Resource
	// Request and Response are the parameters of both, to be encoded as JSON; member names begin in
	// lower case, as CloudTrail has them.
	Request, Response any
	// ErrorCode and ErrorMessage are empty on success.
	ErrorCode, ErrorMessage string
	// ClaimedKeyID is the access key id that an unverified request named, if it named one.
	ClaimedKeyID string
	// Additional is CloudTrail's additionalEventData: bytes moved, signature version, TLS version.
	Additional map[string]any
}

// Resource is something acted on.
type Resource struct {
	ARN string `json:"ARN"`
	// AccountID is the owner.
	AccountID string `json:"accountId,omitempty"`
	// Type is CloudFormation's: "AWS::S3::Object".
	Type string `json:"type,omitempty"`
}

// Recorder keeps events.
type Recorder interface {
	// Record returns once the event survives the end of the process, and, if it tells of a change, a power
	// failure. When it fails, what the event tells of must not be
	// answered with success.
	Record(ctx context.Context, e Event) error
}
