package gateway_test

import (
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/iam"
)

// TestFailures is spec auth-and-security.md §1.4: every failure, in each protocol, with AWS's
// code, status and text.
func TestFailures(t *testing.T) {
	b := newBench(t)
	stranger := b.cred
	stranger.AccessKeyID = "AKIAAAAAAAAAAAAAAAAA"
	wrongSecret := b.cred
	wrongSecret.SecretAccessKey = "wrong"
	tokened := b.cred
	tokened.SessionToken = "token"
	session, err := b.links.ForAccount(b.cred.Principal.AccountID)
	if err != nil {
		t.Fatal(err)
	}
	tokenless := session
	tokenless.SessionToken = ""
	setAuth := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", value) }
	}
	edit := func(before, after string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), before, after, 1))
		}
	}
	type want struct {
		status     int
		code, text string
	}
	const (
		textToken     = "The security token included in the request is invalid."
		textSignature = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
		textS3        = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
	)
	tests := []struct {
		name          string
		call          call
		json, s3, sts want
	}{
		{
			"no auth",
			call{unsigned: true},
			want{400, "MissingAuthenticationTokenException", "Missing Authentication Token"},
			want{403, "AccessDenied", "Access Denied"},
			want{403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
		},
		{
			"unknown key",
			call{cred: stranger},
			want{400, "UnrecognizedClientException", textToken},
			want{403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.</Message><AWSAccessKeyId>AKIAAAAAAAAAAAAAAAAA</AWSAccessKeyId>"},
			want{403, "InvalidClientTokenId", textToken},
		},
		{
			"token with a long-term key",
			call{cred: tokened},
			want{400, "UnrecognizedClientException", textToken},
			want{400, "InvalidToken", "The provided token is malformed or otherwise invalid."},
			want{403, "InvalidClientTokenId", textToken},
		},
		{
			"session without its token",
			call{cred: tokenless},
			want{400, "UnrecognizedClientException", textToken},
			want{403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."},
			want{403, "InvalidClientTokenId", textToken},
		},
		{
			"wrong signature",
			call{cred: wrongSecret},
			want{400, "InvalidSignatureException", textSignature},
			want{403, "SignatureDoesNotMatch", textS3 + "</Message><AWSAccessKeyId>"},
			want{403, "SignatureDoesNotMatch", textSignature},
		},
		{
			"signed too long ago",
			call{at: -20 * time.Minute},
			want{400, "InvalidSignatureException", " - 15 min.)"},
			want{403, "RequestTimeTooSkewed", "<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>"},
			want{403, "SignatureDoesNotMatch", "Signature expired: "},
		},
		{
			"signed in the future",
			call{at: 20 * time.Minute},
			want{400, "InvalidSignatureException", "Signature not yet current: "},
			want{403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."},
			want{403, "SignatureDoesNotMatch", " + 15 min.)"},
		},
		{
			"wrong service",
			call{scope: "kms"},
			want{400, "InvalidSignatureException", "Credential should be scoped to correct service: 'transcribe'."},
			want{400, "AuthorizationHeaderMalformed", `incorrect service &#34;kms&#34;. This endpoint belongs to &#34;s3&#34;`},
			want{403, "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'sts'."},
		},
		{
			"region that is none",
			call{region: "US_WEST"},
			want{400, "InvalidSignatureException", "Credential should be scoped to a valid region."},
			want{400, "AuthorizationHeaderMalformed", "the region &#39;US_WEST&#39; is wrong; expecting &#39;us-east-1&#39;"},
			want{403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region."},
		},
		{
			"wrong terminator",
			call{after: edit("aws4_request", "aws5_request")},
			want{400, "InvalidSignatureException", "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."},
			want{400, "AuthorizationHeaderMalformed", "incorrect terminal"},
			want{403, "SignatureDoesNotMatch", "valid terminator"},
		},
		{
			"malformed header",
			call{after: setAuth("AWS4-HMAC-SHA256 SignedHeaders=host")},
			want{400, "IncompleteSignatureException", "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter."},
			want{400, "AuthorizationHeaderMalformed", "The authorization header is malformed; "},
			want{400, "IncompleteSignature", "Authorization header requires 'Credential' parameter."},
		},
		{
			"another scheme",
			call{after: setAuth("Bearer x")},
			want{400, "IncompleteSignatureException", "only AWS4-HMAC-SHA256 is supported"},
			want{400, "InvalidRequest", "Please use AWS4-HMAC-SHA256."},
			want{400, "IncompleteSignature", "only AWS4-HMAC-SHA256 is supported"},
		},
		{
			"header that must be signed",
			call{after: func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }},
			want{400, "InvalidSignatureException", "not signed: x-amz-acl"},
			want{403, "AccessDenied", "There were headers present in the request which were not signed"},
			want{403, "SignatureDoesNotMatch", "not signed: x-amz-acl"},
		},
		{
			"not allowed",
			call{cred: session},
			want{400, "AccessDeniedException", "is not authorized to perform: transcribe:GetTranscriptionJob on resource: arn:aws:transcribe:us-west-2:"},
			want{403, "AccessDenied", "is not authorized to perform: s3:GetObject on resource: "},
			want{403, "AccessDenied", "is not authorized to perform: sts:GetAccessKeyInfo on resource: *"},
		},
	}
	for _, tt := range tests {
		for service, w := range map[string]want{"transcribe": tt.json, "s3": tt.s3, "sts": tt.sts} {
			t.Run(tt.name+"/"+service, func(t *testing.T) {
				c := tt.call
				c.service = service
				if service == "sts" && tt.name == "not allowed" { // GetCallerIdentity needs no permission
					c.body = "Action=GetAccessKeyInfo&Version=2011-06-15&AccessKeyId=" + b.cred.AccessKeyID
				}
				checkFailure(t, b, c, w.status, w.code, w.text)
			})
		}
	}
	t.Run("expired session", func(t *testing.T) {
		b.shift = 8 * 24 * time.Hour
		defer func() { b.shift = 0 }()
		at := b.shift
		checkFailure(t, b, call{service: "transcribe", cred: session, at: at}, 400, "ExpiredTokenException", "The security token included in the request is expired")
		checkFailure(t, b, call{service: "s3", cred: session, at: at}, 400, "ExpiredToken", "The provided token has expired.")
		checkFailure(t, b, call{service: "sts", cred: session, at: at}, 403, "ExpiredToken", "The security token included in the request is expired")
	})
}

// checkFailure sends a call and compares the answer; every failure must have left an audit event
// and nothing secret in the log.
func checkFailure(t *testing.T, b *bench, c call, status int, code, text string) {
	t.Helper()
	a := b.send(t, c)
	if c.service == "sts" {
		a.body = html.UnescapeString(a.body)
	}
	if a.status != status || !strings.Contains(a.body, code) || !strings.Contains(a.body, text) {
		t.Errorf("got %d %s\nwant %d %s %s", a.status, a.body, status, code, text)
	}
	if strings.Contains(a.body, b.cred.SecretAccessKey) {
		t.Error("the answer shows the secret")
	}
	id := a.header.Get("X-Amzn-Requestid")
	switch c.service {
	case "transcribe":
		if !strings.HasPrefix(a.body, `{"__type":"`+code+`","message":"`) || a.header.Get("Content-Type") != "application/x-amz-json-1.1" {
			t.Errorf("not a JSON framework error: %s", a.body)
		}
	case "sts":
		if !strings.HasPrefix(a.body, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>`+code+`</Code>`) {
			t.Errorf("not a query error: %s", a.body)
		}
	default:
		if id = a.header.Get("X-Amz-Request-Id"); a.header.Get("X-Amz-Id-2") == "" {
			t.Error("no x-amz-id-2")
		}
	}
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil || time.Since(date).Abs() > 5*time.Second {
		t.Errorf("Date is %q", a.header.Get("Date"))
	}
	e := b.events.last()
	if e.ErrorCode != code || e.Caller.RequestID != id || id == "" {
		t.Errorf("audit event %+v, request id %q", e, id)
	}
}

func TestS3OnlyFailures(t *testing.T) {
	b := newBench(t)
	link := func(expires time.Duration, cred iam.Credential, at time.Time) string {
		s, err := sigv4.Presign("GET", b.url+"/bucket/key", cred, "us-west-2", "s3", expires, at)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(s, b.url)
	}
	now := time.Now()
	good := link(time.Minute, b.cred, now)
	tests := []struct {
		name string
		call call
		want int
		code string
		text string
	}{
		{"expired link", call{path: link(time.Minute, b.cred, now.Add(-2*time.Minute)), unsigned: true}, 403, "AccessDenied", "Request has expired</Message><X-Amz-Expires>60</X-Amz-Expires><Expires>"},
		{"link with a life over a week", call{path: strings.Replace(good, "Expires=60", "Expires=604801", 1), unsigned: true}, 400, "AuthorizationQueryParametersError", "must be less than a week"},
		{"changed link", call{path: strings.Replace(good, "/key", "/kez", 1), unsigned: true}, 403, "SignatureDoesNotMatch", "<StringToSignBytes>41 57 53 34"},
		{"link for another method", call{path: good, unsigned: true, method: "PUT"}, 403, "SignatureDoesNotMatch", "<CanonicalRequest>PUT"},
		{"link and header", call{path: good}, 400, "InvalidArgument", "Only one auth mechanism allowed"},
		{"link without a signature", call{path: "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256", unsigned: true}, 400, "AuthorizationQueryParametersError", "requires the X-Amz-Algorithm"},
		{"no payload hash", call{after: func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }}, 400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"},
		{"payload hash that is none", call{payload: "abc"}, 400, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD"},
		{"no date", call{after: func(r *http.Request) { r.Header.Del("X-Amz-Date") }}, 403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"},
		{"body with another hash", call{method: "PUT", body: "hello", payload: strings.Repeat("0", 64)}, 400, "XAmzContentSHA256Mismatch", "<ClientComputedContentSHA256>000"},
		{"wrong checksum", call{method: "PUT", body: "hello", header: http.Header{"X-Amz-Checksum-Crc32": {"AAAAAA=="}}}, 400, "BadDigest", "The CRC32 you specified did not match"},
		{"Content-MD5 that is none", call{method: "PUT", body: "hello", header: http.Header{"Content-Md5": {"x"}}}, 400, "InvalidDigest", ""},
		{"broken escape", call{path: "/b/k?a=%zz", unsigned: true}, 400, "InvalidURI", ""},
		{"no such key", call{}, 404, "NoSuchKey", "<Key>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.call.service = "s3"
			checkFailure(t, b, tt.call, tt.want, tt.code, tt.text)
		})
	}
	t.Run("an error of HEAD has no body", func(t *testing.T) {
		if a := b.send(t, call{service: "s3", method: "HEAD", unsigned: true}); a.status != 403 || a.body != "" {
			t.Errorf("got %d %q", a.status, a.body)
		}
	})
	t.Run("the checksum of a completed upload is not the body's", func(t *testing.T) {
		a := b.send(t, call{service: "s3", method: "POST", path: "/bucket/key?uploadId=u", body: "<CompleteMultipartUpload/>", header: http.Header{"X-Amz-Checksum-Crc32": {"AAAAAA=="}}})
		if a.status != 200 {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})
}

func TestOwnLinks(t *testing.T) {
	b := newBench(t)
	account := b.cred.Principal.AccountID
	cred, err := b.links.ForAccount(account)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, method, path, region string
		status                     int
	}{
		{"own output", "GET", "/aws-transcribe-us-west-2-prod/" + account + "/j/u/asrOutput.json", "us-west-2", 200},
		{"another account's", "GET", "/aws-transcribe-us-west-2-prod/111122223333/j", "us-west-2", 403},
		{"another region's", "GET", "/aws-transcribe-us-west-2-prod/" + account + "/j", "us-east-1", 403},
		{"another bucket", "GET", "/bucket/" + account + "/j", "us-west-2", 403},
		{"the whole bucket", "GET", "/aws-transcribe-us-west-2-prod", "us-west-2", 403},
		{"writing", "PUT", "/aws-transcribe-us-west-2-prod/" + account + "/j", "us-west-2", 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b.s3.objects[tt.path] = []byte("output")
			link, err := sigv4.Presign(tt.method, b.url+tt.path, cred, tt.region, "s3", time.Hour, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			a := b.send(t, call{service: "s3", unsigned: true, method: tt.method, path: strings.TrimPrefix(link, b.url)})
			if a.status != tt.status {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	t.Run("users do not reach the service bucket", func(t *testing.T) {
		a := b.send(t, call{service: "s3", path: "/aws-transcribe-us-west-2-prod/" + account + "/j/u/asrOutput.json"})
		if a.status != 403 {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})
}
