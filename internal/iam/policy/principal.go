package policy

import (
	"strings"
)

// PrincipalKind is what sort of identity makes a request, as far as policies care.
type PrincipalKind uint8

// The kinds of principal.
const (
	// Anonymous requests are not signed.
	Anonymous PrincipalKind = iota
	// Root is an account's root user: its identity allows everything.
	Root
	// User is an IAM user, with long-term or temporary keys.
	User
	// RoleSession is an assumed role.
	RoleSession
	// Service is an AWS service that acts in its own name.
	Service
	// WebIdentity is somebody whom an identity provider vouches for, before a role was assumed.
	WebIdentity
)

// Principal is who makes a request.
type Principal struct {
	Kind PrincipalKind
	// Account is the 12-digit account; empty for services, web identities and the anonymous.
	Account string
	// ARN is the user's or the session's.
	ARN string
	// RoleARN is the ARN of the role that a session is of.
	RoleARN string
	// ID is the user's or, of a session, the role's unique id.
	ID string
	// CanonicalID is S3's canonical user id of the account, if there is one.
	CanonicalID string
	// Name is a service's, "transcribe.amazonaws.com", or an identity provider's: the ARN or the URL without
	// its scheme.
	Name string
}

// grant is how directly a resource's policy names a principal, which decides what else must allow
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html).
type grant uint8

const (
	// noGrant: not named.
	noGrant grant = iota
	// toAccount: its account is, which leaves the decision to the account's own policies.
	toAccount
	// toRole: its role is, which boundary and session policies limit.
	toRole
	// direct: the user, the session, the service or everybody is.
	direct
)

// principals is a Principal or NotPrincipal element.
type principals struct {
	named    []Named
	everyone bool
}

// The types of principal in a policy.
const (
	typeAWS       = "AWS"
	typeService   = "Service"
	typeFederated = "Federated"
	typeCanonical = "CanonicalUser"
)

// grants returns how the element names p.
func (ps *principals) grants(p *Principal) grant {
	if ps.everyone {
		return direct
	}
	best := noGrant
	for i := range ps.named {
		best = max(best, ps.named[i].grants(p))
	}
	return best
}

func (n *Named) grants(p *Principal) grant {
	switch n.Type {
	case typeService:
		if p.Kind == Service && n.Value == p.Name {
			return direct
		}
	case typeFederated:
		if p.Kind == WebIdentity && sameProvider(n.Value, p.Name) {
			return direct
		}
	case typeCanonical:
		if p.CanonicalID != "" && n.Value == p.CanonicalID {
			return p.accountGrant()
		}
	case typeAWS:
		switch {
		case p.Account == "" || p.Kind == Service:
			return noGrant
		case isAccount(n.Value, p.Account):
			return p.accountGrant()
		case n.Value == p.ARN:
			return direct
		case p.Kind == RoleSession && (n.Value == p.RoleARN || n.Value == p.ID):
			return toRole
		case p.Kind == User && n.Value == p.ID:
			return direct
		}
	}
	return noGrant
}

// accountGrant is what naming the account means: all for its root user, a delegation for others.
func (p *Principal) accountGrant() grant {
	if p.Kind == Root {
		return direct
	}
	return toAccount
}

// isAccount tells the two ways to name an account: its id and the ARN of its root user.
func isAccount(value, account string) bool {
	if value == account {
		return true
	}
	rest, ok := strings.CutPrefix(value, "arn:")
	if !ok {
		return false
	}
	_, rest, ok = strings.Cut(rest, ":")
	rest, cut := strings.CutPrefix(rest, "iam::")
	rest, root := strings.CutSuffix(rest, ":root")
	return ok && cut && root && rest == account
}

// sameProvider compares identity providers. Two ARNs must be the same; an ARN of an OIDC provider and a URL
// agree when the URL stands behind "oidc-provider/".
func sameProvider(named, provider string) bool {
	if named == provider || strings.HasPrefix(named, "arn:") && strings.HasPrefix(provider, "arn:") {
		return named == provider
	}
	return providerURL(named) == providerURL(provider)
}

func providerURL(s string) string {
	if strings.HasPrefix(s, "arn:") {
		_, s, _ = strings.Cut(s, ":oidc-provider/")
		if s == "" {
			return "\x00" // another kind of ARN equals no URL
		}
	}
	return strings.TrimPrefix(s, "https://")
}

// exempts tells whether a NotPrincipal element spares p. AWS validates the account first, then the
// role, then the user or session, so that each must be named
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html). Whoever has a permissions
// boundary is never spared (https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html).
func (ps *principals) exempts(p *Principal, bounded bool) bool {
	if bounded && (p.Kind == User || p.Kind == RoleSession) {
		return false
	}
	if ps.everyone {
		return true
	}
	var account, role, self bool
	for i := range ps.named {
		n := &ps.named[i]
		switch n.grants(p) {
		case toAccount:
			account = true
		case toRole:
			role = true
		case direct:
			self = true
			account = account || p.Kind == Root
		}
	}
	switch p.Kind {
	case User:
		return account && self
	case RoleSession:
		return account && role && self
	default:
		return self
	}
}
