// Package awsquery speaks the AWS Query protocol: form parameters in, XML out. A service declares
// its actions as typed functions and gets a gateway.Service of them. Start at Actions.
//
// How structs map to parameters and results:
//   - A member's name is the Go field's name, or the name in an `xml:"…"` tag ("-" skips it). Names are
//     case-sensitive. Embedded structs are flattened.
//   - Binding: a list is Name.member.1, Name.member.2 and so on, a structure's member Name.Member. Unknown
//     parameters are ignored, a wrong type is MalformedInput. Use a pointer where absent differs from empty.
//   - Results are encoded by encoding/xml. Lists are List, which shows an empty one; times must be UTC and
//     whole seconds to print as AWS does; []byte must be encoded by the service.
//
// Source: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html.
package awsquery

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/gateway"
)

// Service is a gateway.Service of query actions.
type Service struct {
	name      string
	namespace string
	version   string
	actions   Actions
	validate  Validator
}

var (
	_ gateway.Service = (*Service)(nil)
	_ gateway.Claimer = (*Service)(nil)
	_ gateway.Speaker = (*Service)(nil)
)

// Validator holds an action's parameters against the service's model. They are strings, []any and
// map[string]any; anything wrong is an AWS error.
type Validator func(action string, params map[string]any) error

// NewService makes the service with this signing name, XML namespace and API version.
func NewService(name, namespace, version string, actions Actions) *Service {
	return &Service{name: name, namespace: namespace, version: version, actions: actions}
}

// Validated has v asked before each action, once the call is authorised. It returns s.
func (s *Service) Validated(v Validator) *Service {
	s.validate = v
	return s
}

// Name implements gateway.Service.
func (s *Service) Name() string { return s.name }

// Protocol implements gateway.Speaker.
func (s *Service) Protocol() awserr.Protocol { return awserr.Query }

// Claims implements gateway.Claimer: a form posted to the root, or an Action in the query.
// All query services share that look; the signature's scope tells them apart.
func (s *Service) Claims(r *http.Request) bool {
	if r.URL.Path != "/" && r.URL.Path != "" {
		return false
	}
	if r.Method == http.MethodPost {
		return isForm(r)
	}
	return r.Method == http.MethodGet && r.URL.Query().Has("Action")
}

func isForm(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/x-www-form-urlencoded"
}

// Route implements gateway.Service. It binds the parameters, so those of a wrong type are refused
// before authorisation; that tells the caller only what the public model says.
func (s *Service) Route(r *http.Request, c *gateway.Call) (gateway.Route, error) {
	params, err := parameters(r)
	if err != nil {
		return gateway.Route{}, err
	}
	name := params.Get("Action")
	action, ok := s.actions[name]
	if !ok || params.Get("Version") != s.version {
		return gateway.Route{}, awserr.Fail(awserr.UnknownOperation,
			"operation", strconv.Quote(name)+" for version "+strconv.Quote(params.Get("Version")))
	}
	route := gateway.Route{Action: name, ReadOnly: gateway.ReadOnly(name)}
	form, err := parse(params)
	if err != nil {
		return route, err
	}
	p, err := action.prepare(r.Context(), c, form)
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
		if s.validate != nil {
			members, _ := form.generic().(map[string]any) // a form always has its Action
			if err := s.validate(name, members); err != nil {
				return err
			}
		}
		result, err := p.run(r.Context())
		if err != nil {
			return err
		}
		if !route.ReadOnly && c.Response == nil && result != nil {
			c.Response = plainLists(audit.Parameters(result))
		}
		body, err := s.encode(name, c.RequestID, result)
		if err != nil {
			return err
		}
		write(w, http.StatusOK, body)
		return nil
	}
	return route, nil
}

// parameters reads the form, or the query of a GET. A parameter that occurs twice is refused: the
// protocol has no lists of that form.
func parameters(r *http.Request) (url.Values, error) {
	raw := r.URL.RawQuery
	if r.Method == http.MethodPost {
		if !isForm(r) {
			return nil, awserr.Fail(awserr.Serialization, "reason", "the body must be application/x-www-form-urlencoded")
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		raw = string(body)
	}
	params, err := url.ParseQuery(raw)
	if err != nil {
		return nil, awserr.Fail(awserr.Serialization, "reason", "the parameters are malformed")
	}
	for name, values := range params {
		if len(values) > 1 {
			return nil, awserr.Fail(awserr.Serialization, "reason", fmt.Sprintf("parameter %.64q occurs more than once", name))
		}
	}
	return params, nil
}

func (s *Service) encode(action, requestID string, result any) ([]byte, error) {
	var b bytes.Buffer
	e := xml.NewEncoder(&b)
	response := xml.StartElement{Name: xml.Name{Local: action + "Response"}, Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: s.namespace}}}
	if err := e.EncodeToken(response); err != nil {
		return nil, fmt.Errorf("encode %s answer: %w", action, err)
	}
	if result != nil {
		if err := e.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: action + "Result"}}); err != nil {
			return nil, fmt.Errorf("encode %s answer: %w", action, err)
		}
	}
	metadata := struct{ RequestId string }{requestID}
	if err := e.EncodeElement(metadata, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}); err != nil {
		return nil, fmt.Errorf("encode %s answer: %w", action, err)
	}
	if err := e.EncodeToken(response.End()); err != nil {
		return nil, fmt.Errorf("encode %s answer: %w", action, err)
	}
	if err := e.Flush(); err != nil {
		return nil, fmt.Errorf("encode %s answer: %w", action, err)
	}
	return b.Bytes(), nil
}

type errorResponse struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

// WriteError implements gateway.Service.
func (s *Service) WriteError(w http.ResponseWriter, _ *http.Request, requestID string, err error) {
	e := awserr.For(awserr.Query, err)
	kind := "Sender"
	if e.Status >= 500 {
		kind = "Receiver"
	}
	body, marshalErr := xml.Marshal(errorResponse{Namespace: s.namespace, Type: kind, Code: e.Code, Message: e.Message, RequestID: requestID})
	if marshalErr != nil {
		body = nil // strings only: it can't happen, and an empty body is still an answer
	}
	w.Header().Set("X-Amzn-Requestid", requestID)
	write(w, e.Status, body)
}

func write(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client went away: nobody is left to tell
}
