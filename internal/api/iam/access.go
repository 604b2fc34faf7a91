package iam

import (
	"context"
	"strings"

	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

// Names is who an action is about; one of them.
type Names struct{ UserName, GroupName, RoleName string }

func (n *Names) name(t iam.Type) string {
	switch t {
	case iam.TypeUser:
		return n.UserName
	case iam.TypeGroup:
		return n.GroupName
	default:
		return n.RoleName
	}
}

func (n *Names) holder(t iam.Type) iam.Holder { return iam.Holder{Type: t, Name: n.name(t)} }

// Tag is one of a resource's.
type Tag struct{ Key, Value string }

// Tagging is the tags of a request.
type Tagging struct{ Tags []Tag }

func (t *Tagging) tags() (iam.Tags, error) {
	pairs := make([][2]string, len(t.Tags))
	for i, tag := range t.Tags {
		pairs[i] = [2]string{tag.Key, tag.Value}
	}
	return iam.MakeTags(pairs)
}

// condition are the keys of a request's tags: aws:RequestTag and aws:TagKeys.
func (t *Tagging) condition(keys map[string][]string) {
	for _, tag := range t.Tags {
		keys["aws:requesttag/"+tag.Key] = []string{tag.Value}
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], tag.Key)
	}
}

// conditions is what inputs with condition keys of their own implement.
type conditions interface {
	condition(keys map[string][]string)
}

func keysOf(in any) map[string][]string {
	keys := map[string][]string{}
	if c, ok := in.(conditions); ok {
		c.condition(keys)
	}
	return keys
}

// of is the access to a user, group or role as it is. One that does not exist has the path "/": who may not act on
// its name is not told whether it exists.
func (s *service) of(ctx context.Context, c *gateway.Call, h iam.Holder, in any) (iam.Access, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return iam.Access{}, err
	}
	a := iam.Access{Resource: "arn:aws:iam::" + c.Principal.AccountID + ":" + string(h.Type) + "/" + h.Name}
	var tags iam.Tags
	boundary := ""
	switch h.Type {
	case iam.TypeUser:
		if u, err := snapshot.User(h.Name); err == nil {
			a.Resource, tags, boundary = u.ARN(), u.Tags, u.Boundary
		}
	case iam.TypeGroup:
		if g, err := snapshot.Group(h.Name); err == nil {
			a.Resource = g.ARN()
		}
	case iam.TypeRole:
		if r, err := snapshot.Role(h.Name); err == nil {
			a.Resource, tags, boundary = r.ARN(), r.Tags, r.Boundary
		}
	}
	a.Tags = func(context.Context) (map[string]string, error) { return tags, nil }
	a.Keys = keysOf(in)
	if _, given := a.Keys["iam:permissionsboundary"]; !given && boundary != "" {
		a.Keys["iam:permissionsboundary"] = []string{boundary}
	}
	return a, nil
}

// named is what inputs about a user, group or role implement.
type named interface{ holder(iam.Type) iam.Holder }

// about is the access function of actions on an entity of this type.
func about[I any](s *service, t iam.Type) func(context.Context, *gateway.Call, *I) ([]iam.Access, error) {
	return func(ctx context.Context, c *gateway.Call, in *I) ([]iam.Access, error) {
		a, err := s.of(ctx, c, any(in).(named).holder(t), in)
		return []iam.Access{a}, err
	}
}

// aboutARN is the access to what a request names by its ARN: the caller's account's own, or another's, which needs
// that account's consent. AWS's own policies may be read by whoever may read policies, and changed by nobody.
func (s *service) aboutARN(ctx context.Context, c *gateway.Call, t iam.Type, arn string, in any, change bool) ([]iam.Access, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(arn) == "" {
		return []iam.Access{{Resource: "*"}}, nil
	}
	a := iam.Access{Resource: arn, Keys: keysOf(in)}
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 && parts[4] != c.Principal.AccountID && (parts[4] != "aws" || change) {
		a.Owner = parts[4]
	}
	if tags, err := snapshot.TagsOf(iam.Holder{Type: t, Name: arn}); err == nil {
		a.Tags = func(context.Context) (map[string]string, error) { return tags, nil }
	}
	return []iam.Access{a}, nil
}

// creation is the access to something that is to be made, with the right to tag it where it comes with tags.
func creation(c *gateway.Call, kind, path, name, tagAction string, in any) []iam.Access {
	if path == "" {
		path = "/"
	}
	a := iam.Access{Resource: "arn:aws:iam::" + c.Principal.AccountID + ":" + kind + path + name, Keys: keysOf(in)}
	if len(a.Keys["aws:tagkeys"]) == 0 || tagAction == "" {
		return []iam.Access{a}
	}
	tag := a
	tag.Action = "iam:" + tagAction
	return []iam.Access{a, tag}
}

// self fills the user's name where the caller means itself. A root has no name: whose says whether it may be meant.
func self(c *gateway.Call, name *string) error {
	if *name != "" {
		return nil
	}
	if c.Principal.Kind != iam.KindUser {
		return invalid("Must specify userName when calling with non-User credentials")
	}
	*name = c.Principal.UserName
	return nil
}
