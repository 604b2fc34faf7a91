package gateway_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	stssdk "github.com/aws/aws-sdk-go-v2/service/sts"
	transcribesdk "github.com/aws/aws-sdk-go-v2/service/transcribe"
	"github.com/aws/smithy-go"
	"github.com/fxamacker/cbor/v2"
)

func TestGoSDK(t *testing.T) {
	b := newBench(t)
	t.Run("sts", func(t *testing.T) {
		out, err := stssdk.NewFromConfig(b.sdk()).GetCallerIdentity(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		p := b.cred.Principal
		if aws.ToString(out.Account) != p.AccountID || aws.ToString(out.Arn) != p.ARN || aws.ToString(out.UserId) != p.UserID {
			t.Errorf("got %s %s %s, want %+v", *out.Account, *out.Arn, *out.UserId, p)
		}
		_, err = stssdk.NewFromConfig(b.sdk()).GetSessionToken(t.Context(), nil)
		var apiErr smithy.APIError
		if !errors.As(err, &apiErr) || apiErr.ErrorCode() != "InvalidAction" {
			t.Errorf("GetSessionToken: %v", err)
		}
	})
	t.Run("transcribe", func(t *testing.T) {
		client := transcribesdk.NewFromConfig(b.sdk())
		out, err := client.GetTranscriptionJob(t.Context(), &transcribesdk.GetTranscriptionJobInput{TranscriptionJobName: aws.String("there")})
		if err != nil {
			t.Fatal(err)
		}
		if got := out.TranscriptionJob.CreationTime.UnixMilli(); got != 1599750586471 || out.TranscriptionJob.TranscriptionJobStatus != "COMPLETED" {
			t.Errorf("got %+v", out.TranscriptionJob)
		}
		_, err = client.GetTranscriptionJob(t.Context(), &transcribesdk.GetTranscriptionJobInput{TranscriptionJobName: aws.String("gone")})
		var apiErr smithy.APIError
		if !errors.As(err, &apiErr) || apiErr.ErrorCode() != "BadRequestException" || !strings.HasPrefix(apiErr.ErrorMessage(), "The requested job") {
			t.Errorf("got %v", err)
		}
		if _, err = client.DeleteTranscriptionJob(t.Context(), &transcribesdk.DeleteTranscriptionJobInput{TranscriptionJobName: aws.String("x")}); err != nil {
			t.Errorf("empty answer: %v", err)
		}
		_, err = client.ListVocabularies(t.Context(), nil)
		if !errors.As(err, &apiErr) || apiErr.ErrorCode() != "UnknownOperationException" {
			t.Errorf("unknown operation: %v", err)
		}
	})
	t.Run("s3", func(t *testing.T) {
		client := s3.NewFromConfig(b.sdk(), func(o *s3.Options) { o.UsePathStyle = true })
		content := strings.Repeat("0123456789", 20_000)
		for _, algorithm := range []s3types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("a b/ü//../k"), Body: strings.NewReader(content), ChecksumAlgorithm: algorithm})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(b.s3.sum, string(algorithm)+":") {
				t.Errorf("handler saw checksum %q, want %s", b.s3.sum, algorithm)
			}
		}
		out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("a b/ü//../k")})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(out.Body); string(got) != content {
			t.Errorf("read %d bytes back", len(got))
		}
		if b.s3.origin != b.url {
			t.Errorf("origin %q, want %q", b.s3.origin, b.url)
		}
		presigner := s3.NewPresignClient(client)
		put, err := presigner.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("p")})
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequest(put.Method, put.URL, strings.NewReader("presigned"))
		for name, values := range put.SignedHeader {
			if name != "Host" && name != "Content-Length" {
				req.Header[name] = values
			}
		}
		stored, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer stored.Body.Close()
		if stored.StatusCode != http.StatusOK {
			t.Fatalf("presigned PUT: %s", stored.Status)
		}
		get, err := presigner.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("p")})
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.Get(get.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if got, _ := io.ReadAll(res.Body); string(got) != "presigned" {
			t.Errorf("presigned GET: %d %s", res.StatusCode, got)
		}
	})
	t.Run("presigned sts", func(t *testing.T) {
		out, err := stssdk.NewPresignClient(stssdk.NewFromConfig(b.sdk())).PresignGetCallerIdentity(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequest(out.Method, out.URL, nil)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	})
}

// TestBoto3 runs the Python SDK against the gateway: its signing is not Go's.
func TestBoto3(t *testing.T) {
	if err := exec.Command("python3", "-c", "import boto3").Run(); err != nil {
		t.Skip("python3 has no boto3")
	}
	b := newBench(t)
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/boto.py", b.url)
	cmd.Env = append(cmd.Environ(), "AWS_ACCESS_KEY_ID="+b.cred.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+b.cred.SecretAccessKey,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func TestCBOR(t *testing.T) {
	b := newBench(t)
	send := func(operation string, in any) (int, http.Header, map[string]any) {
		t.Helper()
		body, err := cbor.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		a := b.send(t, call{service: "transcribe", path: "/service/Transcribe/operation/" + operation, body: string(body), header: http.Header{
			"Smithy-Protocol": {"rpc-v2-cbor"}, "Accept": {"application/cbor"},
		}})
		var out map[string]any
		if a.body != "" {
			if err := cbor.NewDecoder(bytes.NewReader([]byte(a.body))).Decode(&out); err != nil {
				t.Fatalf("answer %q: %v", a.body, err)
			}
		}
		return a.status, a.header, out
	}
	status, header, out := send("GetTranscriptionJob", map[string]any{"TranscriptionJobName": "there", "Unknown": 1})
	job, _ := out["TranscriptionJob"].(map[any]any)
	if status != 200 || header.Get("Smithy-Protocol") != "rpc-v2-cbor" || header.Get("Content-Type") != "application/cbor" || job["TranscriptionJobStatus"] != "COMPLETED" {
		t.Errorf("got %d %v %v", status, header, out)
	}
	status, _, out = send("GetTranscriptionJob", map[string]any{"TranscriptionJobName": "gone"})
	if status != 400 || out["__type"] != "BadRequestException" || out["Message"] == nil {
		t.Errorf("got %d %v", status, out)
	}
	status, _, out = send("GetTranscriptionJob", map[string]any{"TranscriptionJobName": 1})
	if status != 400 || out["__type"] != "SerializationException" {
		t.Errorf("wrong type: %d %v", status, out)
	}
	status, _, out = send("Nothing", map[string]any{})
	if status != 400 || out["__type"] != "UnknownOperationException" {
		t.Errorf("unknown operation: %d %v", status, out)
	}
	if status, header, out = send("DeleteTranscriptionJob", map[string]any{}); status != 200 || out != nil || header.Get("Content-Type") != "" {
		t.Errorf("no output: %d %v %v", status, header, out)
	}
}

func TestJSONProtocol(t *testing.T) {
	b := newBench(t)
	tests := []struct {
		name, target, body string
		status             int
		want               string
	}{
		{"job", "Transcribe.GetTranscriptionJob", `{"TranscriptionJobName":"there"}`, 200, `{"TranscriptionJob":{"TranscriptionJobName":"there","TranscriptionJobStatus":"COMPLETED","CreationTime":1599750586.471}}`},
		{"long target", "com.amazonaws.transcribe.Transcribe.GetTranscriptionJob", `{"TranscriptionJobName":"there","More":[1,{"a":null}]}`, 200, `"COMPLETED"`},
		{"no output", "Transcribe.DeleteTranscriptionJob", `{}`, 200, ``},
		{"empty output", "Transcribe.TagResource", `{}`, 200, `{}`},
		{"error of the model", "Transcribe.GetTranscriptionJob", `{}`, 400, `{"__type":"BadRequestException","Message":"The requested job couldn't be found.`},
		{"null is absent", "Transcribe.GetTranscriptionJob", `{"TranscriptionJobName":null}`, 400, `BadRequestException`},
		{"names are case-sensitive", "Transcribe.GetTranscriptionJob", `{"transcriptionJobName":"there"}`, 400, `BadRequestException`},
		{"wrong type", "Transcribe.GetTranscriptionJob", `{"TranscriptionJobName":1}`, 400, `{"__type":"SerializationException","message":"NUMBER_VALUE can not be converted to a String"}`},
		{"not JSON", "Transcribe.GetTranscriptionJob", `{`, 400, `"SerializationException"`},
		{"not a structure", "Transcribe.GetTranscriptionJob", `[]`, 400, `"SerializationException"`},
		{"unknown operation", "Transcribe.Fly", `{}`, 400, `"UnknownOperationException"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := b.send(t, call{service: "transcribe", body: tt.body, header: http.Header{"X-Amz-Target": {tt.target}}})
			if a.status != tt.status || !strings.Contains(a.body, tt.want) {
				t.Errorf("got %d %s", a.status, a.body)
			}
			if a.header.Get("X-Amzn-Requestid") == "" || a.header.Get("Content-Type") != "application/x-amz-json-1.1" {
				t.Errorf("headers %v", a.header)
			}
		})
	}
	t.Run("target of a service that is not there", func(t *testing.T) {
		a := b.send(t, call{service: "transcribe", header: http.Header{"X-Amz-Target": {"TrentService.ListKeys"}}})
		if a.status != 400 || !strings.Contains(a.body, "UnknownOperationException") {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})
}

// TestSignatureCoversTheOperation replays a signature on another operation with the same body.
func TestSignatureCoversTheOperation(t *testing.T) {
	b := newBench(t)
	a := b.send(t, call{service: "transcribe", after: func(r *http.Request) { r.Header.Set("X-Amz-Target", "Transcribe.DeleteTranscriptionJob") }})
	if a.status != 400 || !strings.Contains(a.body, "InvalidSignatureException") {
		t.Errorf("got %d %s", a.status, a.body)
	}
}
