package iam_test

import (
	"bytes"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"image/png"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/dictum/dictum/internal/iam"
)

func TestUsers(t *testing.T) {
	s, ctx := newSite(t), t.Context()
	c := s.client()
	created, err := c.CreateUser(ctx, &sdk.CreateUserInput{
		UserName: aws.String("alice"), Path: aws.String("/team/"), PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess"),
		Tags: []types.Tag{{Key: aws.String("Team"), Value: aws.String("a")}},
	})
	must(t, err)
	u := created.User
	if *u.Arn != s.arn("user/team/alice") || *u.Path != "/team/" || *u.PermissionsBoundary.PermissionsBoundaryArn != "arn:aws:iam::aws:policy/ReadOnlyAccess" ||
		u.PermissionsBoundary.PermissionsBoundaryType != "Policy" || len(u.Tags) != 1 || !strings.HasPrefix(*u.UserId, "AIDA") {
		t.Errorf("created %+v", u)
	}
	recent(t, u.CreateDate)
	got, err := c.GetUser(ctx, &sdk.GetUserInput{UserName: aws.String("alice")})
	must(t, err)
	if !reflect.DeepEqual(got.User, u) {
		t.Errorf("got %+v, want %+v", got.User, u)
	}
	_, err = c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("ALICE")})
	refused(t, err, "EntityAlreadyExists", "User with name ALICE already exists.")
	_, err = c.GetUser(ctx, &sdk.GetUserInput{UserName: aws.String("nobody")})
	refused(t, err, "NoSuchEntity", "The user with name nobody cannot be found.")
	_, err = c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("a b")})
	refused(t, err, "ValidationError", `1 validation error detected: Value 'a b' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+`)
	_, err = c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String(strings.Repeat("a", 65))})
	refused(t, err, "ValidationError", "Member must have length less than or equal to 64")
	_, err = c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("x"), Path: aws.String("no")})
	refused(t, err, "ValidationError", "at 'path'")
	_, err = c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("x"), PermissionsBoundary: aws.String(s.arn("policy/none"))})
	refused(t, err, "NoSuchEntity", "does not exist or is not attachable")

	t.Run("who the caller is", func(t *testing.T) {
		got, err := c.GetUser(ctx, &sdk.GetUserInput{})
		must(t, err)
		if *got.User.UserName != "admin" {
			t.Errorf("%+v", got.User)
		}
		k, err := s.dir.CreateKey(ctx, s.account, s.account)
		must(t, err)
		got, err = s.as(k.ID, k.Secret).GetUser(ctx, &sdk.GetUserInput{})
		must(t, err)
		if *got.User.Arn != s.arn("root") || *got.User.UserId != s.account || got.User.CreateDate == nil {
			t.Errorf("%+v", got.User)
		}
	})
	t.Run("lists in pages", func(t *testing.T) {
		for i := range 5 {
			_, err := c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String(fmt.Sprint("p", i)), Path: aws.String("/p/")})
			must(t, err)
		}
		var names []string
		pages := sdk.NewListUsersPaginator(c, &sdk.ListUsersInput{PathPrefix: aws.String("/p/"), MaxItems: aws.Int32(2)})
		n := 0
		for ; pages.HasMorePages(); n++ {
			page, err := pages.NextPage(ctx)
			must(t, err)
			for _, u := range page.Users {
				names = append(names, *u.UserName)
			}
		}
		if want := []string{"p0", "p1", "p2", "p3", "p4"}; n != 3 || !reflect.DeepEqual(names, want) {
			t.Errorf("%d pages, %v", n, names)
		}
		_, err := c.ListUsers(ctx, &sdk.ListUsersInput{Marker: aws.String("!")})
		refused(t, err, "ValidationError", "Invalid Marker.")
		_, err = c.ListUsers(ctx, &sdk.ListUsersInput{MaxItems: aws.Int32(0)})
		refused(t, err, "ValidationError", "Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1")
		none, err := c.ListUsers(ctx, &sdk.ListUsersInput{PathPrefix: aws.String("/none/")})
		must(t, err)
		if none.IsTruncated || len(none.Users) != 0 {
			t.Errorf("%+v", none)
		}
	})
	t.Run("tags, rename, delete", func(t *testing.T) {
		_, err := c.TagUser(ctx, &sdk.TagUserInput{UserName: aws.String("alice"), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("b")}, {Key: aws.String("x"), Value: aws.String("")}}})
		must(t, err)
		_, err = c.UntagUser(ctx, &sdk.UntagUserInput{UserName: aws.String("alice"), TagKeys: []string{"X"}})
		must(t, err)
		tags, err := c.ListUserTags(ctx, &sdk.ListUserTagsInput{UserName: aws.String("alice")})
		must(t, err)
		if len(tags.Tags) != 1 || *tags.Tags[0].Key != "team" || *tags.Tags[0].Value != "b" {
			t.Errorf("%v", tags.Tags)
		}
		_, err = c.TagUser(ctx, &sdk.TagUserInput{UserName: aws.String("alice"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("A"), Value: aws.String("2")}}})
		refused(t, err, "InvalidInput", "Duplicate tag keys")
		_, err = c.UpdateUser(ctx, &sdk.UpdateUserInput{UserName: aws.String("alice"), NewUserName: aws.String("carol"), NewPath: aws.String("/")})
		must(t, err)
		_, err = c.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: aws.String("carol")})
		must(t, err)
		_, err = c.GetUser(ctx, &sdk.GetUserInput{UserName: aws.String("carol")})
		refused(t, err, "NoSuchEntity", "carol")
	})
}

func TestGroups(t *testing.T) {
	s, ctx := newSite(t), t.Context()
	c := s.client()
	group := aws.String("staff")
	g, err := c.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: group, Path: aws.String("/g/")})
	must(t, err)
	if *g.Group.Arn != s.arn("group/g/staff") || !strings.HasPrefix(*g.Group.GroupId, "AGPA") {
		t.Errorf("%+v", g.Group)
	}
	for range 2 {
		_, err = c.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: group, UserName: aws.String("admin")})
		must(t, err)
	}
	got, err := c.GetGroup(ctx, &sdk.GetGroupInput{GroupName: group})
	must(t, err)
	if len(got.Users) != 1 || *got.Users[0].UserName != "admin" {
		t.Errorf("%+v", got)
	}
	of, err := c.ListGroupsForUser(ctx, &sdk.ListGroupsForUserInput{UserName: aws.String("admin")})
	must(t, err)
	if len(of.Groups) != 1 || *of.Groups[0].GroupName != "staff" {
		t.Errorf("%+v", of)
	}
	_, err = c.DeleteGroup(ctx, &sdk.DeleteGroupInput{GroupName: group})
	refused(t, err, "DeleteConflict", "must remove users")
	_, err = c.RemoveUserFromGroup(ctx, &sdk.RemoveUserFromGroupInput{GroupName: group, UserName: aws.String("admin")})
	must(t, err)
	_, err = c.UpdateGroup(ctx, &sdk.UpdateGroupInput{GroupName: group, NewGroupName: aws.String("crew")})
	must(t, err)
	all, err := c.ListGroups(ctx, &sdk.ListGroupsInput{})
	must(t, err)
	if len(all.Groups) != 1 || *all.Groups[0].GroupName != "crew" {
		t.Errorf("%+v", all)
	}
	_, err = c.DeleteGroup(ctx, &sdk.DeleteGroupInput{GroupName: aws.String("crew")})
	must(t, err)
}

func TestRoles(t *testing.T) {
	s, ctx := newSite(t), t.Context()
	c := s.client()
	name := aws.String("worker")
	r, err := c.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(trust), Description: aws.String("d")})
	must(t, err)
	decoded, err := url.PathUnescape(*r.Role.AssumeRolePolicyDocument)
	if err != nil || decoded != trust || *r.Role.MaxSessionDuration != 3600 || !strings.HasPrefix(*r.Role.RoleId, "AROA") {
		t.Errorf("%+v, %v", r.Role, err)
	}
	_, err = c.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("x"), AssumeRolePolicyDocument: aws.String(allowAll)})
	refused(t, err, "MalformedPolicyDocument", "")
	_, err = c.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("x"), AssumeRolePolicyDocument: aws.String(trust), MaxSessionDuration: aws.Int32(60)})
	refused(t, err, "ValidationError", "Value '60' at 'maxSessionDuration' failed to satisfy constraint: Member must have value greater than or equal to 3600")
	_, err = c.UpdateRole(ctx, &sdk.UpdateRoleInput{RoleName: name, MaxSessionDuration: aws.Int32(7200)})
	must(t, err)
	d, err := c.UpdateRoleDescription(ctx, &sdk.UpdateRoleDescriptionInput{RoleName: name, Description: aws.String("new")})
	must(t, err)
	if *d.Role.Description != "new" || *d.Role.MaxSessionDuration != 7200 {
		t.Errorf("%+v", d.Role)
	}
	other := strings.Replace(trust, "transcribe", "streaming.transcribe", 1)
	_, err = c.UpdateAssumeRolePolicy(ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String(other)})
	if err == nil {
		role, err := s.dir.Role(ctx, s.account, "worker")
		if err != nil || role.Trust != other {
			t.Errorf("%+v, %v", role, err)
		}
	}
	_, err = c.UpdateAssumeRolePolicy(ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String("{")})
	refused(t, err, "MalformedPolicyDocument", "Syntax errors in policy.")
	got, err := c.GetRole(ctx, &sdk.GetRoleInput{RoleName: name})
	must(t, err)
	if got.Role.RoleLastUsed == nil || got.Role.RoleLastUsed.LastUsedDate != nil {
		t.Errorf("%+v", got.Role.RoleLastUsed)
	}
	list, err := c.ListRoles(ctx, &sdk.ListRolesInput{})
	must(t, err)
	if len(list.Roles) != 1 {
		t.Errorf("%+v", list.Roles)
	}
	_, err = c.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: name})
	must(t, err)
}

func TestPolicies(t *testing.T) {
	s, ctx := newSite(t), t.Context()
	c := s.client()
	p, err := c.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("p"), Path: aws.String("/x/"), PolicyDocument: aws.String(allowAll), Description: aws.String("d")})
	must(t, err)
	arn := p.Policy.Arn
	if *arn != s.arn("policy/x/p") || *p.Policy.DefaultVersionId != "v1" || *p.Policy.AttachmentCount != 0 {
		t.Errorf("%+v", p.Policy)
	}
	user := aws.String("admin")
	_, err = c.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: user, PolicyArn: arn})
	must(t, err)
	attached, err := c.ListAttachedUserPolicies(ctx, &sdk.ListAttachedUserPoliciesInput{UserName: user})
	must(t, err)
	if len(attached.AttachedPolicies) != 2 || *attached.AttachedPolicies[0].PolicyName != "p" || *attached.AttachedPolicies[1].PolicyName != "AdministratorAccess" {
		t.Errorf("%+v", attached.AttachedPolicies)
	}
	entities, err := c.ListEntitiesForPolicy(ctx, &sdk.ListEntitiesForPolicyInput{PolicyArn: arn})
	must(t, err)
	if len(entities.PolicyUsers) != 1 || *entities.PolicyUsers[0].UserName != "admin" || len(entities.PolicyRoles) != 0 {
		t.Errorf("%+v", entities)
	}
	v, err := c.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: aws.String(trimmed), SetAsDefault: true})
	must(t, err)
	if *v.PolicyVersion.VersionId != "v2" || !v.PolicyVersion.IsDefaultVersion {
		t.Errorf("%+v", v.PolicyVersion)
	}
	read, err := c.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v2")})
	must(t, err)
	if text, err := url.PathUnescape(*read.PolicyVersion.Document); err != nil || text != trimmed {
		t.Errorf("%s, %v", text, err)
	}
	versions, err := c.ListPolicyVersions(ctx, &sdk.ListPolicyVersionsInput{PolicyArn: arn})
	must(t, err)
	if len(versions.Versions) != 2 || *versions.Versions[0].VersionId != "v2" {
		t.Errorf("%+v", versions.Versions)
	}
	_, err = c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
	refused(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
	_, err = c.SetDefaultPolicyVersion(ctx, &sdk.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v1")})
	must(t, err)
	_, err = c.DeletePolicyVersion(ctx, &sdk.DeletePolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v2")})
	must(t, err)
	_, err = c.DetachUserPolicy(ctx, &sdk.DetachUserPolicyInput{UserName: user, PolicyArn: arn})
	must(t, err)
	local, err := c.ListPolicies(ctx, &sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal})
	must(t, err)
	if len(local.Policies) != 1 {
		t.Errorf("%+v", local.Policies)
	}
	used, err := c.ListPolicies(ctx, &sdk.ListPoliciesInput{OnlyAttached: true})
	must(t, err)
	if len(used.Policies) != 1 || *used.Policies[0].PolicyName != "AdministratorAccess" {
		t.Errorf("%+v", used.Policies)
	}
	_, err = c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
	must(t, err)
	_, err = c.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: arn})
	refused(t, err, "NoSuchEntity", "was not found")
	_, err = c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: aws.String(iam.AdministratorAccess)})
	refused(t, err, "AccessDenied", "is not authorized to perform: iam:DeletePolicy on resource: "+iam.AdministratorAccess)

	t.Run("inline", func(t *testing.T) {
		_, err := c.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: user, PolicyName: aws.String("i"), PolicyDocument: aws.String(allowAll)})
		must(t, err)
		got, err := c.GetUserPolicy(ctx, &sdk.GetUserPolicyInput{UserName: user, PolicyName: aws.String("i")})
		must(t, err)
		if text, err := url.PathUnescape(*got.PolicyDocument); err != nil || text != allowAll || *got.UserName != "admin" {
			t.Errorf("%s, %v", text, err)
		}
		names, err := c.ListUserPolicies(ctx, &sdk.ListUserPoliciesInput{UserName: user})
		must(t, err)
		if !reflect.DeepEqual(names.PolicyNames, []string{"i"}) {
			t.Errorf("%v", names.PolicyNames)
		}
		_, err = c.DeleteUserPolicy(ctx, &sdk.DeleteUserPolicyInput{UserName: user, PolicyName: aws.String("i")})
		must(t, err)
		_, err = c.GetUserPolicy(ctx, &sdk.GetUserPolicyInput{UserName: user, PolicyName: aws.String("i")})
		refused(t, err, "NoSuchEntity", "The user policy with name i cannot be found.")
	})
	t.Run("boundary", func(t *testing.T) {
		_, err := c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("b")})
		must(t, err)
		_, err = c.PutUserPermissionsBoundary(ctx, &sdk.PutUserPermissionsBoundaryInput{UserName: aws.String("b"), PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})
		must(t, err)
		_, err = c.DeleteUserPermissionsBoundary(ctx, &sdk.DeleteUserPermissionsBoundaryInput{UserName: aws.String("b")})
		must(t, err)
		_, err = c.DeleteUserPermissionsBoundary(ctx, &sdk.DeleteUserPermissionsBoundaryInput{UserName: aws.String("b")})
		refused(t, err, "NoSuchEntity", "boundary")
	})
}

const trimmed = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::a b+c/*"}}`

func TestAccessKeys(t *testing.T) {
	s, ctx := newSite(t), t.Context()
	c := s.client()
	_, err := c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("alice")})
	must(t, err)
	k, err := c.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: aws.String("alice")})
	must(t, err)
	alice := s.as(*k.AccessKey.AccessKeyId, *k.AccessKey.SecretAccessKey)
	_, err = alice.GetUser(ctx, &sdk.GetUserInput{})
	refused(t, err, "AccessDenied", "User: "+s.arn("user/alice")+" is not authorized to perform: iam:GetUser on resource: "+s.arn("user/alice")+" because ")
	refused(t, err, "AccessDenied", "because no identity-based policy allows the iam:GetUser action")
	_, err = c.UpdateAccessKey(ctx, &sdk.UpdateAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: k.AccessKey.AccessKeyId, Status: types.StatusTypeInactive})
	must(t, err)
	_, err = alice.GetUser(ctx, &sdk.GetUserInput{})
	refused(t, err, "InvalidClientTokenId", "")
	list, err := c.ListAccessKeys(ctx, &sdk.ListAccessKeysInput{UserName: aws.String("alice")})
	must(t, err)
	if len(list.AccessKeyMetadata) != 1 || list.AccessKeyMetadata[0].Status != types.StatusTypeInactive {
		t.Errorf("%+v", list.AccessKeyMetadata)
	}
	use, err := c.GetAccessKeyLastUsed(ctx, &sdk.GetAccessKeyLastUsedInput{AccessKeyId: k.AccessKey.AccessKeyId})
	must(t, err)
	if *use.UserName != "alice" || *use.AccessKeyLastUsed.ServiceName != "N/A" || use.AccessKeyLastUsed.LastUsedDate != nil {
		t.Errorf("%+v", use)
	}
	_, err = c.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{UserName: aws.String("admin"), AccessKeyId: k.AccessKey.AccessKeyId})
	refused(t, err, "NoSuchEntity", "The Access Key with id")
	_, err = c.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: k.AccessKey.AccessKeyId})
	must(t, err)
	own, err := c.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{})
	must(t, err)
	if *own.AccessKey.UserName != "admin" {
		t.Errorf("%+v", own.AccessKey)
	}
	_, err = c.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{})
	refused(t, err, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
	t.Run("no secret and no code is on record", func(t *testing.T) {
		record, err := json.Marshal(s.events.events)
		must(t, err)
		for _, secret := range []string{*k.AccessKey.SecretAccessKey, *own.AccessKey.SecretAccessKey, s.admin.SecretAccessKey} {
			if bytes.Contains(record, []byte(secret)) {
				t.Error("a secret is in the audit")
			}
		}
		if !bytes.Contains(record, []byte(*own.AccessKey.AccessKeyId)) {
			t.Error("the new key's id is not in the audit")
		}
	})
}

func TestSecondFactors(t *testing.T) {
	s, ctx := newSite(t), t.Context()
	c := s.client()
	d, err := c.CreateVirtualMFADevice(ctx, &sdk.CreateVirtualMFADeviceInput{VirtualMFADeviceName: aws.String("phone")})
	must(t, err)
	m := d.VirtualMFADevice
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(string(m.Base32StringSeed))
	if err != nil || *m.SerialNumber != s.arn("mfa/phone") {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, err := png.Decode(bytes.NewReader(m.QRCodePNG)); err != nil {
		t.Errorf("QR code: %v", err)
	}
	now := time.Now()
	code1, code2 := totp(seed, now.Add(-30*time.Second)), totp(seed, now)
	_, err = c.EnableMFADevice(ctx, &sdk.EnableMFADeviceInput{UserName: aws.String("admin"), SerialNumber: m.SerialNumber, AuthenticationCode1: aws.String(code2), AuthenticationCode2: aws.String(code2)})
	refused(t, err, "InvalidAuthenticationCode", "")
	_, err = c.EnableMFADevice(ctx, &sdk.EnableMFADeviceInput{UserName: aws.String("admin"), SerialNumber: m.SerialNumber, AuthenticationCode1: aws.String(code1), AuthenticationCode2: aws.String(code2)})
	must(t, err)
	list, err := c.ListMFADevices(ctx, &sdk.ListMFADevicesInput{})
	must(t, err)
	if len(list.MFADevices) != 1 || *list.MFADevices[0].UserName != "admin" {
		t.Errorf("%+v", list.MFADevices)
	}
	recent(t, list.MFADevices[0].EnableDate)
	all, err := c.ListVirtualMFADevices(ctx, &sdk.ListVirtualMFADevicesInput{AssignmentStatus: types.AssignmentStatusTypeAssigned})
	must(t, err)
	if len(all.VirtualMFADevices) != 1 || *all.VirtualMFADevices[0].User.UserName != "admin" || all.VirtualMFADevices[0].Base32StringSeed != nil {
		t.Errorf("%+v", all.VirtualMFADevices)
	}
	_, err = c.DeleteVirtualMFADevice(ctx, &sdk.DeleteVirtualMFADeviceInput{SerialNumber: m.SerialNumber})
	refused(t, err, "DeleteConflict", "")
	_, err = c.DeactivateMFADevice(ctx, &sdk.DeactivateMFADeviceInput{UserName: aws.String("admin"), SerialNumber: m.SerialNumber})
	must(t, err)
	_, err = c.DeleteVirtualMFADevice(ctx, &sdk.DeleteVirtualMFADeviceInput{SerialNumber: m.SerialNumber})
	must(t, err)
}

func TestProvidersAndAccount(t *testing.T) {
	s, ctx := newSite(t), t.Context()
	c := s.client()
	p, err := c.CreateOpenIDConnectProvider(ctx, &sdk.CreateOpenIDConnectProviderInput{Url: aws.String("https://issuer.example/a"), ClientIDList: []string{"x"}})
	must(t, err)
	arn := p.OpenIDConnectProviderArn
	_, err = c.AddClientIDToOpenIDConnectProvider(ctx, &sdk.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("y")})
	must(t, err)
	_, err = c.TagOpenIDConnectProvider(ctx, &sdk.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
	must(t, err)
	got, err := c.GetOpenIDConnectProvider(ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})
	must(t, err)
	if *got.Url != "issuer.example/a" || !reflect.DeepEqual(got.ClientIDList, []string{"x", "y"}) || len(got.ThumbprintList) != 0 || len(got.Tags) != 1 {
		t.Errorf("%+v", got)
	}
	list, err := c.ListOpenIDConnectProviders(ctx, &sdk.ListOpenIDConnectProvidersInput{})
	must(t, err)
	if len(list.OpenIDConnectProviderList) != 1 || *list.OpenIDConnectProviderList[0].Arn != *arn {
		t.Errorf("%+v", list)
	}
	_, err = c.DeleteOpenIDConnectProvider(ctx, &sdk.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})
	must(t, err)

	_, err = c.CreateAccountAlias(ctx, &sdk.CreateAccountAliasInput{AccountAlias: aws.String("acme")})
	must(t, err)
	for _, bad := range []string{"a--b", "123456789012"} {
		_, err = c.CreateAccountAlias(ctx, &sdk.CreateAccountAliasInput{AccountAlias: &bad})
		refused(t, err, "InvalidInput", "alias")
	}
	other, err := s.dir.CreateAccount(ctx, "two")
	must(t, err)
	second := s.as(other.AccessKeyID, other.SecretAccessKey)
	_, err = second.CreateAccountAlias(ctx, &sdk.CreateAccountAliasInput{AccountAlias: aws.String("acme")})
	refused(t, err, "EntityAlreadyExists", "acme")
	aliases, err := second.ListAccountAliases(ctx, &sdk.ListAccountAliasesInput{})
	must(t, err)
	if len(aliases.AccountAliases) != 0 {
		t.Errorf("%v", aliases.AccountAliases)
	}
	summary, err := c.GetAccountSummary(ctx, &sdk.GetAccountSummaryInput{})
	must(t, err)
	if summary.SummaryMap["Users"] != 1 || summary.SummaryMap["UsersQuota"] != 5000 {
		t.Errorf("%v", summary.SummaryMap)
	}
	details, err := c.GetAccountAuthorizationDetails(ctx, &sdk.GetAccountAuthorizationDetailsInput{})
	must(t, err)
	if len(details.UserDetailList) != 1 || len(details.UserDetailList[0].AttachedManagedPolicies) != 1 || len(details.Policies) == 0 {
		t.Errorf("%+v", details)
	}
	_, err = c.CreateSAMLProvider(ctx, &sdk.CreateSAMLProviderInput{Name: aws.String("x"), SAMLMetadataDocument: aws.String(strings.Repeat("x", 1000))})
	refused(t, err, "InvalidAction", "The action CreateSAMLProvider is not offered by this server.")
}
