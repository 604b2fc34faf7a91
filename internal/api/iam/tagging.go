package iam

import (
	"context"

	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

// Tagged is what an action on tags is about; one of its members.
type Tagged struct {
	Names
	PolicyArn, SerialNumber, OpenIDConnectProviderArn string
}

func (t *Tagged) tagged(of iam.Type) iam.Holder {
	switch of {
	case iam.TypePolicy:
		return iam.Holder{Type: of, Name: t.PolicyArn}
	case iam.TypeDevice:
		return iam.Holder{Type: of, Name: t.SerialNumber}
	case iam.TypeProvider:
		return iam.Holder{Type: of, Name: t.OpenIDConnectProviderArn}
	default:
		return t.holder(of)
	}
}

type tagIn struct {
	Tagged
	Tagging
}

type untagIn struct {
	Tagged
	TagKeys []string
}

func (in *untagIn) condition(keys map[string][]string) {
	if len(in.TagKeys) > 0 {
		keys["aws:tagkeys"] = in.TagKeys
	}
}

type listTagsIn struct {
	Tagged
	Paging
}

type tagsOut struct {
	Tags tagList
	Page
}

// tagging are the actions on the tags of everything that has some.
func (s *service) tagging() awsquery.Actions {
	actions := awsquery.Actions{}
	for t, word := range map[iam.Type]string{
		iam.TypeUser: "User", iam.TypeRole: "Role", iam.TypePolicy: "Policy", iam.TypeDevice: "MFADevice", iam.TypeProvider: "OpenIDConnectProvider",
	} {
		actions["Tag"+word] = do(aboutTagged[tagIn](s, t, true), func(ctx context.Context, c *gateway.Call, in *tagIn) error {
			tags, err := in.tags()
			if err != nil {
				return err
			}
			return s.dir.Tag(ctx, c.Principal.AccountID, in.tagged(t), tags, nil)
		})
		actions["Untag"+word] = do(aboutTagged[untagIn](s, t, true), func(ctx context.Context, c *gateway.Call, in *untagIn) error {
			return s.dir.Tag(ctx, c.Principal.AccountID, in.tagged(t), nil, in.TagKeys)
		})
		actions["List"+word+"Tags"] = on(aboutTagged[listTagsIn](s, t, false), func(ctx context.Context, c *gateway.Call, in *listTagsIn) (*tagsOut, error) {
			snapshot, err := s.snapshot(ctx, c)
			if err != nil {
				return nil, err
			}
			tags, err := snapshot.TagsOf(in.tagged(t))
			if err != nil {
				return nil, err
			}
			shown, page, err := cut(tagShapes(tags), in.Paging, func(t Tag) string { return t.Key })
			return &tagsOut{tagList{Members: shown}, page}, err
		})
	}
	return actions
}

// aboutTagged is the access to what has the tags.
func aboutTagged[I any](s *service, t iam.Type, change bool) func(context.Context, *gateway.Call, *I) ([]iam.Access, error) {
	return func(ctx context.Context, c *gateway.Call, in *I) ([]iam.Access, error) {
		h := any(in).(interface{ tagged(iam.Type) iam.Holder }).tagged(t)
		if t == iam.TypeUser || t == iam.TypeRole {
			a, err := s.of(ctx, c, h, in)
			return []iam.Access{a}, err
		}
		return s.aboutARN(ctx, c, t, h.Name, in, change)
	}
}
