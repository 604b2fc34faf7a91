package iam

import (
	"context"
	"time"

	"github.com/dictum/dictum/internal/iam/policy"
)

// Caller is who acts, and under what circumstances: what the global condition keys of policies
// are read from.
type Caller struct {
	Principal Principal
	// Region is the one that the request was made in.
	Region string
	// SourceIP is the address of the TCP peer. It is empty when a service acts later, on its own.
	SourceIP  string
	UserAgent string
	Referer   string
	// Secure tells that the request came over TLS.
	Secure    bool
	Time      time.Time
	RequestID string
	// Via are the services that act on the principal's behalf, first the one that the principal
	// called: "transcribe.amazonaws.com".
	Via []string
	// SourceAccount and SourceARN say for whom and for which resource a service principal acts
	// (aws:SourceAccount, aws:SourceArn), against the confused deputy.
	SourceAccount, SourceARN string
}

// Through returns the caller as it acts through a further service.
func (c Caller) Through(service string) Caller {
	c.Via = append(append([]string(nil), c.Via...), service)
	return c
}

// Access is one thing that a caller wants to do.
type Access struct {
	// Action is "s3:GetObject".
	Action string
	// Resource is the ARN acted on, or "*".
	Resource string
	// Owner is the account that the resource belongs to; empty means the caller's own.
	Owner string
	// Keys are the condition keys of this access by lower-case name, those of tags with their tag's
	// own case behind the slash: "s3:prefix", "aws:requesttag/Team", "aws:tagkeys".
	Keys map[string][]string
	// Tags reads the resource's tags, for aws:ResourceTag; nil when it has none. It is called only when a
	// policy asks.
	Tags func(context.Context) (map[string]string, error)
	// Policy reads the resource's own policy; nil when this kind of resource has none. It may return
	// a nil document.
	Policy func(context.Context) (*policy.Document, error)
	// Delegated says that the resource's policy decides alone, identity policies counting only as far as it
	// hands the decision to the account: KMS keys and the trust policies of roles.
	Delegated bool
}

// Authorizer decides whether a caller may do something.
type Authorizer interface {
	// Authorize returns nil, or a failure of kind awserr.NotAuthorized that names principal, action,
	// resource and reason; any other error is our own. It changes nothing and is safe for concurrent use.
	Authorize(ctx context.Context, c Caller, a Access) error
}

// Policies are where an identity's rights come from.
type Policies struct {
	// Identity are the policies attached to a user, to its groups, or to a role.
	Identity []*policy.Document
	// Boundary limits them; nil means no boundary.
	Boundary *policy.Document
	// Tags are the identity's own, for aws:PrincipalTag. A session's come on top.
	Tags map[string]string
}

// PolicySource knows the policies of identities.
type PolicySource interface {
	// PoliciesOf returns what holds for the principal now, or ErrNoSuchEntity when the user or role is
	// gone. It is called on every request and must be fast; what it returns must not be changed.
	PoliciesOf(ctx context.Context, p Principal) (Policies, error)
}
