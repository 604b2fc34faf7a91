package iam

import (
	"context"
	"time"

	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

type keyIn struct {
	Names
	AccessKeyId, Status string
}

type lastUsedIn struct{ AccessKeyId string }

type (
	keyShape struct {
		UserName            string `xml:",omitempty"`
		AccessKeyId, Status string
		SecretAccessKey     string `xml:",omitempty" audit:"-"`
		CreateDate          time.Time
	}
	keyOut  struct{ AccessKey keyShape }
	keysOut struct {
		AccessKeyMetadata awsquery.List[keyShape]
		Page
	}
	keyUseShape struct {
		LastUsedDate        *time.Time
		ServiceName, Region string
	}
	lastUsedOut struct {
		UserName          string `xml:",omitempty"`
		AccessKeyLastUsed keyUseShape
	}
)

func keyOf(user string, k iam.AccessKey) keyShape {
	status := "Inactive"
	if k.Active {
		status = "Active"
	}
	return keyShape{UserName: user, AccessKeyId: k.ID, Status: status, SecretAccessKey: k.Secret, CreateDate: k.Created}
}

func (s *service) keys() awsquery.Actions {
	return awsquery.Actions{
		"CreateAccessKey": on(owner[keyIn](s), func(ctx context.Context, c *gateway.Call, in *keyIn) (*keyOut, error) {
			id, err := s.ownerID(ctx, c, in.UserName)
			if err != nil {
				return nil, err
			}
			k, err := s.dir.CreateKey(ctx, c.Principal.AccountID, id)
			return &keyOut{keyOf(in.UserName, k)}, err
		}),
		"ListAccessKeys": on(owner[pagedName](s), s.listKeys),
		"UpdateAccessKey": do(owner[keyIn](s), func(ctx context.Context, c *gateway.Call, in *keyIn) error {
			id, err := s.ownerID(ctx, c, in.UserName)
			if err != nil {
				return err
			}
			if in.Status == "Expired" {
				return invalid("Access keys can't be set to Expired.")
			}
			return s.dir.SetKeyActive(ctx, c.Principal.AccountID, id, in.AccessKeyId, in.Status == "Active")
		}),
		"DeleteAccessKey": do(owner[keyIn](s), func(ctx context.Context, c *gateway.Call, in *keyIn) error {
			id, err := s.ownerID(ctx, c, in.UserName)
			if err != nil {
				return err
			}
			return s.dir.DeleteKey(ctx, c.Principal.AccountID, id, in.AccessKeyId)
		}),
		"GetAccessKeyLastUsed": on(s.keyAccess, s.lastUsed),
	}
}

// owner is the access to the user whose keys or factors are meant: the caller itself where none is named, and the root
// where that is the caller.
func owner[I any](s *service) func(context.Context, *gateway.Call, *I) ([]iam.Access, error) {
	return func(ctx context.Context, c *gateway.Call, in *I) ([]iam.Access, error) {
		names := any(in).(interface{ names() *Names }).names()
		if names.UserName == "" && c.Principal.Kind == iam.KindRoot {
			return []iam.Access{{Resource: "arn:aws:iam::" + c.Principal.AccountID + ":root"}}, nil
		}
		if err := self(c, &names.UserName); err != nil {
			return nil, err
		}
		return about[I](s, iam.TypeUser)(ctx, c, in)
	}
}

func (n *Names) names() *Names { return n }

// ownerID is the unique id behind a user's name; no name is the root's, as owner saw to.
func (s *service) ownerID(ctx context.Context, c *gateway.Call, name string) (string, error) {
	if name == "" {
		return c.Principal.AccountID, nil
	}
	u, err := s.dir.User(ctx, c.Principal.AccountID, name)
	return u.ID, err
}

func (s *service) listKeys(ctx context.Context, c *gateway.Call, in *pagedName) (*keysOut, error) {
	id, err := s.ownerID(ctx, c, in.UserName)
	if err != nil {
		return nil, err
	}
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	// There are no more than two: the list is never cut.
	return &keysOut{AccessKeyMetadata: awsquery.ListOf(snapshot.Keys(id), func(k iam.AccessKey) keyShape { return keyOf(in.UserName, k) })}, nil
}

// keyAccess is the access to the user that has the key. A key of nobody in the account is any user's.
func (s *service) keyAccess(ctx context.Context, c *gateway.Call, in *lastUsedIn) ([]iam.Access, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	a := iam.Access{Resource: "arn:aws:iam::" + c.Principal.AccountID + ":user/*"}
	if k, err := snapshot.Key(in.AccessKeyId); err == nil {
		if u, err := snapshot.UserByID(k.UserID); err == nil {
			a, err = s.of(ctx, c, iam.Holder{Type: iam.TypeUser, Name: u.Name}, in)
			return []iam.Access{a}, err
		}
		a.Resource = "arn:aws:iam::" + c.Principal.AccountID + ":root"
	}
	return []iam.Access{a}, nil
}

func (s *service) lastUsed(ctx context.Context, c *gateway.Call, in *lastUsedIn) (*lastUsedOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	k, err := snapshot.Key(in.AccessKeyId)
	if err != nil {
		return nil, err
	}
	out := &lastUsedOut{AccessKeyLastUsed: keyUseShape{ServiceName: "N/A", Region: "N/A"}}
	if u, err := snapshot.UserByID(k.UserID); err == nil {
		out.UserName = u.Name
	}
	if use, ok := snapshot.LastUse(k.ID); ok {
		out.AccessKeyLastUsed = keyUseShape{LastUsedDate: &use.At, ServiceName: use.Service, Region: use.Region}
	}
	return out, nil
}
