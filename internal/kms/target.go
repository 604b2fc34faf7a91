package kms

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/dictum/dictum/internal/aws/arn"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
)

// Target is what a request names, as it was found: a key, or the reason why there is none, which the caller
// may learn only if its policies allow it the operation. The zero value names no key.
type Target struct {
	key CustomerKey
	err error
	// arn is the key's, or of what is not there; "*" when the name can't be one.
	arn   string
	owner string
	// alias is the name "alias/…" that the request used; aliases are all that the key has.
	alias   string
	aliases []string
	// first is the alias of a service's key that is not made yet.
	first *AliasOf
}

// ARN is the key's.
func (t Target) ARN() string { return t.arn }

// Found returns the key, or why there is none.
func (t Target) Found() (CustomerKey, error) { return t.key, t.err }

// Find finds a key by id, alias name, key ARN or alias ARN; the ARNs may be another account's. Its error is
// our own fault: that there is no such key is in the Target.
func (s *Service) Find(ctx context.Context, c iam.Caller, name string) (Target, error) {
	t, err := s.find(ctx, c, name)
	return s.found(ctx, t, err)
}

// FindOwn finds one of the account's own keys by id or key ARN, the forms that operations on the key itself take.
func (s *Service) FindOwn(ctx context.Context, c iam.Caller, name string) (Target, error) {
	if a, err := arn.Parse(name); err == nil && strings.HasPrefix(a.Resource, "alias/") {
		return Target{arn: "*", err: invalidARN(name)}, nil
	}
	if strings.HasPrefix(name, "alias/") {
		return Target{arn: "*", err: noKeyID(name)}, nil
	}
	t, err := s.Find(ctx, c, name)
	if err == nil && t.err == nil && t.key.AccountID != account(c) {
		t.key, t.err = CustomerKey{}, noKey(t.arn)
	}
	return t, err
}

// FindBlob finds the key that a ciphertext blob names; name is what the request calls it, and may be empty.
func (s *Service) FindBlob(ctx context.Context, c iam.Caller, blob []byte, name string) (Target, error) {
	if name != "" {
		return s.Find(ctx, c, name)
	}
	parsed, err := parseCiphertext(blob)
	if err != nil {
		return Target{arn: "*", err: err}, nil //nolint:nilerr // the caller learns it after the policies allowed the operation
	}
	k, err := s.config.Store.Key(ctx, parsed.keyID)
	if errors.Is(err, ErrKeyGone) || err == nil && k.Region != c.Region {
		return Target{arn: keyARN(account(c), c.Region, parsed.keyID), err: noAccess()}, nil
	}
	if err != nil {
		return Target{}, fmt.Errorf("find key of ciphertext: %w", err)
	}
	return s.found(ctx, Target{key: k, arn: k.ARN, owner: k.AccountID}, nil)
}

// found adds the aliases, for policies that ask for them.
func (s *Service) found(ctx context.Context, t Target, err error) (Target, error) {
	if err != nil || t.err != nil || t.first != nil {
		return t, err
	}
	aliases, err := s.config.Store.Aliases(ctx, t.key.AccountID, t.key.Region, t.key.ID, "", maxAliases)
	if err != nil {
		return Target{}, fmt.Errorf("read aliases of %s: %w", t.key.ARN, err)
	}
	for _, a := range aliases {
		t.aliases = append(t.aliases, a.Name)
	}
	return t, nil
}

func (s *Service) find(ctx context.Context, c iam.Caller, name string) (Target, error) {
	switch {
	case strings.HasPrefix(name, "arn:"):
		return s.findARN(ctx, c, name)
	case strings.HasPrefix(name, "alias/"):
		return s.findAlias(ctx, AliasOf{AccountID: account(c), Region: c.Region, Name: name})
	case isKeyID(name):
		return s.findKey(ctx, account(c), c.Region, name)
	default:
		return Target{arn: "*", err: noKeyID(name)}, nil
	}
}

func (s *Service) findARN(ctx context.Context, c iam.Caller, name string) (Target, error) {
	a, err := arn.Parse(name)
	if err != nil || a.Service != "kms" || a.AccountID == "" {
		return Target{arn: "*", err: invalidARN(name)}, nil //nolint:nilerr // as above
	}
	if a.Region != c.Region {
		// Keys are used in their own region only.
		return Target{arn: name, owner: a.AccountID, err: shown("NotFoundException", "Invalid arn "+a.Region)}, nil
	}
	if strings.HasPrefix(a.Resource, "alias/") {
		return s.findAlias(ctx, AliasOf{AccountID: a.AccountID, Region: a.Region, Name: a.Resource})
	}
	id, ok := strings.CutPrefix(a.Resource, "key/")
	if !ok || !isKeyID(id) {
		return Target{arn: name, owner: a.AccountID, err: invalidARN(name)}, nil
	}
	return s.findKey(ctx, a.AccountID, a.Region, id)
}

func (s *Service) findAlias(ctx context.Context, name AliasOf) (Target, error) {
	a, err := s.config.Store.Alias(ctx, name)
	if errors.Is(err, ErrNoAlias) {
		t := Target{arn: name.ARN(), owner: name.AccountID, alias: name.Name, err: noAlias(name)}
		if isServiceAlias(name.Name) {
			t.first = &name
		}
		return t, nil
	}
	if err != nil {
		return Target{}, fmt.Errorf("find alias: %w", err)
	}
	t, err := s.findKey(ctx, name.AccountID, name.Region, a.KeyID)
	t.alias = name.Name
	return t, err
}

func (s *Service) findKey(ctx context.Context, accountID, region, id string) (Target, error) {
	t := Target{arn: keyARN(accountID, region, id), owner: accountID}
	k, err := s.config.Store.Key(ctx, id)
	switch {
	case errors.Is(err, ErrKeyGone) || err == nil && k.ARN != t.arn:
		t.err = noKey(t.arn)
	case err != nil:
		return Target{}, fmt.Errorf("find key: %w", err)
	default:
		t.key = k
	}
	return t, nil
}

func isKeyID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}

// Circumstances are what policies can ask of one access to a key, beyond the key itself.
type Circumstances struct {
	// Context is the encryption context.
	Context Context
	// Keys are further condition keys, by lower-case name.
	Keys map[string][]string
}

// Access is the permission that an operation ("GenerateDataKey") on a target needs. Where the target is no key,
// the account's own policies decide whether the caller may learn so.
func (s *Service) Access(c iam.Caller, operation string, t Target, about Circumstances) iam.Access {
	a := iam.Access{Action: "kms:" + operation, Resource: t.arn, Owner: t.owner, Keys: conditionKeys(c, about)}
	if t.arn == "" {
		a.Resource = "*"
	}
	if t.alias != "" {
		a.Keys["kms:requestalias"] = []string{t.alias}
	}
	if t.err != nil || t.key.ID == "" {
		return a
	}
	k := t.key.clone()
	a.Keys["kms:keyspec"] = []string{k.Spec}
	a.Keys["kms:keyusage"] = []string{string(k.Usage)}
	a.Keys["kms:keyorigin"] = []string{"AWS_KMS"}
	a.Keys["kms:multiregion"] = []string{"false"}
	if len(t.aliases) > 0 {
		a.Keys["kms:resourcealiases"] = t.aliases
	}
	// A key's own policy decides alone; without one, nobody may.
	a.Delegated = true
	a.Policy = func(context.Context) (*policy.Document, error) { return s.parsePolicy(k.Policy) }
	a.Tags = func(context.Context) (map[string]string, error) { return k.Tags, nil }
	return a
}

// conditionKeys are those that every operation has
// (https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html).
func conditionKeys(c iam.Caller, about Circumstances) map[string][]string {
	keys := map[string][]string{}
	maps.Copy(keys, about.Keys)
	if id := account(c); id != "" {
		keys["kms:calleraccount"] = []string{id}
	}
	if len(c.Via) > 0 {
		service := strings.TrimSuffix(c.Via[len(c.Via)-1], ".amazonaws.com")
		keys["kms:viaservice"] = []string{service + "." + c.Region + ".amazonaws.com"}
	}
	if len(about.Context) > 0 {
		names := slices.Sorted(maps.Keys(about.Context))
		keys["kms:encryptioncontextkeys"] = names
		for _, name := range names {
			// The name of a pair does not count its case in a condition, unlike in the ciphertext.
			key := "kms:encryptioncontext:" + strings.ToLower(name)
			keys[key] = append(keys[key], about.Context[name])
		}
	}
	return keys
}

// idOf returns the key id in a key ARN.
func idOf(keyARN string) (string, bool) {
	a, err := arn.Parse(keyARN)
	if err != nil || a.Service != "kms" {
		return "", false
	}
	id, ok := strings.CutPrefix(a.Resource, "key/")
	return id, ok && isKeyID(id)
}

// AccessTo is the permission that an operation on no key in particular needs: on "*", or an alias.
func (s *Service) AccessTo(c iam.Caller, operation, resource string, about Circumstances) iam.Access {
	return iam.Access{Action: "kms:" + operation, Resource: resource, Keys: conditionKeys(c, about)}
}
