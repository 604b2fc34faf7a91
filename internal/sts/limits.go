package sts

import (
	"context"
	"slices"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
)

// Limits is an iam.Authorizer that holds GetSessionToken's credentials to what they are for before it asks
// Next: without a second factor they can't call IAM, and of STS they can call only AssumeRole and GetCallerIdentity
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html).
type Limits struct{ Next iam.Authorizer }

var _ iam.Authorizer = Limits{}

var (
	// sessionTokenActions are STS's for GetSessionToken's credentials.
	sessionTokenActions = []string{"AssumeRole", "TagSession", "SetSourceIdentity", "GetCallerIdentity"}
	// passedActions are in IAM's name, and needed by other services' operations.
	passedActions = []string{"PassRole"}
)

// Authorize implements iam.Authorizer.
func (l Limits) Authorize(ctx context.Context, c iam.Caller, a iam.Access) error {
	p := c.Principal
	if session := p.Session; session != nil && (p.Kind == iam.KindUser || p.Kind == iam.KindRoot) && !session.Issued.IsZero() {
		service, name, _ := strings.Cut(a.Action, ":")
		switch {
		case service == "iam" && session.MFA.IsZero() && !slices.Contains(passedActions, name):
			return awserr.Fail(awserr.BadToken) // AWS calls the token invalid
		case service == "sts" && !slices.Contains(sessionTokenActions, name):
			return denied("Cannot call " + name + " with session credentials")
		}
	}
	return l.Next.Authorize(ctx, c, a)
}
