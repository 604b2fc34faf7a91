package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/transcribe"
	"github.com/aws/aws-sdk-go-v2/service/transcribe/types"
	"github.com/aws/smithy-go"
)

// Clients are the Go SDK's clients for a server, in one region.
type Clients struct {
	Config     aws.Config
	S3         *s3.Client
	STS        *sts.Client
	Transcribe *transcribe.Client
}

// Clients makes clients with the server's own keys. S3 keys are in the path, because
// bucket host names do not resolve here.
func (s *Server) Clients(region string) *Clients {
	config := aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(s.Env["AWS_ENDPOINT_URL"]),
		Credentials:  credentials.NewStaticCredentialsProvider(s.Env["AWS_ACCESS_KEY_ID"], s.Env["AWS_SECRET_ACCESS_KEY"], ""),
		HTTPClient:   &http.Client{Timeout: time.Minute, Transport: &witness{next: s.transport(), secrets: &s.secrets}},
		// The tests want to see each failure once.
		RetryMaxAttempts: 1,
	}
	return &Clients{
		Config:     config,
		S3:         s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }),
		STS:        sts.NewFromConfig(config),
		Transcribe: transcribe.NewFromConfig(config),
	}
}

// transport trusts the authority that `dictum env` names, if any.
func (s *Server) transport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if bundle := s.Env["AWS_CA_BUNDLE"]; bundle != "" {
		pem, err := os.ReadFile(bundle)
		if err != nil {
			panic(fmt.Sprintf("harness: read the server's own authority: %v", err))
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem)
	}
	return transport
}

// Bucket makes a bucket in the clients' region.
func (c *Clients) Bucket(t testing.TB, name string) string {
	t.Helper()
	if err := c.CreateBucket(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return name
}

// CreateBucket makes a bucket in the clients' region.
func (c *Clients) CreateBucket(ctx context.Context, name string) error {
	in := &s3.CreateBucketInput{Bucket: &name}
	if c.Config.Region != "us-east-1" {
		in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(c.Config.Region)}
	}
	if _, err := c.S3.CreateBucket(ctx, in); err != nil {
		return fmt.Errorf("create bucket: %w", err)
	}
	return nil
}

// Put stores an object and returns its S3 URI.
func (c *Clients) Put(t testing.TB, bucket, key string, content []byte) string {
	t.Helper()
	if _, err := c.S3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(string(content))}); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return "s3://" + bucket + "/" + key
}

// Await polls a job until it ends and returns it.
func (c *Clients) Await(t testing.TB, job string, limit time.Duration) *types.TranscriptionJob {
	t.Helper()
	var found *types.TranscriptionJob
	Until(t, limit, "job "+job+" ends", func() bool {
		out, err := c.Transcribe.GetTranscriptionJob(t.Context(), &transcribe.GetTranscriptionJobInput{TranscriptionJobName: &job})
		if err != nil {
			t.Fatalf("get job %s: %v", job, err)
		}
		found = out.TranscriptionJob
		return Ended(found)
	})
	return found
}

// Ended tells whether a job has its final status.
func Ended(job *types.TranscriptionJob) bool {
	status := job.TranscriptionJobStatus
	return status == types.TranscriptionJobStatusCompleted || status == types.TranscriptionJobStatusFailed
}

// ErrorCode is the AWS code of an error, or "" when it has none.
func ErrorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
