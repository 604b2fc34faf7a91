package awsquery

import (
	"context"
	"reflect"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

// Actions are a service's operations by name: "GetCallerIdentity".
type Actions map[string]Action

// Action is one operation; Op, OpOn and Refuse make them.
type Action interface {
	// prepare binds the parameters and says which permissions they need.
	prepare(ctx context.Context, c *gateway.Call, params *node) (prepared, error)
}

type prepared struct {
	access []iam.Access
	// request is what the audit shows of the parameters.
	request any
	// run returns nil for no result element.
	run func(ctx context.Context) (any, error)
}

// None is the result of operations that have none: return a nil *None.
type None struct{}

// List is a list in a result. Unlike a plain slice it shows an empty list as an empty element, which
// clients need to tell it from an absent one.
type List[T any] struct {
	Members []T `xml:"member"`
}

// ListOf makes a List of a slice, changing each element by f.
func ListOf[S, T any](items []S, f func(S) T) List[T] {
	l := List[T]{Members: make([]T, len(items))}
	for i, item := range items {
		l.Members[i] = f(item)
	}
	return l
}

// plainLists shows each List in an audited answer as CloudTrail shows lists: without the member element.
func plainLists(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if list, ok := v["member"].([]any); ok && len(v) == 1 {
			return plainLists(list)
		}
		for name, member := range v {
			v[name] = plainLists(member)
		}
	case []any:
		for i := range v {
			v[i] = plainLists(v[i])
		}
	}
	return v
}

// Op makes an action of a function, acting on the resource "*". A nil result leaves the result element out.
func Op[I, O any](fn func(ctx context.Context, c *gateway.Call, in *I) (*O, error)) Action {
	return OpOn(nil, fn)
}

// OpOn is Op for actions on a resource: access returns the permissions that the input needs, where an empty
// Action means the action's own; none at all lets every verified caller in. It is called before the
// call is authorised and before the input is validated: it changes nothing, and must bear any input.
// Members of the input and the output that are tagged `audit:"-"`, and blobs, stay out of the audit.
func OpOn[I, O any](
	access func(ctx context.Context, c *gateway.Call, in *I) ([]iam.Access, error),
	fn func(ctx context.Context, c *gateway.Call, in *I) (*O, error),
) Action {
	mustBind(reflect.TypeFor[I]())
	return action[I, O]{access: access, fn: fn}
}

type action[I, O any] struct {
	access func(context.Context, *gateway.Call, *I) ([]iam.Access, error)
	fn     func(context.Context, *gateway.Call, *I) (*O, error)
}

func (a action[I, O]) prepare(ctx context.Context, c *gateway.Call, params *node) (prepared, error) {
	in := new(I)
	if err := bind(params, in); err != nil {
		return prepared{}, err
	}
	p := prepared{access: []iam.Access{{Resource: "*"}}, request: audit.Parameters(in)}
	if a.access != nil {
		var err error
		if p.access, err = a.access(ctx, c, in); err != nil {
			return prepared{}, err
		}
	}
	p.run = func(ctx context.Context) (any, error) {
		out, err := a.fn(ctx, c, in)
		if err != nil || out == nil {
			return nil, err
		}
		return out, nil
	}
	return p, nil
}

// Refuse is an action that is known and always answers with err: one that this version does not
// offer. The call is authenticated and authorised first.
func Refuse(err error) Action { return refusal{err} }

type refusal struct{ err error }

func (f refusal) prepare(context.Context, *gateway.Call, *node) (prepared, error) {
	return prepared{access: []iam.Access{{Resource: "*"}}, run: func(context.Context) (any, error) { return nil, f.err }}, nil
}
