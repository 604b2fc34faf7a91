package kms

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/dictum/dictum/internal/aws/awsjson"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/kms"
)

// policyName is the only one that a key policy can have.
const policyName = "default"

func policyAbout(in *policyInput) kms.Circumstances {
	bypass := strconv.FormatBool(deref(in.BypassPolicyLockoutSafetyCheck))
	return kms.Circumstances{Keys: map[string][]string{"kms:bypasspolicylockoutsafetycheck": {bypass}}}
}

func checkPolicyName(name *string) error {
	if name != nil && *name != policyName {
		return refusal("NotFoundException", "No such policy exists")
	}
	return nil
}

func (a *API) getKeyPolicy(ctx context.Context, _ *gateway.Call, in *policyInput, t kms.Target) (*policyOutput, error) {
	k, err := t.Found()
	if err == nil {
		err = checkPolicyName(in.PolicyName)
	}
	if err != nil {
		return nil, err
	}
	text, err := a.keys.PolicyText(ctx, k)
	if err != nil {
		return nil, err
	}
	return &policyOutput{Policy: text, PolicyName: policyName}, nil
}

func (a *API) putKeyPolicy(ctx context.Context, c *gateway.Call, in *policyInput, t kms.Target) (*awsjson.None, error) {
	if err := checkPolicyName(in.PolicyName); err != nil {
		return nil, err
	}
	return done(a.keys.PutPolicy(ctx, c.Caller, t, deref(in.Policy), deref(in.BypassPolicyLockoutSafetyCheck)))
}

func (a *API) listKeyPolicies(_ context.Context, _ *gateway.Call, _ *policyInput, t kms.Target) (*listPoliciesOutput, error) {
	if _, err := t.Found(); err != nil {
		return nil, err
	}
	return &listPoliciesOutput{PolicyNames: []string{policyName}, page: more(false, "")}, nil
}

// listGrants shows that there are none: grants can't be made in this version.
func (a *API) listGrants(_ context.Context, _ *gateway.Call, _ *listGrantsInput, t kms.Target) (*listGrantsOutput, error) {
	if _, err := t.Found(); err != nil {
		return nil, err
	}
	return &listGrantsOutput{Grants: []struct{}{}, page: more(false, "")}, nil
}

// noGrants refuses tokens of grants, of which there can be none.
func noGrants(tokens []string) error {
	if len(tokens) > 0 {
		return refusal("InvalidGrantTokenException", "The grant token is not valid: this version of Dictum has no grants.")
	}
	return nil
}

// tagKeys are the condition keys of tags in a request.
func tagKeys(tags []tag) map[string][]string {
	keys := map[string][]string{}
	for _, t := range tags {
		name := deref(t.TagKey)
		keys["aws:requesttag/"+name] = []string{deref(t.TagValue)}
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], name)
	}
	return keys
}

func tagAbout(in *tagInput) kms.Circumstances {
	keys := tagKeys(in.Tags)
	if len(in.TagKeys) > 0 {
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], in.TagKeys...)
	}
	return kms.Circumstances{Keys: keys}
}

func tagMap(tags []tag) (map[string]string, error) {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		if _, twice := m[deref(t.TagKey)]; twice {
			return nil, refusal("TagException", "Duplicate tag keys")
		}
		m[deref(t.TagKey)] = deref(t.TagValue)
	}
	return m, nil
}

func (a *API) tagResource(ctx context.Context, _ *gateway.Call, in *tagInput, t kms.Target) (*awsjson.None, error) {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	return done(a.keys.Tag(ctx, t, tags))
}

func (a *API) untagResource(ctx context.Context, _ *gateway.Call, in *tagInput, t kms.Target) (*awsjson.None, error) {
	return done(a.keys.Untag(ctx, t, in.TagKeys))
}

func (a *API) listResourceTags(_ context.Context, _ *gateway.Call, in *tagInput, t kms.Target) (*listTagsOutput, error) {
	k, err := t.Found()
	if err != nil {
		return nil, err
	}
	names, paging := list(slices.Sorted(maps.Keys(k.Tags)), func(s string) string { return s }, in.Marker, in.Limit, 50)
	out := &listTagsOutput{Tags: []tag{}, page: paging}
	for _, name := range names {
		value := k.Tags[name]
		out.Tags = append(out.Tags, tag{TagKey: &name, TagValue: &value})
	}
	return out, nil
}
