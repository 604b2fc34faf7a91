// Package s3 answers the S3 REST API over an objects.Store: requests in, store calls, XML and content
// out. It holds no state of its own. Start at New and, for which request is which operation, at route.go.
//
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
package s3

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/objects"
)

// Config is what the service is made of.
type Config struct {
	// Store keeps buckets and objects.
	Store objects.Store
	// Domains are host names below which a bucket's name may stand ("bucket.localhost"); nil means
	// localhost. Hosts of the form bucket.s3.… are recognised without.
	Domains []string
}

// Service implements gateway.Service.
type Service struct {
	store   objects.Store
	domains []string
}

var (
	_ gateway.Service = (*Service)(nil)
	_ gateway.Speaker = (*Service)(nil)
)

// New returns the service.
func New(config Config) *Service {
	if config.Domains == nil {
		config.Domains = []string{"localhost"}
	}
	return &Service{store: config.Store, domains: config.Domains}
}

// Name implements gateway.Service.
func (s *Service) Name() string { return "s3" }

// Protocol implements gateway.Speaker.
func (s *Service) Protocol() awserr.Protocol { return awserr.S3 }

// request is one S3 request, taken apart.
type request struct {
	*http.Request
	call        *gateway.Call
	bucket, key string
	query       url.Values
	// header holds the request's headers, and those that presigning moved to the query.
	header http.Header
}

// operation is a handler with the request taken apart.
type operation func(s *Service, w http.ResponseWriter, r *request) error

// Route implements gateway.Service.
func (s *Service) Route(r *http.Request, c *gateway.Call) (gateway.Route, error) {
	q, err := s.parse(r)
	if err != nil {
		return gateway.Route{}, err
	}
	row, err := q.find()
	if err != nil {
		return gateway.Route{}, err
	}
	return gateway.Route{
		Action:   row.action,
		Access:   []iam.Access{{Action: "s3:" + row.action, Resource: q.resource(row)}},
		ReadOnly: gateway.ReadOnly(row.action),
		Data:     q.key != "",
		Handler: func(w http.ResponseWriter, r *http.Request, c *gateway.Call) error {
			// The body of r may have been replaced since Route.
			q.Request, q.call = r, c
			if err := q.refuseUnbuilt(); err != nil {
				return err
			}
			return translate(row.run(s, w, q), q.bucket, q.key)
		},
	}, nil
}

// errorDocument is S3's error document; the fields of an error stand between Message and RequestId.
type errorDocument struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Fields    []errorField
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
}

type errorField struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

// WriteError implements gateway.Service.
func (s *Service) WriteError(w http.ResponseWriter, r *http.Request, requestID string, err error) {
	shown := awserr.For(awserr.S3, err)
	if r.Method == http.MethodHead {
		w.WriteHeader(shown.Status)
		return
	}
	doc := errorDocument{Code: shown.Code, Message: shown.Message, RequestID: requestID, HostID: w.Header().Get("X-Amz-Id-2")}
	for _, f := range shown.Fields {
		doc.Fields = append(doc.Fields, errorField{XMLName: xml.Name{Local: f.Name}, Value: f.Value})
	}
	// The client is gone when this fails; there is nobody to tell.
	_ = reply(w, shown.Status, doc)
}

// reply writes an XML document.
func reply(w http.ResponseWriter, status int, doc any) error {
	b, err := xml.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if _, err = w.Write(append([]byte(xml.Header), b...)); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

// own returns the bucket when it is the caller's, else AccessDenied: the bucket of another account is
// nobody's business. Dictum's own sessions read service-managed output, and only of their account.
func (s *Service) own(r *request) (objects.Bucket, error) {
	b, err := s.bucketOf(r, r.bucket, r.key)
	if err != nil {
		return objects.Bucket{}, err
	}
	if owner := r.header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" && owner != b.AccountID {
		return objects.Bucket{}, errAccessDenied
	}
	return b, nil
}

func (s *Service) bucketOf(r *request, name, key string) (objects.Bucket, error) {
	b, err := s.store.Bucket(r.Context(), name)
	if errors.Is(err, objects.ErrNoSuchBucket) && r.call.Principal.Service == "" {
		return objects.Bucket{}, translate(err, name, "")
	}
	if err != nil && !errors.Is(err, objects.ErrNoSuchBucket) {
		return objects.Bucket{}, err
	}
	p := r.call.Principal
	switch {
	case p.Service != "":
		account := p.AccountID + "/"
		if b.AccountID != objects.ServiceAccount || len(key) <= len(account) || key[:len(account)] != account || !r.reads() {
			return objects.Bucket{}, errAccessDenied
		}
	case b.AccountID != p.AccountID:
		return objects.Bucket{}, errAccessDenied
	}
	return b, nil
}

// reads tells GET and HEAD.
func (r *request) reads() bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }
