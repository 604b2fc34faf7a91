package kms

import (
	"context"
	"fmt"
	"strconv"

	"github.com/dictum/dictum/internal/aws/arn"
	"github.com/dictum/dictum/internal/aws/awsjson"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
)

func (a *API) createKeyAccess(_ context.Context, c *gateway.Call, in *createKeyInput) ([]iam.Access, error) {
	spec := deref(in.KeySpec) + deref(in.CustomerMasterKeySpec)
	if spec == "" {
		spec = kms.SymmetricDefault
	}
	usage := deref(in.KeyUsage)
	if usage == "" {
		usage = string(kms.EncryptDecrypt)
	}
	keys := tagKeys(in.Tags)
	for name, value := range map[string]string{
		"kms:keyspec": spec, "kms:keyusage": usage, "kms:keyorigin": "AWS_KMS", "kms:multiregion": strconv.FormatBool(deref(in.MultiRegion)),
		"kms:bypasspolicylockoutsafetycheck": strconv.FormatBool(deref(in.BypassPolicyLockoutSafetyCheck)),
	} {
		keys[name] = []string{value}
	}
	about := kms.Circumstances{Keys: keys}
	access := []iam.Access{a.keys.AccessTo(c.Caller, "CreateKey", "*", about)}
	if len(in.Tags) > 0 {
		all := arn.New("kms", c.Region, c.Principal.AccountID, "key/*").String()
		access = append(access, a.keys.AccessTo(c.Caller, "TagResource", all, about))
	}
	return access, nil
}

func (a *API) createKey(ctx context.Context, c *gateway.Call, in *createKeyInput) (*keyMetadataOutput, error) {
	switch {
	case in.KeySpec != nil && in.CustomerMasterKeySpec != nil:
		return nil, invalid("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	case in.Origin != nil && *in.Origin != "AWS_KMS":
		return nil, unsupported("Keys of origin " + *in.Origin + " aren't available in this version of Dictum yet.")
	case in.CustomKeyStoreId != nil || in.XksKeyId != nil:
		return nil, unsupported("Custom key stores aren't available in this version of Dictum.")
	case deref(in.MultiRegion):
		return nil, unsupported("Multi-Region keys aren't available in this version of Dictum yet.")
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	k, err := a.keys.CreateKey(ctx, c.Caller, kms.NewKey{
		Spec: deref(in.KeySpec) + deref(in.CustomerMasterKeySpec), Usage: kms.Usage(deref(in.KeyUsage)), Description: deref(in.Description),
		Policy: deref(in.Policy), BypassLockoutCheck: deref(in.BypassPolicyLockoutSafetyCheck), Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	return &keyMetadataOutput{metadata(k)}, nil
}

func metadata(k kms.CustomerKey) keyMetadata {
	enabled, single := k.State == kms.Enabled, false
	m := keyMetadata{
		AWSAccountId: k.AccountID, KeyId: k.ID, Arn: k.ARN, CreationDate: k.Created, Enabled: &enabled, Description: &k.Description,
		KeyUsage: string(k.Usage), KeyState: string(k.State), DeletionDate: k.Deletion, Origin: "AWS_KMS", KeyManager: k.Manager,
		KeySpec: k.Spec, MultiRegion: &single,
	}
	// The old name has no values for the newer specs.
	if k.Spec != "ECC_NIST_EDWARDS25519" {
		m.CustomerMasterKeySpec = k.Spec
	}
	if k.Symmetric {
		m.CurrentKeyMaterialId = k.MaterialID
	}
	switch algorithms := k.Algorithms(); k.Usage {
	case kms.EncryptDecrypt:
		m.EncryptionAlgorithms = algorithms
	case kms.SignVerify:
		m.SigningAlgorithms = algorithms
	case kms.GenerateVerifyMAC:
		m.MacAlgorithms = algorithms
	case kms.KeyAgreement:
		m.KeyAgreementAlgorithms = algorithms
	}
	return m
}

func (a *API) describeKey(ctx context.Context, _ *gateway.Call, in *keyInput, t kms.Target) (*keyMetadataOutput, error) {
	if err := noGrants(in.GrantTokens); err != nil {
		return nil, err
	}
	k, err := a.keys.Key(ctx, t)
	if err != nil {
		return nil, err
	}
	return &keyMetadataOutput{metadata(k)}, nil
}

func (a *API) listKeys(ctx context.Context, c *gateway.Call, in *listKeysInput) (*listKeysOutput, error) {
	keys, truncated, err := a.keys.ListKeys(ctx, c.Caller, deref(in.Marker), size(in.Limit, 100, 1000))
	if err != nil {
		return nil, err
	}
	out := &listKeysOutput{Keys: []keyListEntry{}}
	last := ""
	for _, k := range keys {
		out.Keys = append(out.Keys, keyListEntry{KeyId: k.ID, KeyArn: k.ARN})
		last = k.ID
	}
	out.page = more(truncated, last)
	return out, nil
}

func (a *API) updateDescription(ctx context.Context, _ *gateway.Call, in *descriptionInput, t kms.Target) (*awsjson.None, error) {
	return done(a.keys.Describe(ctx, t, deref(in.Description)))
}

func (a *API) enableKey(ctx context.Context, _ *gateway.Call, _ *keyInput, t kms.Target) (*awsjson.None, error) {
	return done(a.keys.Enable(ctx, t))
}

func (a *API) disableKey(ctx context.Context, _ *gateway.Call, _ *keyInput, t kms.Target) (*awsjson.None, error) {
	return done(a.keys.Disable(ctx, t))
}

func scheduleAbout(in *scheduleInput) kms.Circumstances {
	days := deref(in.PendingWindowInDays)
	if days == 0 {
		days = kms.DefaultPendingDays
	}
	return kms.Circumstances{Keys: map[string][]string{"kms:schedulekeydeletionpendingwindowindays": {strconv.Itoa(days)}}}
}

func (a *API) scheduleKeyDeletion(ctx context.Context, _ *gateway.Call, in *scheduleInput, t kms.Target) (*scheduleOutput, error) {
	k, err := a.keys.ScheduleDeletion(ctx, t, deref(in.PendingWindowInDays))
	if err != nil {
		return nil, err
	}
	return &scheduleOutput{KeyId: k.ARN, DeletionDate: k.Deletion, KeyState: string(k.State), PendingWindowInDays: k.PendingDays}, nil
}

func (a *API) cancelKeyDeletion(ctx context.Context, _ *gateway.Call, _ *keyInput, t kms.Target) (*keyIDOutput, error) {
	if err := a.keys.CancelDeletion(ctx, t); err != nil {
		return nil, err
	}
	return &keyIDOutput{t.ARN()}, nil
}

func rotationAbout(in *rotationInput) kms.Circumstances {
	days := deref(in.RotationPeriodInDays)
	if days == 0 {
		days = kms.DefaultRotationDays
	}
	return kms.Circumstances{Keys: map[string][]string{"kms:rotationperiodindays": {strconv.Itoa(days)}}}
}

func (a *API) enableKeyRotation(ctx context.Context, _ *gateway.Call, in *rotationInput, t kms.Target) (*awsjson.None, error) {
	return done(a.keys.EnableRotation(ctx, t, deref(in.RotationPeriodInDays)))
}

func (a *API) disableKeyRotation(ctx context.Context, _ *gateway.Call, _ *keyInput, t kms.Target) (*awsjson.None, error) {
	return done(a.keys.DisableRotation(ctx, t))
}

func (a *API) getKeyRotationStatus(ctx context.Context, _ *gateway.Call, _ *keyInput, t kms.Target) (*rotationStatusOutput, error) {
	k, err := a.keys.RotationStatus(ctx, t)
	if err != nil {
		return nil, err
	}
	out := &rotationStatusOutput{KeyRotationEnabled: &k.Rotation.Enabled, KeyId: k.ARN}
	if k.Rotation.Enabled {
		out.RotationPeriodInDays, out.NextRotationDate = k.Rotation.PeriodDays, k.Rotation.Next
	}
	return out, nil
}

func (a *API) listKeyRotations(ctx context.Context, _ *gateway.Call, in *listRotationsInput, t kms.Target) (*listRotationsOutput, error) {
	materials, err := a.keys.Rotations(ctx, t)
	if err != nil {
		return nil, err
	}
	if deref(in.IncludeKeyMaterial) != "ALL_KEY_MATERIAL" {
		materials = materials[min(1, len(materials)):] // the first was made, not rotated to
	}
	number := func(m kms.Material) string { return fmt.Sprintf("%010d", m.Version) }
	materials, paging := list(materials, number, in.Marker, in.Limit, 1000)
	out := &listRotationsOutput{Rotations: []rotationsListEntry{}, page: paging}
	key, err := t.Found()
	if err != nil {
		return nil, err
	}
	for _, m := range materials {
		e := rotationsListEntry{KeyId: key.ARN, KeyMaterialId: m.ID, KeyMaterialState: "NON_CURRENT", RotationType: m.Rotation}
		if m.Version == key.Version {
			e.KeyMaterialState = "CURRENT"
		}
		if m.Rotation != "" {
			e.RotationDate = m.Created
		}
		out.Rotations = append(out.Rotations, e)
	}
	return out, nil
}

func (a *API) rotateKeyOnDemand(ctx context.Context, _ *gateway.Call, _ *keyInput, t kms.Target) (*keyIDOutput, error) {
	k, err := a.keys.RotateNow(ctx, t)
	if err != nil {
		return nil, err
	}
	return &keyIDOutput{k.ARN}, nil
}
