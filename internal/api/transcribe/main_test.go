package transcribe_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/api/coverage"
	"github.com/dictum/dictum/internal/api/transcribe"
	"github.com/dictum/dictum/internal/aws/awsjson"
	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/store/jobs"
	"github.com/dictum/dictum/internal/store/jobs/jobtest"
	"github.com/dictum/dictum/internal/store/vocabularyfilters"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
	"github.com/dictum/dictum/internal/transcribe/vocabularyfilter"
)

var (
	recorder coverage.Recorder
	update   = flag.Bool("update", false, "write testdata/coverage.json")
)

// TestMain holds testdata/coverage.json to what a whole run of the tests called.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	part := flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.skip").Value.String() != "" ||
		flag.Lookup("test.fuzz").Value.String() != "" || flag.Lookup("test.list").Value.String() != ""
	if code == 0 && !part {
		s := recorder.Service("Amazon Transcribe", model.Source(), model.Operations(), transcribe.Routed())
		if err := s.Check("testdata/coverage.json", *update); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

const (
	account = jobtest.Account
	origin  = "http://127.0.0.1:7600"
)

// server is the service behind a gateway's back: calls come verified, and are authorised as the gateway does.
type server struct {
	*awsjson.Service
	world *jobtest.World
	// as is who calls.
	as    iam.Principal
	jobs  *job.Service
	store *jobs.Jobs
	files objects.ReadWriter
	now   time.Time
}

func newServer(t *testing.T, quotas job.Quotas) *server {
	t.Helper()
	world := jobtest.Open(t)
	s, err := jobs.Open(t.Context(), world.DB)
	if err != nil {
		t.Fatal(err)
	}
	files := world.Objects
	for _, name := range []string{"media", "results"} {
		world.Bucket(t, name, account, jobtest.Region)
	}
	if _, err := files.Put(t.Context(), "media", "talk.wav", strings.NewReader("content"), objects.Metadata{}); err != nil {
		t.Fatal(err)
	}
	table, err := vocabularyfilters.Open(t.Context(), world.DB, s)
	if err != nil {
		t.Fatal(err)
	}
	filters := &vocabularyfilter.Service{Store: table, Rights: world.Rights(files), Objects: files, Buckets: files, Quotas: quotas}
	srv := &server{
		jobs:  &job.Service{Store: s, Tags: s, Rights: world.Rights(files), Objects: files, Buckets: files, Quotas: quotas, Filters: filters, TagStores: map[string]job.TagStore{vocabularyfilter.Kind: table}},
		world: world, store: s, files: files, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), as: jobtest.Root(account),
	}
	srv.Service = transcribe.New(transcribe.Config{Jobs: srv.jobs, Filters: filters, Presigner: links{}, Keys: world.Keys, Roles: world.Directory, Now: func() time.Time { return srv.now }})
	return srv
}

// answer is what came over the wire.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// job is the TranscriptionJob of an answer.
func (a answer) job(t *testing.T) map[string]any {
	t.Helper()
	j, ok := a.body["TranscriptionJob"].(map[string]any)
	if a.status != 200 || !ok {
		t.Fatalf("HTTP %d %s", a.status, a.raw)
	}
	return j
}

// call sends an operation as the AWS CLI does.
func (s *server) call(t *testing.T, operation, body string) answer {
	t.Helper()
	return s.callIn(t, "us-east-1", operation, body)
}

func (s *server) callIn(t *testing.T, region, operation, body string) answer {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", "Transcribe."+operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	c := &gateway.Call{Service: "transcribe", Origin: origin, Caller: jobtest.Caller(s.as), Authorizer: s.world.Authorizer}
	c.Region = region
	w := httptest.NewRecorder()
	if err := s.serve(w, r, c); err != nil {
		s.WriteError(w, r, "request-id", err)
	}
	res := w.Result()
	raw, _ := io.ReadAll(res.Body)
	a := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			t.Fatalf("answer is not JSON: %v: %s", err, raw)
		}
	}
	if a.status == 200 {
		recorder.Record(operation, t.Name())
	}
	return a
}

func (s *server) serve(w http.ResponseWriter, r *http.Request, c *gateway.Call) error {
	route, err := s.Route(r, c)
	if err != nil {
		return err
	}
	c.Action, c.Resource = route.Action, route.Access[0].Resource
	for _, a := range route.Access {
		if err := c.Authorize(r.Context(), a); err != nil {
			return err
		}
	}
	return route.Handler(w, r, c)
}

// end claims the oldest job and ends it by change.
func (s *server) end(t *testing.T, change func(*job.Job) error) {
	t.Helper()
	now := time.Now()
	c, err := s.store.Claim(context.Background(), "test", now, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.Commit(context.Background(), c, change); err != nil {
		t.Fatal(err)
	}
}

// links signs with a credential that nobody checks here; the gateway's tests follow such links.
type links struct{}

func (links) PresignGet(_ context.Context, origin, region, bucket, key string, life time.Duration) (string, error) {
	credential := iam.Credential{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}
	return sigv4.Presign(http.MethodGet, origin+"/"+bucket+"/"+key, credential, region, "s3", life, time.Now())
}
