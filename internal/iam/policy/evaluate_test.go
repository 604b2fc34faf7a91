package policy_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/iam/policy"
)

const (
	home  = "111111111111"
	other = "222222222222"
)

var (
	ann      = policy.Principal{Kind: policy.User, Account: home, ARN: "arn:aws:iam::111111111111:user/ann", ID: "AIDAANNANNANNANNANNA"}
	session  = policy.Principal{Kind: policy.RoleSession, Account: home, ARN: "arn:aws:sts::111111111111:assumed-role/r/s", RoleARN: "arn:aws:iam::111111111111:role/p/r", ID: "AROAAAAAAAAAAAAAAAAA"}
	root     = policy.Principal{Kind: policy.Root, Account: home, ARN: "arn:aws:iam::111111111111:root"}
	stranger = policy.Principal{Kind: policy.User, Account: other, ARN: "arn:aws:iam::222222222222:user/bob"}
	service  = policy.Principal{Kind: policy.Service, Name: "transcribe.amazonaws.com"}
	web      = policy.Principal{Kind: policy.WebIdentity, Name: "https://issuer.example.com"}
	nobody   = policy.Principal{}
)

// rules builds a set of policies out of short words.
type rules struct {
	identity, boundary, session string // "allow", "deny", "nothing", or "" for no policy
	// resource is a Principal element, with "deny " before it for a statement that denies; "" for no policy.
	resource  string
	delegated bool
}

func (r rules) set(t *testing.T) *policy.Set {
	one := func(kind policy.Kind, word string) *policy.Document {
		switch word {
		case "":
			return nil
		case "nothing":
			return parse(t, kind, statements(`{"Effect":"Allow","Action":"sqs:*","Resource":"*"}`))
		case "deny":
			return parse(t, kind, statements(`{"Effect":"Allow","Action":"*","Resource":"*"}`, `{"Effect":"Deny","Action":"s3:*","Resource":"*"}`))
		}
		return parse(t, kind, statements(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`))
	}
	s := &policy.Set{Boundary: one(policy.Boundary, r.boundary), Delegated: r.delegated}
	if d := one(policy.Identity, r.identity); d != nil {
		s.Identity = append(s.Identity, d)
	}
	if d := one(policy.Session, r.session); d != nil {
		s.Session = append(s.Session, d)
	}
	if r.resource != "" {
		effect, name := "Allow", "Principal"
		principal, deny := strings.CutPrefix(r.resource, "deny ")
		if deny {
			effect = "Deny"
		}
		principal, not := strings.CutPrefix(principal, "not ")
		if not {
			name = "NotPrincipal"
		}
		s.Resource = parse(t, policy.Resource, statements(`{"Effect":"`+effect+`","`+name+`":`+principal+`,"Action":"s3:*","Resource":"*"}`))
	}
	return s
}

// TestWhoMustAllow walks through
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html,
// …-cross-account.html, and KMS's https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html.
func TestWhoMustAllow(t *testing.T) {
	const (
		implicitIdentity = "because no identity-based policy allows the s3:GetObject action"
		implicitResource = "because no resource-based policy allows the s3:GetObject action"
		implicitBoundary = "because no permissions boundary allows the s3:GetObject action"
		implicitSession  = "because no session policy allows the s3:GetObject action"
		user             = `{"AWS":"arn:aws:iam::111111111111:user/ann"}`
		role             = `{"AWS":"arn:aws:iam::111111111111:role/p/r"}`
		roleSession      = `{"AWS":"arn:aws:sts::111111111111:assumed-role/r/s"}`
		account          = `{"AWS":"arn:aws:iam::111111111111:root"}`
		accountID        = `{"AWS":"111111111111"}`
		bob              = `{"AWS":"arn:aws:iam::222222222222:user/bob"}`
	)
	for _, c := range []struct {
		rule      string
		principal policy.Principal
		rules     rules
		want      string // "" is allowed
	}{
		{"nothing is allowed by default", ann, rules{}, implicitIdentity},
		{"an identity policy allows", ann, rules{identity: "allow"}, ""},
		{"an identity policy that allows something else", ann, rules{identity: "nothing"}, implicitIdentity},
		{"a deny wins over an allow", ann, rules{identity: "deny"}, "with an explicit deny in an identity-based policy"},
		{"the root user needs no policy", root, rules{}, ""},
		{"a resource's deny holds for the root user", root, rules{resource: `deny "*"`}, "with an explicit deny in a resource-based policy"},

		{"a boundary that allows", ann, rules{identity: "allow", boundary: "allow"}, ""},
		{"a boundary grants nothing", ann, rules{boundary: "allow"}, implicitIdentity},
		{"a boundary that does not allow", ann, rules{identity: "allow", boundary: "nothing"}, implicitBoundary},
		{"a boundary that denies", ann, rules{identity: "allow", boundary: "deny"}, "with an explicit deny in a permissions boundary"},
		{"a session policy that allows", session, rules{identity: "allow", session: "allow"}, ""},
		{"a session policy grants nothing", session, rules{session: "allow"}, implicitIdentity},
		{"a session policy that does not allow", session, rules{identity: "allow", session: "nothing"}, implicitSession},
		{"a session policy that denies", session, rules{identity: "allow", session: "deny"}, "with an explicit deny in a session policy"},
		{"all three limits together", session, rules{identity: "allow", boundary: "allow", session: "allow"}, ""},
		{"boundary before session", session, rules{identity: "allow", boundary: "nothing", session: "nothing"}, implicitBoundary},

		{"a resource policy alone allows a user", ann, rules{resource: user}, ""},
		{"a unique id names a user", ann, rules{resource: `{"AWS":"AIDAANNANNANNANNANNA"}`}, ""},
		{"a grant to a user is not limited by the boundary", ann, rules{resource: user, boundary: "nothing"}, ""},
		{"but by a boundary that denies", ann, rules{resource: user, boundary: "deny"}, "with an explicit deny in a permissions boundary"},
		{"a grant to a user is limited by a session policy", ann, rules{resource: user, session: "nothing"}, implicitSession},
		{"a resource policy alone allows a role", session, rules{resource: role}, ""},
		{"a grant to a role is limited by the boundary", session, rules{resource: role, boundary: "nothing"}, implicitBoundary},
		{"a grant to a role is limited by the session policy", session, rules{resource: role, session: "nothing"}, implicitSession},
		{"a grant to a session is limited by neither", session, rules{resource: roleSession, boundary: "nothing", session: "nothing"}, ""},
		{"nor is one to everyone", session, rules{resource: `"*"`, boundary: "nothing", session: "nothing"}, ""},
		{"a grant to the account leaves it to identity policies", ann, rules{resource: account}, implicitIdentity},
		{"so does one to the account's id", ann, rules{resource: accountID}, implicitIdentity},
		{"and with an identity policy it is allowed", ann, rules{resource: accountID, identity: "allow"}, ""},
		{"a deny for the account is for everyone in it", ann, rules{resource: "deny " + accountID, identity: "allow"}, "with an explicit deny in a resource-based policy"},
		{"a grant to somebody else", ann, rules{resource: bob}, implicitIdentity},

		{"NotPrincipal spares who is named with the account", ann, rules{identity: "allow", resource: `deny not {"AWS":["arn:aws:iam::111111111111:user/ann","111111111111"]}`}, ""},
		{"NotPrincipal without the account denies", ann, rules{identity: "allow", resource: `deny not ` + user}, "with an explicit deny in a resource-based policy"},
		{"NotPrincipal with the account alone denies", ann, rules{identity: "allow", resource: `deny not ` + account}, "with an explicit deny in a resource-based policy"},
		{"NotPrincipal spares no one with a boundary", ann, rules{identity: "allow", boundary: "allow", resource: `deny not {"AWS":["arn:aws:iam::111111111111:user/ann","111111111111"]}`}, "with an explicit deny in a resource-based policy"},
		{"NotPrincipal spares a session named with role and account", session, rules{identity: "allow", resource: `deny not {"AWS":["arn:aws:iam::111111111111:role/p/r","arn:aws:sts::111111111111:assumed-role/r/s","111111111111"]}`}, ""},
		{"NotPrincipal without the session denies", session, rules{identity: "allow", resource: `deny not {"AWS":["arn:aws:iam::111111111111:role/p/r","111111111111"]}`}, "with an explicit deny in a resource-based policy"},
		{"NotPrincipal spares a service", service, rules{resource: `deny not {"Service":"transcribe.amazonaws.com"}`}, implicitResource},

		{"across accounts an identity policy is not enough", stranger, rules{identity: "allow"}, implicitResource},
		{"nor is the resource's policy", stranger, rules{resource: bob}, implicitIdentity},
		{"nor is one for everyone", stranger, rules{resource: `"*"`}, implicitIdentity},
		{"both sides allow", stranger, rules{identity: "allow", resource: bob}, ""},
		{"both sides allow, the account being named", stranger, rules{identity: "allow", resource: `{"AWS":"222222222222"}`}, ""},
		{"across accounts the boundary limits", stranger, rules{identity: "allow", resource: bob, boundary: "nothing"}, implicitBoundary},
		{"another account's root user needs the resource's policy", policy.Principal{Kind: policy.Root, Account: other, ARN: "arn:aws:iam::222222222222:root"}, rules{}, implicitResource},
		{"and nothing else", policy.Principal{Kind: policy.Root, Account: other, ARN: "arn:aws:iam::222222222222:root"}, rules{resource: `{"AWS":"222222222222"}`}, ""},

		{"a service needs the resource's policy", service, rules{identity: "allow"}, implicitResource},
		{"a service that is named", service, rules{resource: `{"Service":"transcribe.amazonaws.com"}`}, ""},
		{"another service is named", service, rules{resource: `{"Service":"s3.amazonaws.com"}`}, implicitResource},
		{"a user is no service", ann, rules{resource: `{"Service":"transcribe.amazonaws.com"}`}, implicitIdentity},
		{"a web identity is named by URL", web, rules{resource: `{"Federated":"issuer.example.com"}`}, ""},
		{"a web identity is named by ARN", web, rules{resource: `{"Federated":"arn:aws:iam::111111111111:oidc-provider/issuer.example.com"}`}, ""},
		{"a provider with a service's name is no service", policy.Principal{Kind: policy.WebIdentity, Name: "transcribe.amazonaws.com"}, rules{resource: `{"Service":"transcribe.amazonaws.com"}`}, implicitResource},
		{"another provider", web, rules{resource: `{"Federated":"arn:aws:iam::111111111111:oidc-provider/issuer.example.org"}`}, implicitResource},
		{"a SAML provider is none", policy.Principal{Kind: policy.WebIdentity}, rules{resource: `{"Federated":"arn:aws:iam::111111111111:saml-provider/x"}`}, implicitResource},
		{"the anonymous need everyone to be named", nobody, rules{resource: `"*"`}, ""},
		{"the anonymous have no identity policies", nobody, rules{identity: "allow"}, implicitResource},
		{"the anonymous are not an empty account", nobody, rules{resource: accountID}, implicitResource},

		{"delegated: an identity policy alone is not enough", ann, rules{identity: "allow", delegated: true}, implicitResource},
		{"delegated: nor for the root user", root, rules{delegated: true}, implicitResource},
		{"delegated: a direct grant is", ann, rules{resource: user, delegated: true}, ""},
		{"delegated: the account needs an identity policy", ann, rules{resource: account, delegated: true}, implicitIdentity},
		{"delegated: with one", ann, rules{resource: account, identity: "allow", delegated: true}, ""},
		{"delegated: the root user is the account", root, rules{resource: account, delegated: true}, ""},
		{"delegated: a grant to a role is limited", session, rules{resource: role, boundary: "nothing", delegated: true}, implicitBoundary},
		{"delegated: across accounts both", stranger, rules{resource: bob, delegated: true}, implicitIdentity},
		{"delegated: across accounts, both", stranger, rules{resource: bob, identity: "allow", delegated: true}, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := &policy.Request{Principal: c.principal, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Owner: home}
			for _, trace := range []bool{false, true} {
				r.Trace = trace
				d, err := policy.Evaluate(r, c.rules.set(t))
				if err != nil {
					t.Fatal(err)
				}
				if got := d.Reason("s3:GetObject"); got != c.want || d.Allowed != (c.want == "") {
					t.Errorf("trace %v: allowed %v, %q, want %q", trace, d.Allowed, got, c.want)
				}
			}
		})
	}
}

func TestTrustPoliciesSpeakOfThemselves(t *testing.T) {
	trust := parse(t, policy.Trust, statements(
		`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/eve"},"Action":"sts:AssumeRole"}`,
		`{"Effect":"Deny","Principal":{"AWS":"222222222222"},"Action":"sts:AssumeRole"}`))
	for p, want := range map[policy.Principal]string{
		ann:      "because no role trust policy allows the sts:AssumeRole action",
		stranger: "with an explicit deny in the role trust policy",
	} {
		d, _ := policy.Evaluate(&policy.Request{Principal: p, Action: "sts:AssumeRole", Resource: "arn:aws:iam::111111111111:role/r", Owner: home}, &policy.Set{Resource: trust, Delegated: true})
		if got := d.Reason("sts:AssumeRole"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// evaluateIn evaluates a statement for ann with these keys.
func evaluateIn(t *testing.T, statement, action, resource string, keys map[string][]string) policy.Decision {
	t.Helper()
	d, err := policy.Evaluate(&policy.Request{
		Principal: ann, Action: action, Resource: resource, Trace: true,
		Lookup: func(k string) ([]string, bool, error) { v, ok := keys[k]; return v, ok, nil },
	}, &policy.Set{Identity: []*policy.Document{parse(t, policy.Identity, statements(statement))}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestConditions has the rules and examples of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and
// …/reference_policies_condition-single-vs-multi-valued-context-keys.html.
func TestConditions(t *testing.T) {
	type keys map[string][]string
	tags := func(v ...string) keys { return keys{"aws:tagkeys": v} }
	for _, c := range []struct {
		condition string
		keys      keys
		want      bool
	}{
		{`"StringEquals":{"aws:PrincipalTag/job-category":"iamuser-admin"}`, keys{"aws:principaltag/job-category": {"iamuser-admin"}}, true},
		{`"StringEquals":{"aws:PrincipalTag/job-category":"iamuser-admin"}`, keys{"aws:principaltag/job-category": {"IamUser-Admin"}}, false},
		{`"StringEquals":{"aws:PrincipalTag/job-category":"iamuser-admin"}`, nil, false},
		{`"StringEqualsIfExists":{"aws:PrincipalTag/job-category":"iamuser-admin"}`, nil, true},
		{`"StringEqualsIfExists":{"a":"b"}`, keys{"a": {"c"}}, false},
		{`"StringEqualsIgnoreCase":{"a":"Straße"}`, keys{"a": {"STRAßE"}}, true},
		{`"StringNotEquals":{"a":"b"}`, nil, true},
		{`"StringNotEquals":{"a":["b","c"]}`, keys{"a": {"c"}}, false},
		{`"StringNotEquals":{"a":["b","c"]}`, keys{"a": {"d"}}, true},
		{`"StringNotEqualsIgnoreCase":{"a":"B"}`, keys{"a": {"b"}}, false},
		{`"StringEquals":{"a":"*"}`, keys{"a": {"b"}}, false},
		{`"StringLike":{"s3:prefix":["","home/","home/${aws:username}/*"]}`, keys{"s3:prefix": {"home/ann/x"}, "aws:username": {"ann"}}, true},
		{`"StringLike":{"s3:prefix":["","home/","home/${aws:username}/*"]}`, keys{"s3:prefix": {"home/bob/x"}, "aws:username": {"ann"}}, false},
		{`"StringLike":{"s3:prefix":["","home/","home/${aws:username}/*"]}`, keys{"s3:prefix": {""}}, true},
		{`"StringLike":{"a":"${*}x"}`, keys{"a": {"yx"}}, false},
		{`"StringLike":{"a":"${*}x"}`, keys{"a": {"*x"}}, true},
		{`"StringLike":{"a":"${aws:username}"}`, keys{"a": {"ann"}, "aws:username": {"*"}}, false},
		{`"StringEquals":{"a":"${$}{b}"}`, keys{"a": {"${b}"}}, true},
		{`"StringEquals":{"a":"${b, 'company-wide'}"}`, keys{"a": {"company-wide"}}, true},
		{`"StringEquals":{"a":"${b, 'company-wide'}"}`, keys{"a": {"red"}, "b": {"red"}}, true},
		{`"StringEquals":{"a":"${b}"}`, keys{"a": {""}}, false},
		{`"StringEquals":{"a":"${b}"}`, keys{"a": {"1"}, "b": {"1", "2"}}, false},
		{`"StringEquals":{"a":"${b, 'x'}"}`, keys{"a": {"x"}, "b": {"1", "2"}}, false},
		{`"StringNotEqualsIfExists":{"a":"b"}`, nil, true},
		{`"StringNotEqualsIfExists":{"a":"b"}`, keys{"a": {"b"}}, false},
		{`"StringNotLike":{"a":"b*"}`, keys{"a": {"bc"}}, false},
		{`"StringEquals":{"a":"1","b":"2"}`, keys{"a": {"1"}}, false},
		{`"StringEquals":{"a":"1"},"Bool":{"b":"true"}`, keys{"a": {"1"}, "b": {"true"}}, true},
		{`"StringEquals":{"a":[]}`, keys{"a": {"1"}}, false},

		{`"NumericLessThanEquals":{"aws:MultiFactorAuthAge":"3600"}`, keys{"aws:multifactorauthage": {"3600"}}, true},
		{`"NumericLessThan":{"s3:max-keys":10}`, keys{"s3:max-keys": {"9"}}, true},
		{`"NumericLessThan":{"s3:max-keys":"10"}`, keys{"s3:max-keys": {"10"}}, false},
		{`"NumericEquals":{"a":"10"}`, keys{"a": {"10.0"}}, true},
		{`"NumericNotEquals":{"a":"10"}`, nil, true},
		{`"NumericGreaterThan":{"a":"9"}`, keys{"a": {"10"}}, true},
		{`"NumericGreaterThanEquals":{"a":"9"}`, keys{"a": {"ten"}}, false},

		{`"DateGreaterThan":{"aws:TokenIssueTime":"2020-01-01T00:00:01Z"}`, keys{"aws:tokenissuetime": {"2020-01-01T00:00:02Z"}}, true},
		{`"DateLessThan":{"aws:CurrentTime":"2013-06-30T00:00:00Z"}`, keys{"aws:currenttime": {"2013-06-30T00:00:00Z"}}, false},
		{`"DateLessThanEquals":{"a":"2013-06-30"}`, keys{"a": {"1372550400"}}, true},
		{`"DateEquals":{"aws:EpochTime":"2013-06-30T02:00:00+02:00"}`, keys{"aws:epochtime": {"1372550400"}}, true},
		{`"DateNotEquals":{"a":"2013"}`, keys{"a": {"2013-01-01T00:00:00Z"}}, false},
		{`"DateGreaterThanEquals":{"a":1372550400}`, keys{"a": {"2013-06-30T00:00:00.000Z"}}, true},

		{`"Bool":{"aws:SecureTransport":"true"}`, keys{"aws:securetransport": {"false"}}, false},
		{`"Bool":{"aws:MultiFactorAuthPresent":"false"}`, nil, false},
		{`"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}`, nil, true},
		{`"BoolIfExists":{"aws:MultiFactorAuthPresent":false}`, keys{"aws:multifactorauthpresent": {"true"}}, false},
		{`"BinaryEquals":{"key":"QmluYXJ5VmFsdWVJbkJhc2U2NA=="}`, keys{"key": {"QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}, true},

		{`"IpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:DB8:1234:5678::/64"]}`, keys{"aws:sourceip": {"203.0.113.9"}}, true},
		{`"IpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:DB8:1234:5678::/64"]}`, keys{"aws:sourceip": {"2001:db8:1234:5678::1"}}, true},
		{`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`, keys{"aws:sourceip": {"::ffff:203.0.113.9"}}, true},
		{`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`, keys{"aws:sourceip": {"203.0.114.1"}}, false},
		{`"IpAddress":{"aws:SourceIp":"203.0.113.77/24"}`, keys{"aws:sourceip": {"203.0.113.1"}}, true},
		{`"IpAddress":{"aws:SourceIp":"203.0.113.7"}`, keys{"aws:sourceip": {"203.0.113.7"}}, true},
		{`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`, keys{"aws:sourceip": {"203.0.113.7"}}, false},
		{`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`, nil, true},

		{`"ArnEquals":{"aws:SourceArn":"arn:aws:sns:us-east-1:123456789012:topic-*"}`, keys{"aws:sourcearn": {"arn:aws:sns:us-east-1:123456789012:topic-id"}}, true},
		{`"ArnLike":{"aws:SourceArn":"arn:aws:transcribe:*:123456789012:*"}`, keys{"aws:sourcearn": {"arn:aws:transcribe:us-east-1:123456789012:transcription-job/j"}}, true},
		{`"ArnLike":{"aws:SourceArn":"arn:aws:transcribe:*"}`, keys{"aws:sourcearn": {"arn:aws:transcribe:us-east-1:123456789012:transcription-job/j"}}, false},
		{`"ArnLike":{"aws:SourceArn":"arn:aws:*:123456789012:*:*:*"}`, keys{"aws:sourcearn": {"arn:aws:transcribe:us-east-1:123456789012:transcription-job/j"}}, false},
		{`"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/admin"}`, keys{"aws:principalarn": {"arn:aws:iam::1:role/admin"}}, false},
		{`"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::*:role/admin"}`, nil, true},
		{`"ArnLike":{"a":"*:aws:s3:::b"}`, keys{"a": {"x:aws:s3:::b"}}, false},
		{`"ArnLike":{"a":"*"}`, keys{"a": {"not an ARN"}}, false},

		{`"Null":{"aws:TokenIssueTime":"true"}`, nil, true},
		{`"Null":{"aws:TokenIssueTime":"true"}`, keys{"aws:tokenissuetime": {"x"}}, false},
		{`"Null":{"aws:TokenIssueTime":"false"}`, keys{"aws:tokenissuetime": {"x"}}, true},

		{`"ForAllValues:StringEquals":{"aws:TagKeys":["environment","webserver"]}`, tags("environment"), true},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["environment","webserver"]}`, tags("environment", "cost-center"), false},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["environment","webserver"]}`, nil, true},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["environment"]}`, tags(""), true},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["environment"]},"Null":{"aws:TagKeys":"false"}`, nil, false},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":["environment","webserver"]}`, tags("x", "webserver"), true},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":["environment","webserver"]}`, tags("x"), false},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":["environment"]}`, nil, false},
		{`"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":["environment"]}`, nil, true},
		{`"ForAllValues:StringNotEquals":{"aws:TagKeys":["secret"]}`, tags("a", "b"), true},
		{`"ForAllValues:StringNotEquals":{"aws:TagKeys":["secret"]}`, tags("a", "secret"), false},
		{`"ForAnyValue:StringNotEquals":{"aws:TagKeys":["secret"]}`, tags("a", "secret"), true},
		{`"ForAnyValue:StringNotEquals":{"aws:TagKeys":["secret"]}`, tags("secret"), false},
		{`"ForAnyValue:StringNotEquals":{"aws:TagKeys":["secret"]}`, nil, false},
		{`"ForAnyValue:StringLike":{"aws:TagKeys":["pro*"]}`, tags("project"), true},
	} {
		d := evaluateIn(t, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{`+c.condition+`}}`, "s3:ListBucket", "*", c.keys)
		if d.Allowed != c.want {
			t.Errorf("%s with %q: %v, want %v", c.condition, c.keys, d.Allowed, c.want)
		}
	}
}

func TestActionsAndResources(t *testing.T) {
	keys := map[string][]string{"aws:username": {"ann"}, "aws:principaltag/team": {"red:blue"}}
	for _, c := range []struct {
		statement, action, resource string
		want                        bool
	}{
		{`"Action":"S3:getobject","Resource":"*"`, "s3:GetObject", "*", true},
		{`"Action":"s3:Get*","Resource":"*"`, "s3:PutObject", "*", false},
		{`"Action":"iam:*AccessKey*","Resource":"*"`, "iam:ListAccessKeys", "*", true},
		{`"Action":"sqs:*","Resource":"*"`, "s3:GetObject", "*", false},
		{`"NotAction":"iam:*","Resource":"*"`, "s3:GetObject", "*", true},
		{`"NotAction":"iam:*","Resource":"*"`, "IAM:GetUser", "*", false},
		{`"NotAction":["iam:*","s3:DeleteBucket"],"Resource":"*"`, "s3:DeleteBucket", "*", false},
		{`"Action":"*","Resource":"arn:aws:s3:::b/${aws:username}/*"`, "s3:GetObject", "arn:aws:s3:::b/ann/x", true},
		{`"Action":"*","Resource":"arn:aws:s3:::b/${aws:username}/*"`, "s3:GetObject", "arn:aws:s3:::b/bob/x", false},
		{`"Action":"*","Resource":"arn:aws:s3:::b/${aws:PrincipalTag/Team}/*"`, "s3:GetObject", "arn:aws:s3:::b/red:blue/x", true},
		{`"Action":"*","Resource":"arn:aws:s3:::b/${aws:PrincipalTag/none}/*"`, "s3:GetObject", "arn:aws:s3:::b//x", false},
		{`"Action":"*","Resource":"arn:aws:s3:::b/${aws:PrincipalTag/none, 'all'}/*"`, "s3:GetObject", "arn:aws:s3:::b/all/x", true},
		{`"Action":"*","NotResource":"arn:aws:s3:::b/*"`, "s3:GetObject", "arn:aws:s3:::b/x", false},
		{`"Action":"*","NotResource":"arn:aws:s3:::b/*"`, "s3:GetObject", "arn:aws:s3:::c/x", true},
		{`"Action":"*","NotResource":"arn:aws:s3:::${aws:PrincipalTag/none}/*"`, "s3:GetObject", "arn:aws:s3:::c/x", false},
		{`"Action":"*","Resource":"arn:aws:transcribe:*:*:*"`, "transcribe:ListTranscriptionJobs", "*", false},
	} {
		if got := evaluateIn(t, `{"Effect":"Allow",`+c.statement+`}`, c.action, c.resource, keys).Allowed; got != c.want {
			t.Errorf("%s, %s on %s: %v, want %v", c.statement, c.action, c.resource, got, c.want)
		}
	}
	t.Run("an exception that can't be resolved does not lift a deny", func(t *testing.T) {
		d := evaluateIn(t, `{"Effect":"Deny","Action":"*","NotResource":["arn:aws:s3:::${aws:PrincipalTag/none}/*","arn:aws:s3:::c/x"]}`, "s3:GetObject", "arn:aws:s3:::d/x", keys)
		if !d.Explicit {
			t.Errorf("%+v", d)
		}
		d = evaluateIn(t, `{"Effect":"Deny","Action":"*","NotResource":["arn:aws:s3:::${aws:PrincipalTag/none}/*","arn:aws:s3:::c/x"]}`, "s3:GetObject", "arn:aws:s3:::c/x", keys)
		if d.Explicit {
			t.Errorf("%+v", d)
		}
	})
	t.Run("the older version has no variables", func(t *testing.T) {
		doc := parse(t, policy.Identity, `{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/${aws:username}"}}`)
		for resource, want := range map[string]bool{"arn:aws:s3:::b/ann": false, "arn:aws:s3:::b/${aws:username}": true} {
			d, _ := policy.Evaluate(&policy.Request{Principal: ann, Action: "s3:GetObject", Resource: resource, Lookup: func(string) ([]string, bool, error) { return []string{"ann"}, true, nil }}, &policy.Set{Identity: []*policy.Document{doc}})
			if d.Allowed != want {
				t.Errorf("%s: %v", resource, d.Allowed)
			}
		}
	})
}

func TestTrace(t *testing.T) {
	doc := parse(t, policy.Identity, "{\"Version\":\"2012-10-17\",\n\"Statement\":[\n  {\"Sid\":\"One\",\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"},\n"+
		`{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/B":"x","aws:RequestTag/A":"${aws:PrincipalTag/C}"}}}]}`)
	d, err := policy.Evaluate(&policy.Request{Principal: ann, Action: "s3:GetObject", Resource: "*", Trace: true}, &policy.Set{Identity: []*policy.Document{doc}})
	if err != nil || !d.Allowed || d.Verdict() != policy.Allowed || d.Identity != policy.Allowed || d.Boundary != policy.Absent {
		t.Fatalf("%+v, %v", d, err)
	}
	if got, want := d.Missing, []string{"aws:requesttag/a", "aws:resourcetag/b"}; !reflect.DeepEqual(got, want) {
		t.Errorf("missing %q, want %q", got, want)
	}
	if len(d.Matches) != 1 {
		t.Fatalf("%d matches", len(d.Matches))
	}
	m := d.Matches[0]
	if m.Sid != "One" || m.Statement != 0 || m.Effect != policy.Allow || m.Kind != policy.Identity || m.Document != doc ||
		m.Start != (policy.Position{Line: 3, Column: 3}) || m.End != (policy.Position{Line: 3, Column: 61}) {
		t.Errorf("%+v", m)
	}
}

func TestLookup(t *testing.T) {
	doc := parse(t, policy.Identity, statements(
		`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`,
		`{"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"red"}}}`))
	set := &policy.Set{Identity: []*policy.Document{doc}}
	broken := errors.New("disk broke")
	lookup := func(string) ([]string, bool, error) { return nil, false, broken }
	if d, err := policy.Evaluate(&policy.Request{Principal: ann, Action: "s3:GetObject", Resource: "*", Lookup: lookup}, set); err != nil || !d.Allowed {
		t.Errorf("%+v, %v: only matching statements read keys", d, err)
	}
	if d, err := policy.Evaluate(&policy.Request{Principal: ann, Action: "kms:Decrypt", Resource: "*", Lookup: lookup}, set); !errors.Is(err, broken) || d.Allowed {
		t.Errorf("%+v, %v: want the lookup's error", d, err)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	var all []string
	for _, action := range []string{"transcribe:Start*", "transcribe:List*", "transcribe:Get*", "s3:GetObject", "s3:PutObject"} {
		all = append(all,
			`{"Effect":"Allow","Action":["`+action+`","kms:Decrypt"],"Resource":"arn:aws:transcribe:*:111111111111:*","Condition":{"StringEquals":{"aws:ResourceTag/Team":["red","blue"]}}}`,
			`{"Effect":"Deny","Action":"*","Resource":"arn:aws:transcribe:us-*-1:111111111111:vocabulary/*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"Bool":{"aws:SecureTransport":"false"}}}`)
	}
	set := &policy.Set{Identity: []*policy.Document{parse(b, policy.Identity, statements(all...))}}
	keys := map[string][]string{"aws:resourcetag/team": {"blue"}, "aws:sourceip": {"10.1.2.3"}, "aws:securetransport": {"true"}}
	r := &policy.Request{
		Principal: ann, Action: "transcribe:GetTranscriptionJob", Resource: "arn:aws:transcribe:us-east-1:111111111111:transcription-job/interview-0042",
		Lookup: func(k string) ([]string, bool, error) { v, ok := keys[k]; return v, ok, nil },
	}
	b.ReportAllocs()
	for b.Loop() {
		if d, err := policy.Evaluate(r, set); err != nil || !d.Allowed {
			b.Fatal(d, err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text := []byte(statements(
		`{"Effect":"Allow","Action":["s3:GetObject","kms:Decrypt"],"Resource":"arn:aws:s3:::b/${aws:username}/*"}`,
		`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := policy.Parse(text, policy.Identity); err != nil {
			b.Fatal(err)
		}
	}
}
