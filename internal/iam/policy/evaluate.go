package policy

import (
	"slices"
	"sort"
)

// Request is what is asked for.
type Request struct {
	Principal Principal
	// Action is "s3:GetObject".
	Action string
	// Resource is an ARN, or "*" for an action that has none.
	Resource string
	// Owner is the resource's account; empty means the principal's own.
	Owner string
	// Lookup returns the values of a condition key, whose name it is given in lower case, and whether the request has it. It is
	// called only for keys that a matching statement reads, perhaps several times. An error ends the evaluation. Nil means no keys.
	Lookup func(key string) ([]string, bool, error)
	// Trace makes Evaluate look at every statement and fill Decision.Matches, Missing and all verdicts.
	Trace bool
}

// Set is all the policies that a request meets.
type Set struct {
	// Identity are the policies of the user and its groups, or of the role.
	Identity []*Document
	// Boundary limits Identity; nil means none.
	Boundary *Document
	// Session are the policies of the session, which together limit it; empty means none.
	Session []*Document
	// Resource is the resource's own policy; nil means none.
	Resource *Document
	// Delegated says that the resource's policy decides, and that identity policies count only as far as it names the
	// principal's account: KMS keys, and the trust policies of roles.
	Delegated bool
}

// Verdict is what the policies of one kind say.
type Verdict uint8

// The verdicts.
const (
	// Absent: there are no policies of this kind, or they were not looked at.
	Absent Verdict = iota
	// ImplicitDeny: no statement matches.
	ImplicitDeny
	// Allowed: a statement allows, and none denies.
	Allowed
	// ExplicitDeny: a statement denies.
	ExplicitDeny
)

// String spells the verdict as IAM's PolicyEvaluationDecisionType does.
func (v Verdict) String() string {
	switch v {
	case Allowed:
		return "allowed"
	case ExplicitDeny:
		return "explicitDeny"
	default:
		return "implicitDeny"
	}
}

// Decision is the outcome of an evaluation.
type Decision struct {
	Allowed bool
	// Explicit tells that a Deny statement matched.
	Explicit bool
	// By is the kind of policy that denies, or whose permission is missing; zero when allowed.
	By Kind
	// Identity, Resource, Boundary and Session say what each kind of policy says; reliable when traced or allowed.
	Identity, Resource, Boundary, Session Verdict
	// Matches are the statements that match, when traced.
	Matches []Match
	// Missing are the condition keys that the request does not have although matching statements ask for
	// them, in lower case, sorted, when traced.
	Missing []string
}

// Verdict sums the decision up.
func (d Decision) Verdict() Verdict {
	switch {
	case d.Allowed:
		return Allowed
	case d.Explicit:
		return ExplicitDeny
	default:
		return ImplicitDeny
	}
}

// Reason says why access was denied, in the words of AWS's messages
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html): "because no
// identity-based policy allows the s3:GetObject action", "with an explicit deny in a session policy".
// It is empty when access is allowed.
func (d Decision) Reason(action string) string {
	switch {
	case d.Allowed:
		return ""
	case !d.Explicit:
		return "because no " + d.By.String() + " allows the " + action + " action"
	case d.By == Identity:
		return "with an explicit deny in an " + d.By.String()
	case d.By == Trust:
		return "with an explicit deny in the " + d.By.String()
	default:
		return "with an explicit deny in a " + d.By.String()
	}
}

// Match is a statement that matches a request.
type Match struct {
	// Kind is the part that the policy played, Index its place among those of the kind.
	Kind  Kind
	Index int
	// Document holds the statement, number Statement from zero.
	Document  *Document
	Statement int
	Sid       string
	Effect    Effect
	// Start is where the statement begins in the text, End just behind it.
	Start, End Position
}

// Position is a place in a policy's text: line and column from one, as IAM's Position.
type Position struct{ Line, Column int }

// Evaluate decides a request as AWS documents it: an explicit deny anywhere wins; otherwise, within an account, either
// the resource's policy or the identity's must allow, and boundary and session policies must too, as far as the
// way in which the resource's policy names the principal leaves it to them; across accounts both must allow.
// It fails only when Lookup does, and access must then be refused.
func Evaluate(r *Request, set *Set) (Decision, error) {
	e := evaluation{request: r, bounded: set.Boundary != nil}
	d := e.decide(set)
	if e.err != nil {
		return Decision{}, e.err
	}
	if r.Trace {
		sort.Strings(e.missing)
		d.Missing = slices.Compact(e.missing)
		d.Matches = e.matched
	}
	return d, nil
}

// evaluation is one request's.
type evaluation struct {
	request *Request
	// bounded tells that the principal has a permissions boundary.
	bounded bool
	err     error
	missing []string
	matched []Match
}

func (e *evaluation) lookup(key string) ([]string, bool) {
	if e.err != nil || e.request.Lookup == nil {
		return nil, false
	}
	values, ok, err := e.request.Lookup(key)
	if err != nil {
		e.err = err
		return nil, false
	}
	return values, ok
}

func (e *evaluation) miss(key string) {
	if e.request.Trace {
		e.missing = append(e.missing, key)
	}
}

func (e *evaluation) decide(set *Set) Decision {
	var d Decision
	p := &e.request.Principal
	resourceKind := Resource
	if set.Resource != nil && set.Resource.kind == Trust {
		resourceKind = Trust
	}
	d.Identity = max(e.group(set.Identity, Identity), ImplicitDeny)
	granted := noGrant
	if set.Resource != nil {
		d.Resource, granted = e.document(set.Resource, resourceKind, 0)
	}
	if set.Boundary != nil {
		d.Boundary, _ = e.document(set.Boundary, Boundary, 0)
	}
	d.Session = e.group(set.Session, Session)
	for _, v := range [...]struct {
		kind    Kind
		verdict Verdict
	}{{Identity, d.Identity}, {resourceKind, d.Resource}, {Boundary, d.Boundary}, {Session, d.Session}} {
		if v.verdict == ExplicitDeny {
			d.Explicit, d.By = true, v.kind
			return d
		}
	}
	if p.Kind == Root {
		d.Identity = Allowed
	}
	d.By = e.lacking(&d, granted, resourceKind, set)
	d.Allowed = d.By == 0
	return d
}

// lacking returns the kind of policy whose permission is missing; zero means that none is.
func (e *evaluation) lacking(d *Decision, granted grant, resourceKind Kind, set *Set) Kind {
	p := &e.request.Principal
	switch {
	case p.Account == "" || p.Kind == Service || p.Kind == WebIdentity || p.Kind == Anonymous:
		// Nobody's account: there is only the resource's word.
		if granted != direct {
			return resourceKind
		}
		return 0
	case e.request.Owner != "" && e.request.Owner != p.Account:
		if d.Identity != Allowed {
			return Identity
		}
		if granted == noGrant {
			return resourceKind
		}
		return limits(d)
	case granted == direct && (p.Kind != User || len(set.Session) == 0):
		return 0
	case granted >= toRole:
		return limits(d)
	case set.Delegated && granted == noGrant:
		return resourceKind
	case d.Identity != Allowed:
		return Identity
	default:
		return limits(d)
	}
}

// limits returns which of boundary and session policies withholds its permission.
func limits(d *Decision) Kind {
	switch {
	case d.Boundary != Absent && d.Boundary != Allowed:
		return Boundary
	case d.Session != Absent && d.Session != Allowed:
		return Session
	default:
		return 0
	}
}

// group evaluates policies that add up.
func (e *evaluation) group(docs []*Document, as Kind) Verdict {
	sum := Absent
	for i, doc := range docs {
		v, _ := e.document(doc, as, i)
		sum = max(sum, v)
	}
	return sum
}

// document evaluates one policy: its verdict, and the most direct grant of its statements that allow.
func (e *evaluation) document(doc *Document, as Kind, index int) (Verdict, grant) {
	verdict, granted := ImplicitDeny, noGrant
	for i := range doc.statements {
		s := &doc.statements[i]
		if s.effect == Allow && granted == direct && !e.request.Trace {
			continue // it could add nothing
		}
		g := e.statement(s)
		if g == noGrant {
			continue
		}
		if e.request.Trace {
			e.matched = append(e.matched, doc.match(i, as, index))
		}
		if s.effect == Deny {
			verdict = ExplicitDeny
			continue
		}
		verdict, granted = max(verdict, Allowed), max(granted, g)
	}
	return verdict, granted
}

// statement tells whether and how a statement matches.
func (e *evaluation) statement(s *statement) grant {
	r := e.request
	if s.matchesAction(r.Action) == s.notAction || !e.matchesResource(s) {
		return noGrant
	}
	granted := direct
	if s.principals != nil {
		if s.notPrincipal {
			if s.principals.exempts(&r.Principal, e.bounded) {
				return noGrant
			}
		} else if granted = s.principals.grants(&r.Principal); granted == noGrant {
			return noGrant
		}
	}
	holds := true
	for i := range s.conditions {
		if !s.conditions[i].holds(e) {
			holds = false
			if !r.Trace {
				break
			}
		}
	}
	if !holds || e.err != nil {
		return noGrant
	}
	return granted
}

func (s *statement) matchesAction(action string) bool {
	for i := range s.actions {
		if glob(s.actions[i].text, action, true) {
			return true
		}
	}
	return false
}

func (e *evaluation) matchesResource(s *statement) bool {
	if len(s.resources) == 0 {
		return true
	}
	unresolved := false
	for i := range s.resources {
		p, ok := s.resources[i].expand(e)
		if !ok {
			unresolved = true
			continue
		}
		if matchARN(p, e.request.Resource) {
			return !s.notResource
		}
	}
	// AWS: a variable that can't be resolved might make the whole statement invalid. An exception that
	// can't be resolved must not turn NotResource into permission for everything.
	return s.notResource && (!unresolved || s.effect == Deny)
}

func (d *Document) match(i int, as Kind, index int) Match {
	s := &d.statements[i]
	return Match{
		Kind: as, Index: index, Document: d, Statement: i, Sid: s.sid, Effect: s.effect,
		Start: d.position(s.start), End: d.position(s.end),
	}
}

// position turns a byte offset into line and column.
func (d *Document) position(offset int) Position {
	p := Position{Line: 1, Column: 1}
	for _, r := range d.text[:offset] {
		if r == '\n' {
			p = Position{Line: p.Line + 1, Column: 1}
			continue
		}
		p.Column++
	}
	return p
}
