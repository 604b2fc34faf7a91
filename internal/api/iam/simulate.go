package iam

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dictum/dictum/internal/aws/arn"
	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
)

// ContextEntry is a condition key of a simulation.
type ContextEntry struct {
	ContextKeyName   string
	ContextKeyValues []string
	ContextKeyType   string
}

type simulateIn struct {
	PolicySourceArn                    string
	PolicyInputList                    []string
	PermissionsBoundaryPolicyInputList []string
	ActionNames, ResourceArns          []string
	ResourcePolicy                     string
	ResourceOwner, CallerArn           string
	ContextEntries                     []ContextEntry
	ResourceHandlingOption             string
	Paging
}

type contextKeysIn struct {
	PolicySourceArn string
	PolicyInputList []string
}

type (
	positionShape struct{ Line, Column int }
	matchShape    struct {
		SourcePolicyId, SourcePolicyType string
		StartPosition, EndPosition       positionShape
	}
	boundaryDecision struct{ AllowedByPermissionsBoundary bool }
	resultShape      struct {
		EvalActionName, EvalResourceName, EvalDecision string
		MatchedStatements                              awsquery.List[matchShape]
		MissingContextValues                           awsquery.List[string]
		PermissionsBoundaryDecisionDetail              *boundaryDecision
	}
	simulateOut struct {
		EvaluationResults awsquery.List[resultShape]
		Page
	}
	contextKeysOut struct{ ContextKeyNames awsquery.List[string] }
)

// simulation are the actions that tell what policies would decide.
func (s *service) simulation() awsquery.Actions {
	source := func(ctx context.Context, c *gateway.Call, in *simulateIn) ([]iam.Access, error) {
		return s.sourceAccess(ctx, c, in.PolicySourceArn)
	}
	return awsquery.Actions{
		"SimulatePrincipalPolicy": on(source, s.simulate),
		"SimulateCustomPolicy":    on(everything[simulateIn], s.simulate),
		"GetContextKeysForPrincipalPolicy": on(func(ctx context.Context, c *gateway.Call, in *contextKeysIn) ([]iam.Access, error) {
			return s.sourceAccess(ctx, c, in.PolicySourceArn)
		}, s.contextKeys),
		"GetContextKeysForCustomPolicy": on(everything[contextKeysIn], s.contextKeys),
	}
}

// sourceAccess is the access to the user, group or role whose policies are tried.
func (s *service) sourceAccess(ctx context.Context, c *gateway.Call, source string) ([]iam.Access, error) {
	return s.aboutARN(ctx, c, "", source, nil, false)
}

// subject is whose policies are tried, and who is taken for the caller.
type subject struct {
	principal iam.Principal
	named     []iam.NamedPolicy
	boundary  string
	tags      iam.Tags
}

// subjectOf reads the user, group or role of an ARN. No ARN is nobody in the account, without policies.
func (s *service) subjectOf(snapshot *iam.Snapshot, source string) (subject, error) {
	out := subject{principal: iam.Principal{Kind: iam.KindUser, AccountID: snapshot.AccountID}}
	if source == "" {
		return out, nil
	}
	missing := &iam.Refusal{Kind: iam.ErrNoSuchEntity, Message: "The principal " + source + " cannot be found."}
	a, err := arn.Parse(source)
	if err != nil {
		return out, &iam.Refusal{Kind: iam.ErrInvalidInput, Message: "Invalid Entity Arn: " + source}
	}
	kind, rest, _ := a.Split()
	h := iam.Holder{Type: iam.Type(kind), Name: rest[strings.LastIndexByte(rest, '/')+1:]}
	boundaryARN := ""
	switch h.Type {
	case iam.TypeUser:
		u, err := snapshot.User(h.Name)
		if err != nil || u.ARN() != source {
			return out, missing
		}
		boundaryARN, out.tags = u.Boundary, u.Tags
		out.principal.ARN, out.principal.UserID, out.principal.UserName = u.ARN(), u.ID, u.Name
	case iam.TypeRole:
		r, err := snapshot.Role(h.Name)
		if err != nil || r.ARN() != source {
			return out, missing
		}
		boundaryARN, out.tags = r.Boundary, r.Tags
		out.principal = iam.Principal{
			Kind: iam.KindRole, AccountID: snapshot.AccountID, UserID: r.ID + ":simulation",
			ARN:     "arn:aws:sts::" + snapshot.AccountID + ":assumed-role/" + r.Name + "/simulation",
			Session: &iam.Session{RoleARN: r.ARN(), RoleID: r.ID, RoleName: r.Name, Name: "simulation"},
		}
	case iam.TypeGroup:
		g, err := snapshot.Group(h.Name)
		if err != nil || g.ARN() != source {
			return out, missing
		}
	default:
		return out, &iam.Refusal{Kind: iam.ErrInvalidInput, Message: "Invalid Entity Arn: " + source + " is not a user, group or role."}
	}
	if out.named, err = snapshot.PoliciesFor(h); err != nil || boundaryARN == "" {
		return out, err
	}
	p, err := snapshot.Policy(boundaryARN)
	if err != nil {
		return out, err
	}
	v, _ := p.Version(p.Default)
	out.boundary = v.Text
	return out, nil
}

func (s *service) simulate(ctx context.Context, c *gateway.Call, in *simulateIn) (*simulateOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	who, err := s.subjectOf(snapshot, in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	if in.CallerArn != "" {
		caller, err := s.subjectOf(snapshot, in.CallerArn)
		if err != nil {
			return nil, err
		}
		who.principal, who.tags = caller.principal, caller.tags
	}
	for i, text := range in.PolicyInputList {
		who.named = append(who.named, iam.NamedPolicy{Name: fmt.Sprintf("PolicyInputList.%d", i+1), Text: text})
	}
	if len(in.PermissionsBoundaryPolicyInputList) > 0 {
		who.boundary = in.PermissionsBoundaryPolicyInputList[0] // the model allows one
	}
	rights, err := who.rights()
	if err != nil {
		return nil, err
	}
	access, err := in.access()
	if err != nil {
		return nil, err
	}
	resources := in.ResourceArns
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	var results []resultShape
	for _, action := range in.ActionNames {
		for _, resource := range resources {
			access.Action, access.Resource = action, resource
			d, err := s.explain.ExplainWith(ctx, iam.Caller{Principal: who.principal, Region: c.Region, Time: c.Time}, access, rights)
			if err != nil {
				return nil, err
			}
			results = append(results, who.result(action, resource, d))
		}
	}
	// Results may be equal: pages are cut by number.
	numbers := make([]string, len(results))
	for i := range numbers {
		numbers[i] = fmt.Sprintf("%08d", i)
	}
	shown, page, err := cut(numbers, in.Paging, itself)
	if err != nil {
		return nil, err
	}
	out := &simulateOut{Page: page}
	for _, n := range shown {
		var i int
		if _, err := fmt.Sscanf(n, "%d", &i); err != nil {
			return nil, fmt.Errorf("cut results: %w", err)
		}
		out.EvaluationResults.Members = append(out.EvaluationResults.Members, results[i])
	}
	return out, nil
}

// access is what the simulation says of the request beside action and resource.
func (in *simulateIn) access() (iam.Access, error) {
	a := iam.Access{Keys: map[string][]string{}, Owner: accountIn(in.ResourceOwner)}
	for _, e := range in.ContextEntries {
		// Names of tags keep their case behind the slash.
		name, tag, isTag := strings.Cut(e.ContextKeyName, "/")
		name = strings.ToLower(name)
		if isTag {
			name += "/" + tag
		}
		a.Keys[name] = e.ContextKeyValues
	}
	if in.ResourcePolicy == "" {
		return a, nil
	}
	doc, err := readPolicy(in.ResourcePolicy, policy.Resource)
	a.Policy = func(context.Context) (*policy.Document, error) { return doc, nil }
	return a, err
}

func accountIn(owner string) string {
	if a, err := arn.Parse(owner); err == nil {
		return a.AccountID
	}
	return owner
}

// readPolicy reads a policy that the request holds.
func readPolicy(text string, kind policy.Kind) (*policy.Document, error) {
	doc, err := policy.Parse([]byte(text), kind)
	var bad *policy.Error
	if errors.As(err, &bad) {
		return nil, &iam.Refusal{Kind: iam.ErrInvalidInput, Message: "Invalid Policy: " + bad.Message}
	}
	return doc, err
}

func (who subject) rights() (iam.Policies, error) {
	p := iam.Policies{Tags: who.tags}
	for _, n := range who.named {
		doc, err := readPolicy(n.Text, policy.Identity)
		if err != nil {
			return p, err
		}
		p.Identity = append(p.Identity, doc)
	}
	if who.boundary == "" {
		return p, nil
	}
	var err error
	p.Boundary, err = readPolicy(who.boundary, policy.Boundary)
	return p, err
}

func (who subject) result(action, resource string, d policy.Decision) resultShape {
	out := resultShape{
		EvalActionName: action, EvalResourceName: resource, EvalDecision: d.Verdict().String(),
		MissingContextValues: awsquery.ListOf(d.Missing, itself),
	}
	for _, m := range d.Matches {
		id := m.Kind.String()
		switch {
		case m.Kind == policy.Identity && m.Index < len(who.named):
			id = who.named[m.Index].Name
		case m.Kind == policy.Resource:
			id = "ResourcePolicy"
		case m.Kind == policy.Boundary:
			id = "PermissionsBoundary"
		}
		out.MatchedStatements.Members = append(out.MatchedStatements.Members, matchShape{
			SourcePolicyId: id, SourcePolicyType: "IAM Policy",
			StartPosition: positionShape(m.Start), EndPosition: positionShape(m.End),
		})
	}
	if who.boundary != "" {
		out.PermissionsBoundaryDecisionDetail = &boundaryDecision{d.Boundary == policy.Allowed}
	}
	return out
}

// contextKeys lists the condition keys that policies read.
func (s *service) contextKeys(ctx context.Context, c *gateway.Call, in *contextKeysIn) (*contextKeysOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	who, err := s.subjectOf(snapshot, in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	for _, text := range in.PolicyInputList {
		who.named = append(who.named, iam.NamedPolicy{Text: text})
	}
	rights, err := who.rights()
	if err != nil {
		return nil, err
	}
	out := &contextKeysOut{}
	seen := map[string]bool{}
	for _, doc := range rights.Identity {
		for _, key := range doc.Keys() {
			if !seen[key] {
				seen[key] = true
				out.ContextKeyNames.Members = append(out.ContextKeyNames.Members, key)
			}
		}
	}
	return out, nil
}
