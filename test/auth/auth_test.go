// Package auth_test sends requests that must not be let in, as raw HTTP, and checks that each
// protocol answers as AWS does and that nothing happened.
package auth_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dictum/dictum/test/harness"
)

// request is a request before it is signed.
type request struct {
	service, method, path, target, contentType, body string
}

var (
	listJobs   = request{"transcribe", "POST", "/", "Transcribe.ListTranscriptionJobs", "application/x-amz-json-1.1", "{}"}
	makeBucket = request{"s3", "PUT", "/let-in", "", "", ""}
	whoAmI     = request{"sts", "POST", "/", "", "application/x-www-form-urlencoded", "Action=GetCallerIdentity&Version=2011-06-15"}
)

// signing is how a request is signed; the zero value, with the server's keys, is right.
type signing struct {
	keyID, secret, service string
	skew                   time.Duration
	none                   bool
	spoil                  func(*http.Request) // after signing
}

func TestRequestsThatAreNotLetIn(t *testing.T) {
	server := harness.Run(t)
	longAgo := signing{skew: -time.Hour}
	soon := signing{skew: time.Hour}
	otherBody := func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader("[]"))
		r.ContentLength = 2
	}
	cases := []struct {
		name    string
		request request
		signing signing
		status  int
		code    string
	}{
		{"JSON without a signature", listJobs, signing{none: true}, 400, "MissingAuthenticationTokenException"},
		{"S3 without a signature", makeBucket, signing{none: true}, 403, "AccessDenied"},
		{"query without a signature", whoAmI, signing{none: true}, 403, "MissingAuthenticationToken"},
		{"JSON with an unknown key", listJobs, signing{keyID: "AKIAIOSFODNN7EXAMPLE"}, 400, "UnrecognizedClientException"},
		{"S3 with an unknown key", makeBucket, signing{keyID: "AKIAIOSFODNN7EXAMPLE"}, 403, "InvalidAccessKeyId"},
		{"query with an unknown key", whoAmI, signing{keyID: "AKIAIOSFODNN7EXAMPLE"}, 403, "InvalidClientTokenId"},
		{"JSON with a wrong secret", listJobs, signing{secret: "wrong"}, 400, "InvalidSignatureException"},
		{"S3 with a wrong secret", makeBucket, signing{secret: "wrong"}, 403, "SignatureDoesNotMatch"},
		{"query with a wrong secret", whoAmI, signing{secret: "wrong"}, 403, "SignatureDoesNotMatch"},
		{"JSON signed an hour ago", listJobs, longAgo, 400, "InvalidSignatureException"},
		{"S3 signed an hour ago", makeBucket, longAgo, 403, "RequestTimeTooSkewed"},
		{"query signed an hour ago", whoAmI, longAgo, 403, "SignatureDoesNotMatch"},
		{"JSON signed an hour ahead", listJobs, soon, 400, "InvalidSignatureException"},
		{"JSON signed for another service", listJobs, signing{service: "kms"}, 400, "InvalidSignatureException"},
		{"JSON with another body than signed", listJobs, signing{spoil: otherBody}, 400, "InvalidSignatureException"},
		{"JSON with another target than signed", listJobs, signing{spoil: func(r *http.Request) {
			r.Header.Set("X-Amz-Target", "Transcribe.DeleteTranscriptionJob")
		}}, 400, "InvalidSignatureException"},
		{"JSON with a header that is not one", listJobs, signing{spoil: func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=")
		}}, 400, "IncompleteSignatureException"},
		{"S3 with a token that a lasting key cannot have", makeBucket, signing{spoil: func(r *http.Request) {
			r.Header.Set("X-Amz-Security-Token", "token")
		}}, 0, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			status, body := send(t, server, c.request, c.signing)
			if c.status == 0 { // several codes are right, a success is not
				if status < 400 || status >= 500 {
					t.Errorf("status %d, want a 4xx: %s", status, body)
				}
				return
			}
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			if !strings.Contains(body, c.code) {
				t.Errorf("the body does not name %s: %s", c.code, body)
			}
		})
	}
	t.Run("the same requests, well signed, are let in", func(t *testing.T) {
		for _, r := range []request{listJobs, whoAmI, {"s3", "GET", "/", "", "", ""}} {
			status, body := send(t, server, r, signing{})
			if status != http.StatusOK {
				t.Errorf("%s answers %d: %s", r.service, status, body)
			}
			if strings.Contains(body, "let-in") {
				t.Error("a refused request has made a bucket")
			}
		}
	})
}

func send(t *testing.T, server *harness.Server, r request, s signing) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.method, server.Env["AWS_ENDPOINT_URL"]+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if r.target != "" {
		req.Header.Set("X-Amz-Target", r.target)
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if !s.none {
		sign(t, req, r, s, server)
	}
	if s.spoil != nil {
		s.spoil(req)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

func sign(t *testing.T, req *http.Request, r request, s signing, server *harness.Server) {
	t.Helper()
	keys := aws.Credentials{AccessKeyID: server.Env["AWS_ACCESS_KEY_ID"], SecretAccessKey: server.Env["AWS_SECRET_ACCESS_KEY"]}
	if s.keyID != "" {
		keys.AccessKeyID = s.keyID
	}
	if s.secret != "" {
		keys.SecretAccessKey = s.secret
	}
	service := r.service
	if s.service != "" {
		service = s.service
	}
	digest := sha256.Sum256([]byte(r.body))
	hash := hex.EncodeToString(digest[:])
	if r.service == "s3" {
		req.Header.Set("X-Amz-Content-Sha256", hash)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = r.service == "s3" })
	if err := signer.SignHTTP(context.Background(), keys, req, hash, service, "us-east-1", time.Now().Add(s.skew)); err != nil {
		t.Fatal(err)
	}
}
