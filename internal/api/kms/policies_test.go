package kms_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/dictum/dictum/internal/kms"
)

func TestPolicies(t *testing.T) {
	r := start(t)
	c := r.client(alice)
	k := newKey(t, c)
	put := func(text string, bypass bool) error {
		_, err := c.PutKeyPolicy(t.Context(), &sdk.PutKeyPolicyInput{KeyId: k.KeyId, Policy: &text, BypassPolicyLockoutSafetyCheck: bypass})
		return err
	}
	encrypt := func(who string, key *string, in map[string]string) error {
		_, err := r.client(who).Encrypt(t.Context(), &sdk.EncryptInput{KeyId: key, Plaintext: []byte("x"), EncryptionContext: in})
		return err
	}
	const root = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}`
	document := func(statements ...string) string {
		return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	}
	t.Run("the default one leaves it to the account", func(t *testing.T) {
		out := must[*sdk.GetKeyPolicyOutput](t)(c.GetKeyPolicy(t.Context(), &sdk.GetKeyPolicyInput{KeyId: k.KeyId, PolicyName: aws.String("default")}))
		if !strings.Contains(*out.Policy, "arn:aws:iam::111122223333:root") || *out.PolicyName != "default" {
			t.Errorf("%+v", out)
		}
		if names := must[*sdk.ListKeyPoliciesOutput](t)(c.ListKeyPolicies(t.Context(), &sdk.ListKeyPoliciesInput{KeyId: k.KeyId})).PolicyNames; !slices.Equal(names, []string{"default"}) {
			t.Errorf("%v", names)
		}
		refused(t, encrypt(bob, k.KeyId, nil), "AccessDeniedException", "arn:aws:iam::111122223333:user/bob is not authorized to perform: kms:Encrypt on resource: "+*k.Arn)
		r.rights.set(t, "bob", `{"Effect":"Allow","Action":"kms:Encrypt","Resource":"`+*k.Arn+`"}`)
		if err := encrypt(bob, k.KeyId, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("who may not, does not learn whether a key is there", func(t *testing.T) {
		refused(t, encrypt(bob, aws.String("00000000-0000-4000-8000-000000000000"), nil), "AccessDeniedException", "")
		refused(t, encrypt(mallory, aws.String("arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"), nil), "AccessDeniedException", "")
	})
	t.Run("another account needs both sides", func(t *testing.T) {
		refused(t, encrypt(mallory, k.Arn, nil), "AccessDeniedException", "")
		grant := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":["kms:Encrypt","kms:DescribeKey","kms:DisableKey"],"Resource":"*"}`
		if err := put(document(root, grant), false); err != nil {
			t.Fatal(err)
		}
		if err := encrypt(mallory, k.Arn, nil); err != nil {
			t.Error(err)
		}
		refused(t, encrypt(mallory, k.KeyId, nil), "NotFoundException", "444455556666:key/") // by id, it is one of his own
		_, err := r.client(mallory).DisableKey(t.Context(), &sdk.DisableKeyInput{KeyId: k.Arn})
		refused(t, err, "AccessDeniedException", "") // management stays with the owner
		r.rights.set(t, "mallory", `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`)
		refused(t, encrypt(mallory, k.Arn, nil), "AccessDeniedException", "")
	})
	t.Run("the encryption context decides", func(t *testing.T) {
		indigo := `{"Effect":"Deny","Principal":"*","Action":"kms:Encrypt","Resource":"*","Condition":{"StringNotEquals":{"kms:EncryptionContext:color":"indigoBlue"}}}`
		if err := put(document(root, indigo), false); err != nil {
			t.Fatal(err)
		}
		if err := encrypt(alice, k.KeyId, map[string]string{"color": "indigoBlue"}); err != nil {
			t.Error(err)
		}
		for _, in := range []map[string]string{nil, {"color": "red"}, {"shade": "indigoBlue"}} {
			refused(t, encrypt(alice, k.KeyId, in), "AccessDeniedException", "explicit deny")
		}
		names := `{"Effect":"Deny","Principal":"*","Action":"kms:Encrypt","Resource":"*","Condition":{"ForAnyValue:StringNotEquals":{"kms:EncryptionContextKeys":["a","b"]}}}`
		if err := put(document(root, names), false); err != nil {
			t.Fatal(err)
		}
		if err := encrypt(alice, k.KeyId, map[string]string{"a": "1", "b": "1"}); err != nil {
			t.Error(err)
		}
		refused(t, encrypt(alice, k.KeyId, map[string]string{"a": "1", "c": "1"}), "AccessDeniedException", "")
	})
	t.Run("through a service only", func(t *testing.T) {
		via := `{"Effect":"Deny","Principal":"*","Action":["kms:Encrypt","kms:GenerateDataKey"],"Resource":"*","Condition":{"StringNotEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}}`
		if err := put(document(root, via), false); err != nil {
			t.Fatal(err)
		}
		refused(t, encrypt(alice, k.KeyId, nil), "AccessDeniedException", "")
		if _, err := r.service.Use(t.Context(), caller(alice).Through("transcribe.amazonaws.com").Through("s3.amazonaws.com"), "GenerateDataKey", *k.KeyId, kms.Context{"color": "red"}); err != nil {
			t.Error(err)
		}
		e := r.journal.last(t, "GenerateDataKey")
		if e.Source != "kms.amazonaws.com" || len(e.Caller.Via) != 2 || fmt.Sprint(e.Request) != fmt.Sprint(map[string]any{
			"keyId": *k.Arn, "encryptionContext": map[string]string{"color": "red"}, "keySpec": "AES_256",
		}) || e.Resources[0].ARN != *k.Arn {
			t.Errorf("%+v", e)
		}
		if _, err := r.service.Use(t.Context(), caller(bob).Through("s3.amazonaws.com"), "GenerateDataKey", *k.KeyId, nil); err == nil {
			t.Error("bob may encrypt, not make data keys")
		}
		if e := r.journal.last(t, "GenerateDataKey"); e.ErrorCode != "AccessDeniedException" {
			t.Errorf("the refusal is on record as %q", e.ErrorCode)
		}
	})
	t.Run("the tags of a key decide", func(t *testing.T) {
		if err := put(document(root), false); err != nil {
			t.Fatal(err)
		}
		r.rights.set(t, "bob", `{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"a"}}}`)
		refused(t, encrypt(bob, k.KeyId, nil), "AccessDeniedException", "")
		if _, err := c.TagResource(t.Context(), &sdk.TagResourceInput{KeyId: k.KeyId, Tags: []types.Tag{{TagKey: aws.String("Team"), TagValue: aws.String("a")}}}); err != nil {
			t.Fatal(err)
		}
		if err := encrypt(bob, k.KeyId, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("the alias that names it decides", func(t *testing.T) {
		if _, err := c.CreateAlias(t.Context(), &sdk.CreateAliasInput{AliasName: aws.String("alias/ok"), TargetKeyId: k.KeyId}); err != nil {
			t.Fatal(err)
		}
		r.rights.set(t, "bob", `{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*","Condition":{"StringEquals":{"kms:RequestAlias":"alias/ok"}}}`)
		if err := encrypt(bob, aws.String("alias/ok"), nil); err != nil {
			t.Error(err)
		}
		refused(t, encrypt(bob, k.KeyId, nil), "AccessDeniedException", "")
		r.rights.set(t, "bob", `{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/ok"}}}`)
		if err := encrypt(bob, k.KeyId, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("nobody is locked out by accident", func(t *testing.T) {
		onlyBob := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/bob"},"Action":"kms:*","Resource":"*"}`
		refused(t, put(document(onlyBob), false), "MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
		_, err := c.CreateKey(t.Context(), &sdk.CreateKeyInput{Policy: aws.String(document(onlyBob))})
		refused(t, err, "MalformedPolicyDocumentException", "in the future")
		if err := put(document(onlyBob), true); err != nil {
			t.Fatal(err)
		}
		refused(t, put(document(root), false), "AccessDeniedException", "kms:PutKeyPolicy")
		refused(t, encrypt(alice, k.KeyId, nil), "AccessDeniedException", "")
		if err := encrypt(bob, k.KeyId, nil); err != nil {
			t.Error("the key's policy alone lets bob: ", err)
		}
	})
	t.Run("what is no policy is refused", func(t *testing.T) {
		_, err := c.CreateKey(t.Context(), &sdk.CreateKeyInput{Policy: aws.String("{")})
		refused(t, err, "MalformedPolicyDocumentException", "")
		_, err = c.CreateKey(t.Context(), &sdk.CreateKeyInput{Policy: aws.String(document(root) + strings.Repeat(" ", 32<<10))})
		refused(t, err, "LimitExceededException", "32768")
	})
}
