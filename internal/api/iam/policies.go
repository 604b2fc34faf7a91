package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

type createPolicyIn struct {
	PolicyName, Path, PolicyDocument, Description string
	Tagging
}

type policyIn struct {
	PolicyArn, VersionId string
	Paging
}

type createVersionIn struct {
	PolicyArn, PolicyDocument string
	SetAsDefault              bool
}

type listPoliciesIn struct {
	Scope, PathPrefix, PolicyUsageFilter string
	OnlyAttached                         bool
	Paging
}

type entitiesIn struct {
	PolicyArn, EntityFilter, PathPrefix, PolicyUsageFilter string
	Paging
}

type (
	policyOut   struct{ Policy policyShape }
	policiesOut struct {
		Policies awsquery.List[policyShape]
		Page
	}
	versionOut  struct{ PolicyVersion versionShape }
	versionsOut struct {
		Versions awsquery.List[versionShape]
		Page
	}
	entityShape struct {
		UserName  string `xml:",omitempty"`
		UserId    string `xml:",omitempty"`
		GroupName string `xml:",omitempty"`
		GroupId   string `xml:",omitempty"`
		RoleName  string `xml:",omitempty"`
		RoleId    string `xml:",omitempty"`
	}
	entitiesOut struct {
		PolicyGroups, PolicyUsers, PolicyRoles awsquery.List[entityShape]
		Page
	}
)

func (s *service) policies() awsquery.Actions {
	read := func(ctx context.Context, c *gateway.Call, in *policyIn) ([]iam.Access, error) {
		return s.aboutARN(ctx, c, iam.TypePolicy, in.PolicyArn, in, false)
	}
	change := func(ctx context.Context, c *gateway.Call, in *policyIn) ([]iam.Access, error) {
		return s.aboutARN(ctx, c, iam.TypePolicy, in.PolicyArn, in, true)
	}
	return awsquery.Actions{
		"CreatePolicy": on(func(_ context.Context, c *gateway.Call, in *createPolicyIn) ([]iam.Access, error) {
			return creation(c, "policy", in.Path, in.PolicyName, "TagPolicy", in), nil
		}, s.createPolicy),
		"GetPolicy":    on(read, s.getPolicy),
		"ListPolicies": on(everything[listPoliciesIn], s.listPolicies),
		"DeletePolicy": do(change, func(ctx context.Context, c *gateway.Call, in *policyIn) error {
			return s.dir.DeletePolicy(ctx, c.Principal.AccountID, in.PolicyArn)
		}),
		"CreatePolicyVersion": on(func(ctx context.Context, c *gateway.Call, in *createVersionIn) ([]iam.Access, error) {
			return s.aboutARN(ctx, c, iam.TypePolicy, in.PolicyArn, in, true)
		}, s.createPolicyVersion),
		"GetPolicyVersion":   on(read, s.getPolicyVersion),
		"ListPolicyVersions": on(read, s.listPolicyVersions),
		"DeletePolicyVersion": do(change, func(ctx context.Context, c *gateway.Call, in *policyIn) error {
			return s.dir.DeletePolicyVersion(ctx, c.Principal.AccountID, in.PolicyArn, in.VersionId)
		}),
		"SetDefaultPolicyVersion": do(change, func(ctx context.Context, c *gateway.Call, in *policyIn) error {
			return s.dir.SetDefaultPolicyVersion(ctx, c.Principal.AccountID, in.PolicyArn, in.VersionId)
		}),
		"ListEntitiesForPolicy": on(func(ctx context.Context, c *gateway.Call, in *entitiesIn) ([]iam.Access, error) {
			return s.aboutARN(ctx, c, iam.TypePolicy, in.PolicyArn, in, false)
		}, s.listEntities),
	}
}

func (s *service) createPolicy(ctx context.Context, c *gateway.Call, in *createPolicyIn) (*policyOut, error) {
	tags, err := in.tags()
	if err != nil {
		return nil, err
	}
	p, err := s.dir.CreatePolicy(ctx, c.Principal.AccountID, iam.NewPolicy{
		NewEntity: iam.NewEntity{Name: in.PolicyName, Path: in.Path, Tags: tags}, Description: in.Description, Text: in.PolicyDocument,
	})
	if err != nil {
		return nil, err
	}
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	return &policyOut{policyOf(snapshot, p)}, nil
}

// find returns the snapshot and a policy in it.
func (s *service) find(ctx context.Context, c *gateway.Call, arn string) (*iam.Snapshot, iam.ManagedPolicy, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, iam.ManagedPolicy{}, err
	}
	p, err := snapshot.Policy(arn)
	return snapshot, p, err
}

func (s *service) getPolicy(ctx context.Context, c *gateway.Call, in *policyIn) (*policyOut, error) {
	snapshot, p, err := s.find(ctx, c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return &policyOut{policyOf(snapshot, p)}, nil
}

func (s *service) listPolicies(ctx context.Context, c *gateway.Call, in *listPoliciesIn) (*policiesOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	var all []iam.ManagedPolicy
	if in.Scope != "AWS" {
		all = append(all, snapshot.Policies()...)
	}
	if in.Scope != "Local" {
		all = append(all, iam.AWSPolicies()...)
	}
	all = slices.DeleteFunc(all, func(p iam.ManagedPolicy) bool {
		attached, boundaries := snapshot.Attachments(p.ARN())
		switch in.PolicyUsageFilter {
		case "PermissionsPolicy":
			boundaries = 0
		case "PermissionsBoundary":
			attached = 0
		}
		unused := attached+boundaries == 0 && (in.OnlyAttached || in.PolicyUsageFilter != "")
		return unused || !strings.HasPrefix(p.Path, in.PathPrefix)
	})
	slices.SortFunc(all, func(a, b iam.ManagedPolicy) int { return strings.Compare(a.ARN(), b.ARN()) })
	shown, page, err := cut(all, in.Paging, iam.ManagedPolicy.ARN)
	return &policiesOut{awsquery.ListOf(shown, func(p iam.ManagedPolicy) policyShape {
		shape := policyOf(snapshot, p)
		shape.Description, shape.Tags = "", nil
		return shape
	}), page}, err
}

func (s *service) createPolicyVersion(ctx context.Context, c *gateway.Call, in *createVersionIn) (*versionOut, error) {
	v, err := s.dir.CreatePolicyVersion(ctx, c.Principal.AccountID, in.PolicyArn, in.PolicyDocument, in.SetAsDefault)
	return &versionOut{versionShape{VersionId: v.ID, IsDefaultVersion: in.SetAsDefault, CreateDate: v.Created}}, err
}

func (s *service) getPolicyVersion(ctx context.Context, c *gateway.Call, in *policyIn) (*versionOut, error) {
	_, p, err := s.find(ctx, c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	v, ok := p.Version(in.VersionId)
	if !ok {
		return nil, iam.NoSuchVersion(in.PolicyArn, in.VersionId)
	}
	shape := versionOf(p, v)
	shape.Document = document(v.Text)
	return &versionOut{shape}, nil
}

func (s *service) listPolicyVersions(ctx context.Context, c *gateway.Call, in *policyIn) (*versionsOut, error) {
	_, p, err := s.find(ctx, c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	newest := slices.Clone(p.Versions)
	slices.Reverse(newest)
	// There are no more than five: the list is never cut.
	return &versionsOut{Versions: awsquery.ListOf(newest, func(v iam.PolicyVersion) versionShape { return versionOf(p, v) })}, nil
}

// listEntities tells who has a policy, or whose boundary it is.
func (s *service) listEntities(ctx context.Context, c *gateway.Call, in *entitiesIn) (*entitiesOut, error) {
	snapshot, _, err := s.find(ctx, c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	has := func(g iam.Grants, boundary string) bool {
		return in.PolicyUsageFilter != "PermissionsBoundary" && slices.Contains(g.Attached, in.PolicyArn) ||
			in.PolicyUsageFilter != "PermissionsPolicy" && boundary == in.PolicyArn
	}
	type entry struct {
		key   string
		shape entityShape
	}
	var all []entry
	wanted := func(filter string) bool { return in.EntityFilter == "" || in.EntityFilter == filter }
	if wanted("Group") {
		for _, g := range snapshot.Groups(in.PathPrefix) {
			if has(g.Grants, "") {
				all = append(all, entry{"group/" + g.Name, entityShape{GroupName: g.Name, GroupId: g.ID}})
			}
		}
	}
	if wanted("Role") {
		for _, r := range snapshot.Roles(in.PathPrefix) {
			if has(r.Grants, r.Boundary) {
				all = append(all, entry{"role/" + r.Name, entityShape{RoleName: r.Name, RoleId: r.ID}})
			}
		}
	}
	if wanted("User") {
		for _, u := range snapshot.Users(in.PathPrefix) {
			if has(u.Grants, u.Boundary) {
				all = append(all, entry{"user/" + u.Name, entityShape{UserName: u.Name, UserId: u.ID}})
			}
		}
	}
	if in.EntityFilter != "" && !slices.Contains([]string{"Group", "Role", "User"}, in.EntityFilter) {
		all = nil // LocalManagedPolicy and AWSManagedPolicy have no entities
	}
	shown, page, err := cut(all, in.Paging, func(e entry) string { return e.key })
	out := &entitiesOut{Page: page}
	for _, e := range shown {
		switch {
		case e.shape.GroupName != "":
			out.PolicyGroups.Members = append(out.PolicyGroups.Members, e.shape)
		case e.shape.RoleName != "":
			out.PolicyRoles.Members = append(out.PolicyRoles.Members, e.shape)
		default:
			out.PolicyUsers.Members = append(out.PolicyUsers.Members, e.shape)
		}
	}
	return out, err
}
