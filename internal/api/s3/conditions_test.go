package s3_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestConditionKeys(t *testing.T) {
	secure, plain := start(t, true), start(t, false)
	for _, c := range []struct {
		rule, action, condition string
		do                      func(t *testing.T, r rig) error
		want                    bool
	}{
		{"a prefix", "s3:ListBucket", `"StringEquals":{"s3:prefix":"in/"}`, list(sdk.ListObjectsV2Input{Prefix: aws.String("in/")}), true},
		{"another prefix", "s3:ListBucket", `"StringEquals":{"s3:prefix":"in/"}`, list(sdk.ListObjectsV2Input{Prefix: aws.String("out/")}), false},
		{"no prefix", "s3:ListBucket", `"StringEquals":{"s3:prefix":"in/"}`, list(sdk.ListObjectsV2Input{}), false},
		{"a delimiter", "s3:ListBucket", `"StringEquals":{"s3:delimiter":"/"}`, list(sdk.ListObjectsV2Input{Delimiter: aws.String("/")}), true},
		{"few keys", "s3:ListBucket", `"NumericLessThanEquals":{"s3:max-keys":"10"}`, list(sdk.ListObjectsV2Input{MaxKeys: aws.Int32(10)}), true},
		{"too many keys", "s3:ListBucket", `"NumericLessThanEquals":{"s3:max-keys":"10"}`, list(sdk.ListObjectsV2Input{MaxKeys: aws.Int32(11)}), false},
		{"an account of the resource", "s3:ListBucket", `"StringEquals":{"s3:ResourceAccount":"111122223333"}`, list(sdk.ListObjectsV2Input{}), true},
		{"another account of the resource", "s3:ListBucket", `"StringEquals":{"s3:ResourceAccount":"444455556666"}`, list(sdk.ListObjectsV2Input{}), false},
		{"signed by header", "s3:ListBucket", `"StringEquals":{"s3:authType":"REST-HEADER","s3:signatureversion":"AWS4-HMAC-SHA256"}`, list(sdk.ListObjectsV2Input{}), true},
		{"not signed by query", "s3:ListBucket", `"StringEquals":{"s3:authType":"REST-QUERY-STRING"}`, list(sdk.ListObjectsV2Input{}), false},
		{"a young signature", "s3:ListBucket", `"NumericLessThan":{"s3:signatureAge":"600000"}`, list(sdk.ListObjectsV2Input{}), true},
		{"too old a signature", "s3:ListBucket", `"NumericLessThan":{"s3:signatureAge":"-600000"}`, list(sdk.ListObjectsV2Input{}), false},
		{"a location", "s3:CreateBucket", `"StringLike":{"s3:LocationConstraint":"eu-*"}`, create("eu-west-1"), true},
		{"another location", "s3:CreateBucket", `"StringLike":{"s3:LocationConstraint":"eu-*"}`, create("ap-south-1"), false},
		{"the default location", "s3:CreateBucket", `"StringLike":{"s3:LocationConstraint":"eu-*"}`, create(""), false},
		{"a copy's source", "s3:PutObject", `"StringLike":{"s3:x-amz-copy-source":"lab/in/*"}`, copyFrom("lab/in/k", ""), true},
		{"another source", "s3:PutObject", `"StringLike":{"s3:x-amz-copy-source":"lab/in/*"}`, copyFrom("lab/k", ""), false},
		{"no copy", "s3:PutObject", `"StringLike":{"s3:x-amz-copy-source":"lab/in/*"}`, putWith(sdk.PutObjectInput{}), false},
		{"a directive", "s3:PutObject", `"StringEquals":{"s3:x-amz-metadata-directive":"REPLACE"}`, copyFrom("lab/k", "REPLACE"), true},
		{"a hash of the payload", "s3:PutObject", `"StringNotEquals":{"s3:x-amz-content-sha256":"UNSIGNED-PAYLOAD"}`, putWith(sdk.PutObjectInput{}), true},
		{"an ACL", "s3:PutObject", `"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}`, putWith(sdk.PutObjectInput{ACL: "bucket-owner-full-control"}), true},
		{"no ACL", "s3:PutObject", `"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}`, putWith(sdk.PutObjectInput{}), false},
		{"tags of the request", "s3:PutObject", `"StringEquals":{"s3:RequestObjectTag/team":"red"}`, putWith(sdk.PutObjectInput{Tagging: aws.String("team=red")}), true},
		{"other tags of the request", "s3:PutObject", `"StringEquals":{"s3:RequestObjectTag/team":"red"}`, putWith(sdk.PutObjectInput{Tagging: aws.String("team=blue")}), false},
		{"names of tags", "s3:PutObject", `"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["team"]}`, putWith(sdk.PutObjectInput{Tagging: aws.String("team=red&x=y")}), false},
		{"tags of the object", "s3:GetObject", `"StringEquals":{"s3:ExistingObjectTag/team":"red"}`, read("in/k"), true},
		{"no tags on the object", "s3:GetObject", `"StringEquals":{"s3:ExistingObjectTag/team":"red"}`, read("k"), false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			for _, r := range []rig{secure, plain} {
				admin := r.client(alice, "us-east-1")
				makeBucket(t, admin, "lab")
				put(t, admin, "k", "x")
				if _, err := admin.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String("lab"), Key: aws.String("in/k"), Body: strings.NewReader("x"), Tagging: aws.String("team=red")}); err != nil {
					t.Fatal(err)
				}
				r.rights.set(t, bob, statements(
					`{"Effect":"Allow","NotAction":"`+c.action+`","Resource":"*"}`,
					`{"Effect":"Allow","Action":"`+c.action+`","Resource":"*","Condition":{`+c.condition+`}}`,
				))
				if err := c.do(t, r); (err == nil) != c.want || err != nil && code(err) != "AccessDenied" {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	t.Run("the version of TLS", func(t *testing.T) {
		for version, want := range map[string]bool{"1.2": true, "1.4": false} {
			secure.rights.set(t, bob, statements(`{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"NumericGreaterThanEquals":{"s3:TlsVersion":"`+version+`"}}}`))
			if err := list(sdk.ListObjectsV2Input{})(t, secure); (err == nil) != want {
				t.Errorf("at least %s: %v", version, err)
			}
		}
	})
}

func TestParametersThatMeanNothingGiveNoConditions(t *testing.T) {
	r := start(t, false)
	admin := r.client(root, "us-east-1")
	makeBucket(t, admin, "lab")
	put(t, admin, "k", "x")
	// raw signs as alice.
	for _, x := range []struct{ method, target, condition string }{
		{"GET", "/lab?policy&prefix=in/", `"StringEquals":{"s3:prefix":"in/"}`},
		{"PUT", "/lab?tagging&prefix=in/", `"StringEquals":{"s3:prefix":"in/"}`},
		{"GET", "/lab/k?prefix=in/", `"StringEquals":{"s3:prefix":"in/"}`},
		{"DELETE", "/lab/k?x-amz-acl=private", `"StringEquals":{"s3:x-amz-acl":"private"}`},
		{"GET", "/lab/k?x-amz-tagging=a%3Db", `"StringEquals":{"s3:RequestObjectTag/a":"b"}`},
	} {
		r.rights.set(t, alice, statements(`{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{`+x.condition+`}}`))
		if a := r.raw(t, x.method, x.target, ""); a.status != http.StatusForbidden {
			t.Errorf("%s %s: %d %s", x.method, x.target, a.status, a.body)
		}
	}
	r.rights.set(t, alice, statements(`{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringLike":{"s3:x-amz-copy-source":"lab/k"}}}`, allow("*", "s3:*")))
	if a := r.signed(t, "PUT", "/lab/copy", "", "x-amz-copy-source", "lab/%6B"); a.status != http.StatusForbidden {
		t.Errorf("an escaped copy source: %d %s", a.status, a.body)
	}
}

func list(in sdk.ListObjectsV2Input) func(*testing.T, rig) error {
	return func(t *testing.T, r rig) error {
		in.Bucket = aws.String("lab")
		_, err := r.client(bob, "us-east-1").ListObjectsV2(t.Context(), &in)
		return err
	}
}

func create(location string) func(*testing.T, rig) error {
	return func(t *testing.T, r rig) error {
		in := &sdk.CreateBucketInput{Bucket: aws.String("made-" + location + "x")}
		if location != "" {
			in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(location)}
		}
		_, err := r.client(bob, "us-east-1").CreateBucket(t.Context(), in)
		return err
	}
}

func copyFrom(source, directive string) func(*testing.T, rig) error {
	return func(t *testing.T, r rig) error {
		_, err := r.client(bob, "us-east-1").CopyObject(t.Context(), &sdk.CopyObjectInput{
			Bucket: aws.String("lab"), Key: aws.String("to"), CopySource: &source, MetadataDirective: types.MetadataDirective(directive),
		})
		return err
	}
}

func putWith(in sdk.PutObjectInput) func(*testing.T, rig) error {
	return func(t *testing.T, r rig) error {
		in.Bucket, in.Key, in.Body = aws.String("lab"), aws.String("new"), strings.NewReader("x")
		_, err := r.client(bob, "us-east-1").PutObject(t.Context(), &in)
		return err
	}
}

func read(key string) func(*testing.T, rig) error {
	return func(t *testing.T, r rig) error {
		_, err := r.client(bob, "us-east-1").GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: &key})
		return err
	}
}
