// Package awsquery speaks the AWS Query protocol: form parameters in, XML out. A service declares
// its actions and gets a gateway.Service of them. Start at Actions.
//
// Source: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html.
package awsquery

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

// Actions are a service's operations by name: "GetCallerIdentity".
type Actions map[string]Action

// Action carries out one operation. Its result is encoded by encoding/xml as the content of
// <{Action}Result>; a nil result leaves that element out.
type Action func(ctx context.Context, c *gateway.Call, params url.Values) (result any, err error)

// Refuse is an action that is known and always answers with err.
func Refuse(err error) Action {
	return func(context.Context, *gateway.Call, url.Values) (any, error) { return nil, err }
}

// Service is a gateway.Service of query actions.
type Service struct {
	name      string
	namespace string
	version   string
	actions   Actions
}

var (
	_ gateway.Service = (*Service)(nil)
	_ gateway.Claimer = (*Service)(nil)
	_ gateway.Speaker = (*Service)(nil)
)

// NewService makes the service with this signing name, XML namespace and API version.
func NewService(name, namespace, version string, actions Actions) *Service {
	return &Service{name: name, namespace: namespace, version: version, actions: actions}
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

// Route implements gateway.Service.
func (s *Service) Route(r *http.Request, _ *gateway.Call) (gateway.Route, error) {
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
	access := []iam.Access{{Action: s.name + ":" + name, Resource: "*"}}
	return gateway.Route{Action: name, Access: access, ReadOnly: gateway.ReadOnly(name), Handler: func(w http.ResponseWriter, r *http.Request, c *gateway.Call) error {
		result, err := action(r.Context(), c, params)
		if err != nil {
			return err
		}
		body, err := s.encode(name, c.RequestID, result)
		if err != nil {
			return err
		}
		write(w, http.StatusOK, body)
		return nil
	}}, nil
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
