package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dictum/dictum/internal/api/sts"
	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/awsjson"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store/identity"
	"github.com/dictum/dictum/internal/store/storetest"
)

// bench is a gateway with three small services over real identities: what the tests talk to.
type bench struct {
	url     string
	gateway *gateway.Gateway
	cred    iam.Credential
	links   *iam.ServiceCredentials
	events  *recorder
	log     *bytes.Buffer
	s3      *memoryS3
	// shift moves the server's clock.
	shift time.Duration
}

// recorder is an Auditor that keeps what it is told.
type recorder struct {
	mu     sync.Mutex
	events []audit.Event
	fail   error
}

func (r *recorder) Record(_ context.Context, e audit.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return r.fail
}

func (r *recorder) last() audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[len(r.events)-1]
}

// Observe implements gateway.Observer.
func (r *recorder) Observe(string, string, int, time.Duration, time.Duration) {}

// memoryS3 is a service with streaming bodies: PUT keeps, GET gives back.
type memoryS3 struct {
	mu      sync.Mutex
	objects map[string][]byte
	sum     string
	origin  string
}

func (*memoryS3) Name() string { return "s3" }

func (s *memoryS3) Route(r *http.Request, _ *gateway.Call) (gateway.Route, error) {
	action := map[string]string{"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "POST": "CompleteMultipartUpload", "DELETE": "Panic", "OPTIONS": "Half"}[r.Method]
	access := iam.Access{Action: "s3:" + action, Resource: "arn:aws:s3:::" + strings.TrimPrefix(r.URL.Path, "/")}
	return gateway.Route{Action: action, Access: []iam.Access{access}, Handler: s.handle}, nil
}

func (s *memoryS3) handle(w http.ResponseWriter, r *http.Request, c *gateway.Call) error {
	s.mu.Lock()
	s.origin = c.Origin
	s.mu.Unlock()
	switch c.Action {
	case "Panic":
		panic("handler fell over")
	case "Half":
		w.Header().Set("Content-Length", "10")
		_, _ = w.Write([]byte("half"))
		return errors.New("disk broke")
	case "PutObject", "CompleteMultipartUpload":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return fmt.Errorf("store object: %w", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.objects[r.URL.Path] = body
		algorithm, value := r.Body.(gateway.Checksummed).Checksum()
		s.sum = algorithm + ":" + value
		w.Header().Set("Etag", `"x"`)
		return nil
	}
	s.mu.Lock()
	body, ok := s.objects[r.URL.Path]
	s.mu.Unlock()
	if !ok {
		return (&awserr.Error{Code: "NoSuchKey", Status: 404, Message: "The specified key does not exist."}).With("Key", r.URL.Path)
	}
	_, _ = w.Write(body)
	return nil
}

func (*memoryS3) WriteError(w http.ResponseWriter, _ *http.Request, requestID string, err error) {
	e := awserr.For(awserr.S3, err)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(e.Status)
	fmt.Fprintf(w, "%s<Error><Code>%s</Code><Message>", xml.Header, e.Code)
	_ = xml.EscapeText(w, []byte(e.Message))
	fmt.Fprint(w, "</Message>")
	for _, f := range e.Fields {
		fmt.Fprintf(w, "<%s>", f.Name)
		_ = xml.EscapeText(w, []byte(f.Value))
		fmt.Fprintf(w, "</%s>", f.Name)
	}
	fmt.Fprintf(w, "<RequestId>%s</RequestId></Error>", requestID)
}

type getInput struct{ TranscriptionJobName *string }

type getOutput struct {
	TranscriptionJob *jobOutput
}

type jobOutput struct {
	TranscriptionJobName   *string
	TranscriptionJobStatus string
	CreationTime           time.Time
}

func transcribe() gateway.Service {
	return awsjson.NewService("transcribe", "Transcribe", awsjson.Operations{
		"GetTranscriptionJob": awsjson.OpOn(
			func(_ context.Context, c *gateway.Call, in *getInput) ([]iam.Access, error) {
				return []iam.Access{{Resource: "arn:aws:transcribe:" + c.Region + ":" + c.Principal.AccountID + ":transcription-job/" + aws.ToString(in.TranscriptionJobName)}}, nil
			},
			func(_ context.Context, _ *gateway.Call, in *getInput) (*getOutput, error) {
				if aws.ToString(in.TranscriptionJobName) != "there" {
					return nil, awserr.BadRequest("The requested job couldn't be found. Check the job name and try your request again.")
				}
				return &getOutput{&jobOutput{in.TranscriptionJobName, "COMPLETED", time.UnixMilli(1599750586471)}}, nil
			}),
		"DeleteTranscriptionJob": awsjson.Op(func(context.Context, *gateway.Call, *getInput) (*awsjson.None, error) { return nil, nil }),
		"TagResource":            awsjson.Op(func(context.Context, *gateway.Call, *getInput) (*awsjson.Empty, error) { return &awsjson.Empty{}, nil }),
	})
}

func newBench(t testing.TB) *bench {
	t.Helper()
	root, err := kms.NewRoot(bytes.Repeat([]byte{7}, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	identities, err := identity.Open(t.Context(), storetest.Open(t), root)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{events: &recorder{}, log: &bytes.Buffer{}, s3: &memoryS3{objects: map[string][]byte{}}}
	now := func() time.Time { return time.Now().Add(b.shift) }
	if b.cred, _, err = iam.Bootstrap(t.Context(), identities, time.Now()); err != nil {
		t.Fatal(err)
	}
	if b.links, err = iam.NewServiceCredentials(root.Derive("iam/service-credentials/v1", 32), now); err != nil {
		t.Fatal(err)
	}
	b.gateway, err = gateway.New(gateway.Config{
		Services:    []gateway.Service{b.s3, transcribe(), sts.New(nil)},
		Credentials: iam.NewResolver(0, b.links, identities),
		Authorizer:  gateway.Administrators{},
		Auditor:     b.events,
		Observer:    b.events,
		Log:         slog.New(slog.NewTextHandler(b.log, nil)),
		Now:         now,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(b.gateway)
	server.Config = gateway.NewServer(b.gateway)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.Start()
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *bench) sdk() aws.Config {
	return aws.Config{
		Region: "eu-west-3", BaseEndpoint: &b.url, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return awsCredentials(b.cred), nil }),
	}
}

func awsCredentials(c iam.Credential) aws.Credentials {
	return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
}

// call is a request to be signed and sent.
type call struct {
	service, method, path, body string
	header                      http.Header
	cred                        iam.Credential
	scope                       string // service in the scope, when it differs
	region                      string
	at                          time.Duration // offset of the signing time
	unsigned                    bool
	payload                     string // literal for S3; empty means the body's hash
	// after changes the signed request.
	after func(*http.Request)
}

type answer struct {
	status int
	header http.Header
	body   string
}

// send signs with the SDK's signer and returns the answer.
func (b *bench) send(t testing.TB, c call) answer {
	t.Helper()
	req := b.request(t, c)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func (b *bench) request(t testing.TB, c call) *http.Request {
	t.Helper()
	defaults(b, &c)
	req, err := http.NewRequest(c.method, b.url+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	switch c.service {
	case "transcribe":
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		if req.Header.Get("X-Amz-Target") == "" {
			req.Header.Set("X-Amz-Target", "Transcribe.GetTranscriptionJob")
		}
	case "sts":
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if !c.unsigned {
		if c.service == "s3" {
			req.Header.Set("X-Amz-Content-Sha256", c.payload)
		}
		err := v4.NewSigner().SignHTTP(t.Context(), awsCredentials(c.cred), req, c.payload, c.scope, c.region, time.Now().Add(c.at),
			func(o *v4.SignerOptions) { o.DisableURIPathEscaping = c.service == "s3" })
		if err != nil {
			t.Fatal(err)
		}
	}
	if c.after != nil {
		c.after(req)
	}
	return req
}

func defaults(b *bench, c *call) {
	if c.method == "" {
		c.method = map[string]string{"s3": "GET"}[c.service]
		if c.method == "" {
			c.method = "POST"
		}
	}
	if c.path == "" {
		c.path = map[string]string{"s3": "/bucket/key"}[c.service]
	}
	if c.body == "" && c.method == "POST" {
		c.body = map[string]string{"transcribe": `{"TranscriptionJobName":"there"}`, "sts": "Action=GetCallerIdentity&Version=2011-06-15"}[c.service]
	}
	if c.cred.AccessKeyID == "" {
		c.cred = b.cred
	}
	if c.scope == "" {
		c.scope = c.service
	}
	if c.region == "" {
		c.region = "us-west-2"
	}
	if c.payload == "" {
		sum := sha256.Sum256([]byte(c.body))
		c.payload = hex.EncodeToString(sum[:])
	}
}
