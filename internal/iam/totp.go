package iam

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // RFC 6238's own hash, which every authenticator app uses
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"
)

const (
	// totpStep, totpDigits and SHA-1 are RFC 6238's defaults, the ones that authenticator apps know.
	totpStep   = 30 * time.Second
	totpDigits = 6
	// totpDrift is how many steps the clock of a device may be off.
	totpDrift = 1
	// totpSecret is the length of a device's seed in bytes; RFC 4226 §4 recommends 20, AWS has 40.
	totpSecret = 40
)

func newTOTPSecret() ([]byte, error) {
	secret := make([]byte, totpSecret)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("make seed: %w", err)
	}
	return secret, nil
}

// totpCode is the code of a time step: RFC 4226 §5.3 with RFC 6238's counter.
func totpCode(secret []byte, step int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac := hmac.New(sha1.New, secret)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", totpDigits, n%1_000_000)
}

func totpStepAt(t time.Time) int64 { return t.Unix() / int64(totpStep/time.Second) }

// totpMatch returns the step within the drift, later than after, whose code this is.
func totpMatch(secret []byte, code string, now time.Time, after int64) (int64, bool) {
	current := totpStepAt(now)
	found, ok := int64(0), false
	// All steps are tried, so that the time taken does not tell which one it was.
	for step := current - totpDrift; step <= current+totpDrift; step++ {
		if subtle.ConstantTimeCompare([]byte(totpCode(secret, step)), []byte(code)) == 1 && step > after {
			found, ok = step, true
		}
	}
	return found, ok
}
