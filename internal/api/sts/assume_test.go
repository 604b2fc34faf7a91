package sts_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/dictum/dictum/internal/iam"
)

func assume(role string) *awssts.AssumeRoleInput {
	return &awssts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("sess")}
}

// with is the client of a session.
func (b *bench) with(c *types.Credentials) *awssts.Client {
	return b.client(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

// may tells whether a session may do what its role's policy allows.
func may(t testing.TB, b *bench, c *awssts.Client) error {
	t.Helper()
	_, err := c.GetAccessKeyInfo(t.Context(), &awssts.GetAccessKeyInfoInput{AccessKeyId: aws.String(b.admin.AccessKeyID)})
	return err
}

func TestAssumeRole(t *testing.T) {
	b := newBench(t)
	alice := b.user(t, "alice", mayAssume)
	role := b.role(t, "worker", b.trustAccount(`"sts:AssumeRole"`, ""), mayAll)
	began := time.Now()
	out, err := b.as(alice).AssumeRole(t.Context(), assume(role))
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	if !strings.HasPrefix(*c.AccessKeyId, "ASIA") || len(*c.AccessKeyId) != 20 || len(*c.SecretAccessKey) != 40 || len(*c.SessionToken) < 100 {
		t.Errorf("odd credentials: %s, %d, %d", *c.AccessKeyId, len(*c.SecretAccessKey), len(*c.SessionToken))
	}
	if life := c.Expiration.Sub(began); life < time.Hour-5*time.Second || life > time.Hour+5*time.Second {
		t.Errorf("lives %v, want an hour", life)
	}
	wantARN := "arn:aws:sts::" + b.account + ":assumed-role/worker/sess"
	if *out.AssumedRoleUser.Arn != wantARN || !strings.HasPrefix(*out.AssumedRoleUser.AssumedRoleId, "AROA") || *out.SessionTokenSize != int32(len(*c.SessionToken)) || *out.SessionTokenUtilization != 4 {
		t.Errorf("got %+v", out.AssumedRoleUser)
	}
	t.Run("a longer token", func(t *testing.T) {
		in := assume(role)
		in.MinimumSessionTokenSize = aws.Int32(4095)
		out, err := b.as(alice).AssumeRole(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if len(*out.Credentials.SessionToken) != 4096 || *out.SessionTokenUtilization != 100 {
			t.Errorf("%d characters, %d %%", len(*out.Credentials.SessionToken), *out.SessionTokenUtilization)
		}
		if err := may(t, b, b.with(out.Credentials)); err != nil {
			t.Error(err)
		}
		in.MinimumSessionTokenSize = aws.Int32(4097)
		_, err = b.as(alice).AssumeRole(t.Context(), in)
		want(t, err, 400, "ValidationError", "'minimumSessionTokenSize' failed to satisfy constraint: Member must have value less than or equal to 4096")
	})
	t.Run("the session is the role", func(t *testing.T) {
		who, err := b.with(c).GetCallerIdentity(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if *who.Arn != wantARN || *who.UserId != *out.AssumedRoleUser.AssumedRoleId || *who.Account != b.account {
			t.Errorf("got %s %s %s", *who.Arn, *who.UserId, *who.Account)
		}
		if err := may(t, b, b.with(c)); err != nil {
			t.Error(err)
		}
	})
	t.Run("the account of a key", func(t *testing.T) {
		for _, id := range []string{alice.AccessKeyID, *c.AccessKeyId} {
			out, err := b.with(c).GetAccessKeyInfo(t.Context(), &awssts.GetAccessKeyInfoInput{AccessKeyId: &id})
			if err != nil || *out.Account != b.account {
				t.Errorf("%s: %v", id, err)
			}
		}
		_, err := b.with(c).GetAccessKeyInfo(t.Context(), &awssts.GetAccessKeyInfoInput{AccessKeyId: aws.String("AKIAIOSFODNN7EXAMPLE")})
		want(t, err, 400, "ValidationError", "not known")
	})
	t.Run("the key is bound to its token", func(t *testing.T) {
		second, err := b.as(alice).AssumeRole(t.Context(), assume(role))
		if err != nil {
			t.Fatal(err)
		}
		for name, client := range map[string]*awssts.Client{
			"no token":           b.client(*c.AccessKeyId, *c.SecretAccessKey, ""),
			"another's token":    b.client(*c.AccessKeyId, *c.SecretAccessKey, *second.Credentials.SessionToken),
			"a changed token":    b.client(*c.AccessKeyId, *c.SecretAccessKey, "A"+*c.SessionToken),
			"a user's key":       b.client(alice.AccessKeyID, alice.SecretAccessKey, *c.SessionToken),
			"an id made up":      b.client("ASIAIOSFODNN7EXAMPLE", *c.SecretAccessKey, *c.SessionToken),
			"an id as AKIA":      b.client("AKIA"+(*c.AccessKeyId)[4:], *c.SecretAccessKey, ""),
			"AKIA and the token": b.client("AKIA"+(*c.AccessKeyId)[4:], *c.SecretAccessKey, *c.SessionToken),
		} {
			t.Run(name, func(t *testing.T) {
				_, err := client.GetCallerIdentity(t.Context(), nil)
				want(t, err, 403, "InvalidClientTokenId", "The security token included in the request is invalid")
			})
		}
		_, err = b.client(*c.AccessKeyId, *second.Credentials.SecretAccessKey, *c.SessionToken).GetCallerIdentity(t.Context(), nil)
		want(t, err, 403, "SignatureDoesNotMatch", "signature")
	})
	t.Run("the audit shows the session and no secrets", func(t *testing.T) {
		record := b.record(t)
		for _, s := range []string{*c.SecretAccessKey, *c.SessionToken, alice.SecretAccessKey} {
			if strings.Contains(record, s) {
				t.Error("a secret is on record")
			}
		}
		for _, s := range []string{`"roleArn":"` + role, `"accessKeyId":"` + *c.AccessKeyId, `"assumedRoleId":"AROA`, `"ARN":"` + role} {
			if !strings.Contains(record, s) {
				t.Errorf("%s is not on record", s)
			}
		}
	})
	t.Run("it ends exactly", func(t *testing.T) {
		b.advance(time.Until(*c.Expiration) - 10*time.Second - b.ahead)
		if _, err := b.with(c).GetCallerIdentity(t.Context(), nil); err != nil && strings.Contains(err.Error(), "ExpiredToken") {
			t.Errorf("too early: %v", err)
		}
		b.advance(11 * time.Second)
		_, err := b.with(c).GetCallerIdentity(t.Context(), nil)
		want(t, err, 403, "ExpiredToken", "The security token included in the request is expired")
	})
}

func TestAssumeRoleRefusals(t *testing.T) {
	b := newBench(t)
	alice := b.user(t, "alice", mayAssume)
	bob := b.user(t, "bob", "")
	plain := b.role(t, "plain", b.trustAccount(`"sts:AssumeRole"`, ""), mayAll)
	partner := b.role(t, "partner", b.trustAccount(`"sts:AssumeRole"`, `{"StringEquals":{"sts:ExternalId":"e-123"}}`), "")
	named := b.role(t, "named", b.trustAccount(`"sts:AssumeRole"`, `{"StringLike":{"sts:RoleSessionName":"ses*"}}`), "")
	service := b.role(t, "service", `{"Effect":"Allow","Principal":{"Service":"transcribe.amazonaws.com"},"Action":"sts:AssumeRole"}`, "")
	missing := strings.Replace(plain, "plain", "missing", 1)
	sdk := b.as(alice)
	denied := func(role string) string {
		return "User: arn:aws:iam::" + b.account + ":user/alice is not authorized to perform: sts:AssumeRole on resource: " + role
	}
	tests := []struct {
		name   string
		change func(in *awssts.AssumeRoleInput)
		status int
		code   string
		text   string
	}{
		{"a role that does not exist", func(in *awssts.AssumeRoleInput) { in.RoleArn = &missing }, 403, "AccessDenied", denied(missing)},
		{"another path", func(in *awssts.AssumeRoleInput) { in.RoleArn = aws.String(strings.Replace(plain, "/team/", "/", 1)) }, 403, "AccessDenied", "not authorized"},
		{"a role that trusts others", func(in *awssts.AssumeRoleInput) { in.RoleArn = &service }, 403, "AccessDenied", denied(service)},
		{"no external id", func(in *awssts.AssumeRoleInput) { in.RoleArn = &partner }, 403, "AccessDenied", denied(partner)},
		{"another external id", func(in *awssts.AssumeRoleInput) { in.RoleArn, in.ExternalId = &partner, aws.String("e-124") }, 403, "AccessDenied", denied(partner)},
		{"the external id", func(in *awssts.AssumeRoleInput) { in.RoleArn, in.ExternalId = &partner, aws.String("e-123") }, 0, "", ""},
		{"a session name that is not allowed", func(in *awssts.AssumeRoleInput) { in.RoleArn, in.RoleSessionName = &named, aws.String("x-1") }, 403, "AccessDenied", denied(named)},
		{"a session name that is", func(in *awssts.AssumeRoleInput) { in.RoleArn = &named }, 0, "", ""},
		{"an ARN of something else", func(in *awssts.AssumeRoleInput) {
			in.RoleArn = aws.String("arn:aws:iam::" + b.account + ":user/alice")
		}, 400, "ValidationError", "user/alice is invalid"},
		{"no ARN at all", func(in *awssts.AssumeRoleInput) { in.RoleArn = aws.String("twenty-characters-long") }, 400, "ValidationError", "twenty-characters-long is invalid"},
		{
			"two broken constraints", func(in *awssts.AssumeRoleInput) {
				in.RoleSessionName, in.DurationSeconds = aws.String("a b"), aws.Int32(1)
			}, 400, "ValidationError",
			`2 validation errors detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*; Value '1' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900`,
		},
		{"beyond the model's duration", func(in *awssts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(43201) }, 400, "ValidationError", "less than or equal to 43200"},
		{"beyond the role's duration", func(in *awssts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7201) }, 400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		{"the role's duration", func(in *awssts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7200) }, 0, "", ""},
		{"a policy that is none", func(in *awssts.AssumeRoleInput) { in.Policy = aws.String(`{"Version":"2012-10-17"}`) }, 400, "MalformedPolicyDocument", ""},
		{"a policy that is too long", func(in *awssts.AssumeRoleInput) {
			in.Policy = aws.String(strings.Repeat(" ", 2048) + statements(mayAll))
		}, 400, "PackedPolicyTooLarge", "consumes 105% of allotted space"},
		{"a managed policy that does not exist", func(in *awssts.AssumeRoleInput) {
			in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/NoSuchThing")}}
		}, 400, "ValidationError", "NoSuchThing does not exist"},
		{"tags without the permission", func(in *awssts.AssumeRoleInput) {
			in.Tags = []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}
		}, 403, "AccessDenied", "is not authorized to perform: sts:TagSession on resource: " + plain},
		{"a source identity without the permission", func(in *awssts.AssumeRoleInput) { in.SourceIdentity = aws.String("alice") }, 403, "AccessDenied", "is not authorized to perform: sts:SetSourceIdentity on resource: " + plain},
		{"a source identity of AWS", func(in *awssts.AssumeRoleInput) { in.SourceIdentity = aws.String("aws:alice") }, 400, "ValidationError", "sourceIdentity"},
		{"tags that differ in case", func(in *awssts.AssumeRoleInput) {
			in.Tags = []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}, {Key: aws.String("A"), Value: aws.String("c")}}
		}, 400, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		{"a tag of AWS", func(in *awssts.AssumeRoleInput) {
			in.Tags = []types.Tag{{Key: aws.String("aws:a"), Value: aws.String("b")}}
		}, 400, "InvalidParameterValue", "aws:"},
		{"a tag key that is none", func(in *awssts.AssumeRoleInput) {
			in.Tags = []types.Tag{{Key: aws.String("a*"), Value: aws.String("b")}}
		}, 400, "ValidationError", "'tags.1.member.key'"},
		{"a transitive key that is no tag", func(in *awssts.AssumeRoleInput) { in.TransitiveTagKeys = []string{"a"} }, 400, "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags."},
		{"too many tags", func(in *awssts.AssumeRoleInput) {
			for i := range 51 {
				in.Tags = append(in.Tags, types.Tag{Key: aws.String(fmt.Sprint(i)), Value: aws.String("x")})
			}
		}, 400, "ValidationError", "less than or equal to 50"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := assume(plain)
			tt.change(in)
			_, err := sdk.AssumeRole(t.Context(), in)
			if tt.status == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			want(t, err, tt.status, tt.code, tt.text)
		})
	}
	t.Run("a user without the right", func(t *testing.T) {
		_, err := b.as(bob).AssumeRole(t.Context(), assume(plain))
		want(t, err, 403, "AccessDenied", "user/bob is not authorized to perform: sts:AssumeRole on resource: "+plain)
	})
	t.Run("another account, trusted by neither side alone", func(t *testing.T) {
		_, err := b.as(b.stranger).AssumeRole(t.Context(), assume(plain))
		want(t, err, 403, "AccessDenied", "is not authorized to perform: sts:AssumeRole on resource: "+plain)
	})
	t.Run("another account, trusted", func(t *testing.T) {
		shared := b.role(t, "shared", `{"Effect":"Allow","Principal":{"AWS":"`+b.stranger.Principal.AccountID+`"},"Action":"sts:AssumeRole"}`, "")
		out, err := b.as(b.stranger).AssumeRole(t.Context(), assume(shared))
		if err != nil {
			t.Fatal(err)
		}
		if who, err := b.with(out.Credentials).GetCallerIdentity(t.Context(), nil); err != nil || *who.Account != b.account {
			t.Errorf("%v", err)
		}
	})
	t.Run("the root", func(t *testing.T) {
		k, err := b.CreateKey(t.Context(), b.account, b.account)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.client(k.ID, k.Secret, "").AssumeRole(t.Context(), assume(plain))
		want(t, err, 403, "AccessDenied", "Roles may not be assumed by root accounts.")
		out, err := b.client(k.ID, k.Secret, "").GetSessionToken(t.Context(), &awssts.GetSessionTokenInput{DurationSeconds: aws.Int32(7200)})
		if err != nil || time.Until(*out.Credentials.Expiration) > time.Hour {
			t.Errorf("the root's session ends within an hour: %v", err)
		}
	})
}

func TestSessionPolicies(t *testing.T) {
	b := newBench(t)
	alice := b.user(t, "alice", mayAssume)
	role := b.role(t, "worker", b.trustAccount(`"sts:AssumeRole"`, ""), mayAll)
	tests := []struct {
		name   string
		change func(in *awssts.AssumeRoleInput)
		may    bool
	}{
		{"an inline policy that allows it", func(in *awssts.AssumeRoleInput) {
			in.Policy = aws.String(statements(`{"Effect":"Allow","Action":"sts:GetAccessKeyInfo","Resource":"*"}`))
		}, true},
		{"an inline policy that does not", func(in *awssts.AssumeRoleInput) {
			in.Policy = aws.String(statements(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`))
		}, false},
		{"a managed policy that allows it", func(in *awssts.AssumeRoleInput) {
			in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")}}
		}, true},
		{"a managed policy that does not", func(in *awssts.AssumeRoleInput) {
			in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/AmazonTranscribeReadOnlyAccess")}}
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := assume(role)
			tt.change(in)
			out, err := b.as(alice).AssumeRole(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			//nolint:staticcheck // older SDKs know no other measure
			if packed := out.PackedPolicySize; packed == nil || *packed < 1 || *packed > 20 {
				t.Errorf("packed policy size %v", packed)
			}
			err = may(t, b, b.with(out.Credentials))
			if tt.may && err != nil {
				t.Error(err)
			}
			if !tt.may {
				want(t, err, 403, "AccessDenied", "because no session policy allows the sts:GetAccessKeyInfo action")
			}
		})
	}
}

func TestChains(t *testing.T) {
	b := newBench(t)
	alice := b.user(t, "alice", mayAssume)
	all := `"sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"`
	first := b.role(t, "first", b.trustAccount(all, `{"StringEqualsIfExists":{"aws:RequestTag/team":"red"}}`), mayAll)
	second := b.role(t, "second", b.trustAccount(all, `{"StringEquals":{"aws:PrincipalTag/team":"red"}}`),
		`{"Effect":"Allow","Action":"sts:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"},"Null":{"aws:PrincipalTag/own":"true"}}}`)
	untagged := b.role(t, "untagged", b.trustAccount(`"sts:AssumeRole"`, ""), "")
	in := assume(first)
	in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("red")}, {Key: aws.String("own"), Value: aws.String("x")}}
	in.TransitiveTagKeys, in.SourceIdentity = []string{"team"}, aws.String("alice@example")
	out, err := b.as(alice).AssumeRole(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if *out.SourceIdentity != "alice@example" {
		t.Errorf("source identity %q", *out.SourceIdentity)
	}
	session := b.with(out.Credentials)
	t.Run("a tag that the trust policy does not allow", func(t *testing.T) {
		in := assume(first)
		in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}
		_, err := b.as(alice).AssumeRole(t.Context(), in)
		want(t, err, 403, "AccessDenied", "not authorized")
	})
	t.Run("transitive tags and the source identity go on", func(t *testing.T) {
		out, err := session.AssumeRole(t.Context(), assume(second))
		if err != nil {
			t.Fatal(err)
		}
		if *out.SourceIdentity != "alice@example" {
			t.Errorf("source identity %q", *out.SourceIdentity)
		}
		if err := may(t, b, b.with(out.Credentials)); err != nil {
			t.Errorf("the tag of the first session is not in the second: %v", err)
		}
	})
	t.Run("a role that does not let them on", func(t *testing.T) {
		_, err := session.AssumeRole(t.Context(), assume(untagged))
		want(t, err, 403, "AccessDenied", "sts:TagSession")
	})
	t.Run("a transitive tag can't be set again", func(t *testing.T) {
		in := assume(second)
		in.Tags = []types.Tag{{Key: aws.String("Team"), Value: aws.String("blue")}}
		_, err := session.AssumeRole(t.Context(), in)
		want(t, err, 400, "InvalidParameterValue", "conflicts with a transitive tag key from the calling session")
	})
	t.Run("the source identity can't be changed", func(t *testing.T) {
		in := assume(second)
		in.SourceIdentity = aws.String("mallory")
		_, err := session.AssumeRole(t.Context(), in)
		want(t, err, 403, "AccessDenied", "sts:SetSourceIdentity")
	})
	t.Run("chains live an hour at most", func(t *testing.T) {
		in := assume(second)
		in.DurationSeconds = aws.Int32(3601)
		_, err := session.AssumeRole(t.Context(), in)
		want(t, err, 400, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	})
}

func TestRevocation(t *testing.T) {
	b := newBench(t)
	alice := b.user(t, "alice", mayAssume)
	begin := func(t *testing.T, name string) *awssts.Client {
		t.Helper()
		role := b.role(t, name, b.trustAccount(`"sts:AssumeRole"`, ""), mayAll)
		out, err := b.as(alice).AssumeRole(t.Context(), assume(role))
		if err != nil {
			t.Fatal(err)
		}
		client := b.with(out.Credentials)
		if err := may(t, b, client); err != nil {
			t.Fatal(err)
		}
		return client
	}
	t.Run("of the role's sessions", func(t *testing.T) {
		client := begin(t, "one")
		role, err := b.Role(t.Context(), b.account, "one")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := b.domain.Revoke(t.Context(), role.ID); err != nil || n != 1 {
			t.Fatalf("%d, %v", n, err)
		}
		want(t, may(t, b, client), 403, "InvalidClientTokenId", "invalid")
	})
	t.Run("AWS's way: by a policy on the time of issue", func(t *testing.T) {
		client := begin(t, "two")
		deny := fmt.Sprintf(`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":%q}}}`, b.now().Add(time.Minute).UTC().Format(time.RFC3339))
		if err := b.PutInline(t.Context(), b.account, iam.Holder{Type: iam.TypeRole, Name: "two"}, "AWSRevokeOlderSessions", statements(deny)); err != nil {
			t.Fatal(err)
		}
		want(t, may(t, b, client), 403, "AccessDenied", "with an explicit deny in an identity-based policy")
	})
	t.Run("by deleting the role", func(t *testing.T) {
		client := begin(t, "three")
		if err := b.DeleteInline(t.Context(), b.account, iam.Holder{Type: iam.TypeRole, Name: "three"}, "p"); err != nil {
			t.Fatal(err)
		}
		if err := b.DeleteRole(t.Context(), b.account, "three"); err != nil {
			t.Fatal(err)
		}
		want(t, may(t, b, client), 403, "AccessDenied", "not authorized")
		b.role(t, "three", b.trustAccount(`"sts:AssumeRole"`, ""), mayAll) // another role by the old name
		want(t, may(t, b, client), 403, "AccessDenied", "not authorized")
	})
}
