package iam

import (
	"context"
	"time"

	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

// second is how finely IAM shows times.
const second = time.Second

type createGroupIn struct{ Path, GroupName string }

type pagedName struct {
	Names
	Paging
}

type (
	groupOut  struct{ Group groupShape }
	groupsOut struct {
		Groups awsquery.List[groupShape]
		Page
	}
	getGroupOut struct {
		Group groupShape
		Users awsquery.List[userShape]
		Page
	}
)

func (s *service) groups() awsquery.Actions {
	member := func(is bool) awsquery.Action {
		return do(about[byName](s, iam.TypeGroup), func(ctx context.Context, c *gateway.Call, in *byName) error {
			return s.dir.SetMember(ctx, c.Principal.AccountID, in.GroupName, in.UserName, is)
		})
	}
	return awsquery.Actions{
		"CreateGroup": on(func(_ context.Context, c *gateway.Call, in *createGroupIn) ([]iam.Access, error) {
			return creation(c, "group", in.Path, in.GroupName, "", in), nil
		}, func(ctx context.Context, c *gateway.Call, in *createGroupIn) (*groupOut, error) {
			g, err := s.dir.CreateGroup(ctx, c.Principal.AccountID, iam.NewEntity{Name: in.GroupName, Path: in.Path})
			return &groupOut{groupOf(g)}, err
		}),
		"GetGroup":   on(about[pagedName](s, iam.TypeGroup), s.getGroup),
		"ListGroups": on(s.underPath("group"), s.listGroups),
		"UpdateGroup": do(s.renaming(iam.TypeGroup), func(ctx context.Context, c *gateway.Call, in *updateIn) error {
			return s.dir.UpdateGroup(ctx, c.Principal.AccountID, in.GroupName, in.NewGroupName, in.NewPath)
		}),
		"DeleteGroup": do(about[byName](s, iam.TypeGroup), func(ctx context.Context, c *gateway.Call, in *byName) error {
			return s.dir.DeleteGroup(ctx, c.Principal.AccountID, in.GroupName)
		}),
		"AddUserToGroup":      member(true),
		"RemoveUserFromGroup": member(false),
		"ListGroupsForUser":   on(about[pagedName](s, iam.TypeUser), s.listGroupsForUser),
	}
}

func (s *service) getGroup(ctx context.Context, c *gateway.Call, in *pagedName) (*getGroupOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	g, err := snapshot.Group(in.GroupName)
	if err != nil {
		return nil, err
	}
	users, page, err := cut(snapshot.Members(g), in.Paging, func(u iam.User) string { return u.Name })
	return &getGroupOut{groupOf(g), awsquery.ListOf(users, userBrief), page}, err
}

func (s *service) listGroups(ctx context.Context, c *gateway.Call, in *listIn) (*groupsOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	return groupPage(snapshot.Groups(in.PathPrefix), in.Paging)
}

func (s *service) listGroupsForUser(ctx context.Context, c *gateway.Call, in *pagedName) (*groupsOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	u, err := snapshot.User(in.UserName)
	if err != nil {
		return nil, err
	}
	return groupPage(snapshot.GroupsOf(u), in.Paging)
}

func groupPage(all []iam.Group, p Paging) (*groupsOut, error) {
	groups, page, err := cut(all, p, func(g iam.Group) string { return g.Name })
	return &groupsOut{awsquery.ListOf(groups, groupOf), page}, err
}
