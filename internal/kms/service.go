package kms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/bounded"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
)

// Store keeps customers' keys. Each method is one transaction, durable when it returns.
type Store interface {
	// CreateKey adds a key with its first material, and an alias when one is given: ErrAliasExists, then
	// nothing was added.
	CreateKey(ctx context.Context, k CustomerKey, m Material, alias *AliasOf) error
	// Key returns the key with this id, or ErrKeyGone.
	Key(ctx context.Context, id string) (CustomerKey, error)
	// Keys returns up to limit keys of an account and region with ids beyond after, by id.
	Keys(ctx context.Context, accountID, region, after string, limit int) ([]CustomerKey, error)
	// UpdateKey lets change change a key, and keeps the material that it returns beside it. When change fails,
	// nothing changes and its error is returned. ErrKeyGone.
	UpdateKey(ctx context.Context, id string, change func(*CustomerKey) (*Material, error)) (CustomerKey, error)
	// DeleteKey destroys a key, its material and its aliases if check returns nil. It does nothing when the key
	// is gone.
	DeleteKey(ctx context.Context, id string, check func(CustomerKey) error) error
	// Due returns up to limit keys whose deletion or rotation is due.
	Due(ctx context.Context, now time.Time, limit int) ([]CustomerKey, error)
	// Material returns a version of a key's material, or ErrKeyGone.
	Material(ctx context.Context, keyID string, version uint32) (Material, error)
	// Materials returns all versions, oldest first, without the secrets.
	Materials(ctx context.Context, keyID string) ([]Material, error)
	// Alias returns an alias, or ErrNoAlias.
	Alias(ctx context.Context, a AliasOf) (Alias, error)
	// Aliases returns up to limit aliases of an account and region with names beyond after, by name; only
	// those of one key when keyID is not empty.
	Aliases(ctx context.Context, accountID, region, keyID, after string, limit int) ([]Alias, error)
	// CreateAlias returns ErrAliasExists, UpdateAlias and DeleteAlias ErrNoAlias.
	CreateAlias(ctx context.Context, a Alias) error
	UpdateAlias(ctx context.Context, a AliasOf, keyID string, now time.Time) error
	DeleteAlias(ctx context.Context, a AliasOf) error
}

// Config is what a Service is made of.
type Config struct {
	Store      Store
	Sealer     Sealer
	Authorizer iam.Authorizer
	Recorder   audit.Recorder
	// Names binds key policies to the users and roles that they name; nil leaves them as they are written.
	Names iam.Namer
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log gets what goes wrong in the background; nil means slog.Default.
	Log *slog.Logger
}

// Service carries out what Amazon KMS does. Methods that take a Target expect that the caller's access to it was
// authorised. Errors are those clients of KMS see (awserr), and match this package's with errors.Is. It is safe
// for concurrent use.
type Service struct {
	config Config
	// policies are parsed key policies by their text.
	policies *bounded.Cache[string, *policy.Document]
}

// parsedPolicies is how many parsed key policies are kept, at least: most keys have their account's default one.
const parsedPolicies = 256

// NewService returns a Service.
func NewService(config Config) *Service {
	if config.Now == nil {
		config.Now = time.Now
	}
	config.Log = cmp.Or(config.Log, slog.Default())
	return &Service{config: config, policies: bounded.NewCache[string, *policy.Document](parsedPolicies)}
}

// NewKey is what CreateKey is asked for. Empty members have KMS's defaults.
type NewKey struct {
	Spec        string
	Usage       Usage
	Description string
	// Policy is the key policy; empty means that the account's own policies decide.
	Policy string
	// BypassLockoutCheck lets a policy be set that the caller can't change any more.
	BypassLockoutCheck bool
	Tags               map[string]string
}

// CreateKey makes a key in the caller's account and region.
func (s *Service) CreateKey(ctx context.Context, c iam.Caller, in NewKey) (CustomerKey, error) {
	spec, usage, err := specFor(in.Spec, in.Usage)
	if err != nil {
		return CustomerKey{}, err
	}
	if err := checkTags(in.Tags); err != nil {
		return CustomerKey{}, err
	}
	k := CustomerKey{
		Key: keyIn(account(c), c.Region), Description: in.Description, Spec: spec.Name, Usage: usage, Manager: ManagerCustomer,
		State: Enabled, Created: s.config.Now().UTC(), Policy: in.Policy, Tags: in.Tags,
	}
	k.Symmetric = spec.Name == SymmetricDefault
	if in.Policy == "" {
		k.Policy = defaultPolicy(k.AccountID)
	} else if k.Policy, err = s.checkPolicy(ctx, c, k, in.Policy, in.BypassLockoutCheck); err != nil {
		return CustomerKey{}, err
	}
	return s.create(ctx, k, nil)
}

func (s *Service) create(ctx context.Context, k CustomerKey, alias *AliasOf) (CustomerKey, error) {
	m, err := newMaterial(s.config.Sealer, k, 1, "", k.Created)
	if err != nil {
		return CustomerKey{}, fmt.Errorf("create key: %w", err)
	}
	k.Version, k.MaterialID = 1, m.ID
	if err := s.config.Store.CreateKey(ctx, k, m, alias); err != nil {
		return CustomerKey{}, fmt.Errorf("create key: %w", err)
	}
	return k, nil
}

// serviceKey returns the key that a service has in an account, and makes it at its first use: alias/aws/s3.
func (s *Service) serviceKey(ctx context.Context, alias AliasOf) (CustomerKey, error) {
	service, _ := strings.CutPrefix(alias.Name, reservedAlias)
	description := serviceKeys[service]
	now := s.config.Now().UTC()
	k := CustomerKey{
		Key: keyIn(alias.AccountID, alias.Region), Description: description, Spec: SymmetricDefault, Usage: EncryptDecrypt,
		Manager: ManagerAWS, State: Enabled, Created: now, Policy: servicePolicy(service, alias.AccountID, alias.Region),
		// AWS rotates its managed keys every year.
		Rotation: Rotation{Enabled: true, PeriodDays: DefaultRotationDays, Next: now.Add(DefaultRotationDays * day)},
	}
	k.Symmetric = true
	k, err := s.create(ctx, k, &alias)
	if errors.Is(err, ErrAliasExists) { // another request was first
		a, err := s.config.Store.Alias(ctx, alias)
		if err != nil {
			return CustomerKey{}, err
		}
		return s.config.Store.Key(ctx, a.KeyID)
	}
	return k, err
}

// Key returns the key that a target names.
func (s *Service) Key(ctx context.Context, t Target) (CustomerKey, error) {
	if t.first != nil {
		return s.serviceKey(ctx, *t.first)
	}
	return t.key, t.err
}

// ListKeys returns up to limit of the caller's keys beyond the marker, and whether there are more.
func (s *Service) ListKeys(ctx context.Context, c iam.Caller, marker string, limit int) (keys []CustomerKey, more bool, err error) {
	if marker != "" && !isKeyID(marker) {
		return nil, false, invalidMarker()
	}
	keys, err = s.config.Store.Keys(ctx, account(c), c.Region, marker, limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("list keys: %w", err)
	}
	if len(keys) > limit {
		return keys[:limit], true, nil
	}
	return keys, false, nil
}

func invalidMarker() error {
	return shown("InvalidMarkerException", "The request was rejected because the marker is not valid.")
}

// Describe sets a key's description.
func (s *Service) Describe(ctx context.Context, t Target, description string) error {
	return s.change(ctx, t, func(k *CustomerKey) error {
		k.Description = description
		return k.notPending()
	})
}

// PutPolicy replaces a key's policy.
func (s *Service) PutPolicy(ctx context.Context, c iam.Caller, t Target, text string, bypassLockoutCheck bool) error {
	if t.err != nil {
		return t.err
	}
	text, err := s.checkPolicy(ctx, c, t.key, text, bypassLockoutCheck)
	if err != nil {
		return err
	}
	return s.change(ctx, t, func(k *CustomerKey) error {
		k.Policy = text
		return nil
	})
}

// Tag adds tags to a key, or replaces their values.
func (s *Service) Tag(ctx context.Context, t Target, tags map[string]string) error {
	if err := checkTags(tags); err != nil {
		return err
	}
	return s.change(ctx, t, func(k *CustomerKey) error {
		if err := k.notPending(); err != nil {
			return err
		}
		if k.Tags == nil {
			k.Tags = map[string]string{}
		}
		for name, value := range tags {
			k.Tags[name] = value
		}
		if len(k.Tags) > maxTags {
			return shown("TagException", fmt.Sprintf("The KMS key has more than the allowed number of tags, which is %d.", maxTags))
		}
		return nil
	})
}

// Untag removes tags from a key; it may not have them.
func (s *Service) Untag(ctx context.Context, t Target, names []string) error {
	return s.change(ctx, t, func(k *CustomerKey) error {
		for _, name := range names {
			delete(k.Tags, name)
		}
		return k.notPending()
	})
}

func checkTags(tags map[string]string) error {
	for name := range tags {
		// https://docs.aws.amazon.com/kms/latest/developerguide/tagging-keys.html
		if strings.HasPrefix(strings.ToLower(name), "aws:") {
			return shown("TagException", "Tags beginning with aws: are reserved")
		}
	}
	if len(tags) > maxTags {
		return shown("TagException", fmt.Sprintf("The KMS key has more than the allowed number of tags, which is %d.", maxTags))
	}
	return nil
}

// change changes a customer's key; those of services stay as they are.
func (s *Service) change(ctx context.Context, t Target, f func(*CustomerKey) error) error {
	_, err := s.changeWith(ctx, t, func(k *CustomerKey) (*Material, error) { return nil, f(k) })
	return err
}

func (s *Service) changeWith(ctx context.Context, t Target, f func(*CustomerKey) (*Material, error)) (CustomerKey, error) {
	if t.err != nil {
		return CustomerKey{}, t.err
	}
	return s.config.Store.UpdateKey(ctx, t.key.ID, func(k *CustomerKey) (*Material, error) {
		if k.Manager == ManagerAWS {
			return nil, unsupported(k.ARN + " is an AWS managed key and can't be changed.")
		}
		return f(k)
	})
}

// account is whose keys an unqualified name means.
func account(c iam.Caller) string { return cmp.Or(c.Principal.AccountID, c.SourceAccount) }
