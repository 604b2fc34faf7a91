package audit_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
)

// sameJSON compares documents as JSON, but for the event's id.
func sameJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	var g, w map[string]any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	delete(g, "eventID")
	gb, _ := json.MarshalIndent(g, "", " ")
	wb, _ := json.MarshalIndent(w, "", " ")
	if string(gb) != string(wb) {
		t.Errorf("got %s\nwant %s", gb, wb)
	}
}

// TestDocument holds documents against the shapes of CloudTrail's user guide (spec auth-and-security.md §7).
func TestDocument(t *testing.T) {
	issued := noon.Add(-time.Hour)
	role := iam.Principal{
		Kind: iam.KindRole, AccountID: "111122223333", ARN: "arn:aws:sts::111122223333:assumed-role/worker/night", UserID: "AROAEXAMPLE:night",
		AccessKeyID: "ASIAEXAMPLE", Session: &iam.Session{
			RoleARN: "arn:aws:iam::111122223333:role/worker", RoleID: "AROAEXAMPLE", RoleName: "worker", Name: "night", Issued: issued,
			SourceIdentity: "alice", Tags: map[string]string{"Team": "x"},
		},
	}
	for _, tc := range []struct {
		name string
		edit func(e *audit.Event)
		want string
	}{
		{"a user's job", func(e *audit.Event) {
			e.Request = map[string]any{"transcriptionJobName": "demo", "languageCode": "en-US", "media": map[string]any{"mediaFileUri": "s3://b/a.flac"}}
			e.Response = map[string]any{"transcriptionJob": map[string]any{"transcriptionJobName": "demo", "transcriptionJobStatus": "IN_PROGRESS"}}
		}, `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333","accessKeyId":"AKIAIOSFODNN7EXAMPLE","userName":"alice"},
 "eventTime":"2026-01-05T12:00:00Z","eventSource":"transcribe.amazonaws.com","eventName":"StartTranscriptionJob","awsRegion":"us-west-2","sourceIPAddress":"192.0.2.10","userAgent":"aws-cli/2.x",
 "requestParameters":{"transcriptionJobName":"demo","languageCode":"en-US","media":{"mediaFileUri":"s3://b/a.flac"}},
 "responseElements":{"transcriptionJob":{"transcriptionJobName":"demo","transcriptionJobStatus":"IN_PROGRESS"}},
 "requestID":"47b8e8d3-0000-4000-8000-000000000000","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"eventCategory":"Management"}`},
		{"a role's session with TLS", func(e *audit.Event) {
			e.Caller.Principal = role
			e.Additional = map[string]any{"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "bytesTransferredIn": 5}
		}, `{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:night","arn":"arn:aws:sts::111122223333:assumed-role/worker/night","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE",
 "sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::111122223333:role/worker","accountId":"111122223333","userName":"worker"},
 "attributes":{"creationDate":"2026-01-05T11:00:00Z","mfaAuthenticated":"false"},"sourceIdentity":"alice"}},
 "eventTime":"2026-01-05T12:00:00Z","eventSource":"transcribe.amazonaws.com","eventName":"StartTranscriptionJob","awsRegion":"us-west-2","sourceIPAddress":"192.0.2.10","userAgent":"aws-cli/2.x",
 "requestParameters":null,"responseElements":null,"additionalEventData":{"bytesTransferredIn":5},
 "requestID":"47b8e8d3-0000-4000-8000-000000000000","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"eventCategory":"Management",
 "tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256"}}`},
		{"a web identity, with MFA", func(e *audit.Event) {
			s := *role.Session
			s.Provider, s.Subject, s.MFA, s.SourceIdentity = "https://issuer.example/realm", "user-7", noon, ""
			e.Caller.Principal = role
			e.Caller.Principal.Session = &s
		}, `{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:night","arn":"arn:aws:sts::111122223333:assumed-role/worker/night","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE",
 "sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::111122223333:role/worker","accountId":"111122223333","userName":"worker"},
 "webIdFederationData":{"federatedProvider":"https://issuer.example/realm","attributes":{"issuer.example/realm:sub":"user-7"}},
 "attributes":{"creationDate":"2026-01-05T11:00:00Z","mfaAuthenticated":"true"}}},
 "eventTime":"2026-01-05T12:00:00Z","eventSource":"transcribe.amazonaws.com","eventName":"StartTranscriptionJob","awsRegion":"us-west-2","sourceIPAddress":"192.0.2.10","userAgent":"aws-cli/2.x",
 "requestParameters":null,"responseElements":null,
 "requestID":"47b8e8d3-0000-4000-8000-000000000000","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"eventCategory":"Management"}`},
		{"an object read on a user's behalf", func(e *audit.Event) {
			e.Caller = e.Caller.Through("transcribe.amazonaws.com")
			e.Source, e.Name, e.ReadOnly, e.Data = "s3.amazonaws.com", "GetObject", true, true
			e.Resources = []audit.Resource{{ARN: "arn:aws:s3:::b/a.flac", AccountID: "111122223333", Type: "AWS::S3::Object"}}
		}, `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333","accessKeyId":"AKIAIOSFODNN7EXAMPLE","userName":"alice","invokedBy":"transcribe.amazonaws.com"},
 "eventTime":"2026-01-05T12:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-west-2","sourceIPAddress":"transcribe.amazonaws.com","userAgent":"transcribe.amazonaws.com",
 "requestParameters":null,"responseElements":null,"requestID":"47b8e8d3-0000-4000-8000-000000000000","readOnly":true,
 "resources":[{"ARN":"arn:aws:s3:::b/a.flac","accountId":"111122223333","type":"AWS::S3::Object"}],
 "eventType":"AwsApiCall","managementEvent":false,"eventCategory":"Data"}`},
		{"a service's own act", func(e *audit.Event) {
			e.Caller = iam.Caller{Principal: iam.Principal{Kind: iam.KindService, Service: "transcribe.amazonaws.com"}, Time: noon, Region: "us-west-2"}
		}, `{"eventVersion":"1.08","userIdentity":{"type":"AWSService","invokedBy":"transcribe.amazonaws.com"},
 "eventTime":"2026-01-05T12:00:00Z","eventSource":"transcribe.amazonaws.com","eventName":"StartTranscriptionJob","awsRegion":"us-west-2","sourceIPAddress":"transcribe.amazonaws.com","userAgent":"transcribe.amazonaws.com",
 "requestParameters":null,"responseElements":null,"readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"eventCategory":"Management"}`},
		{"a refusal", func(e *audit.Event) {
			e.ErrorCode, e.ErrorMessage = "AccessDeniedException", "User: x is not authorized"
		}, `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333","accessKeyId":"AKIAIOSFODNN7EXAMPLE","userName":"alice"},
 "eventTime":"2026-01-05T12:00:00Z","eventSource":"transcribe.amazonaws.com","eventName":"StartTranscriptionJob","awsRegion":"us-west-2","sourceIPAddress":"192.0.2.10","userAgent":"aws-cli/2.x",
 "errorCode":"AccessDenied","errorMessage":"User: x is not authorized",
 "requestParameters":null,"responseElements":null,"requestID":"47b8e8d3-0000-4000-8000-000000000000","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"eventCategory":"Management"}`},
		{"nobody proved to be anyone", func(e *audit.Event) {
			e.Caller.Principal, e.ClaimedKeyID, e.ErrorCode = iam.Principal{}, "AKIANOBODY", "UnrecognizedClientException"
		}, `{"eventVersion":"1.08","userIdentity":{"type":"Unknown","accessKeyId":"AKIANOBODY"},
 "eventTime":"2026-01-05T12:00:00Z","eventSource":"transcribe.amazonaws.com","eventName":"StartTranscriptionJob","awsRegion":"us-west-2","sourceIPAddress":"192.0.2.10","userAgent":"aws-cli/2.x",
 "errorCode":"UnrecognizedClientException",
 "requestParameters":null,"responseElements":null,"requestID":"47b8e8d3-0000-4000-8000-000000000000","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"eventCategory":"Management"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := start("demo")
			e.Request, e.Resources = nil, nil
			tc.edit(&e)
			got, err := audit.DocumentOf(e)
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, got, tc.want)
		})
	}
}

func TestSecretsStayOut(t *testing.T) {
	type credentials struct {
		AccessKeyId, SecretAccessKey, SessionToken string
		Blob                                       []byte
	}
	const secret = "wJalrXUtnFEMI"
	for name, v := range map[string]any{
		"a struct":       &credentials{AccessKeyId: "AKIA1", SecretAccessKey: secret, SessionToken: secret, Blob: []byte(secret)},
		"a nested map":   map[string]any{"a": []any{map[string]any{"newPassword": secret}}},
		"a mixed map":    map[string]any{"a": credentials{SecretAccessKey: secret}, "b": []credentials{{SessionToken: secret}}},
		"a map of texts": map[string]string{"tokenCode": secret},
		"a structure":    map[string]any{"privateKey": map[string]any{"n": secret}},
		"a presigned URL": map[string]any{
			"uri": "https://h/b/k?X-Amz-Credential=AKIA1&X-Amz-Signature=" + secret,
			"old": "https://h/b/k?AWSAccessKeyId=AKIA1&Signature=" + secret,
		},
	} {
		t.Run("of "+name, func(t *testing.T) {
			e := start("x")
			e.Request, e.Response, e.Additional = v, v, map[string]any{"parameters": v}
			e.ErrorMessage = "no https://h/b/k?x-amz-signature=" + secret
			got, err := audit.DocumentOf(e)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(got), secret) {
				t.Errorf("on record: %s", got)
			}
			if !strings.Contains(string(got), "HIDDEN_DUE_TO_SECURITY_REASONS") {
				t.Errorf("nothing says that something is hidden: %s", got)
			}
		})
	}
	t.Run("without a change to what was given", func(t *testing.T) {
		given := map[string]any{"password": secret}
		if _, err := audit.DocumentOf(audit.Event{Request: given}); err != nil || given["password"] != secret {
			t.Errorf("got %v, %v", given, err)
		}
	})
}

func TestSecretNames(t *testing.T) {
	for _, name := range []string{
		"SecretAccessKey", "secretAccessKey", "SessionToken", "Plaintext", "CiphertextBlob", "Password", "NewPassword", "OldPassword", "TokenCode",
		"WebIdentityToken", "ClientToken", "x-amz-security-token", "X-Amz-Signature", "Base32StringSeed", "AuthenticationCode1", "some_client_secret",
	} {
		if !audit.SecretName(name) {
			t.Errorf("%s is shown", name)
		}
	}
	for _, name := range []string{
		"NextToken", "ContinuationToken", "PasswordResetRequired", "AccessKeyId", "KeyId", "EncryptionContext", "PolicyDocument", "UserName",
		"SerialNumber", "RoleSessionName", "DurationSeconds", "OutputEncryptionKMSKeyId",
	} {
		if audit.SecretName(name) {
			t.Errorf("%s is hidden", name)
		}
	}
}

func TestAnActIsOnRecordWhateverItsParameters(t *testing.T) {
	for name, v := range map[string]any{
		"huge": map[string]any{"a": strings.Repeat("x", 1<<20)}, "not a number": map[string]any{"a": math.NaN()},
		"a channel": map[string]any{"a": make(chan int)}, "a nil pointer": (*audit.Event)(nil), "numbered": map[int]string{1: "a"}, "a text": "x",
	} {
		t.Run(name, func(t *testing.T) {
			e := start("x")
			e.Request, e.Response = v, v
			e.Caller.UserAgent = strings.Repeat("ä", 100_000)
			got, err := audit.DocumentOf(e)
			if err != nil || !json.Valid(got) || len(got) > 4096 {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

func TestAnEnormousEventFitsIntoItsRecord(t *testing.T) {
	dir := t.TempDir()
	l := open(t, audit.Config{Dir: dir, Keys: keys(t)})
	e := start("enormous")
	for range 1000 {
		e.Resources = append(e.Resources, audit.Resource{ARN: "arn:aws:s3:::b/" + strings.Repeat("\x01", 1024), AccountID: "111122223333"})
	}
	e.Request = map[string]any{"a": strings.Repeat("x", 90<<10)}
	e.Response, e.Additional = e.Request, map[string]any{"a": e.Request}
	record(t, l, e, start("small"))
	if got := names(t, dir); len(got) != 1 || wantSound(t, dir).Records != 2 {
		t.Errorf("got %v", got)
	}
}
