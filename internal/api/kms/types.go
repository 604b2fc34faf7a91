package kms

import "time"

// The inputs hold the members that the operations look at; the others of the model are refused or ignored as
// operations say. Secrets and blobs stay out of the audit: it leaves out bytes, and what is tagged.

type tag struct {
	TagKey   *string
	TagValue *string
}

type createKeyInput struct {
	Policy                         *string
	Description                    *string
	KeyUsage                       *string
	CustomerMasterKeySpec          *string
	KeySpec                        *string
	Origin                         *string
	CustomKeyStoreId               *string
	BypassPolicyLockoutSafetyCheck *bool
	Tags                           []tag
	MultiRegion                    *bool
	XksKeyId                       *string
}

type keyMetadata struct {
	AWSAccountId           string
	KeyId                  string
	Arn                    string
	CreationDate           time.Time
	Enabled                *bool
	Description            *string
	KeyUsage               string
	KeyState               string
	DeletionDate           time.Time
	Origin                 string
	KeyManager             string
	CustomerMasterKeySpec  string
	KeySpec                string
	EncryptionAlgorithms   []string
	SigningAlgorithms      []string
	KeyAgreementAlgorithms []string
	MacAlgorithms          []string
	MultiRegion            *bool
	CurrentKeyMaterialId   string
}

type keyMetadataOutput struct{ KeyMetadata keyMetadata }

// keyInput is that of every operation that takes a key and nothing else.
type keyInput struct {
	KeyId       *string
	GrantTokens []string `audit:"-"`
	on
}

type listKeysInput struct {
	Limit  *int
	Marker *string
}

type keyListEntry struct{ KeyId, KeyArn string }

type page struct {
	NextMarker string
	Truncated  *bool
}

type listKeysOutput struct {
	Keys []keyListEntry
	page
}

type aliasInput struct {
	AliasName   *string
	TargetKeyId *string
	// was is the key that the alias names before the operation.
	was on
	on
}

type listAliasesInput struct {
	KeyId  *string
	Limit  *int
	Marker *string
	on
}

type aliasListEntry struct {
	AliasName, AliasArn, TargetKeyId string
	CreationDate, LastUpdatedDate    time.Time
}

type listAliasesOutput struct {
	Aliases []aliasListEntry
	page
}

type encryptInput struct {
	KeyId               *string
	Plaintext           []byte `audit:"-"`
	EncryptionContext   map[string]string
	GrantTokens         []string `audit:"-"`
	EncryptionAlgorithm *string
	DryRun              *bool
	on
}

type encryptOutput struct {
	CiphertextBlob      []byte `audit:"-"`
	KeyId               string
	EncryptionAlgorithm string
}

type decryptInput struct {
	CiphertextBlob      []byte `audit:"-"`
	EncryptionContext   map[string]string
	GrantTokens         []string `audit:"-"`
	KeyId               *string
	EncryptionAlgorithm *string
	Recipient           any `audit:"-"`
	DryRun              *bool
	DryRunModifiers     []string
	on
}

type decryptOutput struct {
	KeyId               string
	Plaintext           []byte `audit:"-"`
	EncryptionAlgorithm string
	KeyMaterialId       string
}

type reEncryptInput struct {
	CiphertextBlob                 []byte `audit:"-"`
	SourceEncryptionContext        map[string]string
	SourceKeyId                    *string
	DestinationKeyId               *string
	DestinationEncryptionContext   map[string]string
	SourceEncryptionAlgorithm      *string
	DestinationEncryptionAlgorithm *string
	GrantTokens                    []string `audit:"-"`
	DryRun                         *bool
	DryRunModifiers                []string
	from, to                       on
}

type reEncryptOutput struct {
	CiphertextBlob                 []byte `audit:"-"`
	SourceKeyId                    string
	KeyId                          string
	SourceEncryptionAlgorithm      string
	DestinationEncryptionAlgorithm string
	SourceKeyMaterialId            string
	DestinationKeyMaterialId       string
}

type dataKeyInput struct {
	KeyId             *string
	EncryptionContext map[string]string
	NumberOfBytes     *int
	KeySpec           *string
	GrantTokens       []string `audit:"-"`
	Recipient         any      `audit:"-"`
	DryRun            *bool
	on
}

type dataKeyOutput struct {
	CiphertextBlob []byte `audit:"-"`
	Plaintext      []byte `audit:"-"`
	KeyId          string
	KeyMaterialId  string
}

type randomInput struct {
	NumberOfBytes    *int
	CustomKeyStoreId *string
	Recipient        any `audit:"-"`
}

type randomOutput struct {
	Plaintext []byte `audit:"-"`
}

type scheduleInput struct {
	KeyId               *string
	PendingWindowInDays *int
	on
}

type scheduleOutput struct {
	KeyId               string
	DeletionDate        time.Time
	KeyState            string
	PendingWindowInDays int
}

type keyIDOutput struct{ KeyId string }

type rotationInput struct {
	KeyId                *string
	RotationPeriodInDays *int
	on
}

type rotationStatusOutput struct {
	KeyRotationEnabled   *bool
	KeyId                string
	RotationPeriodInDays int
	NextRotationDate     time.Time
}

type listRotationsInput struct {
	KeyId              *string
	IncludeKeyMaterial *string
	Limit              *int
	Marker             *string
	on
}

type rotationsListEntry struct {
	KeyId            string
	KeyMaterialId    string
	KeyMaterialState string
	RotationDate     time.Time
	RotationType     string
}

type listRotationsOutput struct {
	Rotations []rotationsListEntry
	page
}

type policyInput struct {
	KeyId                          *string
	PolicyName                     *string
	Policy                         *string
	BypassPolicyLockoutSafetyCheck *bool
	Limit                          *int
	Marker                         *string
	on
}

type policyOutput struct{ Policy, PolicyName string }

type listPoliciesOutput struct {
	PolicyNames []string
	page
}

type tagInput struct {
	KeyId   *string
	Tags    []tag
	TagKeys []string
	Limit   *int
	Marker  *string
	on
}

type listTagsOutput struct {
	Tags []tag
	page
}

type descriptionInput struct {
	KeyId       *string
	Description *string
	on
}

type listGrantsInput struct {
	KeyId            *string
	GrantId          *string
	GranteePrincipal *string
	Limit            *int
	Marker           *string
	on
}

type listGrantsOutput struct {
	Grants []struct{}
	page
}
