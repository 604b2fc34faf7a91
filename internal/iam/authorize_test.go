package iam_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
)

const (
	authzHome  = "111111111111"
	authzOther = "222222222222"
)

var authzNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func authzUser(account, name string) iam.Principal {
	return iam.Principal{Kind: iam.KindUser, AccountID: account, ARN: "arn:aws:iam::" + account + ":user/" + name, UserID: "AIDA" + strings.ToUpper(name), UserName: name, AccessKeyID: "AKIA1"}
}

func authzRole(account string, s iam.Session) iam.Principal {
	s.RoleARN, s.RoleID, s.RoleName, s.Name = "arn:aws:iam::"+account+":role/r", "AROAROLE", "r", "s"
	if s.Issued.IsZero() {
		s.Issued = authzNow.Add(-time.Minute)
	}
	return iam.Principal{Kind: iam.KindRole, AccountID: account, ARN: "arn:aws:sts::" + account + ":assumed-role/r/s", UserID: "AROAROLE:s", AccessKeyID: "ASIA1", Session: &s}
}

// authzSource knows policies by the ARN of user or role.
type authzSource map[string]iam.Policies

func (s authzSource) PoliciesOf(_ context.Context, p iam.Principal) (iam.Policies, error) {
	arn := p.ARN
	if p.Kind == iam.KindRole {
		arn = p.Session.RoleARN
	}
	if arn == "arn:aws:iam::111111111111:user/broken" {
		return iam.Policies{}, errors.New("disk broke")
	}
	out, ok := s[arn]
	if !ok {
		return iam.Policies{}, iam.ErrNoSuchEntity
	}
	return out, nil
}

func authzParse(t testing.TB, kind policy.Kind, statements ...string) *policy.Document {
	t.Helper()
	d, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`), kind)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func authzIdentity(t testing.TB, statements ...string) iam.Policies {
	return iam.Policies{Identity: []*policy.Document{authzParse(t, policy.Identity, statements...)}}
}

// authzReason returns why access was denied, "" if it was not.
func authzReason(t *testing.T, z iam.Authorizer, c iam.Caller, a iam.Access) string {
	t.Helper()
	err := z.Authorize(t.Context(), c, a)
	if err == nil {
		return ""
	}
	var f *awserr.Failure
	if !errors.As(err, &f) || f.Kind != awserr.NotAuthorized {
		t.Fatalf("got %v, want a denial", err)
	}
	for _, d := range f.Details {
		if d.Name == "reason" {
			return d.Value
		}
	}
	t.Fatal("a denial without reason")
	return ""
}

func TestAuthorize(t *testing.T) {
	const (
		all          = `{"Effect":"Allow","Action":"*","Resource":"*"}`
		noIdentity   = "because no identity-based policy allows the %s action"
		noResource   = "because no resource-based policy allows the %s action"
		bucket       = "arn:aws:s3:::media/a.wav"
		job          = "arn:aws:transcribe:us-east-1:111111111111:transcription-job/j"
		denyInsecure = `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`
	)
	limited := authzIdentity(t, all)
	limited.Boundary = authzParse(t, policy.Boundary, `{"Effect":"Allow","Action":"transcribe:*","Resource":"*"}`)
	tagged := authzIdentity(t, `{"Effect":"Allow","Action":"transcribe:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"${aws:PrincipalTag/team}"}}}`)
	tagged.Tags = map[string]string{"Team": "red"}
	source := authzSource{
		"arn:aws:iam::111111111111:user/admin":   authzIdentity(t, all),
		"arn:aws:iam::111111111111:user/none":    {},
		"arn:aws:iam::111111111111:user/limited": limited,
		"arn:aws:iam::111111111111:user/tagged":  tagged,
		"arn:aws:iam::111111111111:user/mfa": authzIdentity(t, all,
			`{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}`,
			`{"Effect":"Deny","Action":"s3:DeleteBucket","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}}`,
			`{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"Null":{"aws:MultiFactorAuthAge":"true"}}}`),
		"arn:aws:iam::111111111111:role/r":     authzIdentity(t, all),
		"arn:aws:iam::222222222222:user/guest": authzIdentity(t, all),
		"arn:aws:iam::222222222222:user/poor":  {},
		"arn:aws:iam::111111111111:user/start": authzIdentity(t,
			`{"Effect":"Allow","Action":"transcribe:StartTranscriptionJob","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/Project":"x"},"ForAllValues:StringEquals":{"aws:TagKeys":["Project"]}}}`),
	}
	z := iam.NewAuthorizer(source, iam.WithServiceBuckets(func(name string) bool { return strings.HasPrefix(name, "svc-") }))
	on := func(resource, owner string, statements ...string) iam.Access {
		a := iam.Access{Action: "s3:GetObject", Resource: resource, Owner: owner}
		if len(statements) > 0 {
			doc := authzParse(t, policy.Resource, statements...)
			a.Policy = func(context.Context) (*policy.Document, error) { return doc, nil }
		}
		return a
	}
	do := func(action string, a iam.Access) iam.Access { a.Action = action; return a }
	tags := func(a iam.Access, kv map[string]string) iam.Access {
		a.Tags = func(context.Context) (map[string]string, error) { return kv, nil }
		return a
	}
	keys := func(a iam.Access, kv map[string][]string) iam.Access { a.Keys = kv; return a }
	opens := func(object string) iam.Access {
		return keys(do("kms:Decrypt", on("arn:aws:kms:us-east-1:111111111111:key/k", authzHome)), map[string][]string{"kms:encryptioncontext:aws:s3:arn": {object}})
	}
	link := iam.Principal{Kind: iam.KindService, AccountID: authzHome, ARN: "arn:aws:sts::111111111111:assumed-role/AWSServiceRoleForTranscribe/links", AccessKeyID: "ASIA2", Service: iam.ServiceTranscribe}
	acting := iam.Caller{Principal: iam.Principal{Kind: iam.KindService, Service: iam.ServiceTranscribe}, SourceAccount: authzHome, SourceARN: job}
	asService := `{"Effect":"Allow","Principal":{"Service":"transcribe.amazonaws.com"},"Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:SourceAccount":"111111111111"},"ArnLike":{"aws:SourceArn":"arn:aws:transcribe:*:111111111111:*"}}}`
	as := func(p iam.Principal) iam.Caller {
		return iam.Caller{Principal: p, Region: "us-east-1", SourceIP: "203.0.113.9", Time: authzNow, Secure: true, UserAgent: "aws-cli/2"}
	}
	user := func(name string) iam.Caller { return as(authzUser(authzHome, name)) }
	withMFA := func(mfa time.Time) iam.Caller {
		p := authzUser(authzHome, "mfa")
		p.Session = &iam.Session{Issued: authzNow, MFA: mfa}
		return as(p)
	}
	provider := iam.Principal{AccountID: authzHome, Session: &iam.Session{Provider: "https://issuer.example.com", Subject: "user-1"}}
	assume := func(federated string) iam.Access {
		doc := authzParse(t, policy.Trust, `{"Effect":"Allow","Principal":{"Federated":"`+federated+`"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"issuer.example.com:sub":"user-1"}}}`)
		return iam.Access{
			Action: "sts:AssumeRoleWithWebIdentity", Resource: "arn:aws:iam::111111111111:role/r", Owner: authzHome, Delegated: true,
			Policy: func(context.Context) (*policy.Document, error) { return doc, nil },
		}
	}
	insecure := user("admin")
	insecure.Secure = false

	for _, c := range []struct {
		rule   string
		caller iam.Caller
		access iam.Access
		want   string // "" is allowed; %s is the action
	}{
		{"an administrator may", user("admin"), on(bucket, authzHome), ""},
		{"without a policy no one may", user("none"), on(bucket, authzHome), noIdentity},
		{"who is gone may not", user("gone"), on(bucket, authzHome), noIdentity},
		{"the anonymous may not", as(iam.Principal{}), on(bucket, authzHome), noResource},
		{"the anonymous may what a bucket gives to all", as(iam.Principal{}), on(bucket, authzHome, `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}`), ""},
		{"an unknown kind of principal is nobody", as(iam.Principal{Kind: "Odd", AccountID: authzHome}), on(bucket, authzHome), noResource},
		{"the root user may", as(iam.Principal{Kind: iam.KindRoot, AccountID: authzHome, ARN: "arn:aws:iam::111111111111:root"}), on(bucket, authzHome), ""},
		{"an empty owner is the caller", user("admin"), on(bucket, ""), ""},

		{"another account's bucket needs its policy", as(authzUser(authzOther, "guest")), on(bucket, authzHome), noResource},
		{"with its policy", as(authzUser(authzOther, "guest")), on(bucket, authzHome, `{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"s3:GetObject","Resource":"*"}`), ""},
		{"and with one's own", as(authzUser(authzOther, "poor")), on(bucket, authzHome, `{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"s3:GetObject","Resource":"*"}`), noIdentity},
		{"the boundary limits", user("limited"), on(bucket, authzHome), "because no permissions boundary allows the %s action"},
		{"within the boundary", user("limited"), do("transcribe:GetTranscriptionJob", on(job, authzHome)), ""},
		{"the session policy limits", as(authzRole(authzHome, iam.Session{Policies: []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}}`}})), on(bucket, authzHome), "because no session policy allows the %s action"},
		{"session policies add up", as(authzRole(authzHome, iam.Session{Policies: []string{
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}}`, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}`,
		}})), on(bucket, authzHome), ""},
		{"a key's policy decides", user("admin"), iam.Access{Action: "kms:Decrypt", Resource: "arn:aws:kms:us-east-1:111111111111:key/1", Owner: authzHome, Delegated: true}, noResource},

		{"the tag of the resource is the principal's", user("tagged"), tags(do("transcribe:GetTranscriptionJob", on(job, authzHome)), map[string]string{"team": "red"}), ""},
		{"another tag", user("tagged"), tags(do("transcribe:GetTranscriptionJob", on(job, authzHome)), map[string]string{"team": "blue"}), noIdentity},
		{"no tags", user("tagged"), do("transcribe:GetTranscriptionJob", on(job, authzHome)), noIdentity},
		{"the request's tag", user("start"), keys(do("transcribe:StartTranscriptionJob", on("*", authzHome)), map[string][]string{"aws:requesttag/project": {"x"}, "aws:tagkeys": {"Project"}}), ""},
		{"the request's tag in another case", user("start"), keys(do("transcribe:StartTranscriptionJob", on("*", authzHome)), map[string][]string{"aws:requesttag/PROJECT": {"x"}, "aws:tagkeys": {"Project"}}), ""},
		{"the request has a tag too many", user("start"), keys(do("transcribe:StartTranscriptionJob", on("*", authzHome)), map[string][]string{"aws:requesttag/Project": {"x"}, "aws:tagkeys": {"Project", "Cost"}}), noIdentity},

		{"MFA: BoolIfExists false meets long-term keys", user("mfa"), do("s3:DeleteObject", on(bucket, authzHome)), "with an explicit deny in an identity-based policy"},
		{"MFA: Bool false does not", user("mfa"), do("s3:DeleteBucket", on(bucket, authzHome)), ""},
		{"MFA: Bool false meets temporary keys without", withMFA(time.Time{}), do("s3:DeleteBucket", on(bucket, authzHome)), "with an explicit deny in an identity-based policy"},
		{"MFA: and so does BoolIfExists", withMFA(time.Time{}), do("s3:DeleteObject", on(bucket, authzHome)), "with an explicit deny in an identity-based policy"},
		{"MFA: keys with one pass", withMFA(authzNow), do("s3:DeleteObject", on(bucket, authzHome)), ""},
		{"MFA: the age is missing for long-term keys", user("mfa"), do("s3:PutObject", on(bucket, authzHome)), "with an explicit deny in an identity-based policy"},
		{"MFA: the age is there", withMFA(authzNow.Add(-time.Hour)), do("s3:PutObject", on(bucket, authzHome)), ""},

		{"a bucket that demands TLS", insecure, on(bucket, authzHome, denyInsecure), "with an explicit deny in a resource-based policy"},
		{"a bucket that demands TLS gets it", user("admin"), on(bucket, authzHome, denyInsecure), ""},
		{"what a service does within the server is secure", insecure.Through("transcribe.amazonaws.com"), on(bucket, authzHome, denyInsecure), ""},

		{"a service that acts for the right account", acting, on(bucket, authzHome, asService), ""},
		{"a deputy that is confused", iam.Caller{Principal: acting.Principal, SourceAccount: authzOther, SourceARN: job}, on(bucket, authzHome, asService), noResource},
		{"a service without a policy", acting, on(bucket, authzHome), noResource},
		{"a service is no account", acting, on(bucket, authzHome, `{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"s3:GetObject","Resource":"*"}`), noResource},

		{"a web identity whom the account's provider vouches for", as(provider), assume("arn:aws:iam::111111111111:oidc-provider/issuer.example.com"), ""},
		{"a web identity of another account's provider", as(provider), assume("arn:aws:iam::222222222222:oidc-provider/issuer.example.com"), "because no role trust policy allows the %s action"},
		{"a web identity of a provider by URL", as(provider), assume("issuer.example.com"), ""},

		{"links read their account's output", as(link), on("arn:aws:s3:::svc-1/111111111111/j.json", ""), ""},
		{"links read no other account's", as(link), on("arn:aws:s3:::svc-1/222222222222/j.json", ""), "because no session policy allows the %s action"},
		{"links read no account that begins so", as(link), on("arn:aws:s3:::svc-1/1111111111111/j.json", ""), "because no session policy allows the %s action"},
		{"links write nothing", as(link), do("s3:PutObject", on("arn:aws:s3:::svc-1/111111111111/j.json", "")), "because no session policy allows the %s action"},
		{"links open what they read", as(link).Through("s3.amazonaws.com"), opens("arn:aws:s3:::svc-1/111111111111/j.json"), ""},
		{"links open no other account's", as(link).Through("s3.amazonaws.com"), opens("arn:aws:s3:::svc-1/222222222222/j.json"), "because no session policy allows the %s action"},
		{"links open no other bucket's", as(link).Through("s3.amazonaws.com"), opens("arn:aws:s3:::media/111111111111/j.json"), "because no session policy allows the %s action"},
		{"links open nothing but through S3", as(link), opens("arn:aws:s3:::svc-1/111111111111/j.json"), "because no session policy allows the %s action"},
		{"links read no other bucket", as(link), on("arn:aws:s3:::media/111111111111/j.json", authzHome, `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}`), "because no session policy allows the %s action"},
		{"administrators touch no service bucket", user("admin"), on("arn:aws:s3:::svc-1/111111111111/j.json", authzHome), noResource},
		{"nor does the root user", as(iam.Principal{Kind: iam.KindRoot, AccountID: authzHome, ARN: "arn:aws:iam::111111111111:root"}), on("arn:aws:s3:::svc-1", authzHome), noResource},
		{"nor services, whatever a policy says", acting, on("arn:aws:s3:::svc-1/x", authzHome, asService), noResource},
	} {
		t.Run(c.rule, func(t *testing.T) {
			want := c.want
			if strings.Contains(want, "%s") {
				want = fmt.Sprintf(want, c.access.Action)
			}
			if got := authzReason(t, z, c.caller, c.access); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			d, err := z.Explain(t.Context(), c.caller, c.access)
			if err != nil || d.Allowed != (want == "") || d.Reason(c.access.Action) != want {
				t.Errorf("explained: %+v, %v", d, err)
			}
		})
	}
}

func TestAuthorizeNamesWhoWhatAndWhere(t *testing.T) {
	z := iam.NewAuthorizer(authzSource{})
	for p, who := range map[*iam.Principal]string{
		{Kind: iam.KindUser, AccountID: authzHome, ARN: "arn:aws:iam::111111111111:user/a"}: "arn:aws:iam::111111111111:user/a",
		{Kind: iam.KindService, Service: iam.ServiceTranscribe}:                             iam.ServiceTranscribe,
		{}: "anonymous",
	} {
		err := z.Authorize(t.Context(), iam.Caller{Principal: *p}, iam.Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Owner: authzHome})
		for _, part := range []string{"principal=" + who + ",", "action=s3:GetObject,", "resource=arn:aws:s3:::b/k,", "reason=because no "} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%v lacks %s", err, part)
			}
		}
	}
}

func TestAuthorizeFailsClosed(t *testing.T) {
	broken := errors.New("disk broke")
	z := iam.NewAuthorizer(authzSource{"arn:aws:iam::111111111111:user/a": authzIdentity(t, `{"Effect":"Allow","Action":"*","Resource":"*"}`,
		`{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/keep":"yes"}}}`)})
	a := iam.Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Owner: authzHome, Tags: func(context.Context) (map[string]string, error) { return nil, broken }}
	user := iam.Caller{Principal: authzUser(authzHome, "a")}
	if err := z.Authorize(t.Context(), user, a); err != nil {
		t.Errorf("%v: tags were read although no policy asks", err)
	}
	a.Action = "s3:DeleteObject"
	if err := z.Authorize(t.Context(), user, a); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of reading tags", err)
	}
	a.Policy = func(context.Context) (*policy.Document, error) { return nil, broken }
	a.Action = "s3:GetObject"
	if err := z.Authorize(t.Context(), user, a); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of reading the policy", err)
	}
	if err := z.Authorize(t.Context(), iam.Caller{Principal: authzUser(authzHome, "broken")}, iam.Access{Action: "s3:GetObject", Resource: "*"}); err == nil || errors.Is(err, awserr.Fail(awserr.NotAuthorized)) {
		t.Errorf("got %v, want our own failure", err)
	}
	garbled := iam.Caller{Principal: authzRole(authzHome, iam.Session{Policies: []string{"{"}})}
	z = iam.NewAuthorizer(authzSource{"arn:aws:iam::111111111111:role/r": authzIdentity(t, `{"Effect":"Allow","Action":"*","Resource":"*"}`)})
	if err := z.Authorize(t.Context(), garbled, iam.Access{Action: "s3:GetObject", Resource: "*"}); err == nil {
		t.Error("a session policy that can't be read was ignored")
	}
}

func TestTagsAreReadOnce(t *testing.T) {
	z := iam.NewAuthorizer(authzSource{"arn:aws:iam::111111111111:user/a": authzIdentity(t,
		`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/a":"1","aws:ResourceTag/b":"2"},"StringLike":{"iam:ResourceTag/A":"?"}}}`)})
	read := 0
	a := iam.Access{Action: "s3:GetObject", Resource: "*", Tags: func(context.Context) (map[string]string, error) {
		read++
		return map[string]string{"a": "1", "B": "2"}, nil
	}}
	if err := z.Authorize(t.Context(), iam.Caller{Principal: authzUser(authzHome, "a")}, a); err != nil || read != 1 {
		t.Errorf("%v, read %d times", err, read)
	}
}

// TestConditionKeys asks for each global key by a policy that allows only its value.
func TestConditionKeys(t *testing.T) {
	session := authzRole(authzHome, iam.Session{
		MFA: authzNow.Add(-90 * time.Second), SourceIdentity: "ann", Provider: "https://issuer.example.com", Subject: "user-1",
		Tags: map[string]string{"Team": "blue"},
	})
	callers := map[string]iam.Caller{
		"user":    {Principal: authzUser(authzHome, "ann"), Region: "eu-west-1", SourceIP: "203.0.113.9", UserAgent: "cli", Referer: "https://r/", Secure: true, Time: authzNow},
		"session": {Principal: session, Time: authzNow, SourceIP: "2001:db8::1"},
		"via":     iam.Caller{Principal: authzUser(authzHome, "ann"), SourceIP: "203.0.113.9", Time: authzNow}.Through("transcribe.amazonaws.com").Through("s3.amazonaws.com"),
		"service": {Principal: iam.Principal{Kind: iam.KindService, Service: "transcribe.amazonaws.com"}, SourceAccount: authzHome, SourceARN: "arn:aws:transcribe:us-east-1:111111111111:transcription-job/j", Time: authzNow},
		"root":    {Principal: iam.Principal{Kind: iam.KindRoot, AccountID: authzHome, ARN: "arn:aws:iam::111111111111:root", UserID: authzHome}, Time: authzNow},
		"nobody":  {Time: authzNow},
	}
	const absent = "absent"
	for _, c := range []struct{ caller, key, want string }{
		{"user", "aws:PrincipalArn", "arn:aws:iam::111111111111:user/ann"},
		{"session", "aws:PrincipalArn", "arn:aws:iam::111111111111:role/r"},
		{"root", "aws:PrincipalArn", "arn:aws:iam::111111111111:root"},
		{"service", "aws:PrincipalArn", absent},
		{"nobody", "aws:PrincipalArn", absent},
		{"user", "aws:PrincipalAccount", authzHome},
		{"service", "aws:PrincipalAccount", absent},
		{"user", "aws:PrincipalType", "User"},
		{"session", "aws:PrincipalType", "AssumedRole"},
		{"root", "aws:PrincipalType", "Account"},
		{"nobody", "aws:PrincipalType", "Anonymous"},
		{"user", "aws:userid", "AIDAANN"},
		{"session", "aws:userid", "AROAROLE:s"},
		{"root", "aws:userid", authzHome},
		{"nobody", "aws:userid", "anonymous"},
		{"user", "aws:username", "ann"},
		{"session", "aws:username", absent},
		{"session", "aws:PrincipalTag/team", "blue"},
		{"user", "aws:PrincipalTag/team", "red"},
		{"user", "aws:PrincipalTag/none", absent},
		{"user", "aws:SourceIp", "203.0.113.9"},
		{"via", "aws:SourceIp", absent},
		{"service", "aws:SourceIp", absent},
		{"user", "aws:SecureTransport", "true"},
		{"session", "aws:SecureTransport", "false"},
		{"user", "aws:CurrentTime", "2026-11-22T12:00:00Z"},
		{"user", "aws:EpochTime", "1795348800"},
		{"user", "aws:UserAgent", "cli"},
		{"user", "aws:Referer", "https://r/"},
		{"session", "aws:Referer", absent},
		{"user", "aws:MultiFactorAuthPresent", absent},
		{"session", "aws:MultiFactorAuthPresent", "true"},
		{"session", "aws:MultiFactorAuthAge", "90"},
		{"session", "aws:TokenIssueTime", "2026-11-22T11:59:00Z"},
		{"user", "aws:TokenIssueTime", absent},
		{"user", "aws:RequestedRegion", "eu-west-1"},
		{"user", "aws:ViaAWSService", "false"},
		{"via", "aws:ViaAWSService", "true"},
		{"via", "aws:CalledViaFirst", "transcribe.amazonaws.com"},
		{"via", "aws:CalledViaLast", "s3.amazonaws.com"},
		{"via", "aws:CalledVia", "transcribe.amazonaws.com|s3.amazonaws.com"},
		{"user", "aws:CalledVia", absent},
		{"user", "aws:PrincipalIsAWSService", "false"},
		{"service", "aws:PrincipalIsAWSService", "true"},
		{"service", "aws:PrincipalServiceName", "transcribe.amazonaws.com"},
		{"service", "aws:PrincipalServiceNamesList", "transcribe.amazonaws.com"},
		{"service", "aws:SourceAccount", authzHome},
		{"service", "aws:SourceArn", "arn:aws:transcribe:us-east-1:111111111111:transcription-job/j"},
		{"user", "aws:SourceArn", absent},
		{"session", "aws:SourceIdentity", "ann"},
		{"session", "aws:FederatedProvider", "https://issuer.example.com"},
		{"session", "issuer.example.com:sub", "user-1"},
		{"session", "other.example.com:sub", absent},
		{"user", "aws:ResourceAccount", authzOther},
		{"user", "s3:prefix", "home/"},
		{"user", "aws:ResourceTag/x", "1"},
	} {
		condition := `"ForAllValues:StringEquals":{"` + c.key + `":["` + strings.ReplaceAll(c.want, "|", `","`) + `"]},"Null":{"` + c.key + `":"false"}`
		if c.want == absent {
			condition = `"Null":{"` + c.key + `":"true"}`
		}
		// The condition stands in the resource's policy and denies, which every kind of principal meets.
		doc := authzParse(t, policy.Resource, `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{`+condition+`}}`)
		z := iam.NewAuthorizer(authzSource{
			"arn:aws:iam::111111111111:user/ann": {Tags: map[string]string{"Team": "red"}}, "arn:aws:iam::111111111111:role/r": {Tags: map[string]string{"Team": "red"}},
		})
		d, err := z.Explain(t.Context(), callers[c.caller], iam.Access{
			Action: "s3:GetObject", Resource: "arn:aws:s3:::b", Owner: authzOther, Keys: map[string][]string{"s3:prefix": {"home/"}},
			Tags:   func(context.Context) (map[string]string, error) { return map[string]string{"X": "1"}, nil },
			Policy: func(context.Context) (*policy.Document, error) { return doc, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if !d.Explicit {
			t.Errorf("%s of a %s is not %s", c.key, c.caller, c.want)
		}
	}
}

func TestExplainWithOtherPolicies(t *testing.T) {
	z := iam.NewAuthorizer(nil)
	p := authzIdentity(t, `{"Sid":"A","Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"},"StringEquals":{"aws:PrincipalTag/team":"red"}}}`)
	p.Tags = map[string]string{"team": "red"}
	a := iam.Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Owner: authzHome}
	c := iam.Caller{Principal: authzUser(authzHome, "ann"), Time: authzNow}
	d, err := z.ExplainWith(t.Context(), c, a, p)
	if err != nil || d.Verdict() != policy.ImplicitDeny || len(d.Missing) != 1 || d.Missing[0] != "aws:securetransport" {
		t.Errorf("%+v, %v", d, err)
	}
	a.Keys = map[string][]string{"aws:SecureTransport": {"true"}}
	d, err = z.ExplainWith(t.Context(), c, a, p)
	if err != nil || d.Verdict() != policy.Allowed || len(d.Matches) != 1 || d.Matches[0].Sid != "A" || len(d.Missing) != 0 {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestAuthorizeAtOnce(t *testing.T) {
	z := iam.NewAuthorizer(authzSource{"arn:aws:iam::111111111111:role/r": authzIdentity(t, `{"Effect":"Allow","Action":"*","Resource":"*"}`)})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 200 {
				text := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b%d/*"}}`, (i+j)%50)
				c := iam.Caller{Principal: authzRole(authzHome, iam.Session{Policies: []string{text}})}
				if err := z.Authorize(t.Context(), c, iam.Access{Action: "s3:GetObject", Resource: fmt.Sprintf("arn:aws:s3:::b%d/k", (i+j)%50)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkAuthorize(b *testing.B) {
	z := iam.NewAuthorizer(authzSource{"arn:aws:iam::111111111111:user/a": authzIdentity(b,
		`{"Effect":"Allow","Action":"transcribe:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"red"}}}`,
		`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`,
		`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}}`)})
	c := iam.Caller{Principal: authzUser(authzHome, "a"), SourceIP: "203.0.113.9", Secure: true, Time: authzNow}
	a := iam.Access{
		Action: "transcribe:GetTranscriptionJob", Resource: "arn:aws:transcribe:us-east-1:111111111111:transcription-job/j", Owner: authzHome,
		Tags: func(context.Context) (map[string]string, error) { return map[string]string{"Team": "red"}, nil },
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := z.Authorize(b.Context(), c, a); err != nil {
			b.Fatal(err)
		}
	}
}
