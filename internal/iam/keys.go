package iam

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// useInterval is how often the use of one key or role is written down.
const useInterval = time.Minute

// CreateKey makes an access key for a user, or for the root when the user id is the account's. Its secret is not
// shown again.
func (d *Directory) CreateKey(ctx context.Context, accountID, userID string) (k AccessKey, err error) {
	err = d.update(ctx, accountID, func(c *change) error {
		if userID != accountID {
			if _, err := c.UserByID(userID); err != nil {
				return err
			}
		}
		if len(c.Keys(userID)) >= maxKeys {
			return overQuota("AccessKeysPerUser", maxKeys)
		}
		if k, err = NewAccessKey(accountID, userID, c.now); err != nil {
			return err
		}
		stored := k
		stored.Secret = ""
		set(c, c.keys, k.ID, stored)
		c.put[len(c.put)-1] = k.record() // with its secret, which the snapshot must not hold
		return nil
	})
	return k, err
}

// SetKeyActive switches a user's key on or off.
func (d *Directory) SetKeyActive(ctx context.Context, accountID, userID, keyID string, active bool) error {
	return d.update(ctx, accountID, func(c *change) error {
		k, err := c.keyOf(userID, keyID)
		if err != nil {
			return err
		}
		k.Active = active
		set(c, c.keys, k.ID, k)
		c.rekeyed = append(c.rekeyed, k.ID)
		return nil
	})
}

// DeleteKey removes a user's key.
func (d *Directory) DeleteKey(ctx context.Context, accountID, userID, keyID string) error {
	return d.update(ctx, accountID, func(c *change) error {
		k, err := c.keyOf(userID, keyID)
		if err != nil {
			return err
		}
		unset(c, c.keys, k.ID)
		unset(c, c.uses, k.ID)
		c.rekeyed = append(c.rekeyed, k.ID)
		return nil
	})
}

// keyOf returns the user's key; another user's does not exist for it.
func (s *Snapshot) keyOf(userID, keyID string) (AccessKey, error) {
	k, err := s.Key(keyID)
	if err == nil && k.UserID != userID {
		return AccessKey{}, refuse(ErrNoSuchEntity, "The Access Key with id %s cannot be found.", keyID)
	}
	return k, err
}

// KeyOwner returns the account and the user of a long-term key in any account, or ErrNoSuchEntity.
func (d *Directory) KeyOwner(ctx context.Context, keyID string) (AccessKey, error) {
	r, _, err := d.store.Record(ctx, RecordKey{TypeKey, keyID})
	if err != nil {
		return AccessKey{}, err
	}
	return decode[AccessKey](r)
}

// Used notes that a long-term key, or a role (by its unique id), was used. It neither waits nor fails: Run writes at
// most once a minute for each, and what comes too fast is not written.
func (d *Directory) Used(u Use) {
	now := d.now()
	if at, ok := d.marked.Get(u.ID); ok && now.Sub(at) < useInterval {
		return
	}
	select {
	case d.uses <- u:
		d.marked.Put(u.ID, now)
	default:
	}
}

// Run writes down what Used notes, until the context ends.
func (d *Directory) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case u := <-d.uses:
			if err := d.writeUse(ctx, u); err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "last use was not written", "account", u.AccountID, "id", u.ID, "error", err)
			}
		}
	}
}

func (d *Directory) writeUse(ctx context.Context, u Use) error {
	u.At = seconds(u.At)
	err := d.update(ctx, u.AccountID, func(c *change) error {
		_, isKey := c.keys[u.ID]
		_, isRole := c.roles[u.ID]
		if !isKey && !isRole {
			return nil
		}
		set(c, c.uses, u.ID, u)
		return nil
	})
	if errors.Is(err, ErrNoSuchEntity) {
		return nil
	}
	return err
}
