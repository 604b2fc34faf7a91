package kms

import (
	"context"

	"github.com/dictum/dictum/internal/aws/awsjson"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
)

// aliasAccess is the permission on the alias itself; each operation needs one on the keys too
// (https://docs.aws.amazon.com/kms/latest/developerguide/alias-access.html).
func (a *API) aliasAccess(c *gateway.Call, operation string, in *aliasInput) []iam.Access {
	resource := "*"
	if in.AliasName != nil {
		resource = a.keys.Alias(c.Caller, *in.AliasName).ARN()
	}
	return []iam.Access{a.keys.AccessTo(c.Caller, operation, resource, kms.Circumstances{})}
}

// findTarget finds the key that an alias is to name.
func (a *API) findTarget(ctx context.Context, c *gateway.Call, in *aliasInput) (err error) {
	if in.TargetKeyId != nil {
		in.target, err = a.keys.FindOwn(ctx, c.Caller, *in.TargetKeyId)
	}
	return err
}

// findAlias finds the key that an alias names now.
func (a *API) findAlias(ctx context.Context, c *gateway.Call, in *aliasInput) (err error) {
	if in.AliasName != nil {
		in.was.target, err = a.keys.FindAlias(ctx, a.keys.Alias(c.Caller, *in.AliasName))
	}
	return err
}

func (a *API) createAliasAccess(ctx context.Context, c *gateway.Call, in *aliasInput) ([]iam.Access, error) {
	if err := a.findTarget(ctx, c, in); err != nil {
		return nil, err
	}
	return append(a.aliasAccess(c, "CreateAlias", in), a.keys.Access(c.Caller, "CreateAlias", in.target, kms.Circumstances{})), nil
}

func (a *API) createAlias(ctx context.Context, c *gateway.Call, in *aliasInput) (*awsjson.None, error) {
	return done(a.keys.CreateAlias(ctx, a.keys.Alias(c.Caller, *in.AliasName), in.target))
}

func (a *API) updateAliasAccess(ctx context.Context, c *gateway.Call, in *aliasInput) ([]iam.Access, error) {
	if err := a.findTarget(ctx, c, in); err != nil {
		return nil, err
	}
	if err := a.findAlias(ctx, c, in); err != nil {
		return nil, err
	}
	access := append(a.aliasAccess(c, "UpdateAlias", in), a.keys.Access(c.Caller, "UpdateAlias", in.target, kms.Circumstances{}))
	if _, err := in.was.target.Found(); err == nil {
		access = append(access, a.keys.Access(c.Caller, "UpdateAlias", in.was.target, kms.Circumstances{}))
	}
	return access, nil
}

func (a *API) updateAlias(ctx context.Context, c *gateway.Call, in *aliasInput) (*awsjson.None, error) {
	return done(a.keys.UpdateAlias(ctx, a.keys.Alias(c.Caller, *in.AliasName), in.was.target, in.target))
}

func (a *API) deleteAliasAccess(ctx context.Context, c *gateway.Call, in *aliasInput) ([]iam.Access, error) {
	if err := a.findAlias(ctx, c, in); err != nil {
		return nil, err
	}
	access := a.aliasAccess(c, "DeleteAlias", in)
	if _, err := in.was.target.Found(); err == nil {
		access = append(access, a.keys.Access(c.Caller, "DeleteAlias", in.was.target, kms.Circumstances{}))
	}
	return access, nil
}

func (a *API) deleteAlias(ctx context.Context, c *gateway.Call, in *aliasInput) (*awsjson.None, error) {
	return done(a.keys.DeleteAlias(ctx, a.keys.Alias(c.Caller, *in.AliasName)))
}

func (a *API) listAliasesAccess(ctx context.Context, c *gateway.Call, in *listAliasesInput) ([]iam.Access, error) {
	if in.KeyId != nil {
		var err error
		if in.target, err = a.keys.FindOwn(ctx, c.Caller, *in.KeyId); err != nil {
			return nil, err
		}
	}
	return []iam.Access{a.keys.AccessTo(c.Caller, "ListAliases", "*", kms.Circumstances{})}, nil
}

func (a *API) listAliases(ctx context.Context, c *gateway.Call, in *listAliasesInput) (*listAliasesOutput, error) {
	aliases, truncated, err := a.keys.ListAliases(ctx, c.Caller, in.target, deref(in.Marker), size(in.Limit, 50, 100))
	if err != nil {
		return nil, err
	}
	out := &listAliasesOutput{Aliases: []aliasListEntry{}}
	last := ""
	for _, x := range aliases {
		out.Aliases = append(out.Aliases, aliasListEntry{
			AliasName: x.Name, AliasArn: x.ARN(), TargetKeyId: x.KeyID, CreationDate: x.Created, LastUpdatedDate: x.Updated,
		})
		last = x.Name
	}
	out.page = more(truncated, last)
	return out, nil
}
