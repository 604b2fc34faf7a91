package kms_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
)

func newKey(t *testing.T, c *sdk.Client, options ...func(*sdk.CreateKeyInput)) *types.KeyMetadata {
	t.Helper()
	in := &sdk.CreateKeyInput{}
	for _, o := range options {
		o(in)
	}
	return must[*sdk.CreateKeyOutput](t)(c.CreateKey(t.Context(), in)).KeyMetadata
}

func TestKeys(t *testing.T) {
	r := start(t)
	c := r.client(alice)
	k := newKey(t, c, func(in *sdk.CreateKeyInput) {
		in.Description = aws.String("of the lab")
		in.Tags = []types.Tag{{TagKey: aws.String("Team"), TagValue: aws.String("a")}}
	})
	t.Run("metadata has AWS's shape", func(t *testing.T) {
		got := must[*sdk.DescribeKeyOutput](t)(c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: k.KeyId})).KeyMetadata
		if *got.Arn != "arn:aws:kms:us-east-1:111122223333:key/"+*k.KeyId || *got.AWSAccountId != account || !got.Enabled ||
			got.KeyState != "Enabled" || got.KeyUsage != "ENCRYPT_DECRYPT" || got.KeySpec != "SYMMETRIC_DEFAULT" ||
			got.Origin != "AWS_KMS" || got.KeyManager != "CUSTOMER" || *got.Description != "of the lab" || *got.MultiRegion ||
			!slices.Equal(got.EncryptionAlgorithms, []types.EncryptionAlgorithmSpec{"SYMMETRIC_DEFAULT"}) || !isRecent(got.CreationDate) ||
			len(*got.CurrentKeyMaterialId) != 64 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("the four forms name it", func(t *testing.T) {
		if _, err := c.CreateAlias(t.Context(), &sdk.CreateAliasInput{AliasName: aws.String("alias/lab"), TargetKeyId: k.KeyId}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{*k.KeyId, *k.Arn, "alias/lab", "arn:aws:kms:us-east-1:111122223333:alias/lab"} {
			got := must[*sdk.DescribeKeyOutput](t)(c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &name}))
			if *got.KeyMetadata.Arn != *k.Arn {
				t.Errorf("%s is %s", name, *got.KeyMetadata.Arn)
			}
		}
	})
	t.Run("the description changes", func(t *testing.T) {
		if _, err := c.UpdateKeyDescription(t.Context(), &sdk.UpdateKeyDescriptionInput{KeyId: k.Arn, Description: aws.String("")}); err != nil {
			t.Fatal(err)
		}
		got := must[*sdk.DescribeKeyOutput](t)(c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: k.KeyId}))
		if got.KeyMetadata.Description == nil || *got.KeyMetadata.Description != "" {
			t.Error("an empty description is shown")
		}
	})
	t.Run("lists go by pages", func(t *testing.T) {
		want := []string{*k.KeyId}
		for range 4 {
			want = append(want, *newKey(t, c).KeyId)
		}
		slices.Sort(want)
		var got []string
		pages := sdk.NewListKeysPaginator(c, &sdk.ListKeysInput{Limit: aws.Int32(2)})
		for pages.HasMorePages() {
			page := must[*sdk.ListKeysOutput](t)(pages.NextPage(t.Context()))
			for _, k := range page.Keys {
				got = append(got, *k.KeyId)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if out := must[*sdk.ListKeysOutput](t)(r.client(mallory).ListKeys(t.Context(), &sdk.ListKeysInput{})); len(out.Keys) != 0 {
			t.Error("another account sees keys")
		}
		if out := must[*sdk.ListKeysOutput](t)(r.clientIn(alice, "eu-west-1").ListKeys(t.Context(), &sdk.ListKeysInput{})); len(out.Keys) != 0 {
			t.Error("another region sees keys")
		}
		_, err := c.ListKeys(t.Context(), &sdk.ListKeysInput{Marker: aws.String("x")})
		refused(t, err, "InvalidMarkerException", "")
	})
	t.Run("tags", func(t *testing.T) {
		_, err := c.TagResource(t.Context(), &sdk.TagResourceInput{KeyId: k.KeyId, Tags: []types.Tag{
			{TagKey: aws.String("Cost"), TagValue: aws.String("")}, {TagKey: aws.String("Team"), TagValue: aws.String("b")},
		}})
		if err != nil {
			t.Fatal(err)
		}
		out := must[*sdk.ListResourceTagsOutput](t)(c.ListResourceTags(t.Context(), &sdk.ListResourceTagsInput{KeyId: k.KeyId, Limit: aws.Int32(1)}))
		if len(out.Tags) != 1 || *out.Tags[0].TagKey != "Cost" || *out.Tags[0].TagValue != "" || !out.Truncated {
			t.Errorf("first page %+v", out)
		}
		out = must[*sdk.ListResourceTagsOutput](t)(c.ListResourceTags(t.Context(), &sdk.ListResourceTagsInput{KeyId: k.KeyId, Marker: out.NextMarker}))
		if len(out.Tags) != 1 || *out.Tags[0].TagKey != "Team" || *out.Tags[0].TagValue != "b" || out.Truncated {
			t.Errorf("second page %+v", out)
		}
		if _, err := c.UntagResource(t.Context(), &sdk.UntagResourceInput{KeyId: k.KeyId, TagKeys: []string{"Cost", "none"}}); err != nil {
			t.Fatal(err)
		}
		_, err = c.TagResource(t.Context(), &sdk.TagResourceInput{KeyId: k.KeyId, Tags: []types.Tag{{TagKey: aws.String("aws:x"), TagValue: aws.String("")}}})
		refused(t, err, "TagException", "reserved")
	})
	t.Run("grants are none", func(t *testing.T) {
		if out := must[*sdk.ListGrantsOutput](t)(c.ListGrants(t.Context(), &sdk.ListGrantsInput{KeyId: k.KeyId})); len(out.Grants) != 0 {
			t.Error(out)
		}
	})
	t.Run("what is not offered is refused by name", func(t *testing.T) {
		_, err := c.GetPublicKey(t.Context(), &sdk.GetPublicKeyInput{KeyId: k.KeyId})
		refused(t, err, "UnsupportedOperationException", "GetPublicKey isn't available")
	})
}

func TestSpecs(t *testing.T) {
	r := start(t)
	c := r.client(alice)
	for spec, usage := range map[types.KeySpec]types.KeyUsageType{
		"RSA_2048": "ENCRYPT_DECRYPT", "RSA_3072": "SIGN_VERIFY", "HMAC_256": "GENERATE_VERIFY_MAC", "ECC_NIST_P256": "SIGN_VERIFY",
		"ECC_NIST_EDWARDS25519": "SIGN_VERIFY",
	} {
		k := newKey(t, c, func(in *sdk.CreateKeyInput) { in.KeySpec, in.KeyUsage = spec, usage })
		if k.KeySpec != spec || k.KeyUsage != usage ||
			len(k.EncryptionAlgorithms)+len(k.SigningAlgorithms)+len(k.MacAlgorithms) == 0 {
			t.Errorf("%+v", k)
		}
		_, err := c.GenerateDataKey(t.Context(), &sdk.GenerateDataKeyInput{KeyId: k.KeyId, KeySpec: "AES_256"})
		refused(t, err, "InvalidKeyUsageException", "")
		_, err = c.RotateKeyOnDemand(t.Context(), &sdk.RotateKeyOnDemandInput{KeyId: k.KeyId})
		refused(t, err, "UnsupportedOperationException", "")
		_, err = c.GetKeyRotationStatus(t.Context(), &sdk.GetKeyRotationStatusInput{KeyId: k.KeyId})
		refused(t, err, "UnsupportedOperationException", "")
		_, err = r.service.Use(t.Context(), caller(alice), "GenerateDataKey", *k.Arn, nil)
		if key, describeErr := r.service.Use(t.Context(), caller(alice), "DescribeKey", *k.Arn, nil); err == nil || describeErr != nil || key.Symmetric {
			t.Errorf("%s through the gate: %v, %v, %+v", spec, err, describeErr, key)
		}
	}
	for name, in := range map[string]sdk.CreateKeyInput{
		"UnsupportedOperationException": {KeySpec: "ECC_SECG_P256K1", KeyUsage: "SIGN_VERIFY"},
		"ValidationException":           {KeySpec: "RSA_2048"},
	} {
		_, err := c.CreateKey(t.Context(), &in)
		refused(t, err, name, "")
	}
	_, err := c.CreateKey(t.Context(), &sdk.CreateKeyInput{KeySpec: "HMAC_256", KeyUsage: "ENCRYPT_DECRYPT"})
	refused(t, err, "ValidationException", "KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec HMAC_256")
	_, err = c.CreateKey(t.Context(), &sdk.CreateKeyInput{Origin: "EXTERNAL"})
	refused(t, err, "UnsupportedOperationException", "EXTERNAL")
	_, err = c.CreateKey(t.Context(), &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
	refused(t, err, "UnsupportedOperationException", "Multi-Region")
}

func caller(key string) iam.Caller {
	return iam.Caller{Principal: users[key].Principal, Region: region, Time: time.Now()}
}

func TestEncryption(t *testing.T) {
	r := start(t)
	c := r.client(alice)
	k, second := newKey(t, c), newKey(t, c)
	plain := []byte("known plaintext")
	in := map[string]string{"project": "x", "Case": "Kept"}
	sealed := must[*sdk.EncryptOutput](t)(c.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: k.KeyId, Plaintext: plain, EncryptionContext: in}))
	if *sealed.KeyId != *k.Arn || sealed.EncryptionAlgorithm != "SYMMETRIC_DEFAULT" || bytes.Contains(sealed.CiphertextBlob, plain) {
		t.Fatalf("%+v", sealed)
	}
	t.Run("opens without being told the key", func(t *testing.T) {
		out := must[*sdk.DecryptOutput](t)(c.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: in}))
		if !bytes.Equal(out.Plaintext, plain) || *out.KeyId != *k.Arn || len(*out.KeyMaterialId) != 64 {
			t.Errorf("%+v", out)
		}
	})
	for name, other := range map[string]map[string]string{
		"none": nil, "less": {"project": "x"}, "another case of a name": {"project": "x", "case": "Kept"}, "another case of a value": {"project": "X", "Case": "Kept"},
	} {
		t.Run("does not open in another context: "+name, func(t *testing.T) {
			_, err := c.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: other})
			refused(t, err, "InvalidCiphertextException", "")
		})
	}
	t.Run("the named key must be the one", func(t *testing.T) {
		_, err := c.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: in, KeyId: second.KeyId})
		refused(t, err, "IncorrectKeyException", "does not identify a CMK")
	})
	t.Run("garbage", func(t *testing.T) {
		_, err := c.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: []byte("garbage")})
		refused(t, err, "InvalidCiphertextException", "")
		_, err = c.Decrypt(t.Context(), &sdk.DecryptInput{})
		refused(t, err, "ValidationException", "ciphertextBlob")
	})
	t.Run("a key of another region is not known", func(t *testing.T) {
		_, err := r.clientIn(alice, "eu-west-1").Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: in})
		refused(t, err, "AccessDeniedException", "does not exist in this region")
	})
	t.Run("re-encrypts", func(t *testing.T) {
		out := must[*sdk.ReEncryptOutput](t)(c.ReEncrypt(t.Context(), &sdk.ReEncryptInput{
			CiphertextBlob: sealed.CiphertextBlob, SourceEncryptionContext: in, DestinationKeyId: second.Arn, DestinationEncryptionContext: map[string]string{"new": "1"},
		}))
		if *out.SourceKeyId != *k.Arn || *out.KeyId != *second.Arn {
			t.Errorf("%+v", out)
		}
		again := must[*sdk.DecryptOutput](t)(c.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: out.CiphertextBlob, EncryptionContext: map[string]string{"new": "1"}}))
		if !bytes.Equal(again.Plaintext, plain) {
			t.Error("not the same")
		}
	})
	t.Run("data keys", func(t *testing.T) {
		for spec, size := range map[types.DataKeySpec]int{"AES_256": 32, "AES_128": 16} {
			out := must[*sdk.GenerateDataKeyOutput](t)(c.GenerateDataKey(t.Context(), &sdk.GenerateDataKeyInput{KeyId: k.KeyId, KeySpec: spec, EncryptionContext: in}))
			again := must[*sdk.DecryptOutput](t)(c.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: out.CiphertextBlob, EncryptionContext: in}))
			if len(out.Plaintext) != size || !bytes.Equal(again.Plaintext, out.Plaintext) {
				t.Errorf("%s: %d bytes", spec, len(out.Plaintext))
			}
		}
		out := must[*sdk.GenerateDataKeyWithoutPlaintextOutput](t)(c.GenerateDataKeyWithoutPlaintext(t.Context(), &sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: k.KeyId, NumberOfBytes: aws.Int32(1024)}))
		again := must[*sdk.DecryptOutput](t)(c.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: out.CiphertextBlob}))
		if len(again.Plaintext) != 1024 {
			t.Errorf("%d bytes", len(again.Plaintext))
		}
		_, err := c.GenerateDataKey(t.Context(), &sdk.GenerateDataKeyInput{KeyId: k.KeyId})
		refused(t, err, "ValidationException", "Please specify either number of bytes or key spec.")
	})
	t.Run("random bytes", func(t *testing.T) {
		out := must[*sdk.GenerateRandomOutput](t)(c.GenerateRandom(t.Context(), &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(24)}))
		if len(out.Plaintext) != 24 {
			t.Errorf("%d bytes", len(out.Plaintext))
		}
	})
	t.Run("a dry run says whether it would succeed", func(t *testing.T) {
		_, err := c.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: k.KeyId, Plaintext: plain, DryRun: aws.Bool(true)})
		refused(t, err, "DryRunOperationException", "would have succeeded")
		_, err = r.client(bob).Encrypt(t.Context(), &sdk.EncryptInput{KeyId: k.KeyId, Plaintext: plain, DryRun: aws.Bool(true)})
		refused(t, err, "AccessDeniedException", "kms:Encrypt")
	})
	t.Run("the audit has the context and no secrets", func(t *testing.T) {
		for _, name := range []string{"Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateRandom"} {
			e := r.journal.last(t, name)
			shown := must[[]byte](t)(json.Marshal([]any{e.Request, e.Response, e.Additional}))
			for _, leak := range []string{"laintext", "iphertext"} {
				if strings.Contains(string(shown), leak) {
					t.Errorf("%s shows %s", name, shown)
				}
			}
		}
		for range 2 { // the last Encrypt of alice's is a dry run: look at the one with a context
			e := r.journal.last(t, "GenerateDataKeyWithoutPlaintext")
			if len(e.Resources) != 1 || e.Resources[0].ARN != *k.Arn {
				t.Errorf("resources %+v", e.Resources)
			}
		}
		r.journal.mu.Lock()
		defer r.journal.mu.Unlock()
		e := r.journal.events[slices.IndexFunc(r.journal.events, func(e audit.Event) bool { return e.Name == "Encrypt" })]
		if fmt.Sprint(e.Request.(map[string]any)["encryptionContext"]) != fmt.Sprint(in) {
			t.Errorf("request %+v", e.Request)
		}
	})
}

func TestValidation(t *testing.T) {
	r := start(t)
	c := r.client(alice)
	k := newKey(t, c)
	long := strings.Repeat("x", 5000)
	for name, call := range map[string]struct {
		do   func() error
		code string
		text string
	}{
		"plaintext too long, and not quoted": {func() error {
			_, err := c.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: k.KeyId, Plaintext: []byte(long)})
			return err
		}, "ValidationException", "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"},
		"empty plaintext": {func() error {
			_, err := c.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: k.KeyId, Plaintext: []byte{}})
			return err
		}, "ValidationException", "Member must have length greater than or equal to 1"},
		"encryption context too long": {func() error {
			_, err := c.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: k.KeyId, Plaintext: []byte("x"), EncryptionContext: map[string]string{"a": long, "b": long}})
			return err
		}, "ValidationException", "8192"},
		"enum": {func() error {
			_, err := c.GenerateDataKey(t.Context(), &sdk.GenerateDataKeyInput{KeyId: k.KeyId, KeySpec: "AES_512"})
			return err
		}, "ValidationException", "Value 'AES_512' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]"},
		"range": {func() error {
			_, err := c.GenerateRandom(t.Context(), &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(1025)})
			return err
		}, "ValidationException", "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024"},
		"rotation period": {func() error {
			_, err := c.EnableKeyRotation(t.Context(), &sdk.EnableKeyRotationInput{KeyId: k.KeyId, RotationPeriodInDays: aws.Int32(30)})
			return err
		}, "ValidationException", "greater than or equal to 90"},
		"waiting period": {func() error {
			_, err := c.ScheduleKeyDeletion(t.Context(), &sdk.ScheduleKeyDeletionInput{KeyId: k.KeyId, PendingWindowInDays: aws.Int32(6)})
			return err
		}, "ValidationException", "between 7 and 30"},
		"pattern": {func() error {
			_, err := c.CreateAlias(t.Context(), &sdk.CreateAliasInput{AliasName: aws.String("alias/a b"), TargetKeyId: k.KeyId})
			return err
		}, "ValidationException", "Value 'alias/a b' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"},
		"within a list": {func() error {
			_, err := c.TagResource(t.Context(), &sdk.TagResourceInput{KeyId: k.KeyId, Tags: []types.Tag{{TagKey: aws.String(""), TagValue: aws.String("")}}})
			return err
		}, "ValidationException", "at 'tags.1.member.tagKey' failed"},
		"a key that is not there": {func() error {
			_, err := c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: aws.String("00000000-0000-4000-8000-000000000000")})
			return err
		}, "NotFoundException", "Key 'arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000' does not exist"},
		"an alias that is not there": {func() error {
			_, err := c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: aws.String("alias/none")})
			return err
		}, "NotFoundException", "Alias arn:aws:kms:us-east-1:111122223333:alias/none is not found."},
		"no key id": {func() error {
			_, err := c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: aws.String("nonsense")})
			return err
		}, "NotFoundException", "Invalid keyId 'nonsense'"},
		"another region": {func() error {
			_, err := c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: aws.String(strings.Replace(*k.Arn, "us-east-1", "eu-west-1", 1))})
			return err
		}, "NotFoundException", "Invalid arn eu-west-1"},
		"an alias where only a key will do": {func() error {
			_, err := c.DisableKey(t.Context(), &sdk.DisableKeyInput{KeyId: aws.String("alias/x")})
			return err
		}, "NotFoundException", "alias/x"},
		"a grant token": {func() error {
			_, err := c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: k.KeyId, GrantTokens: []string{"x"}})
			return err
		}, "InvalidGrantTokenException", ""},
	} {
		t.Run(name, func(t *testing.T) { refused(t, call.do(), call.code, call.text) })
	}
}

func TestAliases(t *testing.T) {
	r := start(t)
	c := r.client(alice)
	one, two := newKey(t, c), newKey(t, c)
	mac := newKey(t, c, func(in *sdk.CreateKeyInput) { in.KeySpec, in.KeyUsage = "HMAC_256", "GENERATE_VERIFY_MAC" })
	create := func(name string, k *types.KeyMetadata) error {
		_, err := c.CreateAlias(t.Context(), &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: k.KeyId})
		return err
	}
	for _, name := range []string{"alias/b", "alias/a"} {
		if err := create(name, one); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, create("alias/a", two), "AlreadyExistsException", "An alias with the name arn:aws:kms:us-east-1:111122223333:alias/a already exists")
	refused(t, create("b", one), "InvalidAliasNameException", "")
	refused(t, create("alias/aws/s3", one), "InvalidAliasNameException", "reserved")
	list := func(in *sdk.ListAliasesInput) (names []string) {
		for _, a := range must[*sdk.ListAliasesOutput](t)(c.ListAliases(t.Context(), in)).Aliases {
			names = append(names, *a.AliasName+"="+*a.TargetKeyId)
		}
		return names
	}
	if got, want := list(&sdk.ListAliasesInput{}), []string{"alias/a=" + *one.KeyId, "alias/b=" + *one.KeyId}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	move := func(name string, k *types.KeyMetadata) error {
		_, err := c.UpdateAlias(t.Context(), &sdk.UpdateAliasInput{AliasName: &name, TargetKeyId: k.KeyId})
		return err
	}
	if err := move("alias/a", two); err != nil {
		t.Fatal(err)
	}
	refused(t, move("alias/a", mac), "ValidationException", "same type")
	refused(t, move("alias/none", two), "NotFoundException", "alias/none is not found")
	if got, want := list(&sdk.ListAliasesInput{KeyId: two.KeyId}), []string{"alias/a=" + *two.KeyId}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if _, err := c.DeleteAlias(t.Context(), &sdk.DeleteAliasInput{AliasName: aws.String("alias/a")}); err != nil {
		t.Fatal(err)
	}
	_, err := c.DeleteAlias(t.Context(), &sdk.DeleteAliasInput{AliasName: aws.String("alias/a")})
	refused(t, err, "NotFoundException", "")
	t.Run("the default key of S3 is made when it is asked for", func(t *testing.T) {
		got := must[*sdk.DescribeKeyOutput](t)(c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: aws.String(kms.ServiceAliasS3)})).KeyMetadata
		if got.KeyManager != "AWS" {
			t.Errorf("%+v", got)
		}
		k, err := r.service.Use(t.Context(), caller(alice).Through("s3.amazonaws.com"), "GenerateDataKey", "", nil)
		if err != nil || k.ARN != *got.Arn {
			t.Errorf("the gate: %+v, %v", k, err)
		}
		_, err = c.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: got.Arn, Plaintext: []byte("x")})
		refused(t, err, "AccessDeniedException", "") // through S3 only
		_, err = c.ScheduleKeyDeletion(t.Context(), &sdk.ScheduleKeyDeletionInput{KeyId: got.Arn})
		refused(t, err, "AccessDeniedException", "")
	})
}

func TestStates(t *testing.T) {
	r := start(t)
	c := r.client(alice)
	k := newKey(t, c)
	encrypt := func() error {
		_, err := c.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: k.KeyId, Plaintext: []byte("x")})
		return err
	}
	if _, err := c.DisableKey(t.Context(), &sdk.DisableKeyInput{KeyId: k.KeyId}); err != nil {
		t.Fatal(err)
	}
	refused(t, encrypt(), "DisabledException", *k.Arn+" is disabled.")
	if _, err := c.EnableKey(t.Context(), &sdk.EnableKeyInput{KeyId: k.KeyId}); err != nil {
		t.Fatal(err)
	}
	if err := encrypt(); err != nil {
		t.Error(err)
	}
	_, err := c.CancelKeyDeletion(t.Context(), &sdk.CancelKeyDeletionInput{KeyId: k.KeyId})
	refused(t, err, "KMSInvalidStateException", "is not pending deletion.")
	out := must[*sdk.ScheduleKeyDeletionOutput](t)(c.ScheduleKeyDeletion(t.Context(), &sdk.ScheduleKeyDeletionInput{KeyId: k.KeyId, PendingWindowInDays: aws.Int32(7)}))
	if *out.KeyId != *k.Arn || out.KeyState != "PendingDeletion" || *out.PendingWindowInDays != 7 || time.Until(*out.DeletionDate).Round(time.Hour) != 7*24*time.Hour {
		t.Errorf("%+v", out)
	}
	refused(t, encrypt(), "KMSInvalidStateException", *k.Arn+" is pending deletion.")
	_, err = c.EnableKey(t.Context(), &sdk.EnableKeyInput{KeyId: k.KeyId})
	refused(t, err, "KMSInvalidStateException", "is pending deletion.")
	got := must[*sdk.DescribeKeyOutput](t)(c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: k.KeyId})).KeyMetadata
	if got.Enabled || got.KeyState != "PendingDeletion" || got.DeletionDate == nil {
		t.Errorf("%+v", got)
	}
	if out := must[*sdk.CancelKeyDeletionOutput](t)(c.CancelKeyDeletion(t.Context(), &sdk.CancelKeyDeletionInput{KeyId: k.KeyId})); *out.KeyId != *k.Arn {
		t.Errorf("%+v", out)
	}
	refused(t, encrypt(), "DisabledException", "")
}

func TestRotation(t *testing.T) {
	r := start(t)
	c := r.client(alice)
	k := newKey(t, c)
	status := func() *sdk.GetKeyRotationStatusOutput {
		return must[*sdk.GetKeyRotationStatusOutput](t)(c.GetKeyRotationStatus(t.Context(), &sdk.GetKeyRotationStatusInput{KeyId: k.KeyId}))
	}
	if status().KeyRotationEnabled {
		t.Error("rotates unasked")
	}
	if _, err := c.EnableKeyRotation(t.Context(), &sdk.EnableKeyRotationInput{KeyId: k.KeyId, RotationPeriodInDays: aws.Int32(180)}); err != nil {
		t.Fatal(err)
	}
	if s := status(); !s.KeyRotationEnabled || *s.RotationPeriodInDays != 180 || time.Until(*s.NextRotationDate).Round(time.Hour) != 180*24*time.Hour {
		t.Errorf("%+v", s)
	}
	sealed := must[*sdk.EncryptOutput](t)(c.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: k.KeyId, Plaintext: []byte("x")}))
	for range 2 {
		must[*sdk.RotateKeyOnDemandOutput](t)(c.RotateKeyOnDemand(t.Context(), &sdk.RotateKeyOnDemandInput{KeyId: k.KeyId}))
	}
	if out := must[*sdk.DecryptOutput](t)(c.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})); string(out.Plaintext) != "x" {
		t.Error("an old ciphertext does not open")
	}
	all := must[*sdk.ListKeyRotationsOutput](t)(c.ListKeyRotations(t.Context(), &sdk.ListKeyRotationsInput{KeyId: k.KeyId, Limit: aws.Int32(1)}))
	if len(all.Rotations) != 1 || all.Rotations[0].RotationType != "ON_DEMAND" || !isRecent(all.Rotations[0].RotationDate) || !all.Truncated {
		t.Errorf("%+v", all)
	}
	all = must[*sdk.ListKeyRotationsOutput](t)(c.ListKeyRotations(t.Context(), &sdk.ListKeyRotationsInput{KeyId: k.KeyId, Marker: all.NextMarker}))
	if len(all.Rotations) != 1 || all.Rotations[0].KeyMaterialState != "CURRENT" || all.Truncated {
		t.Errorf("%+v", all)
	}
	all = must[*sdk.ListKeyRotationsOutput](t)(c.ListKeyRotations(t.Context(), &sdk.ListKeyRotationsInput{KeyId: k.KeyId, IncludeKeyMaterial: "ALL_KEY_MATERIAL"}))
	if len(all.Rotations) != 3 || all.Rotations[0].RotationDate != nil {
		t.Errorf("%+v", all)
	}
	if _, err := c.DisableKeyRotation(t.Context(), &sdk.DisableKeyRotationInput{KeyId: k.KeyId}); err != nil {
		t.Fatal(err)
	}
	if status().KeyRotationEnabled {
		t.Error("still rotates")
	}
}
