// Package gateway is the one door of the API listener: it finds the service a request is
// for, authenticates, authorises, hands it to the service's handler and has it on record before the
// answer goes out, and it alone writes errors. Start at Service and Call.
package gateway

import (
	"context"
	"net/http"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/iam"
)

// Call is one verified request on its way through the gateway.
type Call struct {
	// Caller is who asks: its Principal, Region, Time, RequestID and more. Region is the one in
	// the signature's scope.
	iam.Caller
	// Service is the signing name: "s3", "transcribe", "sts".
	Service string
	// Action is the API operation: "ListObjectsV2", "StartTranscriptionJob".
	Action string
	// Resource is the ARN acted on, or "*".
	Resource string
	// Origin is the scheme and authority the client called ("http://127.0.0.1:7600"), or the
	// configured public URL. URIs we hand out begin with it.
	Origin string
	// Authorizer is who decided about the route, for permissions that show only while it is carried out.
	Authorizer iam.Authorizer
	// Response is what the audit shows of the answer (responseElements), set by a handler before it writes;
	// nil shows none. It must hold no secrets and no content.
	Response any
	// Resources are further ones that the audit shows.
	Resources []audit.Resource
	// Events verifies the events of a Streamer's request; nil elsewhere.
	Events *sigv4.EventChain
	// Outcome is what a handler leaves of an act that went on after its answer had begun: it is put on record in an event
	// of its own, as further data, with OutcomeErr when it ended badly. Nil leaves none.
	Outcome    map[string]any
	OutcomeErr error
}

// Authorize asks whether the caller has a further permission.
func (c *Call) Authorize(ctx context.Context, a iam.Access) error {
	return c.Authorizer.Authorize(ctx, c.Caller, a)
}

// Handler carries out a call. It writes the answer, or returns an error before having written anything.
type Handler func(w http.ResponseWriter, r *http.Request, c *Call) error

// Route is what a service makes of a request before it is authorised.
type Route struct {
	// Action is the API operation; the audit shows it. IAM's actions are in Access.
	Action string
	// Access are the permissions that the request needs, all of them; the first names the resource acted on. With
	// none, every verified caller may.
	Access []iam.Access
	// ReadOnly operations change nothing; Data marks an act on the content of a resource.
	ReadOnly, Data bool
	// Request is what the audit shows of the parameters (requestParameters): no secrets, no content.
	Request any
	Handler Handler
}

// Service is one AWS API. The gateway gives it requests whose signature it verified for that
// service's signing name. Bodies: for every service but S3 the gateway has read the body (at most
// 1 MiB) and checked it against the signed hash, and r.Body replays it; for S3, r.Body streams,
// decodes aws-chunked, and fails at its end when a hash, chunk signature or trailing checksum is wrong:
// whatever was read before io.EOF is not yet verified and must not become visible. r.Body is Checksummed,
// r.ContentLength is the decoded length (-1 when unknown), and "aws-chunked" is gone from Content-Encoding.
// An error of r.Body is an *awserr.Failure and can be returned as it is, or wrapped.
type Service interface {
	// Name is the signing name.
	Name() string
	// Route names the action, the permissions it needs and its handler, or returns the AWS error for an
	// unknown operation, with as much of the route as the audit can show. It must not change anything.
	Route(r *http.Request, c *Call) (Route, error)
	// WriteError answers with err in the service's protocol.
	WriteError(w http.ResponseWriter, r *http.Request, requestID string, err error)
}

// Checksummed is what r.Body of every S3 request implements.
type Checksummed interface {
	// Checksum returns the algorithm ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256") and base64
	// value of the checksum that the client sent, by header or trailer, and that the body was found
	// to have. It is valid once Read returned io.EOF; both are empty when the client sent none.
	// The checksum header of CompleteMultipartUpload speaks of the object, not of the body, and is
	// left for the service to read.
	Checksum() (algorithm, value string)
}
