package iam

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/bounded"
	"github.com/dictum/dictum/internal/iam/policy"
)

// sessionPolicies is how many parsed session policies are kept, at least.
const sessionPolicies = 1024

// PolicyAuthorizer decides by policies. It is safe for concurrent use.
type PolicyAuthorizer struct {
	source        PolicySource
	serviceBucket func(name string) bool
	// sessions are session policies by their text; they never change.
	sessions *bounded.Cache[string, *policy.Document]
}

var _ Authorizer = (*PolicyAuthorizer)(nil)

// AuthorizerOption changes a PolicyAuthorizer.
type AuthorizerOption func(*PolicyAuthorizer)

// WithServiceBuckets tells which buckets belong to the service itself: nobody reaches them but the sessions that sign
// links to service-managed output, each reading its own account's prefix. By default there are none.
func WithServiceBuckets(is func(name string) bool) AuthorizerOption {
	return func(z *PolicyAuthorizer) { z.serviceBucket = is }
}

// NewAuthorizer decides by the policies that source knows, those of resources and those of sessions.
func NewAuthorizer(source PolicySource, options ...AuthorizerOption) *PolicyAuthorizer {
	z := &PolicyAuthorizer{
		source:        source,
		serviceBucket: func(string) bool { return false },
		sessions:      bounded.NewCache[string, *policy.Document](sessionPolicies),
	}
	for _, o := range options {
		o(z)
	}
	return z
}

// Authorize implements Authorizer.
func (z *PolicyAuthorizer) Authorize(ctx context.Context, c Caller, a Access) error {
	d, err := z.decide(ctx, c, a, false)
	if err != nil {
		return err
	}
	if !d.Allowed {
		return denial(c, a, d)
	}
	return nil
}

// Explain decides as Authorize does, and says which statements matched and which condition keys were missing
// (SimulatePrincipalPolicy). The error is our own.
func (z *PolicyAuthorizer) Explain(ctx context.Context, c Caller, a Access) (policy.Decision, error) {
	return z.decide(ctx, c, a, true)
}

// ExplainWith decides as if the principal had the policies of p and no others but those of its session and of the
// resource (SimulateCustomPolicy). What the simulation's context says goes into a.Keys, which come before
// what is known of the caller; there is no connection, so that aws:SecureTransport is missing if not given there.
func (z *PolicyAuthorizer) ExplainWith(ctx context.Context, c Caller, a Access, p Policies) (policy.Decision, error) {
	return z.evaluate(ctx, a, conditionKeys{ctx: ctx, caller: &c, access: &a, tags: p.Tags, simulated: true}, p, true)
}

func (z *PolicyAuthorizer) decide(ctx context.Context, c Caller, a Access, trace bool) (policy.Decision, error) {
	if d, decided := z.links(c, a); decided {
		return d, nil
	}
	var p Policies
	if k := c.Principal.Kind; k == KindUser || k == KindRole {
		var err error
		p, err = z.source.PoliciesOf(ctx, c.Principal)
		switch {
		case errors.Is(err, ErrNoSuchEntity):
			// Whoever is gone has no rights any more.
			return policy.Decision{By: policy.Identity}, nil
		case err != nil:
			return policy.Decision{}, fmt.Errorf("read policies of %s: %w", c.Principal.ARN, err)
		}
	}
	return z.evaluate(ctx, a, conditionKeys{ctx: ctx, caller: &c, access: &a, tags: p.Tags}, p, trace)
}

// links is the rule for buckets of the service: a session that signs links reads its account's part of them, through S3
// with the keys that this is under, and does nothing else; nobody else touches them, whatever policies say. Whoever
// makes a link to what a customer's key protects must have asked for the key in the client's name.
func (z *PolicyAuthorizer) links(c Caller, a Access) (d policy.Decision, decided bool) {
	bucket, key := "", ""
	if rest, ok := strings.CutPrefix(a.Resource, "arn:aws:s3:::"); ok {
		bucket, key, _ = strings.Cut(rest, "/")
	}
	service := bucket != "" && z.serviceBucket(bucket)
	p := c.Principal
	// A service that acts on its own is no session: it has neither ARN nor key.
	if p.Kind == KindService && (p.ARN != "" || p.AccessKeyID != "") {
		own := p.AccountID != "" && strings.HasPrefix(key, p.AccountID+"/")
		if service && own && a.Action == "s3:GetObject" || a.Action == "kms:Decrypt" && z.opensLinked(c, a) {
			return policy.Decision{Allowed: true}, true
		}
		return policy.Decision{By: policy.Session}, true
	}
	if service {
		return policy.Decision{By: policy.Resource}, true
	}
	return policy.Decision{}, false
}

// opensLinked tells whether S3 opens, for a session that signs links, an object that such a link may name.
func (z *PolicyAuthorizer) opensLinked(c Caller, a Access) bool {
	bound := a.Keys["kms:encryptioncontext:aws:s3:arn"]
	if len(bound) != 1 || len(c.Via) == 0 || c.Via[len(c.Via)-1] != "s3.amazonaws.com" || c.Principal.AccountID == "" {
		return false
	}
	rest, ok := strings.CutPrefix(bound[0], "arn:aws:s3:::")
	bucket, key, _ := strings.Cut(rest, "/")
	return ok && z.serviceBucket(bucket) && strings.HasPrefix(key, c.Principal.AccountID+"/")
}

func (z *PolicyAuthorizer) evaluate(ctx context.Context, a Access, k conditionKeys, p Policies, trace bool) (policy.Decision, error) {
	c := k.caller
	set := policy.Set{Identity: p.Identity, Boundary: p.Boundary, Delegated: a.Delegated}
	if s := c.Principal.Session; s != nil {
		for _, text := range s.Policies {
			doc, err := z.session(text)
			if err != nil {
				return policy.Decision{}, err
			}
			set.Session = append(set.Session, doc)
		}
	}
	if a.Policy != nil {
		doc, err := a.Policy(ctx)
		if err != nil {
			return policy.Decision{}, fmt.Errorf("read policy of %s: %w", a.Resource, err)
		}
		set.Resource = doc
	}
	d, err := policy.Evaluate(&policy.Request{
		Principal: principalOf(c.Principal), Action: a.Action, Resource: a.Resource, Owner: a.Owner, Lookup: k.lookup, Trace: trace,
	}, &set)
	if err != nil {
		return policy.Decision{}, fmt.Errorf("evaluate policies for %s: %w", a.Action, err)
	}
	return d, nil
}

// session parses a session's policy, once.
func (z *PolicyAuthorizer) session(text string) (*policy.Document, error) {
	if doc, ok := z.sessions.Get(text); ok {
		return doc, nil
	}
	doc, err := policy.Parse([]byte(text), policy.Session)
	if err != nil {
		return nil, fmt.Errorf("read session policy: %w", err)
	}
	z.sessions.Put(text, doc)
	return doc, nil
}

// principalOf says what policies need to know of a principal.
func principalOf(p Principal) policy.Principal {
	out := policy.Principal{Account: p.AccountID, ARN: p.ARN}
	switch p.Kind {
	case KindRoot:
		out.Kind = policy.Root
	case KindUser:
		out.Kind, out.ID = policy.User, p.UserID
	case KindRole:
		out.Kind = policy.RoleSession
		if p.Session != nil {
			out.RoleARN, out.ID = p.Session.RoleARN, p.Session.RoleID
		}
	case KindService:
		return policy.Principal{Kind: policy.Service, Name: p.Service}
	default:
		if p.Session != nil && p.Session.Provider != "" {
			name := p.Session.Provider
			if p.AccountID != "" && !strings.HasPrefix(name, "arn:") {
				// The provider as this account knows it: another account's of the same URL is not trusted here.
				name = "arn:aws:iam::" + p.AccountID + ":oidc-provider/" + strings.TrimPrefix(name, "https://")
			}
			return policy.Principal{Kind: policy.WebIdentity, Name: name}
		}
		return policy.Principal{Kind: policy.Anonymous}
	}
	return out
}

// denial is what the caller is told.
func denial(c Caller, a Access, d policy.Decision) error {
	who := c.Principal.ARN
	switch {
	case who == "" && c.Principal.Service != "":
		who = c.Principal.Service
	case who == "":
		who = "anonymous"
	}
	return awserr.Fail(awserr.NotAuthorized, "principal", who, "action", a.Action, "resource", a.Resource, "reason", d.Reason(a.Action))
}
