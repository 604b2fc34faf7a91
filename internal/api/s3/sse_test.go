package s3_test

import (
	"bytes"
	"crypto/md5" //nolint:gosec // what an ETag must not be
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
)

// caller is the user of a key, as KMS sees him.
func caller(key, region string) iam.Caller {
	return iam.Caller{Principal: people[key].Principal, Region: region, Secure: true}
}

// key makes a symmetric key in the account of a user.
func (r rig) key(t testing.TB, who, region string) kms.CustomerKey {
	t.Helper()
	k, err := r.keys.CreateKey(t.Context(), caller(who, region), kms.NewKey{})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// target finds a key for what is done with it.
func (r rig) target(t testing.TB, k kms.CustomerKey) kms.Target {
	t.Helper()
	target, err := r.keys.Find(t.Context(), caller(alice, k.Region), k.ARN)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func contextHeader(json string) *string {
	return aws.String(base64.StdEncoding.EncodeToString([]byte(json)))
}

func TestEncryptionUnderCustomersKeys(t *testing.T) {
	r := start(t, true)
	c := r.client(alice, "eu-west-1")
	lab := aws.String("lab-eu")
	if _, err := c.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: lab, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}); err != nil {
		t.Fatal(err)
	}
	k := r.key(t, alice, "eu-west-1")
	if err := r.keys.CreateAlias(t.Context(), r.keys.Alias(caller(alice, "eu-west-1"), "alias/lab"), r.target(t, k)); err != nil {
		t.Fatal(err)
	}
	for form, id := range map[string]string{"id": k.ID, "alias": "alias/lab", "ARN": k.ARN, "alias ARN": "arn:aws:kms:eu-west-1:" + account + ":alias/lab"} {
		t.Run("by "+form, func(t *testing.T) {
			out, err := c.PutObject(t.Context(), &sdk.PutObjectInput{
				Bucket: lab, Key: aws.String("k"), Body: strings.NewReader("content"), ServerSideEncryption: "aws:kms", SSEKMSKeyId: &id,
				SSEKMSEncryptionContext: contextHeader(`{"team":"red"}`),
			})
			if err != nil || out.ServerSideEncryption != "aws:kms" || *out.SSEKMSKeyId != k.ARN || *out.SSEKMSEncryptionContext != *contextHeader(`{"team":"red"}`) {
				t.Fatalf("put: %+v, %v", out, err)
			}
			e := r.journal.last(t, "GenerateDataKey")
			request, _ := e.Request.(map[string]any)
			bound, _ := request["encryptionContext"].(map[string]string)
			if bound["team"] != "red" || bound["aws:s3:arn"] != "arn:aws:s3:::lab-eu/k" || e.Caller.Via[0] != "s3.amazonaws.com" || e.Caller.Principal.ARN != people[alice].Principal.ARN {
				t.Errorf("event: %+v", e)
			}
			got, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: lab, Key: aws.String("k")})
			if err != nil || got.ServerSideEncryption != "aws:kms" || *got.SSEKMSKeyId != k.ARN {
				t.Fatalf("get: %+v, %v", got, err)
			}
			if b, err := io.ReadAll(got.Body); err != nil || string(b) != "content" {
				t.Errorf("got %q, %v", b, err)
			}
			sum := md5.Sum([]byte("content")) //nolint:gosec // as above
			if etag := strings.Trim(*got.ETag, `"`); etag == hex.EncodeToString(sum[:]) || len(etag) != 32 || *got.ETag != *out.ETag {
				t.Errorf("ETag %s", etag)
			}
		})
	}
	t.Run("by S3's own key when none is named", func(t *testing.T) {
		out, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: lab, Key: aws.String("managed"), Body: strings.NewReader("x"), ServerSideEncryption: "aws:kms"})
		if err != nil || !strings.HasPrefix(*out.SSEKMSKeyId, "arn:aws:kms:eu-west-1:"+account+":key/") || *out.SSEKMSKeyId == k.ARN {
			t.Fatalf("%+v, %v", out, err)
		}
		if _, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: lab, Key: aws.String("managed")}); err != nil {
			t.Error(err)
		}
	})
	t.Run("a bucket's key binds to the bucket", func(t *testing.T) {
		out, err := c.PutObject(t.Context(), &sdk.PutObjectInput{
			Bucket: lab, Key: aws.String("bk"), Body: strings.NewReader("content"), ServerSideEncryption: "aws:kms", SSEKMSKeyId: &k.ARN, BucketKeyEnabled: aws.Bool(true),
		})
		if err != nil || !*out.BucketKeyEnabled {
			t.Fatalf("%+v, %v", out, err)
		}
		got, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: lab, Key: aws.String("bk")})
		if err != nil || !*got.BucketKeyEnabled {
			t.Fatalf("%+v, %v", got, err)
		}
		request, _ := r.journal.last(t, "Decrypt").Request.(map[string]any)
		if bound, _ := request["encryptionContext"].(map[string]string); bound["aws:s3:arn"] != "arn:aws:s3:::lab-eu" {
			t.Errorf("context: %v", bound)
		}
	})
	t.Run("a copy is encrypted as it is asked to be", func(t *testing.T) {
		for key, wish := range map[string]types.ServerSideEncryption{"plain": "", "under-kms": "aws:kms"} {
			in := &sdk.CopyObjectInput{Bucket: lab, Key: &key, CopySource: aws.String("lab-eu/k"), ServerSideEncryption: wish}
			want := types.ServerSideEncryption("AES256")
			if wish != "" {
				in.SSEKMSKeyId, want = &k.ID, wish
			}
			out, err := c.CopyObject(t.Context(), in)
			if err != nil || out.ServerSideEncryption != want {
				t.Fatalf("%s: %+v, %v", key, out, err)
			}
			got, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: lab, Key: &key})
			if err != nil || got.ServerSideEncryption != want {
				t.Fatalf("%s: %+v, %v", key, got, err)
			}
			if b, _ := io.ReadAll(got.Body); string(b) != "content" {
				t.Errorf("%s: %q", key, b)
			}
		}
		if _, err := c.CopyObject(t.Context(), &sdk.CopyObjectInput{
			Bucket: lab, Key: aws.String("plain"), CopySource: aws.String("lab-eu/plain"), ServerSideEncryption: "aws:kms", SSEKMSKeyId: &k.ARN,
		}); err != nil {
			t.Errorf("onto itself under another key: %v", err)
		}
		if head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: lab, Key: aws.String("plain")}); err != nil || *head.SSEKMSKeyId != k.ARN {
			t.Errorf("onto itself: %+v, %v", head, err)
		}
	})
	t.Run("multipart says it at every step", func(t *testing.T) {
		up, err := c.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: lab, Key: aws.String("mp"), ServerSideEncryption: "aws:kms", SSEKMSKeyId: &k.ID})
		if err != nil || up.ServerSideEncryption != "aws:kms" || *up.SSEKMSKeyId != k.ARN {
			t.Fatalf("create: %+v, %v", up, err)
		}
		big := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
		var parts []types.CompletedPart
		for i, body := range [][]byte{big, []byte("end")} {
			p, err := c.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: lab, Key: aws.String("mp"), UploadId: up.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(body)})
			if err != nil || p.ServerSideEncryption != "aws:kms" || *p.SSEKMSKeyId != k.ARN {
				t.Fatalf("part: %+v, %v", p, err)
			}
			parts = append(parts, types.CompletedPart{ETag: p.ETag, PartNumber: aws.Int32(int32(i + 1))})
		}
		done, err := c.CompleteMultipartUpload(t.Context(), &sdk.CompleteMultipartUploadInput{
			Bucket: lab, Key: aws.String("mp"), UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
		if err != nil || done.ServerSideEncryption != "aws:kms" || *done.SSEKMSKeyId != k.ARN || !strings.HasSuffix(*done.ETag, `-2"`) {
			t.Fatalf("complete: %+v, %v", done, err)
		}
		got, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: lab, Key: aws.String("mp")})
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(got.Body); err != nil || !bytes.Equal(b, append(big, "end"...)) {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	})
}

func TestKeysStatesShowAsS3ShowsThem(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	makeBucket(t, c, "lab")
	k := r.key(t, alice, "us-east-1")
	putUnder := func(id string) error {
		_, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String("lab"), Key: aws.String("k"), Body: strings.NewReader("x"), ServerSideEncryption: "aws:kms", SSEKMSKeyId: &id})
		return err
	}
	get := func() error {
		_, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("k")})
		return err
	}
	if err := putUnder(k.ARN); err != nil {
		t.Fatal(err)
	}
	both := func(rule, want string) {
		t.Helper()
		if err := putUnder(k.ARN); code(err) != want {
			t.Errorf("%s: put: %v", rule, err)
		}
		if err := get(); code(err) != want {
			t.Errorf("%s: get: %v", rule, err)
		}
	}
	if err := r.keys.Disable(t.Context(), r.target(t, k)); err != nil {
		t.Fatal(err)
	}
	both("disabled", "KMS.DisabledException")
	if _, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String("lab"), Key: aws.String("k")}); err != nil {
		t.Errorf("head needs no key: %v", err)
	}
	if err := r.keys.Enable(t.Context(), r.target(t, k)); err != nil {
		t.Fatal(err)
	}
	both("enabled again", "")
	if _, err := r.keys.ScheduleDeletion(t.Context(), r.target(t, k), 7); err != nil {
		t.Fatal(err)
	}
	both("about to be deleted", "KMS.KMSInvalidStateException")
	for rule, id := range map[string]string{
		"no such key":            "11111111-2222-3333-4444-555555555555",
		"no such alias":          "alias/none",
		"no key at all":          "nonsense",
		"another region's":       strings.Replace(k.ARN, "us-east-1", "eu-west-1", 1),
		"another account's none": "arn:aws:kms:us-east-1:444455556666:key/11111111-2222-3333-4444-555555555555",
	} {
		if err := putUnder(id); !strings.HasPrefix(code(err), "KMS.") && code(err) != "AccessDenied" {
			t.Errorf("%s: %v", rule, err)
		}
	}
	hmac, err := r.keys.CreateKey(t.Context(), caller(alice, "us-east-1"), kms.NewKey{Spec: "HMAC_256", Usage: "GENERATE_VERIFY_MAC"})
	if err != nil {
		t.Fatal(err)
	}
	if err := putUnder(hmac.ARN); !strings.HasPrefix(code(err), "KMS.") {
		t.Errorf("a key that can't wrap: %v", err)
	}
}

func TestKeysNeedTheirOwnPermissions(t *testing.T) {
	r := start(t, false)
	admin, c := r.client(alice, "us-east-1"), r.client(bob, "us-east-1")
	makeBucket(t, admin, "lab")
	k := r.key(t, alice, "us-east-1")
	lab := aws.String("lab")
	putUnder := func() error {
		_, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: lab, Key: aws.String("k"), Body: strings.NewReader("x"), ServerSideEncryption: "aws:kms", SSEKMSKeyId: &k.ARN})
		return err
	}
	get := func() error {
		_, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: lab, Key: aws.String("k")})
		return err
	}
	for _, x := range []struct{ rule, policy, put, get string }{
		{"all of S3 is not enough", statements(allow("*", "s3:*")), "kms:GenerateDataKey", "kms:Decrypt"},
		{"writing", statements(allow("*", "s3:*", "kms:GenerateDataKey")), "", "kms:Decrypt"},
		{"reading", statements(allow("*", "s3:*", "kms:Decrypt")), "kms:GenerateDataKey", ""},
		{"through S3 only", statements(allow("*", "s3:*"), `{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}}`), "", ""},
		{"of objects below a prefix", statements(allow("*", "s3:*"), `{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringLike":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::lab/other/*"}}}`), "kms:GenerateDataKey", "kms:Decrypt"},
		{"of this object", statements(allow("*", "s3:*"), `{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringLike":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::lab/k"}}}`), "", ""},
	} {
		t.Run(x.rule, func(t *testing.T) {
			if _, err := admin.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: lab, Key: aws.String("k"), Body: strings.NewReader("x"), ServerSideEncryption: "aws:kms", SSEKMSKeyId: &k.ARN}); err != nil {
				t.Fatal(err)
			}
			r.rights.set(t, bob, x.policy)
			for _, did := range []struct {
				what, without string
				err           error
			}{{"put", x.put, putUnder()}, {"get", x.get, get()}} {
				if did.without == "" && did.err != nil || did.without != "" && (code(did.err) != "AccessDenied" || !strings.Contains(message(did.err), did.without)) {
					t.Errorf("%s: %v", did.what, did.err)
				}
			}
		})
	}
	t.Run("a multipart upload needs both", func(t *testing.T) {
		r.rights.set(t, bob, statements(allow("*", "s3:*", "kms:GenerateDataKey")))
		up, err := c.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: lab, Key: aws.String("mp"), ServerSideEncryption: "aws:kms", SSEKMSKeyId: &k.ARN})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: lab, Key: aws.String("mp"), UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
		if code(err) != "AccessDenied" || !strings.Contains(message(err), "kms:Decrypt") {
			t.Errorf("part: %v", err)
		}
		r.rights.set(t, bob, statements(allow("*", "s3:*", "kms:Decrypt")))
		if _, err := c.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: lab, Key: aws.String("mp"), ServerSideEncryption: "aws:kms", SSEKMSKeyId: &k.ARN}); code(err) != "AccessDenied" {
			t.Errorf("create: %v", err)
		}
	})
	t.Run("a checksum tells of the content", func(t *testing.T) {
		r.rights.set(t, bob, statements(allow("*", "s3:*")))
		in := &sdk.HeadObjectInput{Bucket: lab, Key: aws.String("k")}
		if _, err := c.HeadObject(t.Context(), in); err != nil {
			t.Errorf("without: %v", err)
		}
		in.ChecksumMode = "ENABLED"
		if _, err := c.HeadObject(t.Context(), in); code(err) != "Forbidden" {
			t.Errorf("with: %v", err)
		}
	})
}

func TestBucketPolicyDemandsEncryption(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	makeBucket(t, c, "lab")
	k, other := r.key(t, alice, "us-east-1"), r.key(t, alice, "us-east-1")
	setPolicy(t, c, "lab",
		`{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::lab/*","Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}}`,
		`{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::lab/*","Condition":{"StringNotEqualsIfExists":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"`+k.ARN+`"}}}`)
	for _, x := range []struct {
		rule      string
		algorithm types.ServerSideEncryption
		key, want string
	}{
		{"no wish", "", "", "AccessDenied"},
		{"another algorithm", "AES256", "", "AccessDenied"},
		{"the algorithm and the key", "aws:kms", k.ARN, ""},
		{"the key by its id", "aws:kms", k.ID, ""},
		{"another key", "aws:kms", other.ARN, "AccessDenied"},
		{"another key by its id", "aws:kms", other.ID, "AccessDenied"},
	} {
		in := &sdk.PutObjectInput{Bucket: aws.String("lab"), Key: aws.String("k"), Body: strings.NewReader("x"), ServerSideEncryption: x.algorithm}
		up := &sdk.CreateMultipartUploadInput{Bucket: aws.String("lab"), Key: aws.String("k"), ServerSideEncryption: x.algorithm}
		if x.key != "" {
			in.SSEKMSKeyId, up.SSEKMSKeyId = &x.key, &x.key
		}
		if _, err := c.PutObject(t.Context(), in); code(err) != x.want {
			t.Errorf("%s: %v", x.rule, err)
		}
		if _, err := c.CreateMultipartUpload(t.Context(), up); code(err) != x.want {
			t.Errorf("%s, multipart: %v", x.rule, err)
		}
	}
	t.Run("parts and completion are held against the upload's own headers", func(t *testing.T) {
		up, err := c.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: aws.String("lab"), Key: aws.String("mp"), ServerSideEncryption: "aws:kms", SSEKMSKeyId: &k.ID})
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: aws.String("lab"), Key: aws.String("mp"), UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
		if err != nil {
			t.Fatal(err)
		}
		for _, time := range []string{"first", "again"} {
			if _, err := c.CompleteMultipartUpload(t.Context(), &sdk.CompleteMultipartUploadInput{
				Bucket: aws.String("lab"), Key: aws.String("mp"), UploadId: up.UploadId,
				MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: p.ETag, PartNumber: aws.Int32(1)}}},
			}); err != nil {
				t.Errorf("%s: %v", time, err)
			}
		}
	})
	t.Run("a header sent twice can't say two things", func(t *testing.T) {
		query := "?x-amz-server-side-encryption=AES256&x-amz-server-side-encryption=aws%3Akms"
		if a := r.raw(t, http.MethodPut, "/lab/k"+query, "x"); a.status < 400 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

func TestWishesThatMakeNoSense(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	makeBucket(t, c, "lab")
	put(t, c, "k", "x")
	for _, x := range []struct {
		rule    string
		method  string
		headers []string
		want    string
	}{
		{"no algorithm we know", "PUT", []string{"x-amz-server-side-encryption", "rot13"}, "InvalidArgument"},
		{"two layers", "PUT", []string{"x-amz-server-side-encryption", "aws:kms:dsse"}, "NotImplemented"},
		{"a key without KMS", "PUT", []string{"x-amz-server-side-encryption-aws-kms-key-id", "alias/x"}, "InvalidArgument"},
		{"a key with AES256", "PUT", []string{"x-amz-server-side-encryption", "AES256", "x-amz-server-side-encryption-aws-kms-key-id", "alias/x"}, "InvalidArgument"},
		{"a context without KMS", "PUT", []string{"x-amz-server-side-encryption-context", *contextHeader(`{"a":"b"}`)}, "InvalidArgument"},
		{"a context that is not base64", "PUT", []string{"x-amz-server-side-encryption", "aws:kms", "x-amz-server-side-encryption-context", "{}"}, "InvalidArgument"},
		{"a context that is no map of strings", "PUT", []string{"x-amz-server-side-encryption", "aws:kms", "x-amz-server-side-encryption-context", *contextHeader(`{"a":1}`)}, "InvalidArgument"},
		{"a context with another object's ARN", "PUT", []string{"x-amz-server-side-encryption", "aws:kms", "x-amz-server-side-encryption-context", *contextHeader(`{"aws:s3:arn":"arn:aws:s3:::lab/other"}`)}, "InvalidArgument"},
		{"a bucket key that is neither", "PUT", []string{"x-amz-server-side-encryption", "aws:kms", "x-amz-server-side-encryption-bucket-key-enabled", "maybe"}, "InvalidArgument"},
		{"on reading", "GET", []string{"x-amz-server-side-encryption", "AES256"}, "InvalidArgument"},
		{"with the customer's own key", "PUT", []string{"x-amz-server-side-encryption-customer-algorithm", "AES256"}, "NotImplemented"},
	} {
		t.Run(x.rule, func(t *testing.T) {
			if a := r.signed(t, x.method, "/lab/k", "x", x.headers...); !strings.Contains(a.body, "<Code>"+x.want+"</Code>") {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// signed sends a presigned request whose x-amz-* headers are in the query, as they must be.
func (r rig) signed(t testing.TB, method, target, body string, headers ...string) answer {
	t.Helper()
	query := make([]string, 0, len(headers)/2)
	for i := 0; i < len(headers); i += 2 {
		query = append(query, headers[i]+"="+strings.NewReplacer("%", "%25", ":", "%3A", "/", "%2F", "{", "%7B", "}", "%7D", "=", "%3D", "+", "%2B").Replace(headers[i+1]))
	}
	return r.raw(t, method, target+"?"+strings.Join(query, "&"), body)
}
