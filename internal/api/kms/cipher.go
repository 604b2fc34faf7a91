package kms

import (
	"context"
	"fmt"
	"strconv"

	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
)

// cipherAbout is what policies can ask of an operation in an encryption context.
func cipherAbout(pairs map[string]string, algorithm *string) kms.Circumstances {
	name := deref(algorithm)
	if name == "" {
		name = kms.SymmetricDefault
	}
	return kms.Circumstances{Context: pairs, Keys: map[string][]string{"kms:encryptionalgorithm": {name}}}
}

// ready returns why a request can't be carried out, or that it could when it only asks.
func ready(t kms.Target, operation string, algorithm *string, grants []string, dryRun *bool) error {
	if err := noGrants(grants); err != nil {
		return err
	}
	k, err := t.Found()
	if err != nil {
		return err
	}
	if k.Symmetric && algorithm != nil && *algorithm != kms.SymmetricDefault {
		return refusal("InvalidKeyUsageException", fmt.Sprintf("The algorithm %s is incompatible with the key spec %s.", *algorithm, k.Spec))
	}
	if err := t.Ready(operation); err != nil {
		return err
	}
	if deref(dryRun) {
		return kms.DryRun()
	}
	return nil
}

// noRecipient refuses requests of Nitro enclaves, whose attestation documents mean nothing here.
func noRecipient(recipient any) error {
	if recipient != nil {
		return unsupported("Recipient isn't available in this version of Dictum: there are no Nitro enclaves.")
	}
	return nil
}

// noModifiers refuses dry runs that leave out the ciphertext.
func noModifiers(modifiers []string) error {
	if len(modifiers) > 0 {
		return unsupported("DryRunModifiers aren't available in this version of Dictum yet.")
	}
	return nil
}

func encryptAbout(in *encryptInput) kms.Circumstances {
	return cipherAbout(in.EncryptionContext, in.EncryptionAlgorithm)
}

func (a *API) encrypt(ctx context.Context, _ *gateway.Call, in *encryptInput, t kms.Target) (*encryptOutput, error) {
	if err := ready(t, "Encrypt", in.EncryptionAlgorithm, in.GrantTokens, in.DryRun); err != nil {
		return nil, err
	}
	out, err := a.keys.Encrypt(ctx, t, in.Plaintext, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return &encryptOutput{CiphertextBlob: out.Blob, KeyId: out.Key.ARN, EncryptionAlgorithm: kms.SymmetricDefault}, nil
}

func (a *API) decryptAccess(ctx context.Context, c *gateway.Call, in *decryptInput) ([]iam.Access, error) {
	var err error
	if in.target, err = a.keys.FindBlob(ctx, c.Caller, in.CiphertextBlob, deref(in.KeyId)); err != nil {
		return nil, err
	}
	return []iam.Access{a.keys.Access(c.Caller, "Decrypt", in.target, cipherAbout(in.EncryptionContext, in.EncryptionAlgorithm))}, nil
}

func (a *API) decrypt(ctx context.Context, _ *gateway.Call, in *decryptInput) (*decryptOutput, error) {
	if in.CiphertextBlob == nil {
		return nil, missing("ciphertextBlob")
	}
	if err := noRecipient(in.Recipient); err != nil {
		return nil, err
	}
	if err := noModifiers(in.DryRunModifiers); err != nil {
		return nil, err
	}
	if err := ready(in.target, "Decrypt", in.EncryptionAlgorithm, in.GrantTokens, nil); err != nil {
		return nil, err
	}
	out, err := a.keys.Decrypt(ctx, in.target, in.CiphertextBlob, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	if deref(in.DryRun) { // it would have opened
		return nil, kms.DryRun()
	}
	return &decryptOutput{KeyId: out.Key.ARN, Plaintext: out.Plaintext, EncryptionAlgorithm: kms.SymmetricDefault, KeyMaterialId: out.MaterialID}, nil
}

// missing words a member that the model does not require but the operation does.
func missing(name string) error {
	return invalid("1 validation error detected: Value null at '" + name + "' failed to satisfy constraint: Member must not be null")
}

func (a *API) reEncryptAccess(ctx context.Context, c *gateway.Call, in *reEncryptInput) ([]iam.Access, error) {
	var err error
	if in.from.target, err = a.keys.FindBlob(ctx, c.Caller, in.CiphertextBlob, deref(in.SourceKeyId)); err != nil {
		return nil, err
	}
	if in.DestinationKeyId != nil {
		if in.to.target, err = a.keys.Find(ctx, c.Caller, *in.DestinationKeyId); err != nil {
			return nil, err
		}
	}
	from := cipherAbout(in.SourceEncryptionContext, in.SourceEncryptionAlgorithm)
	to := cipherAbout(in.DestinationEncryptionContext, in.DestinationEncryptionAlgorithm)
	same := strconv.FormatBool(in.from.target.ARN() == in.to.target.ARN())
	from.Keys["kms:reencryptonsamekey"] = []string{same}
	to.Keys["kms:reencryptonsamekey"] = []string{same}
	return []iam.Access{
		a.keys.Access(c.Caller, "ReEncryptFrom", in.from.target, from), a.keys.Access(c.Caller, "ReEncryptTo", in.to.target, to),
	}, nil
}

func (a *API) reEncrypt(ctx context.Context, _ *gateway.Call, in *reEncryptInput) (*reEncryptOutput, error) {
	if in.CiphertextBlob == nil {
		return nil, missing("ciphertextBlob")
	}
	if err := noModifiers(in.DryRunModifiers); err != nil {
		return nil, err
	}
	if err := ready(in.from.target, "ReEncrypt", in.SourceEncryptionAlgorithm, in.GrantTokens, nil); err != nil {
		return nil, err
	}
	if err := ready(in.to.target, "ReEncrypt", in.DestinationEncryptionAlgorithm, nil, nil); err != nil {
		return nil, err
	}
	opened, sealed, err := a.keys.ReEncrypt(ctx, in.from.target, in.CiphertextBlob, in.SourceEncryptionContext,
		in.to.target, in.DestinationEncryptionContext)
	if err != nil {
		return nil, err
	}
	if deref(in.DryRun) {
		return nil, kms.DryRun()
	}
	return &reEncryptOutput{
		CiphertextBlob: sealed.Blob, SourceKeyId: opened.Key.ARN, KeyId: sealed.Key.ARN,
		SourceEncryptionAlgorithm: kms.SymmetricDefault, DestinationEncryptionAlgorithm: kms.SymmetricDefault,
		SourceKeyMaterialId: opened.MaterialID, DestinationKeyMaterialId: sealed.MaterialID,
	}, nil
}

func dataKeyAbout(in *dataKeyInput) kms.Circumstances {
	return cipherAbout(in.EncryptionContext, nil)
}

func (a *API) generateDataKey(ctx context.Context, _ *gateway.Call, in *dataKeyInput, t kms.Target) (*dataKeyOutput, error) {
	return a.newDataKey(ctx, "GenerateDataKey", in, t)
}

func (a *API) generateDataKeyWithoutPlaintext(ctx context.Context, _ *gateway.Call, in *dataKeyInput, t kms.Target) (*dataKeyOutput, error) {
	out, err := a.newDataKey(ctx, "GenerateDataKeyWithoutPlaintext", in, t)
	if err != nil {
		return nil, err
	}
	clear(out.Plaintext)
	out.Plaintext = nil
	return out, nil
}

func (a *API) newDataKey(ctx context.Context, operation string, in *dataKeyInput, t kms.Target) (*dataKeyOutput, error) {
	if (in.KeySpec == nil) == (in.NumberOfBytes == nil) {
		return nil, invalid("Please specify either number of bytes or key spec.")
	}
	if err := noRecipient(in.Recipient); err != nil {
		return nil, err
	}
	if err := ready(t, operation, nil, in.GrantTokens, in.DryRun); err != nil {
		return nil, err
	}
	n := deref(in.NumberOfBytes)
	switch deref(in.KeySpec) {
	case "AES_256":
		n = 32
	case "AES_128":
		n = 16
	}
	out, err := a.keys.NewDataKey(ctx, t, operation, n, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return &dataKeyOutput{CiphertextBlob: out.Blob, Plaintext: out.Plaintext, KeyId: out.Key.ARN, KeyMaterialId: out.MaterialID}, nil
}

func (a *API) generateRandom(_ context.Context, _ *gateway.Call, in *randomInput) (*randomOutput, error) {
	switch {
	case in.NumberOfBytes == nil:
		return nil, invalid("NumberOfBytes is required.")
	case in.CustomKeyStoreId != nil:
		return nil, unsupported("Custom key stores aren't available in this version of Dictum.")
	}
	if err := noRecipient(in.Recipient); err != nil {
		return nil, err
	}
	b, err := a.keys.Random(*in.NumberOfBytes)
	if err != nil {
		return nil, err
	}
	return &randomOutput{Plaintext: b}, nil
}
