package iam

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

type attachIn struct {
	Names
	PolicyArn string
}

func (in *attachIn) condition(keys map[string][]string) {
	keys["iam:policyarn"] = []string{in.PolicyArn}
}

type inlineIn struct {
	Names
	PolicyName, PolicyDocument string
}

type boundaryIn struct {
	Names
	PermissionsBoundary string
}

func (in *boundaryIn) condition(keys map[string][]string) {
	if in.PermissionsBoundary != "" {
		keys["iam:permissionsboundary"] = []string{in.PermissionsBoundary}
	}
}

type listGrantsIn struct {
	Names
	PathPrefix string
	Paging
}

type (
	attachedOut struct {
		AttachedPolicies awsquery.List[attachedShape]
		Page
	}
	policyNamesOut struct {
		PolicyNames awsquery.List[string]
		Page
	}
	inlineOut struct {
		UserName                   string `xml:",omitempty"`
		GroupName                  string `xml:",omitempty"`
		RoleName                   string `xml:",omitempty"`
		PolicyName, PolicyDocument string
	}
)

// grants are the actions that give policies to users, groups and roles and take them away.
func (s *service) grants() awsquery.Actions {
	actions := awsquery.Actions{}
	for t, word := range map[iam.Type]string{iam.TypeUser: "User", iam.TypeGroup: "Group", iam.TypeRole: "Role"} {
		actions["Attach"+word+"Policy"] = do(about[attachIn](s, t), func(ctx context.Context, c *gateway.Call, in *attachIn) error {
			return s.dir.Attach(ctx, c.Principal.AccountID, in.holder(t), in.PolicyArn)
		})
		actions["Detach"+word+"Policy"] = do(about[attachIn](s, t), func(ctx context.Context, c *gateway.Call, in *attachIn) error {
			return s.dir.Detach(ctx, c.Principal.AccountID, in.holder(t), in.PolicyArn)
		})
		actions["ListAttached"+word+"Policies"] = on(about[listGrantsIn](s, t), func(ctx context.Context, c *gateway.Call, in *listGrantsIn) (*attachedOut, error) {
			return s.listAttached(ctx, c, in.holder(t), in)
		})
		actions["Put"+word+"Policy"] = do(about[inlineIn](s, t), func(ctx context.Context, c *gateway.Call, in *inlineIn) error {
			return s.dir.PutInline(ctx, c.Principal.AccountID, in.holder(t), in.PolicyName, in.PolicyDocument)
		})
		actions["Get"+word+"Policy"] = on(about[inlineIn](s, t), func(ctx context.Context, c *gateway.Call, in *inlineIn) (*inlineOut, error) {
			snapshot, err := s.snapshot(ctx, c)
			if err != nil {
				return nil, err
			}
			text, err := snapshot.Inline(in.holder(t), in.PolicyName)
			return &inlineOut{in.UserName, in.GroupName, in.RoleName, in.PolicyName, document(text)}, err
		})
		actions["Delete"+word+"Policy"] = do(about[inlineIn](s, t), func(ctx context.Context, c *gateway.Call, in *inlineIn) error {
			return s.dir.DeleteInline(ctx, c.Principal.AccountID, in.holder(t), in.PolicyName)
		})
		actions["List"+word+"Policies"] = on(about[listGrantsIn](s, t), func(ctx context.Context, c *gateway.Call, in *listGrantsIn) (*policyNamesOut, error) {
			snapshot, err := s.snapshot(ctx, c)
			if err != nil {
				return nil, err
			}
			g, err := snapshot.Grants(in.holder(t))
			if err != nil {
				return nil, err
			}
			names, page, err := cut(slices.Sorted(maps.Keys(g.Inline)), in.Paging, itself)
			return &policyNamesOut{awsquery.ListOf(names, itself), page}, err
		})
		if t == iam.TypeGroup {
			continue // groups have no boundaries
		}
		actions["Put"+word+"PermissionsBoundary"] = do(about[boundaryIn](s, t), func(ctx context.Context, c *gateway.Call, in *boundaryIn) error {
			return s.dir.SetBoundary(ctx, c.Principal.AccountID, in.holder(t), in.PermissionsBoundary)
		})
		actions["Delete"+word+"PermissionsBoundary"] = do(about[byName](s, t), func(ctx context.Context, c *gateway.Call, in *byName) error {
			return s.dir.SetBoundary(ctx, c.Principal.AccountID, in.holder(t), "")
		})
	}
	return actions
}

func (s *service) listAttached(ctx context.Context, c *gateway.Call, h iam.Holder, in *listGrantsIn) (*attachedOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	g, err := snapshot.Grants(h)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, arn := range g.Attached {
		if p, err := snapshot.Policy(arn); err == nil && strings.HasPrefix(p.Path, in.PathPrefix) {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	shown, page, err := cut(arns, in.Paging, itself)
	return &attachedOut{awsquery.ListOf(shown, attachedOf), page}, err
}
