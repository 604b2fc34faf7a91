package iam

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// ServiceTranscribe is the principal that signs links to service-managed output.
	ServiceTranscribe = "transcribe.amazonaws.com"

	// serviceLife is how long a day's credential stays good after its day began: the day itself and the
	// seven days that a link made in its last second may live.
	serviceLife = 8 * day
	day         = 24 * time.Hour
)

// ServiceCredentials are the temporary credentials that Dictum signs links with: one for each
// account and day, derived from a secret instead of stored, so that they survive a restart and need no
// cleaning up. It is safe for concurrent use.
//
// The access key id says which one it is: ASIA and 80 bits in base32, that is 40 of the
// account, 16 of the day since 1970, and 24 of an authentication code, so that made-up ids are refused like
// any unknown key. The secret key and the token come from HKDF (RFC 5869) of the secret and these 80 bits.
type ServiceCredentials struct {
	secret []byte
	now    func() time.Time
}

var _ Credentials = (*ServiceCredentials)(nil)

// NewServiceCredentials takes a secret of at least 32 bytes that nothing else uses, and a clock
// (nil means time.Now).
func NewServiceCredentials(secret []byte, now func() time.Time) (*ServiceCredentials, error) {
	if len(secret) < 32 {
		return nil, fmt.Errorf("service credentials: secret has %d bytes, less than 32", len(secret))
	}
	if now == nil {
		now = time.Now
	}
	return &ServiceCredentials{secret: append([]byte(nil), secret...), now: now}, nil
}

// ForAccount returns today's credential for the account. It outlives any link signed with it today.
func (s *ServiceCredentials) ForAccount(accountID string) (Credential, error) {
	if len(accountID) != 12 || strings.Trim(accountID, "0123456789") != "" {
		return Credential{}, fmt.Errorf("service credentials: %q is no account", accountID)
	}
	account, err := strconv.ParseUint(accountID, 10, 64)
	if err != nil {
		return Credential{}, fmt.Errorf("service credentials: %w", err)
	}
	return s.derive(account, uint16(s.now().Unix()/int64(day/time.Second))), nil
}

// Lookup implements Credentials.
func (s *ServiceCredentials) Lookup(_ context.Context, accessKeyID string) (Credential, error) {
	encoded, ok := strings.CutPrefix(accessKeyID, prefixSession)
	if !ok || len(encoded) != 16 {
		return Credential{}, ErrNoSuchKey
	}
	raw, err := idEncoding.DecodeString(encoded)
	if err != nil {
		return Credential{}, ErrNoSuchKey
	}
	account := binary.BigEndian.Uint64(append([]byte{0, 0, 0}, raw[:5]...))
	if account >= 1e12 {
		return Credential{}, ErrNoSuchKey
	}
	c := s.derive(account, binary.BigEndian.Uint16(raw[5:7]))
	if !hmac.Equal([]byte(c.AccessKeyID), []byte(accessKeyID)) {
		return Credential{}, ErrNoSuchKey
	}
	return c, nil
}

func (s *ServiceCredentials) derive(account uint64, dayNumber uint16) Credential {
	var id [10]byte
	var wide [8]byte
	binary.BigEndian.PutUint64(wide[:], account)
	copy(id[:5], wide[3:])
	binary.BigEndian.PutUint16(id[5:7], dayNumber)
	copy(id[7:], s.expand("key id", id[:7], 3))
	accountID := fmt.Sprintf("%012d", account)
	accessKeyID := prefixSession + idEncoding.EncodeToString(id[:])
	return Credential{
		AccessKeyID:     accessKeyID,
		SecretAccessKey: base64.StdEncoding.EncodeToString(s.expand("secret", id[:], 30)),
		SessionToken:    base64.RawURLEncoding.EncodeToString(s.expand("token", id[:], 48)),
		Expires:         time.Unix(int64(dayNumber)*int64(day/time.Second), 0).Add(serviceLife).UTC(),
		Principal: Principal{
			Kind:        KindService,
			AccountID:   accountID,
			ARN:         "arn:aws:sts::" + accountID + ":assumed-role/AWSServiceRoleForTranscribe/links",
			UserID:      accessKeyID + ":links",
			AccessKeyID: accessKeyID,
			Service:     ServiceTranscribe,
		},
	}
}

func (s *ServiceCredentials) expand(purpose string, id []byte, n int) []byte {
	out, err := hkdf.Key(sha256.New, s.secret, nil, "dictum/service-credential/"+purpose+"/"+string(id), n)
	if err != nil {
		panic(err) // only lengths beyond 255 hashes fail, and ours are constants
	}
	return out
}
