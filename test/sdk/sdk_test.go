// Package sdk_test uses a running server through AWS's own SDKs: boto3 (boto3_suite.py, in the
// pinned environment of make setup), the JavaScript SDK (js/, the same) and the Go SDK.
package sdk_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/transcribe"
	"github.com/aws/aws-sdk-go-v2/service/transcribe/types"

	"github.com/dictum/dictum/test/harness"
)

const mib = 1 << 20

func TestBoto3(t *testing.T) {
	server := harness.Run(t)
	python := filepath.Join(harness.Root(), ".cache/venv/bin/python")
	command := exec.CommandContext(t.Context(), python, "boto3_suite.py")
	command.Env = server.Environ(t.TempDir())
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestJavaScriptSDK(t *testing.T) {
	modules := filepath.Join(harness.Root(), ".cache/js/node_modules")
	if _, err := os.Stat(modules); err != nil {
		t.Skip("make setup found no Node.js 20 or newer with npm; the JavaScript SDK needs it")
	}
	server := harness.Run(t)
	// Modules are found beside the file that imports them.
	suite := filepath.Join(harness.Root(), ".cache/js/suite.mjs")
	source, err := os.ReadFile("js/suite.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(suite, source, 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "node", suite)
	command.Env = server.Environ(t.TempDir())
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestGoSDK(t *testing.T) {
	server := harness.Run(t)
	clients := server.Clients("us-east-1")
	bucket := clients.Bucket(t, "go-sdk")
	body := make([]byte, 11*mib)
	if _, err := rand.Read(body); err != nil {
		t.Fatal(err)
	}

	t.Run("caller identity", func(t *testing.T) {
		who, err := clients.STS.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if err != nil {
			t.Fatal(err)
		}
		if want := "arn:aws:iam::" + *who.Account + ":user/"; !strings.HasPrefix(*who.Arn, want) || !strings.HasPrefix(*who.UserId, "AIDA") {
			t.Errorf("Arn %q, UserId %q; want a user of %s", *who.Arn, *who.UserId, want)
		}
	})
	t.Run("checksums that the SDK chooses", func(t *testing.T) {
		for _, algorithm := range []s3types.ChecksumAlgorithm{"", "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
			key := "sum-" + string(algorithm)
			if _, err := clients.S3.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: &bucket, Key: &key, Body: bytes.NewReader(body[:mib]), ChecksumAlgorithm: algorithm,
			}); err != nil {
				t.Errorf("put with %q: %v", algorithm, err)
				continue
			}
			if got := object(t, clients, bucket, key); !bytes.Equal(got, body[:mib]) {
				t.Errorf("%q: %d other bytes came back", algorithm, len(got))
			}
		}
	})
	t.Run("multipart", func(t *testing.T) { multipart(t, clients, bucket, body) })
	t.Run("presigned GET and PUT", func(t *testing.T) { presigned(t, clients, bucket, body[:1000]) })
	t.Run("language identification", func(t *testing.T) { identify(t, clients, bucket) })
}

func multipart(t *testing.T, clients *harness.Clients, bucket string, body []byte) {
	key := aws.String("multi/part")
	upload, err := clients.S3.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var parts []s3types.CompletedPart
	for i, part := range [][]byte{body[:5*mib], body[5*mib : 10*mib], body[10*mib:]} {
		number := aws.Int32(int32(i + 1))
		out, err := clients.S3.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: &bucket, Key: key, UploadId: upload.UploadId, PartNumber: number, Body: bytes.NewReader(part),
		})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, s3types.CompletedPart{ETag: out.ETag, PartNumber: number, ChecksumCRC32: out.ChecksumCRC32})
	}
	if _, err := clients.S3.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: &bucket, Key: key, UploadId: upload.UploadId, MultipartUpload: &s3types.CompletedMultipartUpload{Parts: parts},
	}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(object(t, clients, bucket, *key), body) {
		t.Error("other bytes came back")
	}
}

func presigned(t *testing.T, clients *harness.Clients, bucket string, body []byte) {
	key := aws.String("pre signed/+é")
	signer := s3.NewPresignClient(clients.S3, s3.WithPresignExpires(time.Minute))
	put, err := signer.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := fetch(t, put.Method, put.URL, put.SignedHeader, body); status != http.StatusOK {
		t.Fatalf("PUT answers %d: %s", status, answer)
	}
	get, err := signer.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := fetch(t, get.Method, get.URL, get.SignedHeader, nil); status != http.StatusOK || !bytes.Equal(answer, body) {
		t.Errorf("GET answers %d with %d bytes", status, len(answer))
	}
	if status, answer := fetch(t, http.MethodGet, strings.Replace(get.URL, "X-Amz-Expires=60", "X-Amz-Expires=600", 1), nil, nil); status != http.StatusForbidden {
		t.Errorf("a URL whose expiry was changed answers %d: %s", status, answer)
	}
}

func fetch(t *testing.T, method, url string, header http.Header, body []byte) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		if name != "Host" {
			request.Header[name] = values
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

func identify(t *testing.T, clients *harness.Clients, bucket string) {
	reading, err := os.ReadFile(harness.Excerpt(t, 10, "x.wav", "-ar", "16000"))
	if err != nil {
		t.Fatal(err)
	}
	uri := clients.Put(t, bucket, "identify.wav", reading)
	job := aws.String("identify")
	if _, err := clients.Transcribe.StartTranscriptionJob(t.Context(), &transcribe.StartTranscriptionJobInput{
		TranscriptionJobName: job,
		Media:                &types.Media{MediaFileUri: &uri},
		IdentifyLanguage:     aws.Bool(true),
		LanguageOptions:      []types.LanguageCode{"en-US", "fr-FR", "es-US"},
		OutputBucketName:     &bucket,
	}); err != nil {
		t.Fatal(err)
	}
	found := clients.Await(t, *job, 2*time.Minute)
	if found.TranscriptionJobStatus != types.TranscriptionJobStatusCompleted {
		t.Fatalf("status %s: %s", found.TranscriptionJobStatus, aws.ToString(found.FailureReason))
	}
	if score := aws.ToFloat32(found.IdentifiedLanguageScore); found.LanguageCode != "en-US" || score <= 0.5 || score > 1 {
		t.Errorf("identified %q with score %v, want en-US over 0.5", found.LanguageCode, score)
	}
	var doc map[string]any
	if err := json.Unmarshal(object(t, clients, bucket, "identify.json"), &doc); err != nil {
		t.Fatal(err)
	}
	if results := fmt.Sprint(doc["results"]); !strings.Contains(results, "language_identification") {
		t.Errorf("the document has no language_identification")
	}
}

func object(t *testing.T, clients *harness.Clients, bucket, key string) []byte {
	t.Helper()
	out, err := clients.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	return content
}
