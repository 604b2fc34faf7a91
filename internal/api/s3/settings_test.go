package s3_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const toEverybody = `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::lab/*"}`

func TestBucketPolicy(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	lab := aws.String("lab")
	makeBucket(t, c, "lab")
	putPolicy := func(text string) error {
		_, err := c.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{Bucket: lab, Policy: &text})
		return err
	}
	if _, err := c.GetBucketPolicy(t.Context(), &sdk.GetBucketPolicyInput{Bucket: lab}); code(err) != "NoSuchBucketPolicy" {
		t.Errorf("before: %v", err)
	}
	if _, err := c.GetBucketPolicyStatus(t.Context(), &sdk.GetBucketPolicyStatusInput{Bucket: lab}); code(err) != "NoSuchBucketPolicy" {
		t.Errorf("status before: %v", err)
	}
	good := statements(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:user/mallory"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::lab/*"}`)
	for _, x := range []struct{ rule, text, want, says string }{
		{"not JSON", "x", "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'"},
		{"white space first", " " + good, "MalformedPolicy", "first byte"},
		{"no statement", `{"Version":"2012-10-17"}`, "MalformedPolicy", ""},
		{"no principal", statements(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::lab/*"}`), "MalformedPolicy", ""},
		{"no effect", statements(`{"Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::lab/*"}`), "MalformedPolicy", ""},
		{"another bucket", statements(`{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::vault/*"}`), "MalformedPolicy", "Policy has invalid resource"},
		{"a bucket of a longer name", statements(`{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::lab2/*"}`), "MalformedPolicy", "Policy has invalid resource"},
		{"every resource", statements(`{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"*"}`), "MalformedPolicy", "Policy has invalid resource"},
		{"another service's action", statements(`{"Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"arn:aws:s3:::lab/*"}`), "MalformedPolicy", "Policy has invalid action"},
		{"a principal who is not there", statements(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/nobody"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::lab/*"}`), "MalformedPolicy", "Invalid principal in policy"},
		{"too long", statements(strings.Replace(toEverybody, "lab/*", "lab/"+strings.Repeat("x", 20<<10), 1)), "MalformedPolicy", "no longer"},
		{"public, while the bucket blocks that", statements(toEverybody), "AccessDenied", "BlockPublicPolicy"},
		{"for another account's user", good, "", ""},
	} {
		t.Run(x.rule, func(t *testing.T) {
			if err := putPolicy(x.text); code(err) != x.want || !strings.Contains(message(err), x.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	out, err := c.GetBucketPolicy(t.Context(), &sdk.GetBucketPolicyInput{Bucket: lab})
	if err != nil || *out.Policy != good {
		t.Errorf("got %+v, %v", out, err)
	}
	status := func() bool {
		out, err := c.GetBucketPolicyStatus(t.Context(), &sdk.GetBucketPolicyStatusInput{Bucket: lab})
		if err != nil {
			t.Fatal(err)
		}
		return *out.PolicyStatus.IsPublic
	}
	if status() {
		t.Error("a policy for one user is public")
	}
	setPolicy(t, c, "lab", toEverybody)
	if !status() {
		t.Error("a policy for everybody is not public")
	}
	t.Run("the owner's root repairs a policy that locks everybody out", func(t *testing.T) {
		setPolicy(t, c, "lab", `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::lab","arn:aws:s3:::lab/*"]}`)
		if _, err := c.DeleteBucketPolicy(t.Context(), &sdk.DeleteBucketPolicyInput{Bucket: lab}); code(err) != "AccessDenied" {
			t.Errorf("an administrator: %v", err)
		}
		owner := r.client(root, "us-east-1")
		if _, err := owner.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: lab}); code(err) != "AccessDenied" {
			t.Errorf("the root, listing: %v", err)
		}
		if _, err := owner.DeleteBucketPolicy(t.Context(), &sdk.DeleteBucketPolicyInput{Bucket: lab}); err != nil {
			t.Errorf("the root, repairing: %v", err)
		}
		if _, err := c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: lab}); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
	t.Run("a new bucket of the name begins without", func(t *testing.T) {
		setPolicy(t, c, "lab", toEverybody)
		if _, err := c.DeleteBucket(t.Context(), &sdk.DeleteBucketInput{Bucket: lab}); err != nil {
			t.Fatal(err)
		}
		makeBucket(t, c, "lab")
		if _, err := c.GetBucketPolicy(t.Context(), &sdk.GetBucketPolicyInput{Bucket: lab}); code(err) != "NoSuchBucketPolicy" {
			t.Errorf("got %v", err)
		}
	})
}

func TestPublicAccessBlock(t *testing.T) {
	r := start(t, false)
	c, other := r.client(alice, "us-east-1"), r.client(mallory, "us-east-1")
	lab := aws.String("lab")
	makeBucket(t, c, "lab")
	put(t, c, "k", "x")
	get := func() *types.PublicAccessBlockConfiguration {
		out, err := c.GetPublicAccessBlock(t.Context(), &sdk.GetPublicAccessBlockInput{Bucket: lab})
		if err != nil {
			t.Fatal(err)
		}
		return out.PublicAccessBlockConfiguration
	}
	if b := get(); !*b.BlockPublicAcls || !*b.IgnorePublicAcls || !*b.BlockPublicPolicy || !*b.RestrictPublicBuckets {
		t.Errorf("a new bucket: %+v", b)
	}
	setPolicy(t, c, "lab", toEverybody)
	if _, err := c.GetPublicAccessBlock(t.Context(), &sdk.GetPublicAccessBlockInput{Bucket: lab}); code(err) != "NoSuchPublicAccessBlockConfiguration" {
		t.Errorf("deleted: %v", err)
	}
	read := func(c *sdk.Client) error {
		_, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: lab, Key: aws.String("k")})
		return err
	}
	if err := read(other); err != nil {
		t.Errorf("another account, by a public policy: %v", err)
	}
	if _, err := c.PutPublicAccessBlock(t.Context(), &sdk.PutPublicAccessBlockInput{
		Bucket: lab, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{RestrictPublicBuckets: aws.Bool(true)},
	}); err != nil {
		t.Fatal(err)
	}
	if b := get(); *b.BlockPublicPolicy || !*b.RestrictPublicBuckets {
		t.Errorf("put: %+v", b)
	}
	if err := read(other); code(err) != "AccessDenied" {
		t.Errorf("another account, restricted: %v", err)
	}
	if err := read(c); err != nil {
		t.Errorf("the owner's account: %v", err)
	}
	if a := r.raw(t, "PUT", "/lab?publicAccessBlock", "<PublicAccess"); !strings.Contains(a.body, "MalformedXML") {
		t.Errorf("not XML: %s", a.body)
	}
}

func TestTags(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	lab, k := aws.String("lab"), aws.String("k")
	makeBucket(t, c, "lab")
	put(t, c, "k", "x")
	set := func(pairs ...string) *types.Tagging {
		all := &types.Tagging{TagSet: []types.Tag{}}
		for i := 0; i < len(pairs); i += 2 {
			all.TagSet = append(all.TagSet, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
		}
		return all
	}
	show := func(all []types.Tag) string {
		var out []string
		for _, one := range all {
			out = append(out, *one.Key+"="+*one.Value)
		}
		return strings.Join(out, " ")
	}
	if _, err := c.GetBucketTagging(t.Context(), &sdk.GetBucketTaggingInput{Bucket: lab}); code(err) != "NoSuchTagSet" {
		t.Errorf("a bucket without: %v", err)
	}
	if _, err := c.PutBucketTagging(t.Context(), &sdk.PutBucketTaggingInput{Bucket: lab, Tagging: set("b", "2", "a", "1")}); err != nil {
		t.Fatal(err)
	}
	if out, err := c.GetBucketTagging(t.Context(), &sdk.GetBucketTaggingInput{Bucket: lab}); err != nil || show(out.TagSet) != "a=1 b=2" {
		t.Errorf("a bucket's: %+v, %v", out, err)
	}
	tags := func(key string) string {
		out, err := c.GetObjectTagging(t.Context(), &sdk.GetObjectTaggingInput{Bucket: lab, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		return show(out.TagSet)
	}
	for _, x := range []struct {
		rule string
		tags *types.Tagging
		want string
	}{
		{"one key twice", set("a", "1", "a", "2"), "InvalidTag"},
		{"a system tag", set("aws:x", "1"), "InvalidTag"},
		{"a key too long", set(strings.Repeat("é", 129), "1"), "InvalidTag"},
		{"a value too long", set("a", strings.Repeat("x", 257)), "InvalidTag"},
		{"more than ten", set("0", "", "1", "", "2", "", "3", "", "4", "", "5", "", "6", "", "7", "", "8", "", "9", "", "10", ""), "BadRequest"},
		{"two", set("team", "red", "é", ""), ""},
	} {
		t.Run(x.rule, func(t *testing.T) {
			if _, err := c.PutObjectTagging(t.Context(), &sdk.PutObjectTaggingInput{Bucket: lab, Key: k, Tagging: x.tags}); code(err) != x.want {
				t.Errorf("got %v", err)
			}
		})
	}
	if got := tags("k"); got != "team=red é=" {
		t.Errorf("an object's: %s", got)
	}
	head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: lab, Key: k})
	if err != nil || *head.TagCount != 2 {
		t.Errorf("head: %+v, %v", head.TagCount, err)
	}
	t.Run("a copy takes them over, or not", func(t *testing.T) {
		for directive, want := range map[types.TaggingDirective]string{"": "team=red é=", "COPY": "team=red é=", "REPLACE": "x=y"} {
			in := &sdk.CopyObjectInput{Bucket: lab, Key: aws.String("copy"), CopySource: aws.String("lab/k"), TaggingDirective: directive}
			if directive == "REPLACE" {
				in.Tagging = aws.String("x=y")
			}
			if _, err := c.CopyObject(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if got := tags("copy"); got != want {
				t.Errorf("%q: %s", directive, got)
			}
		}
	})
	if _, err := c.DeleteObjectTagging(t.Context(), &sdk.DeleteObjectTaggingInput{Bucket: lab, Key: k}); err != nil || tags("k") != "" {
		t.Errorf("deleted: %v", err)
	}
	if _, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: lab, Key: k, Body: strings.NewReader("x"), Tagging: aws.String("a=1&a=2")}); code(err) != "InvalidTag" {
		t.Errorf("the header with one key twice: %v", err)
	}
}

func TestBucketEncryption(t *testing.T) {
	r := start(t, false)
	c := r.client(alice, "us-east-1")
	lab := aws.String("lab")
	makeBucket(t, c, "lab")
	get := func() types.ServerSideEncryptionRule {
		out, err := c.GetBucketEncryption(t.Context(), &sdk.GetBucketEncryptionInput{Bucket: lab})
		if err != nil {
			t.Fatal(err)
		}
		return out.ServerSideEncryptionConfiguration.Rules[0]
	}
	set := func(algorithm, id string, bucketKey bool) error {
		by := &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryption(algorithm)}
		if id != "" {
			by.KMSMasterKeyID = &id
		}
		_, err := c.PutBucketEncryption(t.Context(), &sdk.PutBucketEncryptionInput{Bucket: lab, ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
			Rules: []types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: by, BucketKeyEnabled: &bucketKey}},
		}})
		return err
	}
	if got := get(); got.ApplyServerSideEncryptionByDefault.SSEAlgorithm != "AES256" || *got.BucketKeyEnabled {
		t.Errorf("a new bucket: %+v", got)
	}
	for _, x := range []struct{ rule, algorithm, id, want string }{
		{"a key without KMS", "AES256", "alias/x", "InvalidArgument"},
		{"no algorithm we know", "rot13", "", "MalformedXML"},
		{"two layers", "aws:kms:dsse", "", "NotImplemented"},
		{"KMS without a key", "aws:kms", "", ""},
	} {
		if err := set(x.algorithm, x.id, false); code(err) != x.want {
			t.Errorf("%s: %v", x.rule, err)
		}
	}
	if got := get().ApplyServerSideEncryptionByDefault; got.SSEAlgorithm != "aws:kms" || got.KMSMasterKeyID != nil {
		t.Errorf("KMS without a key: %+v", got)
	}
	k := r.key(t, alice, "us-east-1")
	if err := set("aws:kms", k.ARN, true); err != nil {
		t.Fatal(err)
	}
	if got := get(); *got.ApplyServerSideEncryptionByDefault.KMSMasterKeyID != k.ARN || !*got.BucketKeyEnabled {
		t.Errorf("put: %+v", got)
	}
	out, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: lab, Key: aws.String("k"), Body: strings.NewReader("x")})
	if err != nil || out.ServerSideEncryption != "aws:kms" || *out.SSEKMSKeyId != k.ARN || !*out.BucketKeyEnabled {
		t.Errorf("an object by default: %+v, %v", out, err)
	}
	out, err = c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: lab, Key: aws.String("own"), Body: strings.NewReader("x"), ServerSideEncryption: "AES256"})
	if err != nil || out.ServerSideEncryption != "AES256" || out.SSEKMSKeyId != nil {
		t.Errorf("an object that wants otherwise: %+v, %v", out, err)
	}
	if _, err := c.DeleteBucketEncryption(t.Context(), &sdk.DeleteBucketEncryptionInput{Bucket: lab}); err != nil {
		t.Fatal(err)
	}
	if got := get(); got.ApplyServerSideEncryptionByDefault.SSEAlgorithm != "AES256" {
		t.Errorf("deleted: %+v", got)
	}
	if head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: lab, Key: aws.String("k")}); err != nil || head.ServerSideEncryption != "aws:kms" {
		t.Errorf("what is there stays as it is: %+v, %v", head, err)
	}
}
