package iam

import (
	"context"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

type createProviderIn struct {
	Url            string
	ClientIDList   []string
	ThumbprintList []string
	Tagging
}

type providerIn struct {
	OpenIDConnectProviderArn string
	ClientID                 string
	ThumbprintList           []string
}

type (
	createProviderOut struct {
		OpenIDConnectProviderArn string
		Tags                     *tagList
	}
	providerOut struct {
		Url                          string
		ClientIDList, ThumbprintList awsquery.List[string]
		CreateDate                   time.Time
		Tags                         *tagList
	}
	providerShape struct{ Arn string }
	providersOut  struct {
		OpenIDConnectProviderList awsquery.List[providerShape]
	}
)

// providers are the actions on OpenID Connect issuers that roles may trust.
func (s *service) providers() awsquery.Actions {
	access := func(change bool) func(context.Context, *gateway.Call, *providerIn) ([]iam.Access, error) {
		return func(ctx context.Context, c *gateway.Call, in *providerIn) ([]iam.Access, error) {
			return s.aboutARN(ctx, c, iam.TypeProvider, in.OpenIDConnectProviderArn, in, change)
		}
	}
	client := func(known bool) awsquery.Action {
		return do(access(true), func(ctx context.Context, c *gateway.Call, in *providerIn) error {
			return s.dir.SetClientID(ctx, c.Principal.AccountID, in.OpenIDConnectProviderArn, in.ClientID, known)
		})
	}
	return awsquery.Actions{
		"CreateOpenIDConnectProvider": on(func(_ context.Context, c *gateway.Call, in *createProviderIn) ([]iam.Access, error) {
			return creation(c, "oidc-provider", "/", strings.TrimPrefix(in.Url, "https://"), "TagOpenIDConnectProvider", in), nil
		}, s.createProvider),
		"GetOpenIDConnectProvider":   on(access(false), s.getProvider),
		"ListOpenIDConnectProviders": on(everything[struct{}], s.listProviders),
		"DeleteOpenIDConnectProvider": do(access(true), func(ctx context.Context, c *gateway.Call, in *providerIn) error {
			return s.dir.DeleteProvider(ctx, c.Principal.AccountID, in.OpenIDConnectProviderArn)
		}),
		"UpdateOpenIDConnectProviderThumbprint": do(access(true), func(ctx context.Context, c *gateway.Call, in *providerIn) error {
			return s.dir.SetThumbprints(ctx, c.Principal.AccountID, in.OpenIDConnectProviderArn, in.ThumbprintList)
		}),
		"AddClientIDToOpenIDConnectProvider":      client(true),
		"RemoveClientIDFromOpenIDConnectProvider": client(false),
	}
}

func (s *service) createProvider(ctx context.Context, c *gateway.Call, in *createProviderIn) (*createProviderOut, error) {
	tags, err := in.tags()
	if err != nil {
		return nil, err
	}
	p, err := s.dir.CreateProvider(ctx, c.Principal.AccountID, in.Url, in.ClientIDList, in.ThumbprintList, tags)
	return &createProviderOut{p.ARN(), someTags(p.Tags)}, err
}

func (s *service) getProvider(ctx context.Context, c *gateway.Call, in *providerIn) (*providerOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	p, err := snapshot.Provider(in.OpenIDConnectProviderArn)
	return &providerOut{p.URL, awsquery.ListOf(p.ClientIDs, itself), awsquery.ListOf(p.Thumbprints, itself), p.Created, someTags(p.Tags)}, err
}

func (s *service) listProviders(ctx context.Context, c *gateway.Call, _ *struct{}) (*providersOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	return &providersOut{awsquery.ListOf(snapshot.Providers(), func(p iam.OIDCProvider) providerShape { return providerShape{p.ARN()} })}, nil
}
