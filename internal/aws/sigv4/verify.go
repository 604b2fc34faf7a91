package sigv4

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/bounded"
	"github.com/dictum/dictum/internal/iam"
)

// DefaultSkew is how far a client's clock may be off: fifteen minutes, as the texts of the error
// table say.
const DefaultSkew = 15 * time.Minute

// The literals of x-amz-content-sha256 that are not a hash.
const (
	UnsignedPayload        = "UNSIGNED-PAYLOAD"
	streamingSigned        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsigned      = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// emptyHash is the SHA-256 of nothing.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// PathRules say how a service's paths are made canonical.
type PathRules int

const (
	// PathNormalized removes dot segments and encodes what is on the wire once more: all but S3.
	PathNormalized PathRules = iota
	// PathLiteral encodes what is on the wire once more and removes nothing.
	PathLiteral
	// PathOnce keeps every segment and has it encoded once: S3.
	PathOnce
)

// Rules are what differs between services.
type Rules struct {
	Path PathRules
	// OpaquePayload lets x-amz-content-sha256 be UNSIGNED-PAYLOAD or a streaming token, demands the
	// header, and leaves it to Body to hold the content against it: S3. Elsewhere the
	// payload's hash is always computed before the signature is.
	OpaquePayload bool
	// MaxExpires is the longest life of a presigned URL; zero means seven days.
	MaxExpires time.Duration
	// Events says that the body is a stream of events, which are signed one by one or, behind a presigned URL, need not be:
	// the body is not read. The header names it so, or is absent: presigned URLs and amazon-transcribe for Python sign
	// an empty body instead.
	Events bool
}

// RulesFor returns the rules of a service by its signing name.
func RulesFor(service string) Rules {
	if service == "s3" {
		return Rules{Path: PathOnce, OpaquePayload: true}
	}
	return Rules{}
}

// Verifier proves claims. The zero value is not usable: Credentials must be set.
type Verifier struct {
	Credentials iam.Credentials
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Skew is how far clocks may differ; zero means DefaultSkew.
	Skew time.Duration
	// Keys remembers derived signing keys; nil means that each is derived anew.
	Keys *KeyCache
}

// KeyCache remembers signing keys, so that a busy client costs one HMAC a request instead of five.
type KeyCache struct {
	cache *bounded.Cache[keyID, [32]byte]
}

// keyID holds the secret itself and not just the key id, so that no key outlives its secret.
type keyID struct{ secret, date, region, service string }

// NewKeyCache returns a cache of some two thousand keys.
func NewKeyCache() *KeyCache {
	return &KeyCache{cache: bounded.NewCache[keyID, [32]byte](1024)}
}

func (k *KeyCache) get(secret string, s Scope) [32]byte {
	if k == nil {
		return deriveKey(secret, s)
	}
	id := keyID{secret, s.Date, s.Region, s.Service}
	key, ok := k.cache.Get(id)
	if !ok {
		key = deriveKey(secret, s)
		k.cache.Put(id, key)
	}
	return key
}

func deriveKey(secret string, s Scope) [32]byte {
	key := hmacSHA256([]byte("AWS4"+secret), s.Date)
	key = hmacSHA256(key[:], s.Region)
	key = hmacSHA256(key[:], s.Service)
	return hmacSHA256(key[:], terminator)
}

func hmacSHA256(key []byte, message string) (sum [32]byte) {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(message))
	mac.Sum(sum[:0])
	return sum
}

func hexSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// Verified is a claim that was proved.
type Verified struct {
	Claim      *Claim
	Credential iam.Credential
	// Payload is the literal payload hash that was signed; UnsignedPayload for Signature Version 2.
	Payload string

	key       [32]byte
	signature string
}

// Verify proves a claim that Parse returned for r. It checks, in this order: what must be in the
// request, the access key, the session token, the times, the signature. bodyHash returns the hex
// SHA-256 of the body; it is called last and only where the rules need it, so a body of an
// unknown client is never read. Errors are *awserr.Failure values, or those of bodyHash and of Credentials.
func (v *Verifier) Verify(ctx context.Context, r *http.Request, c *Claim, rules Rules, bodyHash func() (string, error)) (*Verified, error) {
	payload, err := declaredPayload(r, c, rules)
	if err != nil {
		return nil, err
	}
	if err := checkSigned(r, c, rules); err != nil {
		return nil, err
	}
	cred, err := v.credential(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := v.checkTime(c, rules); err != nil {
		return nil, err
	}
	if c.Version2 {
		if err := verifyVersion2(r, c, cred); err != nil {
			return nil, err
		}
		return &Verified{Claim: c, Credential: cred, Payload: payload}, nil
	}
	switch {
	case rules.Events && (c.Presigned || payload == ""):
		payload = emptyHash
	case rules.Events && payload != streamingEvents:
		return nil, awserr.Fail(awserr.BadPayloadHash, "ArgumentName", "x-amz-content-sha256", "ArgumentValue", clip(payload))
	case !rules.Events && !rules.OpaquePayload:
		computed, err := bodyHash()
		if err != nil {
			return nil, err
		}
		if payload != "" && !equal(strings.ToLower(payload), computed) {
			return nil, awserr.Fail(awserr.WrongPayloadHash, "ClientComputedContentSHA256", payload, "S3ComputedContentSHA256", computed)
		}
		if payload == "" {
			payload = computed
		}
	}
	verified := &Verified{Claim: c, Credential: cred, Payload: payload, key: v.Keys.get(cred.SecretAccessKey, c.Scope)}
	return verified, verified.check(r, rules)
}

func (v *Verified) check(r *http.Request, rules Rules) error {
	c := v.Claim
	canonical, toSign, err := stringToSign(r, c, rules, v.Payload, nil)
	if err != nil {
		return err
	}
	v.signature = sign(v.key, toSign)
	if equal(v.signature, c.Signature) {
		return nil
	}
	// Outside S3 some services take the session token after signing; it is compared with the key's
	// own in any case, so leaving it out of the signature gives nothing away.
	if c.Presigned && c.Token != "" && rules.Path != PathOnce {
		_, without, err := stringToSign(r, c, rules, v.Payload, []string{"X-Amz-Security-Token"})
		if err != nil {
			return err
		}
		if v.signature = sign(v.key, without); equal(v.signature, c.Signature) {
			return nil
		}
	}
	return awserr.Fail(awserr.WrongSignature,
		"AWSAccessKeyId", c.AccessKeyID,
		"StringToSign", toSign,
		"SignatureProvided", c.Signature,
		"StringToSignBytes", hexBytes(toSign),
		"CanonicalRequest", canonical,
		"CanonicalRequestBytes", hexBytes(canonical))
}

// declaredPayload returns the payload literal that the request was signed with, or "" where the
// hash of the body stands for it.
func declaredPayload(r *http.Request, c *Claim, rules Rules) (string, error) {
	values := r.Header["X-Amz-Content-Sha256"]
	if len(values) > 1 {
		return "", awserr.Fail(awserr.BadPayloadHash, "ArgumentName", "x-amz-content-sha256", "ArgumentValue", clip(strings.Join(values, ",")))
	}
	if c.Version2 {
		return UnsignedPayload, nil
	}
	literal := ""
	if len(values) == 1 {
		literal = values[0]
	}
	if !rules.OpaquePayload {
		return literal, nil
	}
	if literal == "" && c.Presigned {
		q, err := parseQuery(r)
		if err != nil {
			return "", err
		}
		if literal, _ = q.get("X-Amz-Content-Sha256"); literal == "" {
			literal = UnsignedPayload
		}
	}
	switch literal {
	case "":
		return "", awserr.Fail(awserr.MissingPayloadHash)
	case UnsignedPayload, streamingSigned, streamingSignedTrailer, streamingUnsigned:
		return literal, nil
	}
	if sum, err := hex.DecodeString(literal); err != nil || len(sum) != sha256.Size {
		return "", awserr.Fail(awserr.BadPayloadHash, "ArgumentName", "x-amz-content-sha256", "ArgumentValue", clip(literal))
	}
	return literal, nil
}

// checkSigned demands that every x-amz-* header is signed: X-Amz-Target decides what is done, and S3's
// headers decide with what. Headers that are named as signed but are not there fail the signature.
func checkSigned(r *http.Request, c *Claim, rules Rules) error {
	if c.Version2 {
		return nil // all x-amz-* headers are part of its string to sign
	}
	var unsigned []string
	for name := range r.Header {
		if len(name) < 6 || !strings.EqualFold(name[:6], "x-amz-") {
			continue
		}
		if lower := strings.ToLower(name); !slices.Contains(c.SignedHeaders, lower) {
			if lower == "x-amz-security-token" && rules.Path != PathOnce {
				continue // see Verified.check
			}
			unsigned = append(unsigned, lower)
		}
	}
	if len(unsigned) == 0 {
		return nil
	}
	slices.Sort(unsigned)
	return awserr.Fail(awserr.UnsignedHeaders, "HeadersNotSigned", strings.Join(unsigned, ", "))
}

// credential finds the key and holds the session token against it.
func (v *Verifier) credential(ctx context.Context, c *Claim) (iam.Credential, error) {
	cred, err := v.Credentials.Lookup(ctx, c.AccessKeyID)
	if errors.Is(err, iam.ErrNoSuchKey) {
		return cred, awserr.Fail(awserr.UnknownKey, "AWSAccessKeyId", clip(c.AccessKeyID))
	}
	if err != nil {
		return cred, fmt.Errorf("look up access key: %w", err)
	}
	if c.Token == "" && cred.SessionToken != "" {
		// To S3 that is a key that it does not know; to others it is the same as a wrong token.
		return cred, awserr.Fail(awserr.UnknownKey, "AWSAccessKeyId", clip(c.AccessKeyID))
	}
	if !equal(cred.SessionToken, c.Token) {
		return cred, awserr.Fail(awserr.BadToken, "Token-0", clip(c.Token))
	}
	if !cred.Expires.IsZero() && !v.now().Before(cred.Expires) {
		return cred, awserr.Fail(awserr.ExpiredToken, "Token-0", clip(c.Token))
	}
	return cred, nil
}

func (v *Verifier) now() time.Time {
	if v.Now != nil {
		return v.Now()
	}
	return time.Now()
}

// xmlTime is how S3's error documents print times.
const xmlTime = "2006-01-02T15:04:05Z"

func (v *Verifier) checkTime(c *Claim, rules Rules) error {
	skew := v.Skew
	if skew == 0 {
		skew = DefaultSkew
	}
	now := v.now().UTC()
	if c.Version2 {
		if now.After(c.Deadline) {
			return awserr.Fail(awserr.ExpiredURL, "Expires", c.Deadline.UTC().Format(xmlTime), "ServerTime", now.Format(xmlTime))
		}
		return nil
	}
	signed := c.Time.UTC()
	details := []string{
		"signed", signed.Format(timeLayout), "now", now.Format(timeLayout),
		"RequestTime", signed.Format(timeLayout), "ServerTime", now.Format(xmlTime),
		"MaxAllowedSkewMilliseconds", itoa(skew.Milliseconds()),
	}
	if newest := now.Add(skew); signed.After(newest) {
		return awserr.Fail(awserr.NotYetCurrent, append(details, "newest", newest.Format(timeLayout))...)
	}
	if !c.Presigned {
		if oldest := now.Add(-skew); signed.Before(oldest) {
			return awserr.Fail(awserr.Expired, append(details, "oldest", oldest.Format(timeLayout))...)
		}
		return nil
	}
	if rules.MaxExpires > 0 && c.Expires > rules.MaxExpires {
		return malformedQuery("X-Amz-Expires must be at most " + itoa(int64(rules.MaxExpires/time.Second)) + " seconds")
	}
	if end := signed.Add(c.Expires); now.After(end) {
		return awserr.Fail(awserr.ExpiredURL,
			"X-Amz-Expires", itoa(int64(c.Expires/time.Second)), "Expires", end.Format(xmlTime), "ServerTime", now.Format(xmlTime),
			"signed", end.Format(timeLayout), "oldest", now.Format(timeLayout))
	}
	return nil
}

// stringToSign returns the canonical request and the string to sign of r as c claims it.
func stringToSign(r *http.Request, c *Claim, rules Rules, payload string, leave []string) (canonical, toSign string, err error) {
	rawPath, _ := target(r)
	path, err := canonicalPath(rawPath, rules.Path)
	if err != nil {
		return "", "", err
	}
	q, err := parseQuery(r)
	if err != nil {
		return "", "", err
	}
	if c.Presigned {
		leave = append(leave, "X-Amz-Signature")
	}
	var b strings.Builder
	b.Grow(1024)
	b.WriteString(r.Method)
	b.WriteByte('\n')
	b.WriteString(path)
	b.WriteByte('\n')
	b.WriteString(q.canonical(leave...))
	b.WriteByte('\n')
	canonicalHeaders(&b, r, c.SignedHeaders)
	b.WriteByte('\n')
	b.WriteString(strings.Join(c.SignedHeaders, ";"))
	b.WriteByte('\n')
	b.WriteString(payload)
	canonical = b.String()
	return canonical, algorithm + "\n" + c.Time.UTC().Format(timeLayout) + "\n" + c.Scope.String() + "\n" + hexSHA256(canonical), nil
}

func sign(key [32]byte, toSign string) string {
	sum := hmacSHA256(key[:], toSign)
	return hex.EncodeToString(sum[:])
}

// equal compares in constant time (for strings of one length).
func equal(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// hexBytes prints bytes as S3's error document does: "47 45 54".
func hexBytes(s string) string {
	const limit = 8 << 10 // an error document need not repeat more than this
	if len(s) > limit {
		s = s[:limit]
	}
	return fmt.Sprintf("% x", s)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
