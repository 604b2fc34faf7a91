package sts_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/go-jose/go-jose/v4"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/sts/oidc/oidctest"
)

const audience = "app.example"

// federation is a bench whose account trusts a running issuer, with a role for its users.
type federation struct {
	*bench
	issuer   *oidctest.Issuer
	provider string
	host     string // the issuer as condition keys have it
	role     string
}

func newFederation(t testing.TB) *federation {
	t.Helper()
	f := &federation{bench: newBench(t), issuer: oidctest.New(t, true)}
	p, err := f.CreateProvider(t.Context(), f.account, f.issuer.URL, []string{audience, "other.example"}, []string{f.issuer.Thumbprint()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.provider, f.host = p.ARN(), p.URL
	f.role = f.bench.role(t, "web", f.trust(`"sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"`,
		`{"StringEquals":{"`+f.host+`:aud":"`+audience+`"},"StringLike":{"`+f.host+`:sub":"user-*"},"ForAnyValue:StringEquals":{"`+f.host+`:amr":"otp"}}`), mayAll)
	return f
}

func (f *federation) trust(actions, condition string) string {
	return `{"Effect":"Allow","Principal":{"Federated":"` + f.provider + `"},"Action":[` + actions + `],"Condition":` + condition + `}`
}

func (f *federation) claims() map[string]any { return f.issuer.Claims(audience, "user-1", f.now()) }

// assume asks without credentials, as SDKs do.
func (f *federation) assume(t testing.TB, role, token string, change ...func(*awssts.AssumeRoleWithWebIdentityInput)) (*awssts.AssumeRoleWithWebIdentityOutput, error) {
	t.Helper()
	in := &awssts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("sess"), WebIdentityToken: &token}
	for _, c := range change {
		c(in)
	}
	client := awssts.New(awssts.Options{Region: "us-west-2", BaseEndpoint: aws.String(f.url), Retryer: aws.NopRetryer{}})
	return client.AssumeRoleWithWebIdentity(t.Context(), in)
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	f := newFederation(t)
	claims := f.claims()
	claims["https://aws.amazon.com/tags"] = map[string]any{
		"principal_tags": map[string][]string{"team": {"red"}}, "transitive_tag_keys": []string{"team"},
	}
	claims["https://aws.amazon.com/source_identity"] = "alice"
	token := f.issuer.Sign(t, claims)
	out, err := f.assume(t, f.role, token)
	if err != nil {
		t.Fatal(err)
	}
	if *out.SubjectFromWebIdentityToken != "user-1" || *out.Audience != audience || *out.Provider != f.provider || *out.SourceIdentity != "alice" ||
		!strings.HasSuffix(*out.AssumedRoleUser.Arn, ":assumed-role/web/sess") || *out.SessionTokenUtilization < 1 {
		t.Errorf("%+v", out)
	}
	session := f.with(out.Credentials)
	if err := may(t, f.bench, session); err != nil {
		t.Error(err)
	}
	t.Run("tags of the token are the session's and go on", func(t *testing.T) {
		next := f.bench.role(t, "next", f.trustAccount(`"sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"`, `{"StringEquals":{"aws:PrincipalTag/team":"red","aws:RequestTag/team":"red"}}`), "")
		if _, err := session.AssumeRole(t.Context(), assume(next)); err != nil {
			t.Error(err)
		}
	})
	t.Run("the flat form of tags", func(t *testing.T) {
		claims := f.claims()
		claims["https://aws.amazon.com/tags/principal_tags/team"] = "red"
		claims["https://aws.amazon.com/tags/transitive_tag_keys"] = []string{"team"}
		if _, err := f.assume(t, f.role, f.issuer.Sign(t, claims)); err != nil {
			t.Error(err)
		}
	})
	t.Run("the audit shows who and not the token", func(t *testing.T) {
		record := f.record(t)
		if strings.Contains(record, token) || strings.Contains(record, *out.Credentials.SessionToken) {
			t.Error("a token is on record")
		}
		if !strings.Contains(record, `"UserID":"`+f.provider+":"+audience+`:user-1"`) || !strings.Contains(record, `"ARN":"`+f.role+`"`) {
			t.Error("the identity or the role is not on record")
		}
	})
	t.Run("a new key of the issuer works at once", func(t *testing.T) {
		f.advance(time.Minute)
		old := f.issuer.Key()
		f.issuer.Rotate(t, jose.ES256)
		if _, err := f.assume(t, f.role, f.issuer.Sign(t, f.claims())); err != nil {
			t.Error(err)
		}
		_, err := f.assume(t, f.role, oidctest.Sign(t, old, f.claims()))
		want(t, err, 400, "InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider")
	})
	t.Run("a signed request is the token's all the same", func(t *testing.T) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=sess&RoleArn="+f.role+
			"&WebIdentityToken="+f.issuer.Sign(t, f.claims()), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("by GET: %s", answer.Status)
		}
	})
}

func TestWebIdentityRefusals(t *testing.T) {
	f := newFederation(t)
	f.advance(time.Second)
	good := f.issuer.Sign(t, f.claims())
	with := func(name string, value any) string {
		claims := f.claims()
		claims[name] = value
		return f.issuer.Sign(t, claims)
	}
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	stranger := oidctest.New(t, true)
	untagged := f.bench.role(t, "untagged", f.trust(`"sts:AssumeRoleWithWebIdentity"`, `{"StringEquals":{"`+f.host+`:aud":"`+audience+`"}}`), "")
	plain := f.bench.role(t, "plain", f.trustAccount(`"sts:AssumeRole","sts:AssumeRoleWithWebIdentity"`, ""), "")
	foreign := strings.Replace(f.role, f.account, f.stranger.Principal.AccountID, 1)
	tests := []struct {
		name, role, token string
		status            int
		code, text        string
	}{
		{"no token", f.role, "abcd", 400, "InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"},
		{"alg none", f.role, none, 400, "InvalidIdentityToken", "not a valid JWT"},
		{"HS256 by something public", f.role, oidctest.SignWith(t, jose.HS256, []byte(strings.Repeat("public", 10)), f.claims()), 400, "InvalidIdentityToken", "not a valid JWT"},
		{"an unknown key", f.role, oidctest.Sign(t, oidctest.Key{ID: "x", Algorithm: jose.RS256, Private: f.issuer.Key().Private}, f.claims()), 400, "InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"},
		{"another's key", f.role, oidctest.Sign(t, stranger.Key(), f.claims()), 400, "InvalidIdentityToken", "not signed by"},
		{"an issuer that the account does not trust", f.role, stranger.Sign(t, stranger.Claims(audience, "user-1", f.now())), 400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for " + stranger.URL},
		{"an issuer that another account trusts", foreign, good, 400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for " + f.issuer.URL},
		{"an account that does not exist", "arn:aws:iam::000000000000:role/web", good, 400, "InvalidIdentityToken", "No OpenIDConnect provider found"},
		{"another audience", f.role, with("aud", "evil.example"), 400, "InvalidIdentityToken", "Incorrect token audience"},
		{"expired", f.role, with("exp", f.now().Add(-time.Minute).Unix()), 400, "ExpiredTokenException", "Token expired: current date/time "},
		{"no subject", f.role, with("sub", ""), 400, "InvalidIdentityToken", "sub is missing"},
		{"a role that does not exist", f.role + "x", good, 403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"a role for users of the account", plain, good, 403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"an audience that the role does not trust", f.role, with("aud", "other.example"), 403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"a subject that the role does not trust", f.role, with("sub", "robot-1"), 403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"tags that the role does not take", untagged, with("https://aws.amazon.com/tags", map[string]any{"principal_tags": map[string][]string{"a": {"b"}}}), 403, "AccessDenied", "Not authorized"},
		{"tags that are none", untagged, with("https://aws.amazon.com/tags", "red"), 403, "IDPRejectedClaim", "https://aws.amazon.com/tags"},
		{"a tag with two values", untagged, with("https://aws.amazon.com/tags", map[string]any{"principal_tags": map[string][]string{"a": {"b", "c"}}}), 403, "IDPRejectedClaim", "session tag a"},
		{"a source identity that is none", untagged, with("https://aws.amazon.com/source_identity", "a b"), 403, "IDPRejectedClaim", "source identity"},
		{"no ARN of a role", "arn:aws:iam::" + f.account + ":user/alice", good, 400, "ValidationError", "is invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := f.assume(t, tt.role, tt.token)
			want(t, err, tt.status, tt.code, tt.text)
			if strings.Contains(f.record(t), tt.token) && len(tt.token) > 4 {
				t.Error("the token is on record")
			}
		})
	}
	t.Run("a provider of OAuth", func(t *testing.T) {
		_, err := f.assume(t, f.role, good, func(in *awssts.AssumeRoleWithWebIdentityInput) { in.ProviderId = aws.String("www.amazon.com") })
		want(t, err, 400, "ValidationError", "ProviderId")
	})
	t.Run("a token of the wrong length is not repeated", func(t *testing.T) {
		_, err := f.assume(t, f.role, strings.Repeat("secret", 4000))
		want(t, err, 400, "ValidationError", "Value '***' at 'webIdentityToken' failed to satisfy constraint: Member must have length less than or equal to 20000")
	})
	t.Run("beyond the role's duration", func(t *testing.T) {
		_, err := f.assume(t, f.role, good, func(in *awssts.AssumeRoleWithWebIdentityInput) { in.DurationSeconds = aws.Int32(7201) })
		want(t, err, 400, "ValidationError", "MaxSessionDuration")
	})
	t.Run("other actions need a signature", func(t *testing.T) {
		client := awssts.New(awssts.Options{Region: "us-west-2", BaseEndpoint: aws.String(f.url), Retryer: aws.NopRetryer{}, Credentials: aws.AnonymousCredentials{}})
		_, err := client.GetCallerIdentity(t.Context(), nil)
		want(t, err, 403, "MissingAuthenticationToken", "Request is missing Authentication Token")
	})
	t.Run("an issuer that is down", func(t *testing.T) {
		f.advance(2 * time.Hour)
		f.issuer.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
		_, err := f.assume(t, f.role, f.issuer.Sign(t, f.claims()))
		want(t, err, 400, "IDPCommunicationError", "could not be reached")
	})
}

// FuzzWebIdentityToken shows that no token gets a session but what the issuer signed.
func FuzzWebIdentityToken(fz *testing.F) {
	f := newFederation(fz)
	good := f.issuer.Sign(fz, f.claims())
	fz.Add(good, f.role)
	fz.Add(good+"x", f.role)
	fz.Add("eyJhbGciOiJub25lIn0.e30.", f.role)
	fz.Add("", "arn:aws:iam::000000000000:role/x")
	signed := strings.Split(good, ".")[1]
	fz.Fuzz(func(t *testing.T, token, role string) {
		w, err := f.domain.WebIdentity(t.Context(), role, token)
		if err != nil {
			return
		}
		if parts := strings.Split(token, "."); len(parts) != 3 || parts[1] != signed || !strings.HasPrefix(role, "arn:aws:iam::"+f.account+":role/") {
			t.Errorf("%q passed for %q", token, role)
		}
		if w.Principal().AccountID != f.account || w.Principal().Kind == iam.KindRole {
			t.Errorf("%+v", w.Principal())
		}
	})
}
