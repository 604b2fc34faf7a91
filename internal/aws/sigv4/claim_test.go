package sigv4_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/iam"
)

const goodHeader = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=" +
	"0000000000000000000000000000000000000000000000000000000000000000"

func TestMalformedHeaders(t *testing.T) {
	with := func(before, after string) string { return strings.Replace(goodHeader, before, after, 1) }
	tests := []struct {
		name, header string
		want         awserr.Kind
	}{
		{"good", goodHeader, ""},
		{"no blanks after commas", strings.ReplaceAll(goodHeader, ", ", ","), ""},
		{"basic", "Basic QWxhZGRpbg==", awserr.UnsupportedMechanism},
		{"signature version 2", "AWS AKID:sig", awserr.UnsupportedMechanism},
		{"version 4a", with("HMAC-SHA256", "ECDSA-P256-SHA256"), awserr.UnsupportedMechanism},
		{"algorithm alone", "AWS4-HMAC-SHA256", awserr.MalformedHeader},
		{"no credential", with("Credential=", "Credentia="), awserr.MalformedHeader},
		{"no signature", with("Signature=", "Signatur="), awserr.MalformedHeader},
		{"no signed headers", with("SignedHeaders=host;x-amz-date, ", ""), awserr.MalformedHeader},
		{"a parameter twice", goodHeader + ", Signature=0", awserr.MalformedHeader},
		{"a fourth parameter", goodHeader + ", X=0", awserr.MalformedHeader},
		{"no equals sign", with("Signature=", "Signature"), awserr.MalformedHeader},
		{"short scope", with("/s3/", "/"), awserr.MalformedHeader},
		{"long scope", with("/s3/", "/s3/x/"), awserr.MalformedHeader},
		{"no key id", with("AKIDEXAMPLE", ""), awserr.MalformedHeader},
		{"date that is none", with("20130524", "20131324"), awserr.MalformedHeader},
		{"wrong terminator", with("aws4_request", "aws5_request"), awserr.WrongScope},
		{"region that is none", with("us-east-1", "US_EAST"), awserr.WrongScope},
		{"another day", with("20130524", "20130523"), awserr.WrongScope},
		{"host unsigned", with("host;", ""), awserr.MalformedHeader},
		{"unsorted headers", with("host;x-amz-date", "x-amz-date;host"), awserr.MalformedHeader},
		{"a header twice", with("host;", "host;host;"), awserr.MalformedHeader},
		{"capital header", with("host;", "Host;"), awserr.MalformedHeader},
		{"too many headers", with("host;", "host"+strings.Repeat(";i", 200)+";"), awserr.MalformedHeader},
		{"too long", goodHeader + strings.Repeat(" ", 10000), awserr.MalformedHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, "GET / HTTP/1.1\nHost: h\nx-amz-date: 20130524T000000Z\nAuthorization: "+tt.header+"\n\n")
			r.Header["Authorization"] = []string{tt.header} // net/http would trim it
			_, err := sigv4.Parse(r)
			if tt.want == "" && err != nil {
				t.Error(err)
			}
			if tt.want != "" && !errors.Is(err, awserr.Fail(tt.want)) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestDateHeaders(t *testing.T) {
	tests := []struct {
		name, headers string
		want          awserr.Kind
	}{
		{"Date alone", "Date: Fri, 24 May 2013 00:00:00 GMT\n", ""},
		{"Date in ISO form", "Date: 20130524T000000Z\n", ""},
		{"X-Amz-Date before Date", "Date: Fri, 24 May 2012 00:00:00 GMT\nx-amz-date: 20130524T000000Z\n", ""},
		{"none", "", awserr.BadDate},
		{"X-Amz-Date unreadable", "x-amz-date: yesterday\nDate: Fri, 24 May 2013 00:00:00 GMT\n", awserr.BadDate},
		{"two X-Amz-Date", "x-amz-date: 20130524T000000Z\nx-amz-date: 20130524T000000Z\n", awserr.BadDate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := sigv4.Parse(request(t, "GET / HTTP/1.1\nHost: h\n"+tt.headers+"Authorization: "+goodHeader+"\n\n"))
			if (tt.want == "") != (err == nil) || (err != nil && !errors.Is(err, awserr.Fail(tt.want))) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestMalformedQueries(t *testing.T) {
	good := url.Values{
		"X-Amz-Algorithm": {"AWS4-HMAC-SHA256"}, "X-Amz-Credential": {"AKIDEXAMPLE/20130524/us-east-1/s3/aws4_request"},
		"X-Amz-Date": {"20130524T000000Z"}, "X-Amz-Expires": {"60"}, "X-Amz-SignedHeaders": {"host"}, "X-Amz-Signature": {"00"},
	}
	tests := []struct {
		name, key, value string
		want             awserr.Kind
	}{
		{"good", "X-Amz-Expires", "604800", ""},
		{"no signature", "X-Amz-Signature", "", awserr.MalformedQuery},
		{"no life", "X-Amz-Expires", "", awserr.MalformedQuery},
		{"life of zero", "X-Amz-Expires", "0", awserr.MalformedQuery},
		{"negative life", "X-Amz-Expires", "-1", awserr.MalformedQuery},
		{"more than a week", "X-Amz-Expires", "604801", awserr.MalformedQuery},
		{"life beyond 64 bits", "X-Amz-Expires", "99999999999999999999", awserr.MalformedQuery},
		{"life in words", "X-Amz-Expires", "an hour", awserr.MalformedQuery},
		{"unreadable date", "X-Amz-Date", "2013-05-24", awserr.MalformedQuery},
		{"another algorithm", "X-Amz-Algorithm", "AWS4-HMAC-MD5", awserr.MalformedQuery},
		{"host unsigned", "X-Amz-SignedHeaders", "x-amz-date", awserr.MalformedQuery},
		{"bad credential", "X-Amz-Credential", "AKID", awserr.MalformedQuery},
		{"another day", "X-Amz-Date", "20130525T000000Z", awserr.WrongScope},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := url.Values{}
			for k, v := range good {
				q[k] = v
			}
			q.Set(tt.key, tt.value)
			_, err := sigv4.Parse(request(t, "GET /b/k?"+q.Encode()+" HTTP/1.1\nHost: h\n\n"))
			if (tt.want == "") != (err == nil) || (err != nil && !errors.Is(err, awserr.Fail(tt.want))) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("every parameter twice", func(t *testing.T) {
		for key := range good {
			_, err := sigv4.Parse(request(t, "GET /b/k?"+good.Encode()+"&"+key+"=x HTTP/1.1\nHost: h\n\n"))
			if !errors.Is(err, awserr.Fail(awserr.MalformedQuery)) {
				t.Errorf("%s: %v", key, err)
			}
		}
	})
	t.Run("header and query", func(t *testing.T) {
		_, err := sigv4.Parse(request(t, "GET /b/k?"+good.Encode()+" HTTP/1.1\nHost: h\nAuthorization: "+goodHeader+"\n\n"))
		if !errors.Is(err, awserr.Fail(awserr.TwoMechanisms)) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("broken escape", func(t *testing.T) {
		_, err := sigv4.Parse(request(t, "GET /b/k?x=%zz HTTP/1.1\nHost: h\n\n"))
		if !errors.Is(err, awserr.Fail(awserr.BadURI)) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		_, err := sigv4.Parse(request(t, "GET /b/k?x=1 HTTP/1.1\nHost: h\n\n"))
		if !errors.Is(err, awserr.Fail(awserr.MissingAuth)) {
			t.Errorf("got %v", err)
		}
	})
}

// TestOrder shows that each check comes before the next: known key, token, times, signature.
func TestOrderAndTimes(t *testing.T) {
	session := iam.Credential{AccessKeyID: "ASIASESSION", SecretAccessKey: "secret", SessionToken: "token", Expires: exampleTime.Add(time.Hour)}
	long := iam.Credential{AccessKeyID: "AKIALONG", SecretAccessKey: "secret"}
	credentials := keys{session.AccessKeyID: session, long.AccessKeyID: long}
	presign := func(c iam.Credential) string {
		link, err := sigv4.Presign(http.MethodGet, "http://h/b/k", c, "us-east-1", "s3", time.Minute, exampleTime)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(link, "http://h")
	}
	stranger := long
	stranger.AccessKeyID = "AKIASTRANGER"
	tokenless, tokened, otherToken, otherSecret := session, long, session, long
	tokenless.SessionToken, tokened.SessionToken, otherToken.SessionToken, otherSecret.SecretAccessKey = "", "token", "other", "other"
	tests := []struct {
		name string
		cred iam.Credential
		age  time.Duration
		want awserr.Kind
	}{
		{"long-term key", long, 0, ""},
		{"session", session, 0, ""},
		{"unknown key, long past", stranger, time.Hour, awserr.UnknownKey},
		{"session without token, long past", tokenless, 30 * time.Minute, awserr.UnknownKey},
		{"token with a long-term key", tokened, 0, awserr.BadToken},
		{"another token", otherToken, 0, awserr.BadToken},
		{"session at its end", session, time.Hour, awserr.ExpiredToken},
		{"past the life, wrong signature", otherSecret, 2 * time.Minute, awserr.ExpiredURL},
		{"at the last second", long, time.Minute, ""},
		{"not yet, by more than the skew", long, -15*time.Minute - time.Second, awserr.NotYetCurrent},
		{"not yet, within the skew", long, -15 * time.Minute, ""},
		{"wrong secret", otherSecret, 0, awserr.WrongSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := &sigv4.Verifier{Credentials: credentials, Keys: sigv4.NewKeyCache(), Now: func() time.Time { return exampleTime.Add(tt.age) }}
			for range 2 { // the second time by the cached key
				_, err := verify(request(t, "GET "+presign(tt.cred)+" HTTP/1.1\nHost: h\n\n"), v, sigv4.RulesFor("s3"))
				if (tt.want == "") != (err == nil) || (err != nil && !errors.Is(err, awserr.Fail(tt.want))) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
			}
		})
	}
	t.Run("header, at both ends of the skew", func(t *testing.T) {
		for age, want := range map[time.Duration]awserr.Kind{
			15 * time.Minute: "", 15*time.Minute + time.Second: awserr.Expired,
			-15 * time.Minute: "", -15*time.Minute - time.Second: awserr.NotYetCurrent,
		} {
			v := exampleVerifier()
			v.Now = func() time.Time { return exampleTime.Add(age) }
			_, err := verify(request(t, signedHead(t, "UNSIGNED-PAYLOAD")), v, sigv4.RulesFor("s3"))
			if (want == "") != (err == nil) || (err != nil && !errors.Is(err, awserr.Fail(want))) {
				t.Errorf("age %v: got %v, want %q", age, err, want)
			}
		}
	})
	t.Run("the body of an unknown client is not read", func(t *testing.T) {
		r := request(t, "POST / HTTP/1.1\nHost: h\nx-amz-date: 20130524T000000Z\nAuthorization: "+goodHeader+"\n\n")
		c, err := sigv4.Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		_, err = exampleVerifier().Verify(context.Background(), r, c, sigv4.Rules{}, func() (string, error) {
			t.Error("body was read")
			return "", nil
		})
		if !errors.Is(err, awserr.Fail(awserr.UnknownKey)) {
			t.Errorf("got %v", err)
		}
	})
}

// TestVersion2 holds the old query form against links that botocore 1.44.5 made
// (HmacV1QueryAuth, path and virtual-host style, with token and with response overrides).
func TestVersion2(t *testing.T) {
	token := example
	token.AccessKeyID, token.SessionToken = "ASIAIOSFODNN7EXAMPLE", "tok/en+="
	v := &sigv4.Verifier{Credentials: keys{example.AccessKeyID: example, token.AccessKeyID: token}, Now: func() time.Time { return exampleTime }}
	tests := []struct{ name, method, host, target, headers string }{
		{"get", "GET", "127.0.0.1:7600", "/b/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=5VnzDe8uOfEkSVet9nMOBQLALSc%3D&Expires=2000000000", ""},
		{"put with type", "PUT", "127.0.0.1:7600", "/b/k%20a/%C3%A9?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=oZpJGhs1sVCL0x7NkKIyJ33fwA0%3D&content-type=audio%2Fwav&Expires=2000000000", "Content-Type: audio/wav\n"},
		{"with a token", "GET", "127.0.0.1:7600", "/b/k?AWSAccessKeyId=ASIAIOSFODNN7EXAMPLE&Signature=wy8abc%2FY09d7KZJdWo2lvcDvn%2FQ%3D&x-amz-security-token=tok%2Fen%2B%3D&Expires=2000000000", ""},
		{"with overrides", "GET", "127.0.0.1:7600", "/b/k?response-content-type=text%2Fplain%3B%20x%3Dy&response-cache-control=no-store&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=GrcvPW5rzOu9%2BPR%2B4VaZC3Y8yVY%3D&Expires=2000000000", ""},
		{"virtual host", "GET", "b.s3.localhost:7600", "/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=5VnzDe8uOfEkSVet9nMOBQLALSc%3D&Expires=2000000000", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := tt.method + " " + tt.target + " HTTP/1.1\nHost: " + tt.host + "\n" + tt.headers + "\n"
			if _, err := verify(request(t, raw), v, sigv4.RulesFor("s3")); err != nil {
				t.Fatalf("refused: %v\n%s", err, detail(err, "StringToSign"))
			}
			for name, changed := range map[string]string{
				"method": strings.Replace(raw, tt.method, "DELETE", 1),
				"key":    strings.Replace(raw, "/k", "/l", 1),
				"end":    strings.Replace(raw, "Expires=2", "Expires=3", 1),
				"x-amz-": strings.Replace(raw, "\nHost", "\nx-amz-acl: public-read\nHost", 1),
				"sub":    strings.Replace(raw, "?", "?versionId=1&", 1),
			} {
				if _, err := verify(request(t, changed), v, sigv4.RulesFor("s3")); !errors.Is(err, awserr.Fail(awserr.WrongSignature)) {
					t.Errorf("changed %s: %v", name, err)
				}
			}
		})
	}
	t.Run("past its end", func(t *testing.T) {
		late := *v
		late.Now = func() time.Time { return time.Unix(2_000_000_001, 0) }
		raw := "GET " + tests[0].target + " HTTP/1.1\nHost: h\n\n"
		if _, err := verify(request(t, raw), &late, sigv4.RulesFor("s3")); !errors.Is(err, awserr.Fail(awserr.ExpiredURL)) {
			t.Errorf("got %v", err)
		}
	})
}
