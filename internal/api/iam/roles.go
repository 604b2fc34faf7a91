package iam

import (
	"context"
	"time"

	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

type createRoleIn struct {
	RoleName, AssumeRolePolicyDocument, Description string
	MaxSessionDuration                              int32
	Creation
}

type updateRoleIn struct {
	Names
	Description        *string
	MaxSessionDuration *int32
}

type trustIn struct {
	Names
	PolicyDocument string
}

type (
	roleOut  struct{ Role roleShape }
	rolesOut struct {
		Roles awsquery.List[roleShape]
		Page
	}
	updateRoleOut struct{}
)

func (s *service) roles() awsquery.Actions {
	return awsquery.Actions{
		"CreateRole": on(func(_ context.Context, c *gateway.Call, in *createRoleIn) ([]iam.Access, error) {
			return creation(c, "role", in.Path, in.RoleName, "TagRole", in), nil
		}, s.createRole),
		"GetRole":   on(about[byName](s, iam.TypeRole), s.getRole),
		"ListRoles": on(s.underPath("role"), s.listRoles),
		"UpdateRole": on(about[updateRoleIn](s, iam.TypeRole), func(ctx context.Context, c *gateway.Call, in *updateRoleIn) (*updateRoleOut, error) {
			_, err := s.updateRole(ctx, c, in)
			return &updateRoleOut{}, err
		}),
		"UpdateRoleDescription": on(about[updateRoleIn](s, iam.TypeRole), func(ctx context.Context, c *gateway.Call, in *updateRoleIn) (*roleOut, error) {
			in.MaxSessionDuration = nil
			r, err := s.updateRole(ctx, c, in)
			return &roleOut{roleOf(r)}, err
		}),
		"UpdateAssumeRolePolicy": do(about[trustIn](s, iam.TypeRole), func(ctx context.Context, c *gateway.Call, in *trustIn) error {
			_, err := s.dir.UpdateRole(ctx, c.Principal.AccountID, in.RoleName, func(r *iam.Role) { r.Trust = in.PolicyDocument })
			return err
		}),
		"DeleteRole": do(about[byName](s, iam.TypeRole), func(ctx context.Context, c *gateway.Call, in *byName) error {
			return s.dir.DeleteRole(ctx, c.Principal.AccountID, in.RoleName)
		}),
	}
}

func (s *service) createRole(ctx context.Context, c *gateway.Call, in *createRoleIn) (*roleOut, error) {
	entity, err := in.entity(in.RoleName)
	if err != nil {
		return nil, err
	}
	r, err := s.dir.CreateRole(ctx, c.Principal.AccountID, iam.NewRole{
		NewEntity: entity, Description: in.Description, Trust: in.AssumeRolePolicyDocument,
		MaxSession: time.Duration(in.MaxSessionDuration) * time.Second,
	})
	return &roleOut{roleOf(r)}, err
}

func (s *service) getRole(ctx context.Context, c *gateway.Call, in *byName) (*roleOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	r, err := s.dir.Role(ctx, c.Principal.AccountID, in.RoleName)
	return &roleOut{roleWhole(snapshot, r)}, err
}

func (s *service) listRoles(ctx context.Context, c *gateway.Call, in *listIn) (*rolesOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	roles, page, err := cut(snapshot.Roles(in.PathPrefix), in.Paging, func(r iam.Role) string { return r.Name })
	return &rolesOut{awsquery.ListOf(roles, roleBrief), page}, err
}

func (s *service) updateRole(ctx context.Context, c *gateway.Call, in *updateRoleIn) (iam.Role, error) {
	return s.dir.UpdateRole(ctx, c.Principal.AccountID, in.RoleName, func(r *iam.Role) {
		if in.Description != nil {
			r.Description = *in.Description
		}
		if in.MaxSessionDuration != nil {
			r.MaxSession = time.Duration(*in.MaxSessionDuration) * time.Second
		}
	})
}
