package s3

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/objects"
)

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=99999999999999999999-", "bytes=-0", "bytes=1-2,3-4", "words=1-2", "bytes=+1-2"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		r, ok, err := parseRange(header, size)
		if err != nil && ok {
			t.Fatalf("%q: a range and an error", header)
		}
		if ok && (r.start < 0 || r.length < 1 || r.start+r.length > size) {
			t.Fatalf("%q of %d: %+v", header, size, r)
		}
	})
}

func FuzzCopySource(f *testing.F) {
	for _, s := range []string{"b/k", "/b/k%2F?versionId=null", "b/%ff", "b", "b/k?versionId=3", "b/a//b", "%2Fb/k"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		bucket, key, err := copySource(value)
		if err == nil && (bucket == "" || key == "" || strings.Contains(bucket, "/") || len(key) > objects.MaxKey) {
			t.Fatalf("%q: bucket %q, key %q", value, bucket, key)
		}
	})
}

func FuzzSplitPath(f *testing.F) {
	for _, s := range []string{"/b/k", "/b//k", "/b/../k", "/b/a%2Fb", "/b/%", "//k", "/", "/b/a+b"} {
		f.Add(s, "")
		f.Add(s, "host")
	}
	f.Fuzz(func(t *testing.T, path, host string) {
		bucket, key, err := splitPath(path, host)
		if err != nil || bucket == "" || host != "" || strings.ContainsAny(bucket, "/") {
			return
		}
		// What a client would send for this bucket and key is read as these.
		again, same, err := splitPath("/"+url.PathEscape(bucket)+"/"+escapeKey(key), "")
		if err != nil || again != bucket || same != key {
			t.Fatalf("%q: %q %q, again %q %q, %v", path, bucket, key, again, same, err)
		}
	})
}

func FuzzDocuments(f *testing.F) {
	for _, s := range []string{
		"<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object></Delete>",
		`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><PartNumber>1</PartNumber><ETag>"x"</ETag><ChecksumCRC32>AAAA</ChecksumCRC32></Part></CompleteMultipartUpload>`,
		"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>",
		"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>",
		"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>",
		`<!DOCTYPE a [<!ENTITY x "y">]><Delete><Object><Key>&x;</Key></Object></Delete>`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var d deleteRequest
		_ = decodeDocument(body, &d)
		var tags tagging
		if decodeDocument(body, &tags) == nil {
			_, _ = tags.tags(maxBucketTags)
		}
		var rules encryption
		if decodeDocument(body, &rules) == nil {
			_, _ = rules.encryption()
		}
		var c completeRequest
		if decodeDocument(body, &c) != nil {
			return
		}
		done, err := c.completion()
		for i := 1; err == nil && i < len(done.Parts); i++ {
			if done.Parts[i].Number <= done.Parts[i-1].Number {
				t.Fatal("parts are not in order")
			}
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add("MWE=")
	f.Fuzz(func(t *testing.T, token string) {
		next, err := decodeToken(token)
		if err == nil && token != "" {
			if again, err := decodeToken(encodeToken(next)); err != nil || again != next {
				t.Fatalf("%q: %q, then %q, %v", token, next, again, err)
			}
		}
	})
}

func FuzzContext(f *testing.F) {
	for _, s := range []string{"", "{}", "e30=", "eyJhIjoiYiJ9", "eyJhIjoxfQ==", "bnVsbA==", "eyJhIjpudWxsfQ==", "eyJhd3M6czM6YXJuIjoiYXJuOmF3czpzMzo6OmIvayJ9"} {
		f.Add(s)
	}
	const arn = "arn:aws:s3:::b/k"
	f.Fuzz(func(t *testing.T, header string) {
		pairs, err := decodeContext(header, arn)
		if err != nil && pairs != nil {
			t.Fatalf("%q: pairs and an error", header)
		}
		if _, ok := pairs[objects.ContextKey]; ok {
			t.Fatalf("%q: the client sets %s", header, objects.ContextKey)
		}
	})
}

func FuzzTags(f *testing.F) {
	for _, s := range []string{"", "a=1", "a=1&a=2", "aws:x=1", "%ff=1", "=1", "a", "a=%", "é=ü", "a=1;b=2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		tags, err := headerTags(header)
		if err != nil {
			return
		}
		if len(tags) > maxObjectTags {
			t.Fatalf("%q: %d tags", header, len(tags))
		}
		for name, value := range tags {
			if err := checkTag(name, value); err != nil {
				t.Fatalf("%q: %q=%q: %v", header, name, value, err)
			}
		}
	})
}

func FuzzBucketPolicy(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"Version":"2012-10-17","Statement":[]}`, ` {}`, "{", `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::lab/*"}}`,
		`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"NotAction":"s3:GetObject","NotResource":"arn:aws:s3:::lab"}}`,
		`{"Statement":[{"Effect":"Allow","Principal":{"Service":"transcribe.amazonaws.com"},"Action":"*","Resource":["arn:aws:s3:::lab","arn:aws:s3:::lab/a"],"Condition":{"StringLike":{"s3:prefix":["${aws:username}/*"]}}}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := parsePolicy(text, "lab")
		if err != nil {
			var shown *awserr.Error
			if !errors.As(err, &shown) || shown.Code != "MalformedPolicy" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if doc.Text() != string(text) || !doc.ResourcesWithin("arn:aws:s3:::lab") {
			t.Fatalf("%q: accepted", text)
		}
		doc.Public()
	})
}
