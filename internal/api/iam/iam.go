// Package iam answers IAM's query API: users, groups, roles, policies, access keys, second factors and
// OIDC providers of the caller's account. What is not offered is refused by name. Start at New.
//
// Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html.
package iam

import (
	"context"
	_ "embed"
	"errors"
	"sync"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/aws/shapes"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
)

const (
	namespace = "https://iam.amazonaws.com/doc/2010-05-08/"
	version   = "2010-05-08"
)

//go:generate go run ../../aws/shapes/gen -service iam/2010-05-08 -out service.json

//go:embed service.json
var serviceJSON []byte

// model is the embedded model. It is generated and tested, so that it can't be unreadable at run time.
var model = sync.OnceValue(func() *shapes.Model {
	m, err := shapes.Load(serviceJSON)
	if err != nil {
		panic("api/iam: " + err.Error())
	}
	return m
})

// Explainer decides as the authorizer does and says why; iam.PolicyAuthorizer is one.
type Explainer interface {
	ExplainWith(ctx context.Context, c iam.Caller, a iam.Access, p iam.Policies) (policy.Decision, error)
}

// Config is what the service is made of; both are required.
type Config struct {
	Directory *iam.Directory
	Explainer Explainer
}

type service struct {
	dir     *iam.Directory
	explain Explainer
}

// New returns the service.
func New(c Config) gateway.Service {
	s := &service{dir: c.Directory, explain: c.Explainer}
	actions := awsquery.Actions{}
	for _, group := range []awsquery.Actions{
		s.users(), s.groups(), s.roles(), s.policies(), s.grants(), s.tagging(), s.keys(), s.devices(), s.providers(), s.account(), s.simulation(),
	} {
		for name, action := range group {
			actions[name] = action
		}
	}
	for _, name := range model().Operations() {
		if actions[name] == nil {
			actions[name] = awsquery.Refuse(&awserr.Error{Code: "InvalidAction", Status: 400, Message: "The action " + name + " is not offered by this server."})
		}
	}
	return awsquery.NewService("iam", namespace, version, actions).Validated(validate)
}

// validate answers with what a request breaks of the model, in AWS's words.
func validate(action string, params map[string]any) error {
	if v := model().Violations(action, params); len(v) > 0 {
		return invalid(shapes.Message(v))
	}
	return nil
}

func invalid(message string) error {
	return &awserr.Error{Code: "ValidationError", Status: 400, Message: message}
}

// codes are IAM's for the kinds of refusal.
var codes = []struct {
	kind   error
	code   string
	status int
}{
	{iam.ErrNoSuchEntity, "NoSuchEntity", 404},
	{iam.ErrExists, "EntityAlreadyExists", 409},
	{iam.ErrLimit, "LimitExceeded", 409},
	{iam.ErrDeleteConflict, "DeleteConflict", 409},
	{iam.ErrMalformedPolicy, "MalformedPolicyDocument", 400},
	{iam.ErrInvalidInput, "InvalidInput", 400},
	{iam.ErrWrongCode, "InvalidAuthenticationCode", 403},
}

// answer turns a refusal into the error that clients see.
func answer(err error) error {
	var r *iam.Refusal
	if !errors.As(err, &r) {
		return err
	}
	for _, c := range codes {
		if errors.Is(r, c.kind) {
			return &awserr.Error{Code: c.code, Status: c.status, Message: r.Message}
		}
	}
	return err
}

// on makes an action of a function and the permissions it needs.
func on[I, O any](
	access func(ctx context.Context, c *gateway.Call, in *I) ([]iam.Access, error),
	fn func(ctx context.Context, c *gateway.Call, in *I) (*O, error),
) awsquery.Action {
	return awsquery.OpOn(access, func(ctx context.Context, c *gateway.Call, in *I) (*O, error) {
		out, err := fn(ctx, c, in)
		if err != nil {
			return nil, answer(err)
		}
		return out, nil
	})
}

// do is on for actions without a result.
func do[I any](
	access func(ctx context.Context, c *gateway.Call, in *I) ([]iam.Access, error),
	fn func(ctx context.Context, c *gateway.Call, in *I) error,
) awsquery.Action {
	return on(access, func(ctx context.Context, c *gateway.Call, in *I) (*awsquery.None, error) {
		return nil, fn(ctx, c, in)
	})
}

// everything is the access of actions that are about no resource in particular.
func everything[I any](context.Context, *gateway.Call, *I) ([]iam.Access, error) {
	return []iam.Access{{Resource: "*"}}, nil
}

// snapshot is the caller's account as it is now.
func (s *service) snapshot(ctx context.Context, c *gateway.Call) (*iam.Snapshot, error) {
	return s.dir.Snapshot(ctx, c.Principal.AccountID)
}
