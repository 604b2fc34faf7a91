package policy_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/iam/policy"
)

// statements wraps statements in a policy.
func statements(s ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(s, ",") + `]}`
}

func parse(t testing.TB, kind policy.Kind, text string) *policy.Document {
	t.Helper()
	d, err := policy.Parse([]byte(text), kind)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return d
}

func TestParseRefuses(t *testing.T) {
	const (
		syntax = "Syntax errors in policy."
		legacy = "The policy failed legacy parsing"
		vendor = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	)
	allow := func(rest string) string {
		return statements(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"` + rest + `}`)
	}
	deep := strings.Repeat("[", 20) + strings.Repeat("]", 20)
	for _, c := range []struct {
		rule string
		kind policy.Kind
		text string
		want string
	}{
		{"no JSON", policy.Identity, `This is not JSON`, syntax},
		{"nothing", policy.Identity, ``, syntax},
		{"not UTF-8", policy.Identity, "{\"Id\":\"\xff\"}", syntax},
		{"a list", policy.Identity, `[]`, syntax},
		{"something after the end", policy.Identity, allow("") + `{}`, syntax},
		{"too deep", policy.Identity, `{"Statement":` + deep + `}`, syntax},
		{"too long", policy.Identity, allow(strings.Repeat(" ", policy.MaxSize)), syntax},
		{"unknown version", policy.Identity, `{"Version":"2013-10-17","Statement":[]}`, syntax},
		{"unknown element", policy.Identity, `{"Version":"2012-10-17","Extra":"x","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, syntax},
		{"element in another case", policy.Identity, `{"version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, syntax},
		{"Id is a list", policy.Identity, `{"Id":["x"],"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, syntax},
		{"no statement", policy.Identity, `{"Version":"2012-10-17"}`, syntax},
		{"no statements", policy.Identity, `{"Version":"2012-10-17","Statement":[]}`, syntax},
		{"a statement that is a string", policy.Identity, statements(`"x"`), syntax},
		{"unknown element of a statement", policy.Identity, allow(`,"Extra":1`), syntax},
		{"an element twice", policy.Identity, allow(`,"Effect":"Deny"`), syntax},
		{"no effect", policy.Identity, statements(`{"Action":"s3:GetObject","Resource":"*"}`), syntax},
		{"unknown effect", policy.Identity, statements(`{"Effect":"Maybe","Action":"s3:GetObject","Resource":"*"}`), syntax},
		{"effect in another case", policy.Identity, statements(`{"Effect":"denY","Action":"s3:GetObject","Resource":"*"}`), legacy},
		{"Sid is a list", policy.Identity, allow(`,"Sid":[]`), syntax},
		{"Sid with a space", policy.Identity, allow(`,"Sid":"a b"`), "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"},
		{"Sid twice", policy.Identity, statements(`{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"}`, `{"Sid":"a","Effect":"Allow"}`), "Statement IDs (SID) in a single policy must be unique."},
		{"Action and NotAction", policy.Identity, allow(`,"NotAction":[]`), syntax},
		{"Resource and NotResource", policy.Identity, allow(`,"NotResource":"*"`), syntax},
		{"an action that is a list of lists", policy.Identity, statements(`{"Effect":"Allow","Action":[[]],"Resource":"*"}`), syntax},
		{"a resource that is a number", policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":1}`), syntax},
		{"no action", policy.Identity, statements(`{"Effect":"Allow","Resource":"*"}`), "Policy statement must contain actions."},
		{"no actions", policy.Identity, statements(`{"Effect":"Allow","Action":[],"Resource":"*"}`), "Policy statement must contain actions."},
		{"no resource", policy.Identity, statements(`{"Effect":"Allow","Action":"*"}`), "Policy statement must contain resources."},
		{"no resources", policy.Boundary, statements(`{"Effect":"Allow","Action":"*","Resource":[]}`), "Policy statement must contain resources."},
		{"an action without service", policy.Identity, statements(`{"Effect":"Allow","Action":"invalid","Resource":"*"}`), vendor},
		{"an action without service, before the missing resource", policy.Identity, statements(`{"Effect":"Allow","Action":"invalid"}`), vendor},
		{"an empty action", policy.Identity, statements(`{"Effect":"Allow","NotAction":"","Resource":"*"}`), vendor},
		{"a service with a space", policy.Identity, statements(`{"Effect":"Allow","Action":"a a:x","Resource":"*"}`), "Vendor a a is not valid"},
		{"two colons in an action", policy.Identity, statements(`{"Effect":"Allow","Action":"s3:List:Bucket","Resource":"*"}`), "Actions/Condition can contain only one colon."},
		{"no ARN", policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"invalid resource"}`), `Resource invalid resource must be in ARN format or "*".`},
		{"an empty resource", policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":""}`), `Resource  must be in ARN format or "*".`},
		{"no ARN, before the bad action", policy.Identity, statements(`{"Effect":"Allow","Action":"s:3:x","Resource":"sdfsadf"}`), `Resource sdfsadf must be in ARN format or "*".`},
		{"an ARN of another partition", policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"arn:error:s3:::b"}`), `Partition "error" is not valid for resource "arn:error:s3:::b".`},
		{"an ARN of no service", policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"arn:aws"}`), "Resource vendor must be fully qualified and cannot contain regexes."},
		{"an ARN of any service", policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:*:::b"}`), "Resource vendor must be fully qualified and cannot contain regexes."},
		{"an ARN of five parts", policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3::b"}`), legacy},
		{"IAM with a region", policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam:us-east-1::b"}`), "IAM resource arn:aws:iam:us-east-1::b cannot contain region information."},
		{"S3 with a region", policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:us-east-1::b"}`), "Resource arn:aws:s3:us-east-1::b can not contain region information."},
		{"a variable without end", policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username"}`), syntax},
		{"a variable without name", policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${}"}`), syntax},
		{"a default without quotes", policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${a, b}"}`), syntax},
		{"Condition is a list", policy.Identity, allow(`,"Condition":[]`), syntax},
		{"an operator with a string", policy.Identity, allow(`,"Condition":{"StringEquals":"b"}`), syntax},
		{"an unknown operator", policy.Identity, allow(`,"Condition":{"x":{"a":"1"}}`), syntax},
		{"a set operator with two colons", policy.Identity, allow(`,"Condition":{"ForAnyValue::StringEquals":{"a":"1"}}`), syntax},
		{"NullIfExists", policy.Identity, allow(`,"Condition":{"NullIfExists":{"a":"true"}}`), syntax},
		{"a value that is an object", policy.Identity, allow(`,"Condition":{"DateGreaterThan":{"a":{}}}`), syntax},
		{"a date that is none", policy.Identity, allow(`,"Condition":{"DateGreaterThan":{"a":"sdfdsf"}}`), legacy},
		{"a date out of range", policy.Identity, allow(`,"Condition":{"DateLessThan":{"a":"9223372036854775808"}}`), legacy},
		{"a date with a broken zone", policy.Identity, allow(`,"Condition":{"DateLessThanEquals":{"a":"2016-12-13t2:00:00.593194+1"}}`), legacy},
		{"a number that is none", policy.Identity, allow(`,"Condition":{"NumericEquals":{"a":"NaN"}}`), syntax},
		{"an address that is none", policy.Identity, allow(`,"Condition":{"IpAddress":{"a":"10.0.0.0/33"}}`), syntax},
		{"a principal in an identity policy", policy.Identity, allow(`,"Principal":"*"`), "Policy document should not specify a principal."},
		{"a principal in a session policy", policy.Session, allow(`,"NotPrincipal":{"AWS":"*"}`), "Policy document should not specify a principal."},
		{"no principal", policy.Resource, allow(""), "Missing required field Principal"},
		{"a string that is not *", policy.Resource, allow(`,"Principal":"arn:aws:iam::111122223333:root"`), "Invalid principal in policy"},
		{"an unknown type of principal", policy.Resource, allow(`,"Principal":{"Aws":"*"}`), "Invalid principal in policy"},
		{"wildcards in a principal", policy.Resource, allow(`,"Principal":{"AWS":"arn:aws:iam::111122223333:user/*"}`), "Invalid principal in policy"},
		{"a group as principal", policy.Resource, allow(`,"Principal":{"AWS":"arn:aws:iam::111122223333:group/g"}`), "Invalid principal in policy"},
		{"any service", policy.Resource, allow(`,"Principal":{"Service":"*"}`), "Invalid principal in policy"},
		{"Principal and NotPrincipal", policy.Resource, allow(`,"Principal":"*","NotPrincipal":"*"`), syntax},
		{"Allow with NotPrincipal", policy.Resource, allow(`,"NotPrincipal":{"AWS":"111122223333"}`), "Allow with NotPrincipal is not allowed."},
		{"a resource in a trust policy", policy.Trust, statements(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}`), "Has prohibited field Resource"},
		{"NotResource in a trust policy", policy.Trust, statements(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","NotResource":"*"}`), "AssumeRole policy must not contain resources."},
		{"NotPrincipal in a trust policy", policy.Trust, statements(`{"Effect":"Deny","NotPrincipal":"*","Action":"sts:AssumeRole"}`), "AssumeRole policy must not contain NotPrincipal field."},
		{"another service's action in a trust policy", policy.Trust, statements(`{"Effect":"Allow","Principal":"*","Action":"*"}`), "AssumeRole policy may only specify STS AssumeRole actions."},
		{"no principal in a trust policy", policy.Trust, statements(`{"Effect":"Allow","Action":"sts:AssumeRole"}`), "Missing required field Principal"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, err := policy.Parse([]byte(c.text), c.kind)
			var e *policy.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if got, want := e.Message, c.want; got != want {
				t.Errorf("got %q (%s), want %q", got, e.Detail, want)
			}
		})
	}
}

func TestParseTakes(t *testing.T) {
	for rule, c := range map[string]struct {
		kind policy.Kind
		text string
	}{
		"one statement without a list":    {policy.Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`},
		"the older version":               {policy.Identity, `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`},
		"no version":                      {policy.Identity, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`},
		"an ARN of a service alone":       {policy.Identity, statements(`{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:fdsasf"}`)},
		"an empty condition":              {policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}`)},
		"an operator without keys":        {policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"a":{}}}`)},
		"a key without values":            {policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateGreaterThan":{"a":[]}}}`)},
		"numbers and booleans as values":  {policy.Identity, statements(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericLessThan":{"a":10},"Bool":{"b":[true]}}}`)},
		"every type of principal":         {policy.Resource, statements(`{"Effect":"Allow","Principal":{"AWS":["111122223333","arn:aws:iam::111122223333:role/p/r"],"Service":"s3.amazonaws.com","CanonicalUser":"79a5","Federated":"accounts.google.com"},"Action":"s3:*","Resource":"*"}`)},
		"a Sid with spaces on a resource": {policy.Resource, statements(`{"Sid":"Allow all.","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}`)},
		"a trust policy":                  {policy.Trust, statements(`{"Effect":"Allow","Principal":{"Service":"transcribe.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}`)},
	} {
		if _, err := policy.Parse([]byte(c.text), c.kind); err != nil {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestDocument(t *testing.T) {
	d := parse(t, policy.Resource, "{\n  \"Id\": \"i\",\n  \"Statement\": [ {\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"111122223333\"]},\"Action\":[\"s3:*\"],\n"+
		`"Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"s3:Prefix":"${aws:username}"},"Null":{"aws:ResourceTag/Team":"true"}}} ] }`)
	if d.ID() != "i" || d.Version() != policy.Version2008 || d.HasVersion() || d.Kind() != policy.Resource || d.Statements() != 1 {
		t.Errorf("%q %q %v %v %d", d.ID(), d.Version(), d.HasVersion(), d.Kind(), d.Statements())
	}
	// In the older version a variable is plain text.
	if got, want := d.Keys(), []string{"aws:resourcetag/team", "s3:prefix"}; !reflect.DeepEqual(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	if got, want := d.Principals(), []policy.Named{{Type: "AWS", Value: "111122223333"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("principals %v, want %v", got, want)
	}
	if got, want := d.Actions(), []string{"s3:*"}; !reflect.DeepEqual(got, want) {
		t.Errorf("actions %q, want %q", got, want)
	}
	if got, want := parse(t, policy.Identity, " {\"Statement\":{ \"Effect\":\"Allow\",\n\"Action\":\"*\",\"Resource\":\"*\"}}\n").Size(), 60; got != want {
		t.Errorf("size %d, want %d: white space does not count", got, want)
	}
}

func TestResourcesWithin(t *testing.T) {
	for resource, want := range map[string]bool{
		"arn:aws:s3:::b": true, "arn:aws:s3:::b/*": true, "arn:aws:s3:::b/x": true, "arn:aws:s3:::b*": true,
		"arn:aws:s3:::bb": false, "arn:aws:s3:::bb/*": false, "arn:aws:s3:::*": false, "*": false, "arn:aws:s3:::other/b": false,
	} {
		d := parse(t, policy.Resource, statements(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b","`+resource+`"]}`))
		if got := d.ResourcesWithin("arn:aws:s3:::b"); got != want {
			t.Errorf("%s: %v, want %v", resource, got, want)
		}
	}
}

// The page's examples: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html.
func TestPublic(t *testing.T) {
	for _, c := range []struct {
		rule, principal, condition string
		want                       bool
	}{
		{"everyone", `"*"`, ``, true},
		{"everyone of AWS", `{"AWS":"*"}`, ``, true},
		{"everyone in one of a list", `{"AWS":["111122223333","*"]}`, ``, true},
		{"a user", `{"AWS":"arn:aws:iam::111122223333:user/a"}`, ``, false},
		{"a service", `{"Service":"transcribe.amazonaws.com"}`, ``, false},
		{"a VPC by a fixed value", `"*"`, `"StringEquals":{"aws:SourceVpc":"vpc-91237329"}`, false},
		{"a VPC by a wildcard", `"*"`, `"StringLike":{"aws:SourceVpc":"vpc-*"}`, true},
		{"a VPC by a variable", `"*"`, `"StringEquals":{"aws:SourceVpc":"${aws:username}"}`, true},
		{"one fixed value and one wildcard", `"*"`, `"StringLike":{"aws:SourceVpc":["vpc-1","vpc-*"]}`, true},
		{"not a VPC", `"*"`, `"StringNotEquals":{"aws:SourceVpc":"vpc-91237329"}`, true},
		{"a VPC if there is one", `"*"`, `"StringEqualsIfExists":{"aws:SourceVpc":"vpc-91237329"}`, true},
		{"all of possibly no accounts", `"*"`, `"ForAllValues:StringEquals":{"aws:SourceAccount":"111122223333"}`, true},
		{"an account", `"*"`, `"StringEquals":{"AWS:sourceaccount":"111122223333"}`, false},
		{"a network", `"*"`, `"IpAddress":{"aws:SourceIp":"54.240.143.0/24"}`, false},
		{"half of the world", `"*"`, `"IpAddress":{"aws:SourceIp":"0.0.0.0/1"}`, true},
		{"/8", `"*"`, `"IpAddress":{"aws:SourceIp":"54.0.0.0/8"}`, false},
		{"/31 of IPv6", `"*"`, `"IpAddress":{"aws:SourceIp":"2001:db8::/31"}`, true},
		{"/32 of IPv6", `"*"`, `"IpAddress":{"aws:SourceIp":"2001:db8::/32"}`, false},
		{"not a network", `"*"`, `"NotIpAddress":{"aws:SourceIp":"54.240.143.0/24"}`, true},
		{"a condition on something else", `"*"`, `"StringEquals":{"s3:prefix":"a"}`, true},
		{"access points of an account", `"*"`, `"ArnLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:111122223333:accesspoint/*"}`, false},
		{"access points of any account", `"*"`, `"ArnLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:*:accesspoint/*"}`, true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			d := parse(t, policy.Resource, statements(
				`{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}`,
				`{"Effect":"Allow","Principal":`+c.principal+`,"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{`+c.condition+`}}`))
			if got := d.Public(); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	if parse(t, policy.Resource, statements(`{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"}`)).Public() {
		t.Error("a policy that only denies is public")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(statements(`{"Sid":"a","Effect":"Allow","Action":["s3:Get*","*"],"NotResource":"arn:aws:s3:::${aws:username, 'x'}/*${*}","Condition":{"ForAnyValue:StringLikeIfExists":{"aws:TagKeys":["a*"]},"DateLessThan":{"aws:CurrentTime":"2026-11-22T00:00:00Z"},"IpAddress":{"aws:SourceIp":"::ffff:10.0.0.0/104"},"BinaryEquals":{"a":"YQ=="}}}`)))
	f.Add([]byte(statements(`{"Effect":"Deny","NotPrincipal":{"AWS":["111122223333","arn:aws:iam::111122223333:root"],"Service":"a.b"},"NotAction":"sts:*","Resource":"*"}`)))
	f.Add([]byte(statements(`{"Effect":"Allow","Principal":{"Federated":"https://a.b"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"NumericEquals":{"a":1e3},"Bool":{"b":true},"Null":{"c":"false"}}}`)))
	f.Add([]byte(`{"Statement":{"Effect":"aLLow"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, kind := range []policy.Kind{policy.Identity, policy.Resource, policy.Trust, policy.Session, policy.Boundary} {
			d, err := policy.Parse(text, kind)
			if err != nil {
				var e *policy.Error
				if !errors.As(err, &e) || e.Message == "" {
					t.Fatalf("error %v", err)
				}
				continue
			}
			if d.Text() != string(text) {
				t.Fatal("the text changed")
			}
			d.Public()
			d.Keys()
			r := policy.Request{
				Principal: policy.Principal{Kind: policy.User, Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/a"}, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k:1",
				Lookup: func(string) ([]string, bool, error) { return []string{"a*\xff:"}, true, nil },
			}
			for _, set := range []policy.Set{{Identity: []*policy.Document{d}}, {Resource: d}} {
				plain, _ := policy.Evaluate(&r, &set)
				traced := r
				traced.Trace = true
				if d, _ := policy.Evaluate(&traced, &set); d.Verdict() != plain.Verdict() {
					t.Fatalf("traced %v, not traced %v", d.Verdict(), plain.Verdict())
				}
			}
		}
	})
}
