package iam

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dictum/dictum/internal/iam/policy"
)

// checkTrust checks a role's trust policy, and returns the unique ids of the users and roles that it names by
// ARN. They must exist, as AWS demands: a name that is free today could be taken by anybody tomorrow.
func (d *Directory) checkTrust(ctx context.Context, c *change, text string) (map[string]string, error) {
	doc, err := parse(text, policy.Trust)
	if err != nil {
		return nil, err
	}
	if doc.Size() > maxTrustSize {
		return nil, overQuota("ACLSizePerRole", maxTrustSize)
	}
	ids := map[string]string{}
	for _, p := range doc.Principals() {
		if p.Type != "AWS" || p.Value == "*" {
			continue
		}
		id, err := d.principalID(p.Value, func(accountID string) (*Snapshot, error) {
			if accountID == c.AccountID {
				return c.Snapshot, nil
			}
			return d.read(ctx, accountID)
		})
		if errors.Is(err, ErrNoSuchEntity) {
			return nil, refuse(ErrMalformedPolicy, "Invalid principal in policy: \"AWS\":\"%s\"", p.Value)
		}
		if err != nil {
			return nil, err
		}
		if id != "" {
			ids[p.Value] = id
		}
	}
	return ids, nil
}

// principalID returns the unique id of a user or a role that a policy names by ARN; "" for an account, a session and an
// id, which have none to be confused with; ErrNoSuchEntity when it does not exist.
func (d *Directory) principalID(named string, in func(accountID string) (*Snapshot, error)) (string, error) {
	account := accountOf(named)
	kind, rest, _ := strings.Cut(named[strings.LastIndexByte(named, ':')+1:], "/")
	switch {
	case !strings.HasPrefix(named, "arn:") && len(named) == len("111122223333"):
		_, err := in(named)
		return "", err
	case !strings.HasPrefix(named, "arn:aws:iam::"):
		return "", nil
	}
	s, err := in(account)
	if err != nil {
		return "", err
	}
	name := rest[strings.LastIndexByte(rest, '/')+1:]
	switch kind {
	case "root":
		return "", nil
	case "user":
		u, err := s.User(name)
		if err == nil && u.ARN() != named {
			err = ErrNoSuchEntity
		}
		return u.ID, err
	case "role":
		r, err := s.Role(name)
		if err == nil && r.ARN() != named {
			err = ErrNoSuchEntity
		}
		return r.ID, err
	default:
		return "", ErrNoSuchEntity
	}
}

// withTrust returns the role with its trust policy as it counts now: where a user or role that it names was deleted,
// the unique id stands in place of the name, so that whoever is made anew under it is not trusted
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html).
func (d *Directory) withTrust(ctx context.Context, r Role) (Role, error) {
	for named, id := range r.Trusted {
		now, err := d.principalID(named, func(accountID string) (*Snapshot, error) { return d.Snapshot(ctx, accountID) })
		if err != nil && !errors.Is(err, ErrNoSuchEntity) {
			return Role{}, err
		}
		if now == id {
			continue
		}
		r.Trust, err = policy.RenamePrincipals(r.Trust, func(name string) string {
			if name == named {
				return id
			}
			return name
		})
		if err != nil {
			return Role{}, fmt.Errorf("trust policy of %s: %w", r.ARN(), err)
		}
	}
	return r, nil
}

// UnknownPrincipalError says that a policy names somebody who does not exist.
type UnknownPrincipalError struct{ ARN string }

// Error implements error.
func (e *UnknownPrincipalError) Error() string { return "there is no principal " + e.ARN }

// Namer binds the policies of resources to the users and roles that they name, and not to whoever has the
// name later. Directory is one.
type Namer interface {
	// Pin returns a policy with the users and roles that it names by ARN replaced by their unique ids, or an
	// *UnknownPrincipalError.
	Pin(ctx context.Context, text string) (string, error)
	// Show is the reverse: the ids of those who still exist become ARNs again.
	Show(ctx context.Context, text string) (string, error)
}

var _ Namer = (*Directory)(nil)

// Pin implements Namer.
func (d *Directory) Pin(ctx context.Context, text string) (string, error) {
	return renamed(text, func(named string) (string, error) {
		id, err := d.principalID(named, func(accountID string) (*Snapshot, error) { return d.Snapshot(ctx, accountID) })
		if errors.Is(err, ErrNoSuchEntity) {
			return "", &UnknownPrincipalError{named}
		}
		return id, err
	})
}

// Show implements Namer.
func (d *Directory) Show(ctx context.Context, text string) (string, error) {
	return renamed(text, func(named string) (string, error) {
		if !strings.HasPrefix(named, prefixUser) && !strings.HasPrefix(named, prefixRole) {
			return "", nil
		}
		accounts, err := d.Accounts(ctx)
		if err != nil {
			return "", err
		}
		for _, a := range accounts {
			s, err := d.Snapshot(ctx, a.ID)
			if err != nil {
				return "", err
			}
			if u, ok := s.users[named]; ok {
				return u.ARN(), nil
			}
			if r, ok := s.roles[named]; ok {
				return r.ARN(), nil
			}
		}
		return "", nil
	})
}

// renamed renames a policy's principals, except everybody and those whose new name is empty.
func renamed(text string, name func(string) (string, error)) (string, error) {
	var failed error
	out, err := policy.RenamePrincipals(text, func(named string) string {
		if named == "*" || failed != nil {
			return named
		}
		next, err := name(named)
		if failed = err; err != nil || next == "" {
			return named
		}
		return next
	})
	return out, errors.Join(failed, err)
}
