// Package policy reads and evaluates AWS's JSON policies, and knows nothing of where they are kept or who
// asks. Start at Parse and Evaluate.
//
// Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html and
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html.
package policy

import (
	"sort"
	"strings"
	"unicode"
)

// Kind is what a policy is attached to, which decides what it must and must not contain.
type Kind uint8

// The kinds of policy.
const (
	// Identity policies belong to users, groups and roles.
	Identity Kind = iota + 1
	// Resource policies belong to a bucket or a key, and name principals.
	Resource
	// Trust policies say who may assume a role: resource policies without resources.
	Trust
	// Session policies limit one session of a role.
	Session
	// Boundary policies limit what a user's or role's identity policies allow.
	Boundary
)

// String names the kind as AWS's denials do: "identity-based policy".
func (k Kind) String() string {
	switch k {
	case Identity:
		return "identity-based policy"
	case Resource:
		return "resource-based policy"
	case Trust:
		return "role trust policy"
	case Session:
		return "session policy"
	case Boundary:
		return "permissions boundary"
	default:
		return "policy"
	}
}

// hasPrincipal tells the kinds whose statements name principals.
func (k Kind) hasPrincipal() bool { return k == Resource || k == Trust }

// Effect is what a statement does when it matches.
type Effect uint8

// The effects.
const (
	Allow Effect = iota + 1
	Deny
)

// String returns the effect as policies spell it.
func (e Effect) String() string {
	if e == Deny {
		return "Deny"
	}
	return "Allow"
}

// The versions of the policy language. Only Version2012 has policy variables.
const (
	Version2008 = "2008-10-17"
	Version2012 = "2012-10-17"
)

// Document is a parsed policy. It is never changed and safe for concurrent use.
type Document struct {
	text       string
	kind       Kind
	version    string
	explicit   bool // the text has a Version
	id         string
	statements []statement
}

// Text is the policy as it was written.
func (d *Document) Text() string { return d.text }

// Kind is what the policy was parsed as.
func (d *Document) Kind() Kind { return d.kind }

// ID is the policy's Id element; it is empty when it has none.
func (d *Document) ID() string { return d.id }

// Version is the version of the language: Version2008 when the text names none.
func (d *Document) Version() string { return d.version }

// HasVersion tells whether the text names its version.
func (d *Document) HasVersion() bool { return d.explicit }

// Size is the policy's length in characters as IAM's quotas count it: without white space.
func (d *Document) Size() int {
	n := 0
	for _, r := range d.text {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// Statements is how many statements the policy has.
func (d *Document) Statements() int { return len(d.statements) }

// Keys returns the condition keys that the policy reads, in conditions and variables, in lower case and
// sorted (GetContextKeysForPrincipalPolicy).
func (d *Document) Keys() []string {
	seen := map[string]bool{}
	for i := range d.statements {
		s := &d.statements[i]
		for j := range s.resources {
			s.resources[j].keys(seen)
		}
		for j := range s.conditions {
			c := &s.conditions[j]
			seen[c.key] = true
			for k := range c.values {
				c.values[k].pattern.keys(seen)
			}
		}
	}
	out := make([]string, 0, len(seen))
	for k := range seen {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Named is a principal as a policy names it.
type Named struct {
	// Type is AWS, Service, Federated or CanonicalUser; Value is "*", an account id, an ARN, a unique id,
	// or the name of a service or provider.
	Type, Value string
}

// Principals returns whom the policy names, in order, so that its keeper can check that they exist.
func (d *Document) Principals() []Named {
	var out []Named
	for i := range d.statements {
		if p := d.statements[i].principals; p != nil {
			out = append(out, p.named...)
		}
	}
	return out
}

// Actions returns the patterns of Action and NotAction elements, in order.
func (d *Document) Actions() []string {
	var out []string
	for i := range d.statements {
		out = append(out, d.statements[i].actionTexts...)
	}
	return out
}

// ResourcesWithin tells whether every resource that the policy names lies in the bucket with this ARN:
// the bucket itself, its objects, or a pattern that begins with the bucket's ARN. S3 refuses other bucket policies
// ("Policy has invalid resource").
func (d *Document) ResourcesWithin(bucketARN string) bool {
	for i := range d.statements {
		for _, r := range d.statements[i].resourceTexts {
			rest, ok := strings.CutPrefix(r, bucketARN)
			if !ok || rest != "" && !strings.ContainsRune("/*?", rune(rest[0])) {
				return false
			}
		}
	}
	return true
}

// statement is one rule, compiled.
type statement struct {
	sid    string
	effect Effect
	// start and end are byte offsets in the document's text.
	start, end int

	principals   *principals // nil in policies of identities
	notPrincipal bool

	actions     []pattern // lower case
	notAction   bool
	actionTexts []string

	resources     []pattern // empty in trust policies
	notResource   bool
	resourceTexts []string

	conditions []condition
}

// Error says what is wrong with a policy.
type Error struct {
	// Message is what AWS's MalformedPolicyDocument says.
	Message string
	// Detail says more than AWS does; it may be empty.
	Detail string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return "malformed policy: " + e.Message
	}
	return "malformed policy: " + e.Message + " (" + e.Detail + ")"
}
