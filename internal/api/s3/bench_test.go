package s3_test

import (
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
)

// BenchmarkGetObject reads a small object over HTTP, authorised by a bucket policy and an identity's policy.
func BenchmarkGetObject(b *testing.B) {
	r := start(b, false)
	c := r.client(alice, "us-east-1")
	makeBucket(b, c, "lab")
	put(b, c, "k", "content")
	setPolicy(b, c, "lab", `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::lab/*","Condition":{"StringEquals":{"s3:ExistingObjectTag/secret":"yes"}}}`)
	for b.Loop() {
		out, err := c.GetObject(b.Context(), &sdk.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("k")})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, out.Body); err != nil {
			b.Fatal(err)
		}
		out.Body.Close()
	}
}
