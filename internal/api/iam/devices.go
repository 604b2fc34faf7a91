package iam

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image/png"
	"net/url"
	"time"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

// qrSize is the edge of the QR code in pixels.
const qrSize = 300

type createDeviceIn struct {
	Path, VirtualMFADeviceName string
	Tagging
}

type deviceIn struct {
	Names
	SerialNumber string
	// The codes are worthless once used, but a record of them would be of those that were refused, too.
	AuthenticationCode1 string `audit:"-"`
	AuthenticationCode2 string `audit:"-"`
}

type listVirtualIn struct {
	AssignmentStatus string
	Paging
}

type (
	deviceShape struct {
		SerialNumber     string
		Base32StringSeed string `xml:",omitempty" audit:"-"`
		QRCodePNG        string `xml:",omitempty" audit:"-"`
		User             *userShape
		EnableDate       *time.Time
		Tags             *tagList
	}
	deviceOut   struct{ VirtualMFADevice deviceShape }
	virtualsOut struct {
		VirtualMFADevices awsquery.List[deviceShape]
		Page
	}
	factorShape struct {
		UserName, SerialNumber string
		EnableDate             time.Time
	}
	factorsOut struct {
		MFADevices awsquery.List[factorShape]
		Page
	}
	factorOut struct {
		UserName     string `xml:",omitempty"`
		SerialNumber string
		EnableDate   *time.Time
	}
)

// devices are the actions on virtual second factors. There are no others.
func (s *service) devices() awsquery.Actions {
	bySerial := func(ctx context.Context, c *gateway.Call, in *deviceIn) ([]iam.Access, error) {
		return s.aboutARN(ctx, c, iam.TypeDevice, in.SerialNumber, in, true)
	}
	return awsquery.Actions{
		"CreateVirtualMFADevice": on(func(_ context.Context, c *gateway.Call, in *createDeviceIn) ([]iam.Access, error) {
			return creation(c, "mfa", in.Path, in.VirtualMFADeviceName, "TagMFADevice", in), nil
		}, s.createDevice),
		"EnableMFADevice": do(about[deviceIn](s, iam.TypeUser), func(ctx context.Context, c *gateway.Call, in *deviceIn) error {
			return s.dir.EnableDevice(ctx, c.Principal.AccountID, in.UserName, in.SerialNumber, in.AuthenticationCode1, in.AuthenticationCode2)
		}),
		"DeactivateMFADevice": do(owner[deviceIn](s), func(ctx context.Context, c *gateway.Call, in *deviceIn) error {
			return s.dir.DeactivateDevice(ctx, c.Principal.AccountID, in.UserName, in.SerialNumber)
		}),
		"DeleteVirtualMFADevice": do(bySerial, func(ctx context.Context, c *gateway.Call, in *deviceIn) error {
			return s.dir.DeleteDevice(ctx, c.Principal.AccountID, in.SerialNumber)
		}),
		"ListMFADevices":        on(owner[pagedName](s), s.listFactors),
		"GetMFADevice":          on(s.factorAccess, s.getFactor),
		"ListVirtualMFADevices": on(everything[listVirtualIn], s.listVirtual),
	}
}

func (s *service) createDevice(ctx context.Context, c *gateway.Call, in *createDeviceIn) (*deviceOut, error) {
	tags, err := in.tags()
	if err != nil {
		return nil, err
	}
	m, seed, err := s.dir.CreateDevice(ctx, c.Principal.AccountID, iam.NewEntity{Name: in.VirtualMFADeviceName, Path: in.Path, Tags: tags})
	if err != nil {
		return nil, err
	}
	image, err := qrCode(c.Principal.AccountID, in.VirtualMFADeviceName, seed)
	if err != nil {
		return nil, err
	}
	return &deviceOut{deviceShape{
		SerialNumber: m.Serial(), Tags: someTags(m.Tags),
		Base32StringSeed: base64.StdEncoding.EncodeToString([]byte(seed)), QRCodePNG: base64.StdEncoding.EncodeToString(image),
	}}, nil
}

// qrCode is the picture that authenticator apps read: otpauth://totp/{issuer}:{name}?secret={seed}.
func qrCode(accountID, name, seed string) ([]byte, error) {
	u := url.URL{
		Scheme: "otpauth", Host: "totp", Path: "/Dictum:" + name + "@" + accountID,
		RawQuery: url.Values{"secret": {seed}, "issuer": {"Dictum"}}.Encode(),
	}
	code, err := qr.Encode(u.String(), qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("draw QR code: %w", err)
	}
	scaled, err := barcode.Scale(code, qrSize, qrSize)
	if err != nil {
		return nil, fmt.Errorf("draw QR code: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, scaled); err != nil {
		return nil, fmt.Errorf("draw QR code: %w", err)
	}
	return b.Bytes(), nil
}

func (s *service) listFactors(ctx context.Context, c *gateway.Call, in *pagedName) (*factorsOut, error) {
	id, err := s.ownerID(ctx, c, in.UserName)
	if err != nil {
		return nil, err
	}
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	shown, page, err := cut(snapshot.DevicesOf(id), in.Paging, iam.MFADevice.Serial)
	return &factorsOut{awsquery.ListOf(shown, func(m iam.MFADevice) factorShape {
		return factorShape{in.UserName, m.Serial(), m.Enabled}
	}), page}, err
}

// factorAccess is the access to the user whose second factor is read.
func (s *service) factorAccess(ctx context.Context, c *gateway.Call, in *deviceIn) ([]iam.Access, error) {
	if in.UserName != "" {
		return about[deviceIn](s, iam.TypeUser)(ctx, c, in)
	}
	return s.aboutARN(ctx, c, iam.TypeDevice, in.SerialNumber, in, false)
}

func (s *service) getFactor(ctx context.Context, c *gateway.Call, in *deviceIn) (*factorOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	m, err := snapshot.Device(in.SerialNumber)
	if err != nil {
		return nil, err
	}
	out := &factorOut{SerialNumber: m.Serial()}
	if u, err := snapshot.UserByID(m.UserID); err == nil {
		out.UserName, out.EnableDate = u.Name, &m.Enabled
	}
	if in.UserName != "" && in.UserName != out.UserName {
		return nil, &iam.Refusal{Kind: iam.ErrNoSuchEntity, Message: "MFA Device invalid for user."}
	}
	return out, nil
}

func (s *service) listVirtual(ctx context.Context, c *gateway.Call, in *listVirtualIn) (*virtualsOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	var all []deviceShape
	for _, m := range snapshot.Devices() {
		shape := deviceShape{SerialNumber: m.Serial()}
		if u, err := snapshot.UserByID(m.UserID); err == nil {
			user := userBrief(u)
			shape.User, shape.EnableDate = &user, &m.Enabled
		}
		if in.AssignmentStatus == "Assigned" && shape.User == nil || in.AssignmentStatus == "Unassigned" && shape.User != nil {
			continue
		}
		all = append(all, shape)
	}
	shown, page, err := cut(all, in.Paging, func(d deviceShape) string { return d.SerialNumber })
	return &virtualsOut{awsquery.List[deviceShape]{Members: shown}, page}, err
}
