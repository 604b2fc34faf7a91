package sigv4

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/dictum/dictum/internal/iam"
)

// Presign returns rawURL with a query signature that lets anybody who holds it make this one
// request until now+expires (whole seconds, at most seven days). The path must already be encoded as
// it will be sent; existing query parameters are kept and signed. For S3 the payload is left
// unsigned; elsewhere it must be empty.
func Presign(method, rawURL string, cred iam.Credential, region, service string, expires time.Duration, now time.Time) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", fmt.Errorf("presign: %w", err)
	}
	if u.Host == "" {
		return "", fmt.Errorf("presign: %q has no host", rawURL)
	}
	if expires < time.Second || expires > maxExpires {
		return "", fmt.Errorf("presign: life of %v is not between a second and seven days", expires)
	}
	now = now.UTC().Truncate(time.Second)
	c := &Claim{
		AccessKeyID:   cred.AccessKeyID,
		Scope:         Scope{Date: now.Format(dateLayout), Region: region, Service: service},
		Time:          now,
		SignedHeaders: []string{"host"},
		Presigned:     true,
	}
	q := "X-Amz-Algorithm=" + algorithm +
		"&X-Amz-Credential=" + escape(cred.AccessKeyID+"/"+c.Scope.String(), false) +
		"&X-Amz-Date=" + now.Format(timeLayout) +
		"&X-Amz-Expires=" + itoa(int64(expires/time.Second)) +
		"&X-Amz-SignedHeaders=host"
	if cred.SessionToken != "" {
		q += "&X-Amz-Security-Token=" + escape(cred.SessionToken, false)
	}
	if u.RawQuery != "" {
		q = u.RawQuery + "&" + q
	}
	u.RawQuery, u.Fragment, u.RawFragment = q, "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	payload, rules := emptyHash, RulesFor(service)
	if rules.OpaquePayload {
		payload = UnsignedPayload
	}
	r := &http.Request{Method: method, URL: u, Host: u.Host, Header: http.Header{}}
	_, toSign, err := stringToSign(r, c, rules, payload, nil)
	if err != nil {
		return "", fmt.Errorf("presign: %w", err)
	}
	u.RawQuery += "&X-Amz-Signature=" + sign(deriveKey(cred.SecretAccessKey, c.Scope), toSign)
	return u.String(), nil
}
