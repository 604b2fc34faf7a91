package iam_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	apiiam "github.com/dictum/dictum/internal/api/iam"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

// totp is an authenticator app: RFC 6238 with SHA-1, six digits, 30 seconds.
func totp(seed []byte, at time.Time) string {
	mac := hmac.New(sha1.New, seed)
	_ = binary.Write(mac, binary.BigEndian, at.Unix()/30)
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[19]&15:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1e6)
}

func allow(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// Who may do something to some names gets no further by it.
func TestNobodyRaisesItsOwnRights(t *testing.T) {
	s, ctx := newSite(t), t.Context()
	_, err := s.dir.CreateGroup(ctx, s.account, iam.NewEntity{Name: "admins"})
	must(t, err)
	must(t, s.dir.Attach(ctx, s.account, iam.Holder{Type: iam.TypeGroup, Name: "admins"}, iam.AdministratorAccess))
	limited := s.with(t, "limited", allow(
		`{"Effect":"Allow","Action":"iam:*","Resource":"`+s.arn("user/team/*")+`"}`,
		`{"Effect":"Allow","Action":"iam:AttachUserPolicy","Resource":"`+s.arn("user/limited")+`","Condition":{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::aws:policy/ReadOnlyAccess"}}}`,
		`{"Effect":"Allow","Action":"iam:CreateUser","Resource":"`+s.arn("user/bound/*")+`","Condition":{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::aws:policy/ReadOnlyAccess"}}}`,
		`{"Effect":"Allow","Action":["iam:CreateRole","iam:TagRole"],"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"a"},"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}}`,
		`{"Effect":"Allow","Action":"iam:DeleteRole","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}}`,
		`{"Effect":"Allow","Action":"iam:PutRolePolicy","Resource":"*","Condition":{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::aws:policy/ReadOnlyAccess"}}}`,
	))
	me, team := aws.String("limited"), aws.String("/team/")
	readOnly, admin := aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess"), aws.String(iam.AdministratorAccess)
	denied := func(t *testing.T, err error, action string) {
		t.Helper()
		refused(t, err, "AccessDenied", "not authorized to perform: "+action)
	}

	_, err = limited.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("mate"), Path: team})
	must(t, err)
	t.Run("renaming needs the right to both names", func(t *testing.T) {
		_, err := limited.UpdateUser(ctx, &sdk.UpdateUserInput{UserName: me, NewPath: team})
		denied(t, err, "iam:UpdateUser")
		_, err = limited.UpdateUser(ctx, &sdk.UpdateUserInput{UserName: aws.String("mate"), NewPath: aws.String("/")})
		denied(t, err, "iam:UpdateUser")
		_, err = limited.UpdateUser(ctx, &sdk.UpdateUserInput{UserName: aws.String("mate"), NewUserName: aws.String("pal")})
		must(t, err)
	})
	t.Run("attaching what the condition names, and nothing else", func(t *testing.T) {
		_, err := limited.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: me, PolicyArn: admin})
		denied(t, err, "iam:AttachUserPolicy")
		_, err = limited.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: me, PolicyArn: readOnly})
		must(t, err)
	})
	t.Run("groups, own policies, policies and keys of others", func(t *testing.T) {
		_, err := limited.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{UserName: aws.String("pal"), GroupName: aws.String("admins")})
		denied(t, err, "iam:AddUserToGroup on resource: "+s.arn("group/admins"))
		_, err = limited.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: me, PolicyName: aws.String("own"), PolicyDocument: aws.String(allowAll)})
		denied(t, err, "iam:PutUserPolicy on resource: "+s.arn("user/limited"))
		_, err = limited.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: aws.String("admin")})
		denied(t, err, "iam:CreateAccessKey on resource: "+s.arn("user/admin"))
		_, err = limited.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: aws.String(allowAll)})
		denied(t, err, "iam:CreatePolicy")
	})
	t.Run("a boundary that must be given, and may not be another", func(t *testing.T) {
		in := &sdk.CreateUserInput{UserName: aws.String("b"), Path: aws.String("/bound/")}
		_, err := limited.CreateUser(ctx, in)
		denied(t, err, "iam:CreateUser")
		in.PermissionsBoundary = admin
		_, err = limited.CreateUser(ctx, in)
		denied(t, err, "iam:CreateUser")
		in.PermissionsBoundary = readOnly
		_, err = limited.CreateUser(ctx, in)
		must(t, err)
		_, err = limited.DeleteUserPermissionsBoundary(ctx, &sdk.DeleteUserPermissionsBoundaryInput{UserName: aws.String("b")})
		denied(t, err, "iam:DeleteUserPermissionsBoundary")
	})
	t.Run("tags of the request and of the resource", func(t *testing.T) {
		in := &sdk.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(trust), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("b")}}}
		_, err := limited.CreateRole(ctx, in)
		denied(t, err, "iam:CreateRole")
		in.Tags[0].Value = aws.String("a")
		_, err = limited.CreateRole(ctx, in)
		must(t, err)
		_, err = limited.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: in.RoleName, PolicyName: aws.String("p"), PolicyDocument: aws.String(allowAll)})
		denied(t, err, "iam:PutRolePolicy")
		must(t, s.dir.SetBoundary(ctx, s.account, iam.Holder{Type: iam.TypeRole, Name: "r"}, *readOnly))
		_, err = limited.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: in.RoleName, PolicyName: aws.String("p"), PolicyDocument: aws.String(allowAll)})
		must(t, err)
		must(t, s.dir.DeleteInline(ctx, s.account, iam.Holder{Type: iam.TypeRole, Name: "r"}, "p"))
		_, err = s.dir.CreateRole(ctx, s.account, iam.NewRole{NewEntity: iam.NewEntity{Name: "other"}, Trust: trust})
		must(t, err)
		_, err = limited.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: aws.String("other")})
		denied(t, err, "iam:DeleteRole")
		_, err = limited.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: in.RoleName})
		must(t, err)
	})
	t.Run("creating with tags needs the right to tag", func(t *testing.T) {
		c := s.with(t, "maker", allow(`{"Effect":"Allow","Action":"iam:CreateUser","Resource":"*"}`))
		_, err := c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("x"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
		denied(t, err, "iam:TagUser")
		_, err = c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("x")})
		must(t, err)
	})
	t.Run("who may not look is not told what exists", func(t *testing.T) {
		nobody := s.with(t, "nobody", "")
		_, there := nobody.GetUser(ctx, &sdk.GetUserInput{UserName: aws.String("admin")})
		denied(t, there, "iam:GetUser")
		_, absent := nobody.GetUser(ctx, &sdk.GetUserInput{UserName: aws.String("absent")})
		denied(t, absent, "iam:GetUser")
	})
}

func TestNothingCrossesAccounts(t *testing.T) {
	s, ctx := newSite(t), t.Context()
	other, err := s.dir.CreateAccount(ctx, "two")
	must(t, err)
	theirs, err := s.dir.CreatePolicy(ctx, other.Principal.AccountID, iam.NewPolicy{NewEntity: iam.NewEntity{Name: "p"}, Text: allowAll})
	must(t, err)
	device, _, err := s.dir.CreateDevice(ctx, other.Principal.AccountID, iam.NewEntity{Name: "d"})
	must(t, err)
	key, err := s.dir.CreateKey(ctx, other.Principal.AccountID, other.Principal.UserID)
	must(t, err)
	c := s.client()
	for name, call := range map[string]func() error{
		"read a policy": func() error {
			_, err := c.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: aws.String(theirs.ARN())})
			return err
		},
		"change a policy": func() error {
			_, err := c.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: aws.String(theirs.ARN()), PolicyDocument: aws.String(allowAll)})
			return err
		},
		"delete a device": func() error {
			_, err := c.DeleteVirtualMFADevice(ctx, &sdk.DeleteVirtualMFADeviceInput{SerialNumber: aws.String(device.Serial())})
			return err
		},
		"simulate": func() error {
			_, err := c.SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(other.Principal.ARN), ActionNames: []string{"s3:GetObject"}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { refused(t, call(), "AccessDenied", "not authorized") })
	}
	_, err = c.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: aws.String("admin"), PolicyArn: aws.String(theirs.ARN())})
	refused(t, err, "NoSuchEntity", "does not exist or is not attachable")
	_, err = c.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{AccessKeyId: &key.ID})
	refused(t, err, "NoSuchEntity", "")
	_, err = c.GetAccessKeyLastUsed(ctx, &sdk.GetAccessKeyLastUsedInput{AccessKeyId: &key.ID})
	refused(t, err, "NoSuchEntity", "")
	_, err = c.EnableMFADevice(ctx, &sdk.EnableMFADeviceInput{UserName: aws.String("admin"), SerialNumber: aws.String(device.Serial()), AuthenticationCode1: aws.String("000000"), AuthenticationCode2: aws.String("000000")})
	refused(t, err, "NoSuchEntity", "")
}

func TestSimulation(t *testing.T) {
	s, ctx := newSite(t), t.Context()
	s.with(t, "alice", allow(
		`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`,
		`{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/secret"}`,
		`{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:Team":"a"}}}`,
	))
	c := s.client()
	out, err := c.SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String(s.arn("user/alice")), ActionNames: []string{"s3:GetObject", "s3:PutObject"},
		ResourceArns: []string{"arn:aws:s3:::b/x", "arn:aws:s3:::b/secret"},
	})
	must(t, err)
	var got []string
	for _, r := range out.EvaluationResults {
		got = append(got, fmt.Sprintf("%s %s %s", *r.EvalActionName, *r.EvalResourceName, r.EvalDecision))
	}
	want := "s3:GetObject arn:aws:s3:::b/x allowed|s3:GetObject arn:aws:s3:::b/secret explicitDeny|s3:PutObject arn:aws:s3:::b/x implicitDeny|s3:PutObject arn:aws:s3:::b/secret implicitDeny"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	if m := out.EvaluationResults[0].MatchedStatements; len(m) != 1 || *m[0].SourcePolicyId != "own" || m[0].StartPosition.Line != 1 {
		t.Errorf("matched %+v", m)
	}
	decide := func(context ...types.ContextEntry) types.EvaluationResult {
		t.Helper()
		out, err := c.SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(s.arn("user/alice")), ActionNames: []string{"kms:Decrypt"}, ContextEntries: context})
		must(t, err)
		return out.EvaluationResults[0]
	}
	if r := decide(); r.EvalDecision != "implicitDeny" || len(r.MissingContextValues) != 1 || !strings.EqualFold(r.MissingContextValues[0], "kms:EncryptionContext:Team") {
		t.Errorf("%+v", r)
	}
	if r := decide(types.ContextEntry{ContextKeyName: aws.String("kms:EncryptionContext:Team"), ContextKeyType: types.ContextKeyTypeEnumString, ContextKeyValues: []string{"a"}}); r.EvalDecision != "allowed" {
		t.Errorf("%+v", r)
	}
	custom, err := c.SimulateCustomPolicy(ctx, &sdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{allowAll}, PermissionsBoundaryPolicyInputList: []string{allow(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`)},
		ActionNames: []string{"s3:GetObject", "kms:Decrypt"}, MaxItems: aws.Int32(1),
	})
	must(t, err)
	r := custom.EvaluationResults[0]
	if !custom.IsTruncated || r.EvalDecision != "allowed" || !r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary || *r.MatchedStatements[0].SourcePolicyId != "PolicyInputList.1" {
		t.Errorf("%+v", custom)
	}
	custom, err = c.SimulateCustomPolicy(ctx, &sdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{allowAll}, PermissionsBoundaryPolicyInputList: []string{allow(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`)},
		ActionNames: []string{"s3:GetObject", "kms:Decrypt"}, MaxItems: aws.Int32(1), Marker: custom.Marker,
	})
	must(t, err)
	if r := custom.EvaluationResults[0]; custom.IsTruncated || r.EvalDecision != "implicitDeny" || r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary {
		t.Errorf("%+v", custom)
	}
	_, err = c.SimulateCustomPolicy(ctx, &sdk.SimulateCustomPolicyInput{PolicyInputList: []string{"{"}, ActionNames: []string{"s3:GetObject"}})
	refused(t, err, "InvalidInput", "Invalid Policy")
	keys, err := c.GetContextKeysForPrincipalPolicy(ctx, &sdk.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: aws.String(s.arn("user/alice"))})
	must(t, err)
	if len(keys.ContextKeyNames) != 1 || !strings.EqualFold(keys.ContextKeyNames[0], "kms:EncryptionContext:Team") {
		t.Errorf("%v", keys.ContextKeyNames)
	}
}

// FuzzActions holds that no form panics, crosses into another account or fails as our own fault.
func FuzzActions(f *testing.F) {
	for _, seed := range []string{
		"CreateUser&UserName=a&Tags.member.1.Key=k&Tags.member.1.Value=v", "GetUser", "ListUsers&MaxItems=1&Marker=YQ", "PutUserPolicy&UserName=admin&PolicyName=p&PolicyDocument={}",
		"CreateRole&RoleName=r&AssumeRolePolicyDocument={}", "AttachUserPolicy&UserName=admin&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess",
		"GetPolicy&PolicyArn=arn:aws:iam::111122223333:policy/p", "SimulateCustomPolicy&PolicyInputList.member.1={}&ActionNames.member.1=s3:Get*",
		"SimulatePrincipalPolicy&PolicySourceArn=x&ActionNames.member.1=a", "EnableMFADevice&UserName=admin&SerialNumber=x&AuthenticationCode1=1&AuthenticationCode2=2",
		"CreateOpenIDConnectProvider&Url=https://x&ThumbprintList.member.1=z", "TagMFADevice&SerialNumber=&Tags=", "GetAccountAuthorizationDetails&Filter.member.1=User",
	} {
		f.Add(seed)
	}
	s := newSite(f)
	service := apiiam.New(apiiam.Config{Directory: s.dir, Explainer: iam.NewAuthorizer(s.dir)})
	f.Fuzz(func(t *testing.T, form string) {
		c := &gateway.Call{Caller: iam.Caller{Principal: s.admin.Principal, Region: "us-east-1", Time: time.Now()}}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("Version=2010-05-08&Action="+form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		route, err := service.Route(r, c)
		if err == nil {
			for _, a := range route.Access {
				if a.Resource != "*" && !strings.Contains(a.Resource, s.account) && a.Owner == "" && !strings.HasPrefix(a.Resource, "arn:aws:iam::aws:policy/") && strings.HasPrefix(a.Resource, "arn:") && strings.Count(a.Resource, ":") >= 5 {
					t.Fatalf("%q acts on %s as if it were its own", form, a.Resource)
				}
			}
			err = route.Handler(httptest.NewRecorder(), r, c)
		}
		if awserr.IsInternal(err) {
			t.Fatalf("%q: %v", form, err)
		}
	})
}
