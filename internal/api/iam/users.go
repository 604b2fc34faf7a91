package iam

import (
	"context"

	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

// Creation is what new users and roles have in common.
type Creation struct {
	Path                string
	PermissionsBoundary string
	Tagging
}

func (n *Creation) condition(keys map[string][]string) {
	n.Tagging.condition(keys)
	if n.PermissionsBoundary != "" {
		keys["iam:permissionsboundary"] = []string{n.PermissionsBoundary}
	}
}

func (n *Creation) entity(name string) (iam.NewEntity, error) {
	tags, err := n.tags()
	return iam.NewEntity{Name: name, Path: n.Path, Boundary: n.PermissionsBoundary, Tags: tags}, err
}

type createUserIn struct {
	UserName string
	Creation
}

type byName struct{ Names }

type updateIn struct {
	Names
	NewPath, NewUserName, NewGroupName string
}

type listIn struct {
	PathPrefix string
	Paging
}

type (
	userOut  struct{ User userShape }
	usersOut struct {
		Users awsquery.List[userShape]
		Page
	}
)

func (s *service) users() awsquery.Actions {
	return awsquery.Actions{
		"CreateUser": on(func(_ context.Context, c *gateway.Call, in *createUserIn) ([]iam.Access, error) {
			return creation(c, "user", in.Path, in.UserName, "TagUser", in), nil
		}, s.createUser),
		"GetUser":    on(s.maybeSelf, s.getUser),
		"ListUsers":  on(s.underPath("user"), s.listUsers),
		"UpdateUser": do(s.renaming(iam.TypeUser), s.updateUser),
		"DeleteUser": do(about[byName](s, iam.TypeUser), func(ctx context.Context, c *gateway.Call, in *byName) error {
			return s.dir.DeleteUser(ctx, c.Principal.AccountID, in.UserName)
		}),
	}
}

func (s *service) createUser(ctx context.Context, c *gateway.Call, in *createUserIn) (*userOut, error) {
	entity, err := in.entity(in.UserName)
	if err != nil {
		return nil, err
	}
	u, err := s.dir.CreateUser(ctx, c.Principal.AccountID, entity)
	return &userOut{userOf(u)}, err
}

// maybeSelf is the access to a user, to the caller where none is named, or to the root where that is the caller.
func (s *service) maybeSelf(ctx context.Context, c *gateway.Call, in *byName) ([]iam.Access, error) {
	if in.UserName == "" && c.Principal.Kind == iam.KindRoot {
		return []iam.Access{{Resource: c.Principal.ARN}}, nil
	}
	if err := self(c, &in.UserName); err != nil {
		return nil, err
	}
	return about[byName](s, iam.TypeUser)(ctx, c, in)
}

func (s *service) getUser(ctx context.Context, c *gateway.Call, in *byName) (*userOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	if in.UserName == "" {
		account := iam.Account{ID: c.Principal.AccountID}
		out := userShape{Path: "/", UserId: account.ID, Arn: account.RootARN()}
		accounts, err := s.dir.Accounts(ctx)
		for _, a := range accounts {
			if a.ID == account.ID {
				out.CreateDate = a.Created.UTC().Truncate(second)
			}
		}
		return &userOut{out}, err
	}
	u, err := snapshot.User(in.UserName)
	return &userOut{userOf(u)}, err
}

// underPath is the access of lists: IAM names them by the path that is asked for.
func (s *service) underPath(kind string) func(context.Context, *gateway.Call, *listIn) ([]iam.Access, error) {
	return func(_ context.Context, c *gateway.Call, in *listIn) ([]iam.Access, error) {
		prefix := in.PathPrefix
		if prefix == "" {
			prefix = "/"
		}
		return []iam.Access{{Resource: "arn:aws:iam::" + c.Principal.AccountID + ":" + kind + prefix}}, nil
	}
}

func (s *service) listUsers(ctx context.Context, c *gateway.Call, in *listIn) (*usersOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	users, page, err := cut(snapshot.Users(in.PathPrefix), in.Paging, func(u iam.User) string { return u.Name })
	return &usersOut{awsquery.ListOf(users, userBrief), page}, err
}

// renaming asks for the right to what is renamed under its old name and under its new one: who may act on some
// names only does not move others there, nor theirs away.
func (s *service) renaming(t iam.Type) func(context.Context, *gateway.Call, *updateIn) ([]iam.Access, error) {
	return func(ctx context.Context, c *gateway.Call, in *updateIn) ([]iam.Access, error) {
		before, err := s.of(ctx, c, in.holder(t), in)
		if err != nil {
			return nil, err
		}
		snapshot, err := s.snapshot(ctx, c)
		if err != nil {
			return nil, err
		}
		after := before
		if t == iam.TypeUser {
			u, _ := snapshot.User(in.UserName) // where there is none, the update will say so
			u.AccountID = c.Principal.AccountID
			rename(&u.Path, &u.Name, in.NewPath, in.NewUserName)
			after.Resource = u.ARN()
		} else {
			g, _ := snapshot.Group(in.GroupName)
			g.AccountID = c.Principal.AccountID
			rename(&g.Path, &g.Name, in.NewPath, in.NewGroupName)
			after.Resource = g.ARN()
		}
		return []iam.Access{before, after}, nil
	}
}

func rename(path, name *string, newPath, newName string) {
	if *path == "" {
		*path = "/"
	}
	if newPath != "" {
		*path = newPath
	}
	if newName != "" {
		*name = newName
	}
}

func (s *service) updateUser(ctx context.Context, c *gateway.Call, in *updateIn) error {
	return s.dir.UpdateUser(ctx, c.Principal.AccountID, in.UserName, in.NewUserName, in.NewPath)
}
