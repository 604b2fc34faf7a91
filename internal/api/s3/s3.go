// Package s3 answers the S3 REST API over an objects.Store: requests in, store calls, XML and content
// out. It holds no state of its own. Start at New, for which request is which operation at route.go, and for
// which permissions it needs at access.go.
//
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
package s3

import (
	"encoding/xml"
	"fmt"
	"net/http"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/guarded"
)

// Config is what the service is made of.
type Config struct {
	// Store keeps buckets and objects.
	Store objects.Store
	// Gate lets S3 use customers' keys (SSE-KMS); without one every wish for such a key fails.
	Gate kms.Gate
	// Names binds bucket policies to the users and roles that they name; nil leaves them as they are written.
	Names iam.Namer
	// Domains are host names below which a bucket's name may stand ("bucket.localhost"); nil means
	// localhost. Hosts of the form bucket.s3.… are recognised without.
	Domains []string
}

// Service implements gateway.Service.
type Service struct {
	store   objects.Store
	rules   *guarded.Rules
	names   iam.Namer
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
	return &Service{
		store: config.Store, rules: guarded.NewRules(config.Store, config.Gate),
		names: config.Names, domains: config.Domains,
	}
}

// Name implements gateway.Service.
func (s *Service) Name() string { return "s3" }

// Protocol implements gateway.Speaker.
func (s *Service) Protocol() awserr.Protocol { return awserr.S3 }

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
