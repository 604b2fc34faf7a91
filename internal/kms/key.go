package kms

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/dictum/dictum/internal/aws/arn"
)

// State is where a key is in its life.
type State string

// The states.
const (
	Enabled         State = "Enabled"
	Disabled        State = "Disabled"
	PendingDeletion State = "PendingDeletion"
)

// Who manages a key.
const (
	ManagerCustomer = "CUSTOMER"
	// ManagerAWS marks the keys that services make for an account: alias/aws/s3.
	ManagerAWS = "AWS"
)

// The bounds of KMS, in days.
const (
	// DefaultPendingDays is how long a key waits for its deletion.
	DefaultPendingDays = 30
	minPendingDays     = 7
	maxPendingDays     = 30
	// DefaultRotationDays is the time between two automatic rotations.
	DefaultRotationDays = 365
	minRotationDays     = 90
	maxRotationDays     = 2560
)

// maxOnDemand is how often a key can be rotated on demand, maxPolicy the size of its policy in bytes, maxTags
// how many tags it can have (https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html).
const (
	maxOnDemand = 25
	maxPolicy   = 32 << 10
	maxTags     = 50
)

const day = 24 * time.Hour

// CustomerKey is a KMS key.
type CustomerKey struct {
	Key
	Description string
	Spec        string
	Usage       Usage
	Manager     string
	State       State
	Created     time.Time
	// Deletion is when the material will be destroyed, PendingDays the waiting time; zero unless PendingDeletion.
	Deletion    time.Time
	PendingDays int
	// Policy is the key policy, JSON as it was given.
	Policy string
	Tags   map[string]string
	// Rotation is the automatic one.
	Rotation Rotation
	// Version is the current one of the material, counted from 1; MaterialID names it.
	Version    uint32
	MaterialID string
}

// Rotation is how a key's material is renewed automatically.
type Rotation struct {
	Enabled bool
	// PeriodDays is the time between two rotations, Next the coming one.
	PeriodDays int
	Next       time.Time
}

// Algorithms are those that the key's usage has.
func (k CustomerKey) Algorithms() []string { return specs[k.Spec].Algorithms[k.Usage] }

// AliasOf names an alias of an account and region.
type AliasOf struct{ AccountID, Region, Name string }

// ARN returns arn:aws:kms:{region}:{account}:alias/{name}. Name includes "alias/".
func (a AliasOf) ARN() string { return arn.New("kms", a.Region, a.AccountID, a.Name).String() }

// Alias is another name of a key.
type Alias struct {
	AliasOf
	KeyID            string
	Created, Updated time.Time
}

// Why a version of the material was made; the first one has no reason.
const (
	RotationAutomatic = "AUTOMATIC"
	RotationOnDemand  = "ON_DEMAND"
)

// Material is one version of a key's secret.
type Material struct {
	KeyID   string
	Version uint32
	// ID is KMS's KeyMaterialId: 64 hex digits.
	ID      string
	Created time.Time
	// Rotation is RotationAutomatic, RotationOnDemand, or empty for the first version.
	Rotation string
	// Sealed is the secret under the root, bound to the key and the version.
	Sealed []byte
}

// Sealer encrypts key material at rest; Root is one.
type Sealer interface {
	Seal(plaintext []byte, context Context) ([]byte, error)
	Open(sealed []byte, context Context) ([]byte, error)
}

var _ Sealer = (*Root)(nil)

func materialContext(keyARN string, version uint32) Context {
	return Context{"use": "customer-key", "key": keyARN, "version": strconv.FormatUint(uint64(version), 10)}
}

// newMaterial makes the secret of a key's version, sealed.
func newMaterial(sealer Sealer, k CustomerKey, version uint32, rotation string, now time.Time) (Material, error) {
	plain, err := specs[k.Spec].generate()
	if err != nil {
		return Material{}, fmt.Errorf("make key material: %w", err)
	}
	defer clear(plain)
	sealed, err := sealer.Seal(plain, materialContext(k.ARN, version))
	if err != nil {
		return Material{}, fmt.Errorf("seal key material: %w", err)
	}
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return Material{}, fmt.Errorf("make id of key material: %w", err)
	}
	id := sha256.Sum256(random[:])
	return Material{
		KeyID: k.ID, Version: version, ID: hex.EncodeToString(id[:]), Created: now.UTC(), Rotation: rotation, Sealed: sealed,
	}, nil
}

// keyIn names a new key of an account and region.
func keyIn(accountID, region string) Key {
	id := uuid.NewString()
	return Key{ID: id, ARN: keyARN(accountID, region, id), AccountID: accountID, Region: region}
}

func keyARN(accountID, region, id string) string {
	return arn.New("kms", region, accountID, "key/"+id).String()
}

func (k CustomerKey) clone() CustomerKey {
	k.Tags = maps.Clone(k.Tags)
	return k
}

// usable returns nil when the key is enabled.
func (k CustomerKey) usable() error {
	switch k.State {
	case Enabled:
		return nil
	case Disabled:
		return failure{ErrKeyDisabled, shown("DisabledException", k.ARN+" is disabled.")}
	default:
		return k.notPending()
	}
}

// notPending returns nil unless the key is about to be deleted.
func (k CustomerKey) notPending() error {
	if k.State == PendingDeletion {
		return failure{ErrKeyPendingDeletion, shown("KMSInvalidStateException", k.ARN+" is pending deletion.")}
	}
	return nil
}

// encrypts returns nil when the key can carry out an operation of symmetric encryption.
func (k CustomerKey) encrypts(operation string) error {
	switch {
	case k.Symmetric:
		return nil
	case k.Usage != EncryptDecrypt:
		return failure{ErrKeyUsage, shown("InvalidKeyUsageException", fmt.Sprintf("%s key usage is %s which is not valid for %s.", k.ARN, k.Usage, operation))}
	case operation == "GenerateDataKey" || operation == "GenerateDataKeyWithoutPlaintext":
		return failure{ErrKeyUsage, shown("InvalidKeyUsageException", "You cannot generate a data key with an asymmetric CMK")}
	default:
		return failure{ErrKeyUsage, shown("UnsupportedOperationException",
			fmt.Sprintf("%s with a key of spec %s isn't available in this version of Dictum yet.", operation, k.Spec))}
	}
}
