package iam

import (
	"context"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxGuesses is how many wrong codes a device bears in one time step before it takes none until the next: three
// valid codes in a million, at five tries in 30 seconds, take years to guess.
const maxGuesses = 5

// guesses counts wrong codes within a time step.
type guesses struct {
	step int64
	n    int
}

// MFADevice is a second factor: an authenticator app that shares a seed with us (RFC 6238).
type MFADevice struct {
	AccountID  string
	Name, Path string
	Created    time.Time
	// UserID is whose factor it is; empty until it is enabled.
	UserID  string
	Enabled time.Time
	// LastStep is the time step of the last code that was taken: none is taken twice.
	LastStep int64
	Tags     Tags

	// secret is set only in a device on its way to the store.
	secret []byte
}

// Serial returns arn:aws:iam::{account}:mfa{path}{name}.
func (d MFADevice) Serial() string { return entityARN(d.AccountID, "mfa", d.Path, d.Name) }

// CreateDevice makes a device that is nobody's, and returns its seed, which is not shown again.
func (d *Directory) CreateDevice(ctx context.Context, accountID string, n NewEntity) (m MFADevice, seed string, err error) {
	secret, err := newTOTPSecret()
	if err != nil {
		return MFADevice{}, "", err
	}
	err = d.update(ctx, accountID, func(c *change) error {
		m = MFADevice{AccountID: accountID, Name: n.Name, Path: n.path(), Created: c.now, Tags: n.Tags}
		if _, taken := c.devices[m.Serial()]; taken {
			return refuse(ErrExists, "MFADevice entity at the same path and name already exists.")
		}
		if len(c.devices) >= maxUsers*maxDevices {
			return overQuota("MFADevicesPerAccount", maxUsers*maxDevices)
		}
		if err := checkTags(n.Tags); err != nil {
			return err
		}
		set(c, c.devices, m.Serial(), m)
		sealed := m
		sealed.secret = secret
		c.put[len(c.put)-1] = sealed.record() // with its seed, which the snapshot must not hold
		return nil
	})
	return m, base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret), err
}

// EnableDevice gives a device to a user who shows two codes of it, one after the other.
func (d *Directory) EnableDevice(ctx context.Context, accountID, user, serial, code1, code2 string) error {
	secret, err := d.seed(ctx, accountID, serial)
	if err != nil {
		return err
	}
	return d.update(ctx, accountID, func(c *change) error {
		u, err := c.User(user)
		if err != nil {
			return err
		}
		m, err := c.Device(serial)
		if err != nil {
			return err
		}
		if m.UserID != "" {
			return refuse(ErrExists, "MFA device is already in use.")
		}
		if len(c.DevicesOf(u.ID)) >= maxDevices {
			return overQuota("MFADevicesPerUser", maxDevices)
		}
		step, ok := totpMatch(secret, code2, d.now(), 0)
		if !ok || totpCode(secret, step-1) != code1 {
			return refuse(ErrWrongCode, "Authentication code for device is not valid.")
		}
		m.UserID, m.Enabled, m.LastStep = u.ID, c.now, step
		set(c, c.devices, serial, m)
		return nil
	})
}

// DevicesOf returns a user's second factors, ordered by serial number.
func (s *Snapshot) DevicesOf(userID string) []MFADevice {
	return slices.DeleteFunc(s.Devices(), func(m MFADevice) bool { return m.UserID != userID })
}

// DeactivateDevice takes a device from its user.
func (d *Directory) DeactivateDevice(ctx context.Context, accountID, user, serial string) error {
	return d.update(ctx, accountID, func(c *change) error {
		u, err := c.User(user)
		if err != nil {
			return err
		}
		m, ok := c.devices[serial]
		if !ok || m.UserID != u.ID {
			return refuse(ErrNoSuchEntity, "MFA Device invalid for user.")
		}
		m.UserID, m.Enabled = "", time.Time{}
		set(c, c.devices, serial, m)
		return nil
	})
}

// DeleteDevice removes a device that is nobody's.
func (d *Directory) DeleteDevice(ctx context.Context, accountID, serial string) error {
	return d.update(ctx, accountID, func(c *change) error {
		m, err := c.Device(serial)
		if err != nil {
			return err
		}
		if m.UserID != "" {
			return refuse(ErrDeleteConflict, "MFA VirtualDevice in use. Must deactivate first.")
		}
		unset(c, c.devices, serial)
		return nil
	})
}

// MFADevice returns a device by its serial number, or ErrNoSuchEntity. Its UserID says whose factor it is.
func (d *Directory) MFADevice(ctx context.Context, serial string) (MFADevice, error) {
	s, err := d.Snapshot(ctx, accountOf(serial))
	if err != nil {
		return MFADevice{}, err
	}
	return s.Device(serial)
}

// VerifyTOTP checks a code of a user's device and uses it up, durably: ErrWrongCode when it is not one of now or
// of the steps beside, was taken before, or too many wrong ones came before it; ErrNoSuchEntity when the
// device is not the user's.
func (d *Directory) VerifyTOTP(ctx context.Context, userID, serial, code string) error {
	accountID := accountOf(serial)
	secret, err := d.seed(ctx, accountID, serial)
	if err != nil {
		return err
	}
	return d.update(ctx, accountID, func(c *change) error {
		m, err := c.Device(serial)
		if err != nil {
			return err
		}
		if m.UserID == "" || m.UserID != userID {
			return refuse(ErrNoSuchEntity, "MFA Device invalid for user.")
		}
		now := d.now()
		g, _ := d.guesses.Get(serial)
		if g.step != totpStepAt(now) {
			g = guesses{step: totpStepAt(now)}
		}
		step, ok := totpMatch(secret, code, now, m.LastStep)
		if !ok || g.n >= maxGuesses {
			g.n++
			d.guesses.Put(serial, g)
			return refuse(ErrWrongCode, "MultiFactorAuthentication failed with invalid MFA one time pass code.")
		}
		m.LastStep = step
		set(c, c.devices, serial, m)
		return nil
	})
}

// seed opens a device's secret.
func (d *Directory) seed(ctx context.Context, accountID, serial string) ([]byte, error) {
	s, err := d.Snapshot(ctx, accountID)
	if err != nil {
		return nil, err
	}
	if _, err := s.Device(serial); err != nil {
		return nil, err
	}
	r, _, err := d.store.Record(ctx, RecordKey{TypeDevice, serial})
	if err != nil {
		return nil, fmt.Errorf("read seed of %s: %w", serial, err)
	}
	return r.Secret, nil
}

// accountOf returns the account in an ARN, or "".
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}
