package s3_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// statements makes a policy of the statements' JSON.
func statements(all ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(all, ",") + `]}`
}

func allow(resource string, actions ...string) string {
	return `{"Effect":"Allow","Action":["` + strings.Join(actions, `","`) + `"],"Resource":"` + resource + `"}`
}

func deny(resource string, actions ...string) string {
	return strings.Replace(allow(resource, actions...), "Allow", "Deny", 1)
}

// message returns what the error says.
func message(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorMessage()
	}
	return ""
}

// refused tells AccessDenied, which HEAD has no document for.
func refused(err error) bool {
	return code(err) == "AccessDenied" || code(err) == "Forbidden"
}

// setPolicy gives a bucket a policy, public or not.
func setPolicy(t testing.TB, c *sdk.Client, bucket string, all ...string) {
	t.Helper()
	if _, err := c.DeletePublicAccessBlock(t.Context(), &sdk.DeletePublicAccessBlockInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(statements(all...))}); err != nil {
		t.Fatal(err)
	}
}

func TestEveryOperationNeedsItsPermissions(t *testing.T) {
	r := start(t, false)
	admin, c := r.client(alice, "us-east-1"), r.client(bob, "us-east-1")
	makeBucket(t, admin, "lab")
	put(t, admin, "k", "content")
	lab, k := aws.String("lab"), aws.String("k")
	// A part is uploaded under bob's rights, so that completing has something to complete.
	up, err := admin.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: lab, Key: aws.String("mp")})
	if err != nil {
		t.Fatal(err)
	}
	tags := &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}}
	operations := []struct {
		name, resource string
		needs          []string
		do             func() error
	}{
		{"ListBuckets", "arn:aws:s3:::*", []string{"s3:ListAllMyBuckets"}, func() error {
			_, err := c.ListBuckets(t.Context(), &sdk.ListBucketsInput{})
			return err
		}},
		{"CreateBucket", "arn:aws:s3:::bobs", []string{"s3:CreateBucket"}, func() error {
			_, err := c.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: aws.String("bobs")})
			return err
		}},
		{"HeadBucket", "arn:aws:s3:::lab", []string{"s3:ListBucket"}, func() error {
			_, err := c.HeadBucket(t.Context(), &sdk.HeadBucketInput{Bucket: lab})
			return err
		}},
		{"ListObjects", "arn:aws:s3:::lab", []string{"s3:ListBucket"}, func() error {
			_, err := c.ListObjects(t.Context(), &sdk.ListObjectsInput{Bucket: lab})
			return err
		}},
		{"ListObjectsV2", "arn:aws:s3:::lab", []string{"s3:ListBucket"}, func() error {
			_, err := c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: lab})
			return err
		}},
		{"ListMultipartUploads", "arn:aws:s3:::lab", []string{"s3:ListBucketMultipartUploads"}, func() error {
			_, err := c.ListMultipartUploads(t.Context(), &sdk.ListMultipartUploadsInput{Bucket: lab})
			return err
		}},
		{"GetBucketLocation", "arn:aws:s3:::lab", []string{"s3:GetBucketLocation"}, func() error {
			_, err := c.GetBucketLocation(t.Context(), &sdk.GetBucketLocationInput{Bucket: lab})
			return err
		}},
		{"GetBucketVersioning", "arn:aws:s3:::lab", []string{"s3:GetBucketVersioning"}, func() error {
			_, err := c.GetBucketVersioning(t.Context(), &sdk.GetBucketVersioningInput{Bucket: lab})
			return err
		}},
		{"GetBucketAcl", "arn:aws:s3:::lab", []string{"s3:GetBucketAcl"}, func() error {
			_, err := c.GetBucketAcl(t.Context(), &sdk.GetBucketAclInput{Bucket: lab})
			return err
		}},
		{"GetBucketEncryption", "arn:aws:s3:::lab", []string{"s3:GetEncryptionConfiguration"}, func() error {
			_, err := c.GetBucketEncryption(t.Context(), &sdk.GetBucketEncryptionInput{Bucket: lab})
			return err
		}},
		{"DeleteBucketEncryption", "arn:aws:s3:::lab", []string{"s3:PutEncryptionConfiguration"}, func() error {
			_, err := c.DeleteBucketEncryption(t.Context(), &sdk.DeleteBucketEncryptionInput{Bucket: lab})
			return err
		}},
		{"PutBucketPolicy", "arn:aws:s3:::lab", []string{"s3:PutBucketPolicy"}, func() error {
			text := statements(`{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::lab/*"}`)
			_, err := c.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{Bucket: lab, Policy: &text})
			return err
		}},
		{"GetBucketPolicy", "arn:aws:s3:::lab", []string{"s3:GetBucketPolicy"}, func() error {
			_, err := c.GetBucketPolicy(t.Context(), &sdk.GetBucketPolicyInput{Bucket: lab})
			return err
		}},
		{"GetBucketPolicyStatus", "arn:aws:s3:::lab", []string{"s3:GetBucketPolicyStatus"}, func() error {
			_, err := c.GetBucketPolicyStatus(t.Context(), &sdk.GetBucketPolicyStatusInput{Bucket: lab})
			return err
		}},
		{"DeleteBucketPolicy", "arn:aws:s3:::lab", []string{"s3:DeleteBucketPolicy"}, func() error {
			_, err := c.DeleteBucketPolicy(t.Context(), &sdk.DeleteBucketPolicyInput{Bucket: lab})
			return err
		}},
		{"GetPublicAccessBlock", "arn:aws:s3:::lab", []string{"s3:GetBucketPublicAccessBlock"}, func() error {
			_, err := c.GetPublicAccessBlock(t.Context(), &sdk.GetPublicAccessBlockInput{Bucket: lab})
			return err
		}},
		{"DeletePublicAccessBlock", "arn:aws:s3:::lab", []string{"s3:PutBucketPublicAccessBlock"}, func() error {
			_, err := c.DeletePublicAccessBlock(t.Context(), &sdk.DeletePublicAccessBlockInput{Bucket: lab})
			return err
		}},
		{"PutBucketTagging", "arn:aws:s3:::lab", []string{"s3:PutBucketTagging"}, func() error {
			_, err := c.PutBucketTagging(t.Context(), &sdk.PutBucketTaggingInput{Bucket: lab, Tagging: tags})
			return err
		}},
		{"GetBucketTagging", "arn:aws:s3:::lab", []string{"s3:GetBucketTagging"}, func() error {
			_, err := c.GetBucketTagging(t.Context(), &sdk.GetBucketTaggingInput{Bucket: lab})
			return err
		}},
		{"DeleteBucketTagging", "arn:aws:s3:::lab", []string{"s3:PutBucketTagging"}, func() error {
			_, err := c.DeleteBucketTagging(t.Context(), &sdk.DeleteBucketTaggingInput{Bucket: lab})
			return err
		}},
		{"PutObject", "arn:aws:s3:::lab/k", []string{"s3:PutObject"}, func() error {
			_, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: lab, Key: k, Body: strings.NewReader("content")})
			return err
		}},
		{"PutObject with tags", "arn:aws:s3:::lab/k", []string{"s3:PutObject", "s3:PutObjectTagging"}, func() error {
			_, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: lab, Key: k, Body: strings.NewReader("content"), Tagging: aws.String("a=1")})
			return err
		}},
		{"PutObject with an ACL", "arn:aws:s3:::lab/k", []string{"s3:PutObject", "s3:PutObjectAcl"}, func() error {
			_, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: lab, Key: k, Body: strings.NewReader("content"), ACL: "bucket-owner-full-control"})
			return err
		}},
		{"GetObject", "arn:aws:s3:::lab/k", []string{"s3:GetObject"}, func() error {
			_, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: lab, Key: k})
			return err
		}},
		{"HeadObject", "arn:aws:s3:::lab/k", []string{"s3:GetObject"}, func() error {
			_, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: lab, Key: k})
			return err
		}},
		{"GetObjectAttributes", "arn:aws:s3:::lab/k", []string{"s3:GetObject", "s3:GetObjectAttributes"}, func() error {
			_, err := c.GetObjectAttributes(t.Context(), &sdk.GetObjectAttributesInput{Bucket: lab, Key: k, ObjectAttributes: []types.ObjectAttributes{"ETag"}})
			return err
		}},
		{"GetObjectAcl", "arn:aws:s3:::lab/k", []string{"s3:GetObjectAcl"}, func() error {
			_, err := c.GetObjectAcl(t.Context(), &sdk.GetObjectAclInput{Bucket: lab, Key: k})
			return err
		}},
		{"PutObjectTagging", "arn:aws:s3:::lab/k", []string{"s3:PutObjectTagging"}, func() error {
			_, err := c.PutObjectTagging(t.Context(), &sdk.PutObjectTaggingInput{Bucket: lab, Key: k, Tagging: tags})
			return err
		}},
		{"GetObjectTagging", "arn:aws:s3:::lab/k", []string{"s3:GetObjectTagging"}, func() error {
			_, err := c.GetObjectTagging(t.Context(), &sdk.GetObjectTaggingInput{Bucket: lab, Key: k})
			return err
		}},
		{"CopyObject of a tagged object", "arn:aws:s3:::lab/*", []string{"s3:PutObject", "s3:GetObject", "s3:GetObjectTagging", "s3:PutObjectTagging"}, func() error {
			_, err := c.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: lab, Key: aws.String("copy"), CopySource: aws.String("lab/k")})
			return err
		}},
		{"DeleteObjectTagging", "arn:aws:s3:::lab/k", []string{"s3:DeleteObjectTagging"}, func() error {
			_, err := c.DeleteObjectTagging(t.Context(), &sdk.DeleteObjectTaggingInput{Bucket: lab, Key: k})
			return err
		}},
		{"CopyObject", "arn:aws:s3:::lab/*", []string{"s3:PutObject", "s3:GetObject"}, func() error {
			_, err := c.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: lab, Key: aws.String("copy"), CopySource: aws.String("lab/k")})
			return err
		}},
		{"CreateMultipartUpload", "arn:aws:s3:::lab/other", []string{"s3:PutObject"}, func() error {
			_, err := c.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: lab, Key: aws.String("other")})
			return err
		}},
		{"UploadPart", "arn:aws:s3:::lab/mp", []string{"s3:PutObject"}, func() error {
			_, err := c.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: lab, Key: aws.String("mp"), UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("part")})
			return err
		}},
		{"UploadPartCopy", "arn:aws:s3:::lab/*", []string{"s3:PutObject", "s3:GetObject"}, func() error {
			_, err := c.UploadPartCopy(t.Context(), &sdk.UploadPartCopyInput{Bucket: lab, Key: aws.String("mp"), UploadId: up.UploadId, PartNumber: aws.Int32(2), CopySource: aws.String("lab/k")})
			return err
		}},
		{"ListParts", "arn:aws:s3:::lab/mp", []string{"s3:ListMultipartUploadParts"}, func() error {
			_, err := c.ListParts(t.Context(), &sdk.ListPartsInput{Bucket: lab, Key: aws.String("mp"), UploadId: up.UploadId})
			return err
		}},
		{"AbortMultipartUpload", "arn:aws:s3:::lab/mp", []string{"s3:AbortMultipartUpload"}, func() error {
			_, err := c.AbortMultipartUpload(t.Context(), &sdk.AbortMultipartUploadInput{Bucket: lab, Key: aws.String("mp"), UploadId: up.UploadId})
			return err
		}},
		{"DeleteObject", "arn:aws:s3:::lab/k", []string{"s3:DeleteObject"}, func() error {
			_, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: lab, Key: k})
			return err
		}},
		{"DeleteBucket", "arn:aws:s3:::bobs", []string{"s3:DeleteBucket"}, func() error {
			_, err := c.DeleteBucket(t.Context(), &sdk.DeleteBucketInput{Bucket: aws.String("bobs")})
			return err
		}},
	}
	for _, o := range operations {
		t.Run(o.name, func(t *testing.T) {
			for _, action := range o.needs {
				r.rights.set(t, bob, statements(allow("*", "*"), deny("*", action)))
				err := o.do()
				if !refused(err) {
					t.Errorf("without %s: %v", action, err)
				}
				if m := message(err); m != "" && code(err) == "AccessDenied" && (!strings.Contains(m, action+" ") || !strings.Contains(m, "user/bob")) {
					t.Errorf("without %s it says %q", action, m)
				}
				name, _, _ := strings.Cut(o.name, " ")
				if e := r.journal.last(t, name); e.ErrorCode != "AccessDenied" || e.Source != "s3.amazonaws.com" {
					t.Errorf("without %s the audit has %+v", action, e)
				}
			}
			r.rights.set(t, bob, statements(allow(o.resource, o.needs...)))
			if err := o.do(); refused(err) || err != nil && !strings.HasPrefix(code(err), "NoSuch") {
				t.Errorf("with %v on %s: %v", o.needs, o.resource, err)
			}
		})
	}
}

func TestDeleteObjectsAuthorisesEachKey(t *testing.T) {
	r := start(t, false)
	admin, c := r.client(alice, "us-east-1"), r.client(bob, "us-east-1")
	makeBucket(t, admin, "lab")
	put(t, admin, "mine/a", "x")
	put(t, admin, "yours/b", "x")
	r.rights.set(t, bob, statements(allow("arn:aws:s3:::lab/mine/*", "s3:DeleteObject")))
	out, err := c.DeleteObjects(t.Context(), &sdk.DeleteObjectsInput{Bucket: aws.String("lab"), Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("mine/a")}, {Key: aws.String("yours/b")}},
	}})
	if err != nil || len(out.Deleted) != 1 || *out.Deleted[0].Key != "mine/a" || len(out.Errors) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	if e := out.Errors[0]; *e.Key != "yours/b" || *e.Code != "AccessDenied" || !strings.Contains(*e.Message, "s3:DeleteObject") {
		t.Errorf("%s %s %s", *e.Key, *e.Code, *e.Message)
	}
	list, err := admin.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String("lab")})
	if err != nil || len(list.Contents) != 1 || *list.Contents[0].Key != "yours/b" {
		t.Errorf("left: %+v, %v", list.Contents, err)
	}
}

func TestMissingKeysShowToThoseWhoMayList(t *testing.T) {
	r := start(t, false)
	c := r.client(bob, "us-east-1")
	makeBucket(t, r.client(alice, "us-east-1"), "lab")
	get := func() error {
		_, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("none")})
		return err
	}
	head := func() error {
		_, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String("lab"), Key: aws.String("none")})
		return err
	}
	r.rights.set(t, bob, statements(allow("*", "s3:GetObject")))
	if err := get(); code(err) != "AccessDenied" || !strings.Contains(message(err), "s3:ListBucket") {
		t.Errorf("get without s3:ListBucket: %v", err)
	}
	if err := head(); code(err) != "Forbidden" {
		t.Errorf("head without s3:ListBucket: %v", err)
	}
	r.rights.set(t, bob, statements(allow("*", "s3:GetObject", "s3:ListBucket")))
	if err := get(); code(err) != "NoSuchKey" {
		t.Errorf("get: %v", err)
	}
	if err := head(); code(err) != "NotFound" {
		t.Errorf("head: %v", err)
	}
	r.rights.set(t, bob, statements(deny("*", "s3:*")))
	if _, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("no-such-bucket"), Key: aws.String("k")}); code(err) != "NoSuchBucket" {
		t.Errorf("a bucket that is none: %v", err)
	}
}

func TestAccountsMeetOnlyByPoliciesOnBothSides(t *testing.T) {
	r := start(t, false)
	owner, other := r.client(alice, "us-east-1"), r.client(mallory, "us-east-1")
	makeBucket(t, owner, "lab")
	put(t, owner, "shared/k", "content")
	get := func() error {
		_, err := other.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("shared/k")})
		return err
	}
	if err := get(); code(err) != "AccessDenied" {
		t.Errorf("without a bucket policy: %v", err)
	}
	setPolicy(t, owner, "lab", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":["s3:*"],"Resource":["arn:aws:s3:::lab","arn:aws:s3:::lab/shared/*"]}`)
	if err := get(); err != nil {
		t.Errorf("with both: %v", err)
	}
	t.Run("the owner's objects stay the owner's", func(t *testing.T) {
		if _, err := other.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String("lab"), Key: aws.String("shared/new"), Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
		if _, err := owner.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("shared/new")}); err != nil {
			t.Errorf("the owner reads it: %v", err)
		}
		of := func(c *sdk.Client) string {
			out, err := c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String("lab"), FetchOwner: aws.Bool(true)})
			if err != nil {
				t.Fatal(err)
			}
			return *out.Contents[0].Owner.ID
		}
		if of(owner) != of(other) {
			t.Error("the owner depends on who asks")
		}
	})
	t.Run("another account never manages the policy", func(t *testing.T) {
		_, err := other.DeleteBucketPolicy(t.Context(), &sdk.DeleteBucketPolicyInput{Bucket: aws.String("lab")})
		if code(err) != "MethodNotAllowed" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("copying needs the source's policy too", func(t *testing.T) {
		makeBucket(t, other, "mallorys")
		copyOf := func(source string) error {
			_, err := other.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: aws.String("mallorys"), Key: aws.String("k"), CopySource: &source})
			return err
		}
		put(t, owner, "private/k", "content")
		if err := copyOf("lab/shared/k"); err != nil {
			t.Errorf("shared: %v", err)
		}
		if err := copyOf("lab/private/k"); code(err) != "AccessDenied" || !strings.Contains(message(err), `s3:GetObject on resource: "arn:aws:s3:::lab/private/k"`) {
			t.Errorf("private: %v", err)
		}
	})
	t.Run("the expected owner must own it", func(t *testing.T) {
		in := &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("shared/k"), ExpectedBucketOwner: aws.String("444455556666")}
		if _, err := other.GetObject(t.Context(), in); code(err) != "AccessDenied" {
			t.Errorf("another: %v", err)
		}
		in.ExpectedBucketOwner = aws.String(account)
		if _, err := other.GetObject(t.Context(), in); err != nil {
			t.Errorf("the owner: %v", err)
		}
	})
	r.rights.set(t, mallory, statements(allow("*", "kms:*")))
	if err := get(); code(err) != "AccessDenied" || !strings.Contains(message(err), "no identity-based policy allows the s3:GetObject action") {
		t.Errorf("without an identity policy: %v", err)
	}
}

func TestBucketPolicyDemandsTLS(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS: ", secure), func(t *testing.T) {
			r := start(t, secure)
			c := r.client(alice, "us-east-1")
			makeBucket(t, c, "lab")
			put(t, c, "k", "x")
			setPolicy(t, c, "lab", `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::lab","arn:aws:s3:::lab/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}`)
			_, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("k")})
			if secure && err != nil || !secure && (code(err) != "AccessDenied" || !strings.Contains(message(err), "with an explicit deny in a resource-based policy")) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestKeysAreTakenAsTheyAre(t *testing.T) {
	r := start(t, false)
	admin := r.client(alice, "us-east-1")
	makeBucket(t, admin, "lab")
	makeBucket(t, admin, "vault")
	put(t, admin, "secret/k", "x")
	// alice may write below out/ only; raw signs as she.
	r.rights.set(t, alice, statements(allow("*", "s3:GetObject", "s3:ListBucket"), allow("arn:aws:s3:::lab/out/*", "s3:PutObject"), deny("arn:aws:s3:::lab/secret/*", "s3:*")))
	for _, x := range []struct {
		rule, method, target string
		want                 int
	}{
		{"dots climb nowhere: the object is out/../secret/k", "PUT", "/lab/out/../secret/k", 200},
		{"nor do escaped ones", "PUT", "/lab/out/%2e%2e/secret/n", 200},
		{"a double slash is another key", "PUT", "/lab//out/k", 403},
		{"from one bucket into the next", "PUT", "/lab/../vault/k", 403},
		{"escaped slashes are slashes", "GET", "/lab/secret%2Fk", 403},
		{"an escaped letter is the letter", "GET", "/lab/%73ecret/k", 403},
		{"dots before a denied key", "GET", "/lab/./secret/k", 404},
	} {
		if a := r.raw(t, x.method, x.target, ""); a.status != x.want {
			t.Errorf("%s: %d %s", x.rule, a.status, a.body)
		}
	}
	for _, key := range []string{"out/../secret/k", "out/../secret/n"} {
		if _, err := r.store.Head(t.Context(), "lab", key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	if _, err := r.store.Head(t.Context(), "lab", "secret/n"); err == nil {
		t.Error("secret/n was written")
	}
}

func TestWhatTheAuditShows(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	makeBucket(t, c, "lab")
	put(t, c, "k", "content")
	e := r.journal.last(t, "PutObject")
	request, _ := e.Request.(map[string]any)
	response, _ := e.Response.(map[string]any)
	if request["bucketName"] != "lab" || request["key"] != "k" || response["x-amz-server-side-encryption"] != "AES256" || !e.Data || e.ReadOnly {
		t.Errorf("%+v", e)
	}
	found := map[string]string{}
	for _, x := range e.Resources {
		found[x.Type] = x.ARN + " " + x.AccountID
	}
	if found["AWS::S3::Object"] != "arn:aws:s3:::lab/k " || found["AWS::S3::Bucket"] != "arn:aws:s3:::lab "+account || len(found) != 2 {
		t.Errorf("resources: %v", found)
	}
	t.Run("no signatures", func(t *testing.T) {
		if a := r.raw(t, http.MethodGet, "/lab/k", ""); a.status != http.StatusOK {
			t.Fatal(a.body)
		}
		shown := fmt.Sprint(r.journal.last(t, "GetObject").Request)
		if strings.Contains(strings.ToLower(shown), "signature") || strings.Contains(strings.ToLower(shown), "credential") {
			t.Errorf("shown: %s", shown)
		}
	})
}
