// Package awsjson speaks two protocols to the same operations: AWS JSON 1.1 (POST / with
// X-Amz-Target) and Smithy RPC v2 CBOR (POST /service/{shape}/operation/{name}). A service
// declares its operations as typed functions and gets a gateway.Service of them. What may be
// in a request beyond its JSON types is the service's business. Start at Operations.
//
// How structs map to shapes (decoding and encoding, both protocols):
//   - A member's name is the Go field's name, or the name in a `json:"…"` tag ("-" skips it).
//     Names are case-sensitive. Embedded structs are flattened.
//   - Decoding: unknown members are ignored, null means absent, a wrong type is a
//     SerializationException. Use a pointer where absent differs from the zero value.
//   - Encoding: a zero field is unset and left out: nil, "", 0, false, the zero time. Use a pointer
//     where a zero must be shown, and a non-nil empty slice or map for [] and {}.
//   - time.Time is epoch seconds with milliseconds; []byte is base64 in JSON.
//
// Sources: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html and
// https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html.
package awsjson

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

// Operations are a service's operations by name: "StartTranscriptionJob".
type Operations map[string]Operation

// Operation is one operation; Op, OpOn and Refuse make them.
type Operation interface {
	// prepare decodes the input and says which permissions it needs.
	prepare(ctx context.Context, c *gateway.Call, input value) (prepared, error)
}

type prepared struct {
	access []iam.Access
	// request is what the audit shows of the input.
	request any
	// run returns nil for no output at all.
	run func(ctx context.Context) (any, error)
}

// Empty is the output of operations that answer with an empty structure, {}.
type Empty struct{}

// None is the output of operations that have no output shape: return a nil *None, and the answer
// is 200 with an empty body.
type None struct{}

// Op makes an operation of a function, acting on the resource "*". A nil output answers with an empty body.
func Op[I, O any](fn func(ctx context.Context, c *gateway.Call, in *I) (*O, error)) Operation {
	return OpOn(nil, fn)
}

// OpOn is Op for operations on a resource: access returns the permissions that the input needs, where an
// empty Action means the operation's own. It is called before the call is authorised and before the
// input is validated: it changes nothing, and must bear any input. Members of the input and the output
// that are tagged `audit:"-"`, and blobs, stay out of the audit.
func OpOn[I, O any](
	access func(ctx context.Context, c *gateway.Call, in *I) ([]iam.Access, error),
	fn func(ctx context.Context, c *gateway.Call, in *I) (*O, error),
) Operation {
	return operation[I, O]{access: access, fn: fn}
}

type operation[I, O any] struct {
	access func(context.Context, *gateway.Call, *I) ([]iam.Access, error)
	fn     func(context.Context, *gateway.Call, *I) (*O, error)
}

func (o operation[I, O]) prepare(ctx context.Context, c *gateway.Call, input value) (prepared, error) {
	in := new(I)
	if err := bind(input, in); err != nil {
		return prepared{}, err
	}
	p := prepared{access: []iam.Access{{Resource: "*"}}, request: audit.Parameters(in)}
	if o.access != nil {
		var err error
		if p.access, err = o.access(ctx, c, in); err != nil {
			return prepared{}, err
		}
	}
	p.run = func(ctx context.Context) (any, error) {
		out, err := o.fn(ctx, c, in)
		if err != nil || out == nil {
			return nil, err
		}
		return out, nil
	}
	return p, nil
}

// Refuse is an operation that is known and always answers with err: one that this version does
// not offer yet. The call is authenticated and authorised first.
func Refuse(err error) Operation { return refusal{err} }

type refusal struct{ err error }

func (f refusal) prepare(context.Context, *gateway.Call, value) (prepared, error) {
	return prepared{access: []iam.Access{{Resource: "*"}}, run: func(context.Context) (any, error) { return nil, f.err }}, nil
}

// Service is a gateway.Service of JSON operations.
type Service struct {
	name  string
	shape string
	ops   Operations
}

var (
	_ gateway.Service = (*Service)(nil)
	_ gateway.Claimer = (*Service)(nil)
	_ gateway.Speaker = (*Service)(nil)
)

// NewService makes the service with this signing name ("transcribe") and service shape
// ("Transcribe"): targets "Transcribe.X" and "com.amazonaws.transcribe.Transcribe.X", CBOR path
// /service/Transcribe/operation/X.
func NewService(name, shape string, ops Operations) *Service {
	return &Service{name: name, shape: shape, ops: ops}
}

// Name implements gateway.Service.
func (s *Service) Name() string { return s.name }

// Protocol implements gateway.Speaker.
func (s *Service) Protocol() awserr.Protocol { return awserr.JSON }

// Claims implements gateway.Claimer: the target header or the path name this service.
func (s *Service) Claims(r *http.Request) bool {
	_, ok := s.operationName(r)
	return ok
}

// operationName returns the operation that the request names, and whether it names this service.
func (s *Service) operationName(r *http.Request) (string, bool) {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/service/"+s.shape+"/operation/"); ok && isCBOR(r) {
		return rest, true
	}
	target := r.Header.Get("X-Amz-Target")
	dot := strings.LastIndexByte(target, '.')
	if dot < 0 {
		return target, false
	}
	prefix, name := target[:dot], target[dot+1:]
	return name, prefix == s.shape || strings.HasSuffix(prefix, "."+s.shape)
}

func isCBOR(r *http.Request) bool { return r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor" }

// Route implements gateway.Service. It decodes the input, so a body that is not what the operation
// takes is refused before authorisation; that tells the caller only what the public model says.
func (s *Service) Route(r *http.Request, c *gateway.Call) (gateway.Route, error) {
	name, ours := s.operationName(r)
	op, known := s.ops[name]
	if !ours || !known || r.Method != http.MethodPost {
		return gateway.Route{}, awserr.Fail(awserr.UnknownOperation, "operation", strconv.Quote(name))
	}
	route := gateway.Route{Action: name, ReadOnly: gateway.ReadOnly(name)}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return route, err
	}
	input, err := decode(body, isCBOR(r))
	if err != nil {
		return route, err
	}
	p, err := op.prepare(r.Context(), c, input)
	if err != nil {
		return route, err
	}
	for i := range p.access {
		if p.access[i].Action == "" {
			p.access[i].Action = s.name + ":" + name
		}
	}
	route.Access, route.Request = p.access, p.request
	route.Handler = func(w http.ResponseWriter, r *http.Request, c *gateway.Call) error {
		out, err := p.run(r.Context())
		if err != nil {
			return err
		}
		if !route.ReadOnly && c.Response == nil {
			c.Response = audit.Parameters(out)
		}
		return writeOutput(w, isCBOR(r), out)
	}
	return route, nil
}

func writeOutput(w http.ResponseWriter, asCBOR bool, out any) error {
	if _, none := out.(*None); none {
		out = nil
	}
	h := w.Header()
	if asCBOR {
		h.Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	if out == nil {
		// AWS JSON answers carry the type even when empty; RPC v2 CBOR must not.
		if !asCBOR {
			h.Set("Content-Type", contentTypeJSON)
		}
		h.Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		return nil
	}
	body, err := encode(out, asCBOR)
	if err != nil {
		return err
	}
	write(w, asCBOR, http.StatusOK, body)
	return nil
}

const (
	contentTypeJSON = "application/x-amz-json-1.1"
	contentTypeCBOR = "application/cbor"
)

func write(w http.ResponseWriter, asCBOR bool, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentTypeJSON)
	if asCBOR {
		h.Set("Content-Type", contentTypeCBOR)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client went away: nobody is left to tell
}

// WriteError implements gateway.Service. Errors of the service's own model spell their member
// "Message", those of the framework "message" (spec transcribe-batch.md §1.1).
func (s *Service) WriteError(w http.ResponseWriter, r *http.Request, requestID string, err error) {
	e := awserr.For(awserr.JSON, err)
	asCBOR := isCBOR(r)
	h := w.Header()
	h.Set("X-Amzn-Requestid", requestID)
	h.Set("X-Amzn-Errortype", e.Code)
	if asCBOR {
		h.Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	body, encodeErr := encodeError(e, asCBOR)
	if encodeErr != nil {
		body = nil
	}
	write(w, asCBOR, e.Status, body)
}

// errTooDeep and its like become SerializationException; the sentences are ours, AWS documents none.
var errTooDeep = errors.New("too deeply nested")
