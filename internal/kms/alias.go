package kms

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dictum/dictum/internal/iam"
)

const (
	aliasPrefix = "alias/"
	// reservedAlias begins the names of keys that services make.
	reservedAlias = "alias/aws/"
	// maxAliases is how many aliases a key can have.
	maxAliases = 50
	// ServiceAliasS3 is the key that S3 uses for SSE-KMS when it is given none.
	ServiceAliasS3 = "alias/aws/s3"
)

// serviceKeys are the services that have a key of their own in each account, and its description.
var serviceKeys = map[string]string{"s3": "Default key that protects my S3 objects when no other key is defined"}

func isServiceAlias(name string) bool {
	service, ok := strings.CutPrefix(name, reservedAlias)
	_, known := serviceKeys[service]
	return ok && known
}

// Alias names an alias of the caller's account and region.
func (s *Service) Alias(c iam.Caller, name string) AliasOf {
	return AliasOf{AccountID: account(c), Region: c.Region, Name: name}
}

// FindAlias returns the alias and the key that it names now; a Target without a key when there is no such alias.
func (s *Service) FindAlias(ctx context.Context, a AliasOf) (Target, error) {
	t, err := s.findAlias(ctx, a)
	t.alias, t.first = "", nil // the request is about the alias, it does not use it
	return s.found(ctx, t, err)
}

// CreateAlias gives a key another name.
func (s *Service) CreateAlias(ctx context.Context, a AliasOf, t Target) error {
	if err := checkAlias(a); err != nil {
		return err
	}
	if err := s.aliasable(t); err != nil {
		return err
	}
	if len(t.aliases) >= maxAliases {
		return limitExceeded(fmt.Sprintf("%s has reached the limit of %d aliases.", t.arn, maxAliases))
	}
	now := s.config.Now().UTC()
	err := s.config.Store.CreateAlias(ctx, Alias{AliasOf: a, KeyID: t.key.ID, Created: now, Updated: now})
	switch {
	case errors.Is(err, ErrAliasExists):
		return aliasExists(a)
	case errors.Is(err, ErrKeyGone):
		return noKey(t.arn)
	}
	return err
}

// UpdateAlias gives the name to another key of the same kind and usage. was is the target of FindAlias.
func (s *Service) UpdateAlias(ctx context.Context, a AliasOf, was, t Target) error {
	if err := checkAlias(a); err != nil {
		return err
	}
	if was.err != nil {
		return was.err
	}
	if err := s.aliasable(t); err != nil {
		return err
	}
	if was.key.Symmetric != t.key.Symmetric || was.key.Usage != t.key.Usage {
		return validation(fmt.Sprintf("Alias %s can be associated only with a key of the same type and key usage.", a.ARN()))
	}
	err := s.config.Store.UpdateAlias(ctx, a, t.key.ID, s.config.Now().UTC())
	switch {
	case errors.Is(err, ErrNoAlias):
		return noAlias(a)
	case errors.Is(err, ErrKeyGone):
		return noKey(t.arn)
	}
	return err
}

// DeleteAlias takes a name from a key; the key stays.
func (s *Service) DeleteAlias(ctx context.Context, a AliasOf) error {
	if err := checkAlias(a); err != nil {
		return err
	}
	if err := s.config.Store.DeleteAlias(ctx, a); errors.Is(err, ErrNoAlias) {
		return noAlias(a)
	} else if err != nil {
		return err
	}
	return nil
}

// ListAliases returns up to limit aliases beyond the marker, of one key when the target names one, and whether
// there are more.
func (s *Service) ListAliases(ctx context.Context, c iam.Caller, t Target, marker string, limit int) (aliases []Alias, more bool, err error) {
	if t.err != nil {
		return nil, false, t.err
	}
	if marker != "" && !strings.HasPrefix(marker, aliasPrefix) {
		return nil, false, invalidMarker()
	}
	aliases, err = s.config.Store.Aliases(ctx, account(c), c.Region, t.key.ID, marker, limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("list aliases: %w", err)
	}
	if len(aliases) > limit {
		return aliases[:limit], true, nil
	}
	return aliases, false, nil
}

func checkAlias(a AliasOf) error {
	switch {
	case !strings.HasPrefix(a.Name, aliasPrefix) || a.Name == aliasPrefix:
		return shown("InvalidAliasNameException", `Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html`)
	case strings.HasPrefix(a.Name, reservedAlias) || a.Name == strings.TrimSuffix(reservedAlias, "/"):
		return shown("InvalidAliasNameException", "Alias names that begin with alias/aws/ are reserved for AWS managed keys.")
	}
	return nil
}

// aliasable returns why a key can't be given a name.
func (s *Service) aliasable(t Target) error {
	switch {
	case t.err != nil:
		return t.err
	case t.key.Manager == ManagerAWS:
		return unsupported(t.arn + " is an AWS managed key and can't be changed.")
	}
	return t.key.notPending()
}
