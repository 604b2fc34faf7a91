package harness_test

import (
	"strings"
	"testing"

	"github.com/dictum/dictum/test/harness"
)

func TestLeaks(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	for _, c := range []struct {
		name, line string
		leaks      bool
	}{
		{"a plain line", `level=INFO msg="job ended" job=reading bucket=audio status=COMPLETED`, false},
		{"an access key's id", `level=INFO msg=audit access_key_id=AKIAIOSFODNN7EXAMPLE`, false},
		{"an access denied text", `msg=audit error_message="User: arn:aws:iam::111122223333:user/a is not authorized to perform: s3:GetObject"`, false},
		{"a known secret", `msg="made a key" value=` + secret, true},
		{"a known secret in a URL", `msg=get url="/?key=wJalrXUtnFEMI%2FK7MDENG%2BbPxRfiCYEXAMPLEKEY"`, true},
		{"a header", `headers="map[Authorization:[AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/s3/aws4_request]]"`, true},
		{"a header's hash", `error_message="Authorization header requires 'Credential' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=puxFDhQ/eGpt31ppycPPrbsvNsPVpNIV4CY9pqtYOr8="`, false},
		{"a bearer's header", `request="Authorization: Bearer abc"`, true},
		{"a presigned URL", `uri="http://127.0.0.1/b/k?X-Amz-Date=20260101T000000Z&X-Amz-Signature=00ff"`, true},
		{"a session token", `headers="X-Amz-Security-Token: abc"`, true},
		{"a field of credentials", `body="{\"SecretAccessKey\":\"abc\"}"`, true},
		{"the same in a log of JSON", `{"msg":"made","SessionToken":"abc"}`, true},
		{"a private key", `err="parse -----BEGIN EC PRIVATE KEY-----"`, true},
		{"a transcript", `msg=window text="it was the worst of times"`, true},
		{"a transcript's words as JSON", `{"words":["Worst","of","times,","it"]}`, true},
		{"three words of it", `msg="it was the queue"`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := "level=INFO msg=ready\n" + c.line + "\nlevel=INFO msg=stopped"
			found, err := harness.Leaks(strings.NewReader(log), []string{secret})
			if err != nil {
				t.Fatal(err)
			}
			if got := len(found) > 0; got != c.leaks {
				t.Errorf("found %q, want a leak: %v", found, c.leaks)
			}
		})
	}
}
