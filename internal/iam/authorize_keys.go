package iam

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// conditionKeys are the condition keys of one access, read when a policy asks
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html).
type conditionKeys struct {
	ctx    context.Context
	caller *Caller
	access *Access
	// tags are the identity's.
	tags map[string]string
	// simulated tells that there is no connection to speak of.
	simulated bool
	// resource are the resource's tags, once read.
	resource     map[string]string
	resourceRead bool
}

// lookup returns the values of a key, given in lower case.
func (k *conditionKeys) lookup(key string) ([]string, bool, error) {
	if values, ok := foldedKey(k.access.Keys, key); ok {
		return values, true, nil
	}
	if name, ok := strings.CutPrefix(key, "aws:principaltag/"); ok {
		if s := k.caller.Principal.Session; s != nil {
			if v, ok := foldedKey(s.Tags, name); ok {
				return []string{v}, true, nil
			}
		}
		v, ok := foldedKey(k.tags, name)
		return []string{v}, ok, nil
	}
	if service, name, ok := strings.Cut(key, ":resourcetag/"); ok && (service == "aws" || service == "iam") {
		return k.resourceTag(name)
	}
	v, ok := k.global(key)
	if !ok {
		values, ok := k.lists(key)
		return values, ok, nil
	}
	return []string{v}, true, nil
}

// foldedKey finds a key without regard to case.
func foldedKey[V any](m map[string]V, key string) (V, bool) {
	if v, ok := m[key]; ok {
		return v, true
	}
	for name, v := range m {
		if len(name) == len(key) && strings.EqualFold(name, key) {
			return v, true
		}
	}
	var none V
	return none, false
}

func (k *conditionKeys) resourceTag(name string) ([]string, bool, error) {
	if k.access.Tags == nil {
		return nil, false, nil
	}
	if !k.resourceRead {
		tags, err := k.access.Tags(k.ctx)
		if err != nil {
			return nil, false, fmt.Errorf("read tags of %s: %w", k.access.Resource, err)
		}
		k.resource, k.resourceRead = tags, true
	}
	v, ok := foldedKey(k.resource, name)
	return []string{v}, ok, nil
}

// global returns a global key with one value.
func (k *conditionKeys) global(key string) (string, bool) {
	c := k.caller
	p := &c.Principal
	switch key {
	case "aws:sourceip":
		// A call that a service makes comes from the service, not from the caller's address.
		return c.SourceIP, c.SourceIP != "" && len(c.Via) == 0
	case "aws:securetransport":
		// What a service does for a caller goes through no network.
		return strconv.FormatBool(c.Secure || len(c.Via) > 0 || p.Kind == KindService), !k.simulated
	case "aws:currenttime":
		return c.Time.UTC().Format(time.RFC3339), !c.Time.IsZero()
	case "aws:epochtime":
		return strconv.FormatInt(c.Time.Unix(), 10), !c.Time.IsZero()
	case "aws:useragent":
		return c.UserAgent, c.UserAgent != ""
	case "aws:referer":
		return c.Referer, c.Referer != ""
	case "aws:requestedregion":
		return c.Region, c.Region != ""
	case "aws:viaawsservice":
		return strconv.FormatBool(len(c.Via) > 0), true
	case "aws:calledviafirst":
		if len(c.Via) > 0 {
			return c.Via[0], true
		}
		return "", false
	case "aws:calledvialast":
		if len(c.Via) > 0 {
			return c.Via[len(c.Via)-1], true
		}
		return "", false
	case "aws:sourceaccount":
		return c.SourceAccount, c.SourceAccount != ""
	case "aws:sourcearn":
		return c.SourceARN, c.SourceARN != ""
	case "aws:resourceaccount":
		if k.access.Owner != "" {
			return k.access.Owner, true
		}
		return p.AccountID, p.AccountID != ""
	}
	if v, ok := p.global(key); ok {
		return v, true
	}
	return p.Session.global(key, c.Time)
}

// lists returns a global key with several values.
func (k *conditionKeys) lists(key string) ([]string, bool) {
	switch key {
	case "aws:calledvia":
		return k.caller.Via, len(k.caller.Via) > 0
	case "aws:principalservicenameslist":
		if p := &k.caller.Principal; p.Kind == KindService {
			return []string{p.Service}, true
		}
	}
	return nil, false
}

// principalTypes are the values of aws:PrincipalType.
var principalTypes = map[Kind]string{KindRoot: "Account", KindUser: "User", KindRole: "AssumedRole", "": "Anonymous"}

// global returns what a key says of the principal.
func (p *Principal) global(key string) (string, bool) {
	service := p.Kind == KindService
	switch key {
	case "aws:principalarn":
		// Of a session it is the role's ARN, not the session's.
		if p.Kind == KindRole && p.Session != nil {
			return p.Session.RoleARN, p.Session.RoleARN != ""
		}
		return p.ARN, p.ARN != "" && !service
	case "aws:principalaccount":
		return p.AccountID, p.AccountID != "" && !service
	case "aws:principaltype":
		t, ok := principalTypes[p.Kind]
		return t, ok && (p.Kind != "" || p.Session == nil)
	case "aws:userid":
		if p.Kind == "" && p.Session == nil {
			return "anonymous", true
		}
		return p.UserID, p.UserID != "" && !service
	case "aws:username":
		return p.UserName, p.Kind == KindUser && p.UserName != ""
	case "aws:principalisawsservice":
		return strconv.FormatBool(service), true
	case "aws:principalservicename":
		return p.Service, service && p.Service != ""
	}
	return "", false
}

// global returns what a key says of temporary credentials; long-term keys have none of it, not even
// aws:MultiFactorAuthPresent.
func (s *Session) global(key string, now time.Time) (string, bool) {
	if s == nil {
		return "", false
	}
	switch key {
	case "aws:multifactorauthpresent":
		return strconv.FormatBool(!s.MFA.IsZero()), true
	case "aws:multifactorauthage":
		return strconv.FormatInt(int64(now.Sub(s.MFA)/time.Second), 10), !s.MFA.IsZero()
	case "aws:tokenissuetime":
		return s.Issued.UTC().Format(time.RFC3339), !s.Issued.IsZero()
	case "aws:sourceidentity":
		return s.SourceIdentity, s.SourceIdentity != ""
	case "aws:federatedprovider":
		return s.Provider, s.Provider != ""
	}
	// The provider's own key: "issuer.example.com:sub".
	if issuer, ok := strings.CutSuffix(key, ":sub"); ok && s.Subject != "" && strings.EqualFold(issuer, strings.TrimPrefix(s.Provider, "https://")) {
		return s.Subject, true
	}
	return "", false
}
