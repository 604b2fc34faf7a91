package s3_test

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // Content-MD5
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/dictum/dictum/internal/api/s3"
	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/embedded"
	"github.com/dictum/dictum/internal/objects/objectstest"
	"github.com/dictum/dictum/internal/store/storetest"
)

// keys are the credentials of the tests: the first account's users and root, another account's user, and Dictum's own
// session in the first one.
type keys map[string]iam.Credential

func (k keys) Lookup(_ context.Context, id string) (iam.Credential, error) {
	c, ok := k[id]
	if !ok {
		return c, iam.ErrNoSuchKey
	}
	return c, nil
}

const (
	alice   = "AKIAALICEALICEALICE1"
	bob     = "AKIABOBBOBBOBBOBBOB1"
	root    = "AKIAROOTROOTROOTROOT"
	mallory = "AKIAMALLORYMALLORY12"
	service = "AKIASERVICESERVICE12"
	account = "111122223333"
	secret  = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

var people = keys{
	alice:   {AccessKeyID: alice, SecretAccessKey: secret, Principal: iam.Principal{Kind: iam.KindUser, AccountID: account, ARN: "arn:aws:iam::111122223333:user/alice", UserID: "AIDA1"}},
	bob:     {AccessKeyID: bob, SecretAccessKey: secret, Principal: iam.Principal{Kind: iam.KindUser, AccountID: account, ARN: "arn:aws:iam::111122223333:user/bob", UserID: "AIDA3"}},
	root:    {AccessKeyID: root, SecretAccessKey: secret, Principal: iam.Principal{Kind: iam.KindRoot, AccountID: account, ARN: "arn:aws:iam::111122223333:root", UserID: account}},
	mallory: {AccessKeyID: mallory, SecretAccessKey: secret, Principal: iam.Principal{Kind: iam.KindUser, AccountID: "444455556666", ARN: "arn:aws:iam::444455556666:user/mallory", UserID: "AIDA2"}},
	service: {AccessKeyID: service, SecretAccessKey: secret, Principal: iam.Principal{Kind: iam.KindService, AccountID: account, ARN: "arn:aws:sts::111122223333:assumed-role/dictum/output", Service: "transcribe.amazonaws.com"}},
}

// rig is a server and what is beneath it.
type rig struct {
	url     string
	store   *embedded.Store
	keys    *kms.Service
	rights  *rights
	journal *journal
	http    *http.Client
}

func start(t testing.TB, secure bool) rig {
	t.Helper()
	r := rig{rights: newRights(), journal: &journal{}}
	who := iam.NewAuthorizer(r.rights, iam.WithServiceBuckets(objects.IsServiceBucket))
	r.store, r.keys = objectstest.OpenWithKeys(t, storetest.Open(t), who, r.journal)
	quiet := slog.New(slog.DiscardHandler)
	g, err := gateway.New(gateway.Config{
		Services: []gateway.Service{s3.New(s3.Config{Store: r.store, Gate: r.keys, Names: names{}})}, Credentials: people,
		Authorizer: who, Auditor: r.journal, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(g)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	r.url, r.http = server.URL, server.Client()
	return r
}

// client returns the SDK's client in a region.
func (r rig) client(key, region string, options ...func(*sdk.Options)) *sdk.Client {
	return sdk.New(sdk.Options{
		BaseEndpoint: aws.String(r.url), Region: region, UsePathStyle: true, HTTPClient: r.http, RetryMaxAttempts: 1,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
	}, options...)
}

// code returns the error code that S3 answered, or "" for no error.
func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func makeBucket(t testing.TB, c *sdk.Client, name string) {
	t.Helper()
	if _, err := c.CreateBucket(context.Background(), &sdk.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, c *sdk.Client, key, body string) {
	t.Helper()
	if _, err := c.PutObject(context.Background(), &sdk.PutObjectInput{Bucket: aws.String("lab"), Key: &key, Body: strings.NewReader(body)}); err != nil {
		t.Fatal(err)
	}
}

// answer is what came back for a request.
type answer struct {
	status int
	header http.Header
	body   string
}

// raw sends a signed request that no SDK would make.
func (r rig) raw(t testing.TB, method, target, body string, headers ...string) answer {
	t.Helper()
	// Presigning signs the target as it is, so its path is not normalised on the way.
	signed, err := sigv4.Presign(method, r.url+target, people[alice], "us-east-1", "s3", time.Minute, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(context.Background(), method, signed, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if strings.EqualFold(headers[i], "Host") {
			request.Host = headers[i+1]
			continue
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := r.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

func TestBuckets(t *testing.T) {
	r := start(t, false)
	east, west, other := r.client(alice, "us-east-1"), r.client(alice, "eu-west-1"), r.client(mallory, "us-east-1")
	create := func(c *sdk.Client, name, constraint string) string {
		in := &sdk.CreateBucketInput{Bucket: &name}
		if constraint != "" {
			in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(constraint)}
		}
		_, err := c.CreateBucket(t.Context(), in)
		return code(err)
	}
	for _, c := range []struct {
		rule         string
		client       *sdk.Client
		name, region string
		want         string
	}{
		{"no constraint in the first region", east, "lab", "", ""},
		{"again in the first region", east, "lab", "", ""},
		{"another account's name", other, "lab", "", "BucketAlreadyExists"},
		{"its own region elsewhere", west, "lab-west", "eu-west-1", ""},
		{"again elsewhere", west, "lab-west", "eu-west-1", "BucketAlreadyOwnedByYou"},
		{"no constraint elsewhere", west, "lab-2", "", "IllegalLocationConstraintException"},
		{"another region elsewhere", west, "lab-2", "us-west-2", "IllegalLocationConstraintException"},
		{"another region through the first", east, "lab-3", "ap-south-1", ""},
		{"not a region", east, "lab-4", "nowhere", "InvalidLocationConstraint"},
		{"a name too short", east, "ab", "", "InvalidBucketName"},
		{"capitals", east, "Lab", "", "InvalidBucketName"},
		{"an address", east, "192.168.5.4", "", "InvalidBucketName"},
		{"dots in a row", east, "a..b", "", "InvalidBucketName"},
		{"service-managed output", east, "aws-transcribe-us-east-1-prod", "", "BucketAlreadyExists"},
	} {
		t.Run("create: "+c.rule, func(t *testing.T) {
			if got := create(c.client, c.name, c.region); got != c.want && !(c.want == "BucketAlreadyExists" && got == "AccessDenied") {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("location", func(t *testing.T) {
		for name, want := range map[string]types.BucketLocationConstraint{"lab": "", "lab-west": "eu-west-1"} {
			out, err := east.GetBucketLocation(t.Context(), &sdk.GetBucketLocationInput{Bucket: &name})
			if err != nil || out.LocationConstraint != want {
				t.Errorf("%s: %+v, %v", name, out, err)
			}
		}
	})
	t.Run("head tells the region", func(t *testing.T) {
		out, err := east.HeadBucket(t.Context(), &sdk.HeadBucketInput{Bucket: aws.String("lab-west")})
		if err != nil || aws.ToString(out.BucketRegion) != "eu-west-1" {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("the list has the caller's buckets only", func(t *testing.T) {
		if _, err := r.store.ServiceBucket(t.Context(), "us-east-1"); err != nil {
			t.Fatal(err)
		}
		out, err := east.ListBuckets(t.Context(), &sdk.ListBucketsInput{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, b := range out.Buckets {
			names = append(names, *b.Name)
		}
		if got, want := strings.Join(names, " "), "lab lab-3 lab-west"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if out, err := other.ListBuckets(t.Context(), &sdk.ListBucketsInput{}); err != nil || len(out.Buckets) != 0 {
			t.Errorf("another account: %+v, %v", out, err)
		}
	})
	t.Run("another account gets nowhere", func(t *testing.T) {
		put(t, east, "k", "x")
		for what, err := range map[string]error{
			"get": func() error {
				_, err := other.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("k")})
				return err
			}(),
			"list": func() error {
				_, err := other.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String("lab")})
				return err
			}(),
			"put": func() error {
				_, err := other.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String("lab"), Key: aws.String("k"), Body: strings.NewReader("y")})
				return err
			}(),
			"delete": func() error {
				_, err := other.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String("lab"), Key: aws.String("k")})
				return err
			}(),
			"copy": func() error {
				makeBucket(t, other, "mallorys")
				_, err := other.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: aws.String("mallorys"), Key: aws.String("k"), CopySource: aws.String("lab/k")})
				return err
			}(),
		} {
			if code(err) != "AccessDenied" {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
	t.Run("deleting", func(t *testing.T) {
		if _, err := east.DeleteBucket(t.Context(), &sdk.DeleteBucketInput{Bucket: aws.String("lab")}); code(err) != "BucketNotEmpty" {
			t.Errorf("full: %v", err)
		}
		if _, err := east.DeleteBucket(t.Context(), &sdk.DeleteBucketInput{Bucket: aws.String("lab-3")}); err != nil {
			t.Error(err)
		}
		if _, err := east.DeleteBucket(t.Context(), &sdk.DeleteBucketInput{Bucket: aws.String("lab-3")}); code(err) != "NoSuchBucket" {
			t.Errorf("again: %v", err)
		}
	})
}

func TestServiceOutputIsReadByItsLinkOnly(t *testing.T) {
	r := start(t, false)
	b, err := r.store.ServiceBucket(t.Context(), "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{account + "/job/t.json", "444455556666/job/t.json"} {
		if _, err := r.store.Put(t.Context(), b.Name, key, strings.NewReader("words"), objects.Metadata{}); err != nil {
			t.Fatal(err)
		}
	}
	get := func(who, method, key string) int {
		link, err := sigv4.Presign(method, r.url+"/"+b.Name+"/"+key, people[who], "us-east-1", "s3", time.Minute, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), method, link, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := r.http.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	own := account + "/job/t.json"
	for _, c := range []struct {
		who, method, key string
		want             int
	}{
		{service, "GET", own, 200},
		{service, "GET", "444455556666/job/t.json", 403},
		{service, "GET", account + "/none", 404},
		{service, "DELETE", own, 403},
		{service, "PUT", own, 403},
		{service, "GET", "", 403},
		{alice, "GET", own, 403},
		{alice, "DELETE", own, 403},
		{mallory, "GET", own, 403},
	} {
		if got := get(c.who, c.method, c.key); got != c.want {
			t.Errorf("%s %s %q: %d, want %d", c.who, c.method, c.key, got, c.want)
		}
	}
}

func TestObjects(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "over HTTP", true: "over TLS, with trailing checksums"}[secure], func(t *testing.T) {
			r := start(t, secure)
			c := r.client(alice, "us-east-1")
			makeBucket(t, c, "lab")
			body := bytes.Repeat([]byte("0123456789"), 30_000)
			in, err := c.PutObject(t.Context(), &sdk.PutObjectInput{
				Bucket: aws.String("lab"), Key: aws.String("in/put.mp3"), Body: bytes.NewReader(body), ContentType: aws.String("audio/mpeg"),
				Metadata: map[string]string{"speaker": "jane"}, CacheControl: aws.String("no-store"),
			})
			if err != nil {
				t.Fatal(err)
			}
			sum := md5.Sum(body) //nolint:gosec // the ETag
			if want := fmt.Sprintf(`"%x"`, sum); aws.ToString(in.ETag) != want || in.ServerSideEncryption != "AES256" || in.ChecksumCRC32 == nil {
				t.Errorf("put answered %+v", in)
			}
			out, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("in/put.mp3"), ChecksumMode: "ENABLED"})
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(out.Body) // The SDK verifies the checksum.
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if aws.ToString(out.ContentType) != "audio/mpeg" || out.Metadata["speaker"] != "jane" || aws.ToString(out.CacheControl) != "no-store" ||
				aws.ToString(out.ChecksumCRC32) != aws.ToString(in.ChecksumCRC32) || aws.ToString(out.ContentEncoding) != "" {
				t.Errorf("get answered %+v", out)
			}
			head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String("lab"), Key: aws.String("in/put.mp3")})
			if err != nil || aws.ToInt64(head.ContentLength) != int64(len(body)) || head.ChecksumCRC32 != nil {
				t.Errorf("head answered %+v, %v", head, err)
			}
			if _, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String("lab"), Key: aws.String("none")}); code(err) != "NotFound" {
				t.Errorf("head of nothing: %v", err)
			}
			if _, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("none")}); code(err) != "NoSuchKey" {
				t.Errorf("get of nothing: %v", err)
			}
			for range 2 {
				if _, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String("lab"), Key: aws.String("in/put.mp3")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestAnyKey(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	makeBucket(t, c, "lab")
	all := []string{"a", "a/b", "a/", "x//y", "/lead", "../x", "a/../b", "./.", "a b+c%2F", "?q=1&x#f", "~", strings.Repeat("é", 512), "\U0001f3b5 song", "a\nb", "x\x01y"}
	for _, key := range all {
		put(t, c, key, "of "+key)
	}
	for _, key := range all {
		out, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: &key})
		if err != nil {
			t.Errorf("%q: %v", key, err)
			continue
		}
		if got, _ := io.ReadAll(out.Body); string(got) != "of "+key {
			t.Errorf("%q: got %q", key, got)
		}
	}
	out, err := c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String("lab"), EncodingType: "url"})
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, o := range out.Contents {
		key, err := url.PathUnescape(*o.Key)
		if err != nil {
			t.Error(err)
		}
		listed = append(listed, key)
	}
	slices.Sort(all)
	if !slices.Equal(listed, all) {
		t.Errorf("listed %q\nwant %q", listed, all)
	}
	for _, bad := range []struct{ target, want string }{
		{"/lab/" + strings.Repeat("k", 1025), "KeyTooLongError"},
		{"/lab/%ff%fe", "InvalidURI"},
	} {
		if a := r.raw(t, "PUT", bad.target, "x"); !strings.Contains(a.body, "<Code>"+bad.want+"</Code>") {
			t.Errorf("%.20s: %s", bad.target, a.body)
		}
	}
}

func TestRangesAndConditions(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	makeBucket(t, c, "lab")
	put(t, c, "k", "0123456789")
	put(t, c, "empty", "")
	head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String("lab"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	modified := head.LastModified.UTC().Format(http.TimeFormat)
	earlier := head.LastModified.Add(-time.Hour).UTC().Format(http.TimeFormat)
	for _, x := range []struct {
		rule, key, header, value string
		status                   int
		body                     string
	}{
		{"both ends", "k", "Range", "bytes=2-4", 206, "234"},
		{"no end", "k", "Range", "bytes=7-", 206, "789"},
		{"the last bytes", "k", "Range", "bytes=-3", 206, "789"},
		{"an end beyond", "k", "Range", "bytes=8-99", 206, "89"},
		{"more last bytes than there are", "k", "Range", "bytes=-99", 206, "0123456789"},
		{"a start beyond", "k", "Range", "bytes=10-", 416, "InvalidRange"},
		{"no last bytes", "k", "Range", "bytes=-0", 416, "InvalidRange"},
		{"of an empty object", "empty", "Range", "bytes=0-", 416, "InvalidRange"},
		{"several ranges", "k", "Range", "bytes=0-1,3-4", 200, "0123456789"},
		{"nonsense", "k", "Range", "bytes=4-2", 200, "0123456789"},
		{"another unit", "k", "Range", "words=1-2", 200, "0123456789"},
		{"if-match", "k", "If-Match", *head.ETag, 200, "0123456789"},
		{"if-match another", "k", "If-Match", `"0"`, 412, "PreconditionFailed"},
		{"if-none-match", "k", "If-None-Match", *head.ETag, 304, ""},
		{"if-none-match another", "k", "If-None-Match", `"0"`, 200, "0123456789"},
		{"if-modified-since then", "k", "If-Modified-Since", modified, 304, ""},
		{"if-modified-since before", "k", "If-Modified-Since", earlier, 200, "0123456789"},
		{"if-unmodified-since then", "k", "If-Unmodified-Since", modified, 200, "0123456789"},
		{"if-unmodified-since before", "k", "If-Unmodified-Since", earlier, 412, "PreconditionFailed"},
	} {
		t.Run(x.rule, func(t *testing.T) {
			a := r.raw(t, "GET", "/lab/"+x.key, "", x.header, x.value)
			if a.status != x.status || (x.status < 300 && a.body != x.body) || (x.status >= 400 && !strings.Contains(a.body, x.body)) {
				t.Errorf("got %d %q", a.status, a.body)
			}
		})
	}
	t.Run("response overrides", func(t *testing.T) {
		a := r.raw(t, "GET", "/lab/k?response-content-type=text%2Fvtt&response-content-disposition=attachment", "")
		if a.header.Get("Content-Type") != "text/vtt" || a.header.Get("Content-Disposition") != "attachment" {
			t.Errorf("got %v", a.header)
		}
	})
	t.Run("writing under a condition", func(t *testing.T) {
		in := &sdk.PutObjectInput{Bucket: aws.String("lab"), Key: aws.String("k"), Body: strings.NewReader("new"), IfNoneMatch: aws.String("*")}
		if _, err := c.PutObject(t.Context(), in); code(err) != "PreconditionFailed" {
			t.Errorf("if-none-match: %v", err)
		}
		in.IfNoneMatch, in.IfMatch = nil, head.ETag
		if _, err := c.PutObject(t.Context(), in); err != nil {
			t.Errorf("if-match: %v", err)
		}
	})
}

func TestCopy(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	makeBucket(t, c, "lab")
	if _, err := c.PutObject(t.Context(), &sdk.PutObjectInput{
		Bucket: aws.String("lab"), Key: aws.String("a b/ü"), Body: strings.NewReader("content"), ContentType: aws.String("text/plain"), Metadata: map[string]string{"one": "1"},
	}); err != nil {
		t.Fatal(err)
	}
	source := aws.String("lab/" + url.PathEscape("a b/ü"))
	out, err := c.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: aws.String("lab"), Key: aws.String("copy"), CopySource: source})
	if err != nil || out.CopyObjectResult.ChecksumCRC32 == nil {
		t.Fatalf("%+v, %v", out, err)
	}
	get := func(key string) (*sdk.GetObjectOutput, string) {
		out, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(out.Body)
		return out, string(b)
	}
	if o, b := get("copy"); b != "content" || o.Metadata["one"] != "1" || *o.ContentType != "text/plain" {
		t.Errorf("copy: %q, %+v", b, o)
	}
	if _, err := c.CopyObject(t.Context(), &sdk.CopyObjectInput{
		Bucket: aws.String("lab"), Key: aws.String("replaced"), CopySource: source, MetadataDirective: "REPLACE", Metadata: map[string]string{"two": "2"},
	}); err != nil {
		t.Fatal(err)
	}
	if o, _ := get("replaced"); o.Metadata["two"] != "2" || o.Metadata["one"] != "" || *o.ContentType != "binary/octet-stream" {
		t.Errorf("replaced: %+v", o)
	}
	for rule, x := range map[string]struct {
		in   sdk.CopyObjectInput
		want string
	}{
		"onto itself unchanged":    {sdk.CopyObjectInput{Bucket: aws.String("lab"), Key: aws.String("a b/ü"), CopySource: source}, "InvalidRequest"},
		"if-match another":         {sdk.CopyObjectInput{Bucket: aws.String("lab"), Key: aws.String("x"), CopySource: source, CopySourceIfMatch: aws.String("0")}, "PreconditionFailed"},
		"if-none-match this":       {sdk.CopyObjectInput{Bucket: aws.String("lab"), Key: aws.String("x"), CopySource: source, CopySourceIfNoneMatch: out.CopyObjectResult.ETag}, "PreconditionFailed"},
		"of nothing":               {sdk.CopyObjectInput{Bucket: aws.String("lab"), Key: aws.String("x"), CopySource: aws.String("lab/none")}, "NoSuchKey"},
		"of a bucket that is none": {sdk.CopyObjectInput{Bucket: aws.String("lab"), Key: aws.String("x"), CopySource: aws.String("nobucket/none")}, "NoSuchBucket"},
		"of a malformed source":    {sdk.CopyObjectInput{Bucket: aws.String("lab"), Key: aws.String("x"), CopySource: aws.String("lab")}, "InvalidArgument"},
	} {
		t.Run(rule, func(t *testing.T) {
			if _, err := c.CopyObject(t.Context(), &x.in); code(err) != x.want {
				t.Errorf("got %v, want %s", err, x.want)
			}
		})
	}
	t.Run("onto itself with new metadata", func(t *testing.T) {
		if _, err := c.CopyObject(t.Context(), &sdk.CopyObjectInput{
			Bucket: aws.String("lab"), Key: aws.String("a b/ü"), CopySource: source, MetadataDirective: "REPLACE",
		}); err != nil {
			t.Fatal(err)
		}
		if _, b := get("a b/ü"); b != "content" {
			t.Errorf("got %q", b)
		}
	})
}

func TestListing(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	makeBucket(t, c, "lab")
	for _, key := range []string{"a", "in/1", "in/2", "in/sub/3", "out/4", "z"} {
		put(t, c, key, key)
	}
	t.Run("version 2, page by page", func(t *testing.T) {
		pages := sdk.NewListObjectsV2Paginator(c, &sdk.ListObjectsV2Input{Bucket: aws.String("lab"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(2)})
		var got []string
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Contents {
				got = append(got, *o.Key)
			}
			for _, p := range page.CommonPrefixes {
				got = append(got, *p.Prefix)
			}
			if int(*page.KeyCount) != len(page.Contents)+len(page.CommonPrefixes) {
				t.Errorf("key count %d", *page.KeyCount)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != "a in/ out/ z" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("version 1 with a marker", func(t *testing.T) {
		out, err := c.ListObjects(t.Context(), &sdk.ListObjectsInput{Bucket: aws.String("lab"), Prefix: aws.String("in/"), Marker: aws.String("in/1"), MaxKeys: aws.Int32(1)})
		if err != nil || len(out.Contents) != 1 || *out.Contents[0].Key != "in/2" || !*out.IsTruncated || out.Contents[0].Owner == nil {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("start-after and owner", func(t *testing.T) {
		out, err := c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String("lab"), StartAfter: aws.String("out/"), FetchOwner: aws.Bool(true)})
		if err != nil || len(out.Contents) != 2 || out.Contents[0].Owner == nil {
			t.Errorf("%+v, %v", out, err)
		}
	})
	for target, want := range map[string]string{
		"/lab?list-type=2&max-keys=-1":             "InvalidArgument",
		"/lab?list-type=2&continuation-token=%21":  "InvalidArgument",
		"/lab?list-type=3":                         "InvalidArgument",
		"/lab?encoding-type=x":                     "InvalidArgument",
		"/lab?versions":                            "NotImplemented",
		"/lab?policy":                              "NoSuchBucketPolicy",
		"/lab?tagging":                             "NoSuchTagSet",
		"/lab?lifecycle":                           "NoSuchLifecycleConfiguration",
		"/none?list-type=2":                        "NoSuchBucket",
		"/lab/none?acl":                            "NoSuchKey",
		"/lab/a?versionId=3":                       "InvalidArgument",
		"/lab?versioning":                          "VersioningConfiguration",
		"/lab?encryption":                          "AES256",
		"/lab?max-keys=0":                          "<IsTruncated>false",
		"/lab/a?tagging":                           "<TagSet>",
		"/lab?list-type=2&start-after=%00&prefix=": "<KeyCount>6",
	} {
		if a := r.raw(t, "GET", target, ""); !strings.Contains(a.body, want) {
			t.Errorf("%s: %s; want %s", target, a.body, want)
		}
	}
}

func TestDeleteObjects(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	makeBucket(t, c, "lab")
	for _, key := range []string{"a", "b", "c"} {
		put(t, c, key, key)
	}
	del := func(quiet bool, names ...string) (*sdk.DeleteObjectsOutput, error) {
		var ids []types.ObjectIdentifier
		for _, name := range names {
			ids = append(ids, types.ObjectIdentifier{Key: &name})
		}
		return c.DeleteObjects(t.Context(), &sdk.DeleteObjectsInput{Bucket: aws.String("lab"), Delete: &types.Delete{Objects: ids, Quiet: &quiet}})
	}
	if out, err := del(false, "a", "never"); err != nil || len(out.Deleted) != 2 {
		t.Errorf("%+v, %v", out, err)
	}
	if out, err := del(true, "b"); err != nil || len(out.Deleted) != 0 {
		t.Errorf("quiet: %+v, %v", out, err)
	}
	if out, err := c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String("lab")}); err != nil || len(out.Contents) != 1 {
		t.Errorf("left: %+v, %v", out, err)
	}
	if _, err := del(false, slices.Repeat([]string{"k"}, 1001)...); code(err) != "MalformedXML" {
		t.Errorf("1,001 keys: %v", err)
	}
	body := "<Delete><Object><Key>c</Key></Object></Delete>"
	if a := r.raw(t, "POST", "/lab?delete", body); !strings.Contains(a.body, "InvalidRequest") {
		t.Errorf("no checksum: %s", a.body)
	}
	sum := md5.Sum([]byte(body)) //nolint:gosec // Content-MD5
	if a := r.raw(t, "POST", "/lab?delete", body, "Content-MD5", base64.StdEncoding.EncodeToString(sum[:])); a.status != 200 {
		t.Errorf("Content-MD5: %s", a.body)
	}
	if a := r.raw(t, "POST", "/lab?delete", "<Delete>", "Content-MD5", "x"); !strings.Contains(a.body, "InvalidDigest") {
		t.Errorf("bad Content-MD5: %s", a.body)
	}
}

func TestMultipart(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	makeBucket(t, c, "lab")
	first, second := bytes.Repeat([]byte("f"), int(objects.MinPart)), []byte("the last part")
	for _, algorithm := range []types.ChecksumAlgorithm{"CRC32", "CRC64NVME", "SHA256"} {
		t.Run(string(algorithm), func(t *testing.T) {
			key := aws.String("big-" + string(algorithm))
			u, err := c.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: aws.String("lab"), Key: key, ChecksumAlgorithm: algorithm, ContentType: aws.String("audio/wav")})
			if err != nil {
				t.Fatal(err)
			}
			var parts []types.CompletedPart
			for i, b := range [][]byte{first, second} {
				p, err := c.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: aws.String("lab"), Key: key, UploadId: u.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(b), ChecksumAlgorithm: algorithm})
				if err != nil {
					t.Fatal(err)
				}
				parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: p.ETag, ChecksumCRC32: p.ChecksumCRC32, ChecksumCRC64NVME: p.ChecksumCRC64NVME, ChecksumSHA256: p.ChecksumSHA256})
			}
			listed, err := c.ListParts(t.Context(), &sdk.ListPartsInput{Bucket: aws.String("lab"), Key: key, UploadId: u.UploadId})
			if err != nil || len(listed.Parts) != 2 || *listed.Parts[0].Size != objects.MinPart {
				t.Errorf("list parts: %+v, %v", listed, err)
			}
			uploads, err := c.ListMultipartUploads(t.Context(), &sdk.ListMultipartUploadsInput{Bucket: aws.String("lab")})
			if err != nil || len(uploads.Uploads) != 1 {
				t.Errorf("list uploads: %+v, %v", uploads, err)
			}
			wrong := slices.Clone(parts)
			slices.Reverse(wrong)
			if _, err := c.CompleteMultipartUpload(t.Context(), &sdk.CompleteMultipartUploadInput{Bucket: aws.String("lab"), Key: key, UploadId: u.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: wrong}}); code(err) != "InvalidPartOrder" {
				t.Errorf("wrong order: %v", err)
			}
			done, err := c.CompleteMultipartUpload(t.Context(), &sdk.CompleteMultipartUploadInput{Bucket: aws.String("lab"), Key: key, UploadId: u.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
			if err != nil || !strings.HasSuffix(*done.ETag, `-2"`) {
				t.Fatalf("complete: %+v, %v", done, err)
			}
			out, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: key, ChecksumMode: "ENABLED"})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(out.Body); err != nil || !bytes.Equal(got, slices.Concat(first, second)) || *out.ContentType != "audio/wav" {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	t.Run("a part copied from an object, by range", func(t *testing.T) {
		u, err := c.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: aws.String("lab"), Key: aws.String("copied")})
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.UploadPartCopy(t.Context(), &sdk.UploadPartCopyInput{
			Bucket: aws.String("lab"), Key: aws.String("copied"), UploadId: u.UploadId, PartNumber: aws.Int32(1),
			CopySource: aws.String("lab/big-SHA256"), CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", len(first)-2, len(first)+2)),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.CompleteMultipartUpload(t.Context(), &sdk.CompleteMultipartUploadInput{
			Bucket: aws.String("lab"), Key: aws.String("copied"), UploadId: u.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: p.CopyPartResult.ETag}}},
		}); err != nil {
			t.Fatal(err)
		}
		if a := r.raw(t, "GET", "/lab/copied", ""); a.body != "ffthe" {
			t.Errorf("got %q", a.body)
		}
	})
	t.Run("what is not right is refused", func(t *testing.T) {
		for target, want := range map[string]string{
			"PUT /lab/k?partNumber=0&uploadId=x":     "InvalidArgument",
			"PUT /lab/k?partNumber=10001&uploadId=x": "InvalidArgument",
			"PUT /lab/k?partNumber=1&uploadId=x":     "NoSuchUpload",
			"GET /lab/k?uploadId=x":                  "NoSuchUpload",
			"DELETE /lab/k?uploadId=x":               "NoSuchUpload",
			"POST /lab/k?uploadId=x":                 "MalformedXML",
			"PUT /lab/k?uploadId=x":                  "InvalidArgument",
		} {
			method, path, _ := strings.Cut(target, " ")
			if a := r.raw(t, method, path, ""); !strings.Contains(a.body, want) {
				t.Errorf("%s: %s; want %s", target, a.body, want)
			}
		}
	})
}

func TestRefusals(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	makeBucket(t, c, "lab")
	for _, x := range []struct{ method, target, header, value, want string }{
		{"PUT", "/lab/k", "X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256", "NotImplemented"},
		{"PUT", "/lab/k", "X-Amz-Meta-Long", strings.Repeat("x", 2100), "MetadataTooLarge"},
		{"PATCH", "/lab/k", "", "", "MethodNotAllowed"},
		{"POST", "/lab/k", "", "", "NotImplemented"},
		{"PUT", "/lab?cors", "", "", "NotImplemented"},
		{"PUT", "/", "", "", "MethodNotAllowed"},
		{"GET", "//k", "", "", "InvalidBucketName"},
	} {
		target := x.target
		if x.header != "" { // As a presigned request must: in the signed query.
			target += "?" + url.QueryEscape(x.header) + "=" + url.QueryEscape(x.value)
		}
		a := r.raw(t, x.method, target, "")
		if !strings.Contains(a.body, "<Code>"+x.want+"</Code>") || a.status < 400 {
			t.Errorf("%s %s %s: %d %s", x.method, x.target, x.header, a.status, a.body)
		}
	}
	t.Run("the error document", func(t *testing.T) {
		a := r.raw(t, "GET", "/lab/a%3Cb", "")
		id := a.header.Get("X-Amz-Request-Id")
		want := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>a&lt;b</Key><RequestId>` +
			id + `</RequestId><HostId>` + a.header.Get("X-Amz-Id-2") + `</HostId></Error>`
		if a.body != want || id == "" || a.header.Get("Content-Type") != "application/xml" {
			t.Errorf("got  %s\nwant %s", a.body, want)
		}
	})
}

func TestVirtualHostStyle(t *testing.T) {
	r := start(t, false)
	path := r.client(alice, "us-east-1")
	makeBucket(t, path, "lab")
	put(t, path, "a/b", "content")
	host := r.client(alice, "us-east-1", func(o *sdk.Options) {
		o.UsePathStyle = false
		o.BaseEndpoint = aws.String(strings.Replace(r.url, "127.0.0.1", "localhost", 1))
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		transport.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } //nolint:nilnil // no proxy
		o.HTTPClient = &http.Client{Transport: toServer{transport, strings.TrimPrefix(r.url, "http://")}}
	})
	out, err := host.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("a/b")})
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(out.Body); string(b) != "content" {
		t.Errorf("got %q", b)
	}
}

// toServer sends every request to one address and leaves its Host.
type toServer struct {
	http.RoundTripper
	address string
}

func (s toServer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host, r.URL.Host = r.URL.Host, s.address
	return s.RoundTripper.RoundTrip(r)
}
