package sts_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// getUser calls the other service with a session, and returns the code of its error or "".
func getUser(t testing.TB, b *bench, c *types.Credentials) string {
	t.Helper()
	const form = "Action=GetUser&Version=2010-05-08"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	hash := sha256.Sum256([]byte(form))
	key := aws.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}
	if err := v4.NewSigner().SignHTTP(t.Context(), key, r, hex.EncodeToString(hash[:]), "iam", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var document struct {
		Code string `xml:"Error>Code"`
	}
	if err := xml.NewDecoder(answer.Body).Decode(&document); err != nil {
		t.Fatal(err)
	}
	return document.Code
}

func TestGetSessionToken(t *testing.T) {
	b := newBench(t)
	alice := b.user(t, "alice", mayAssume)
	role := b.role(t, "worker", b.trustAccount(`"sts:AssumeRole"`, ""), mayAll)
	out, err := b.as(alice).GetSessionToken(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	session := b.with(out.Credentials)
	if life := time.Until(*out.Credentials.Expiration); life < 12*time.Hour-10*time.Second || life > 12*time.Hour {
		t.Errorf("lives %v, want 12 hours", life)
	}
	t.Run("the session is the user", func(t *testing.T) {
		who, err := session.GetCallerIdentity(t.Context(), nil)
		if err != nil || *who.Arn != alice.Principal.ARN || *who.UserId != alice.Principal.UserID {
			t.Errorf("%+v, %v", who, err)
		}
	})
	t.Run("it may assume roles", func(t *testing.T) {
		if _, err := session.AssumeRole(t.Context(), assume(role)); err != nil {
			t.Error(err)
		}
	})
	t.Run("it can't make another session", func(t *testing.T) {
		_, err := session.GetSessionToken(t.Context(), nil)
		want(t, err, 403, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	})
	t.Run("nor can a role", func(t *testing.T) {
		out, err := b.as(alice).AssumeRole(t.Context(), assume(role))
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.with(out.Credentials).GetSessionToken(t.Context(), nil)
		want(t, err, 403, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	})
	t.Run("of STS it can call no more", func(t *testing.T) {
		want(t, may(t, b, session), 403, "AccessDenied", "Cannot call GetAccessKeyInfo with session credentials")
	})
	t.Run("without a second factor it can't call IAM", func(t *testing.T) {
		if got := getUser(t, b, out.Credentials); got != "InvalidClientTokenId" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("durations", func(t *testing.T) {
		for seconds, text := range map[int32]string{899: "greater than or equal to 900", 129601: "less than or equal to 129600"} {
			_, err := b.as(alice).GetSessionToken(t.Context(), &awssts.GetSessionTokenInput{DurationSeconds: &seconds})
			want(t, err, 400, "ValidationError", "1 validation error detected: Value")
			want(t, err, 400, "ValidationError", text)
		}
	})
}

func TestSecondFactor(t *testing.T) {
	b := newBench(t)
	alice := b.user(t, "alice", mayAssume)
	bob := b.user(t, "bob", mayAssume)
	serial, seed := b.device(t, "alice")
	careful := b.role(t, "careful", b.trustAccount(`"sts:AssumeRole"`, `{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`),
		`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}}`)
	sdk := b.as(alice)
	// fresh is a code that was not used: each may be used once.
	fresh := func() *string {
		b.advance(30 * time.Second)
		return aws.String(code(t, seed, b.now()))
	}
	t.Run("a role that asks for it", func(t *testing.T) {
		_, err := sdk.AssumeRole(t.Context(), assume(careful))
		want(t, err, 403, "AccessDenied", "not authorized to perform: sts:AssumeRole")
		in := assume(careful)
		in.SerialNumber, in.TokenCode = &serial, fresh()
		out, err := sdk.AssumeRole(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if err := may(t, b, b.with(out.Credentials)); err != nil {
			t.Errorf("the session does not know of the second factor: %v", err)
		}
		_, err = sdk.AssumeRole(t.Context(), in)
		want(t, err, 403, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.")
	})
	t.Run("a session of the user that has it", func(t *testing.T) {
		out, err := sdk.GetSessionToken(t.Context(), &awssts.GetSessionTokenInput{SerialNumber: &serial, TokenCode: fresh()})
		if err != nil {
			t.Fatal(err)
		}
		if got := getUser(t, b, out.Credentials); got != "" {
			t.Errorf("with a second factor it can call IAM: got %s", got)
		}
		role, err := b.with(out.Credentials).AssumeRole(t.Context(), assume(careful))
		if err != nil {
			t.Fatal(err)
		}
		if err := may(t, b, b.with(role.Credentials)); err != nil {
			t.Error(err)
		}
	})
	for _, tt := range []struct {
		name         string
		client       *awssts.Client
		serial, code *string
		text         string
	}{
		{"a wrong code", sdk, &serial, aws.String("000000"), "MultiFactorAuthentication failed with invalid MFA one time pass code."},
		{"a code without a device", sdk, nil, fresh(), "must provide both MFA serial number and one time pass code."},
		{"a device without a code", sdk, &serial, nil, "must provide both MFA serial number and one time pass code."},
		{"another's device", b.as(bob), &serial, fresh(), "unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."},
		{"no such device", sdk, aws.String(serial + "x"), fresh(), "unable to validate MFA code."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.client.GetSessionToken(t.Context(), &awssts.GetSessionTokenInput{SerialNumber: tt.serial, TokenCode: tt.code})
			want(t, err, 403, "AccessDenied", tt.text)
		})
	}
}

func TestActionsThatAreNotOffered(t *testing.T) {
	b := newBench(t)
	sdk := b.as(b.user(t, "alice", mayAssume))
	_, err := sdk.GetFederationToken(t.Context(), &awssts.GetFederationTokenInput{Name: aws.String("guest")})
	want(t, err, 400, "InvalidAction", "The action GetFederationToken is not offered by this server.")
	_, err = sdk.DecodeAuthorizationMessage(t.Context(), &awssts.DecodeAuthorizationMessageInput{EncodedMessage: aws.String("x")})
	want(t, err, 400, "InvalidAction", "The action DecodeAuthorizationMessage is not offered by this server.")
}
