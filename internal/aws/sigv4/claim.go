// Package sigv4 verifies AWS Signature Version 4 on the server's side: by Authorization
// header, by presigned query, and for bodies sent in signed or checksummed chunks; and the
// Signature Version 2 query form that S3 clients still presign with. It also presigns links of our
// own. It knows no services, routes or policy: Parse reads what a request claims, a Verifier
// proves it, and Body checks the content as it is read. Start at Parse.
//
// Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html,
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html.
package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	// timeLayout is ISO 8601's basic form, as in X-Amz-Date.
	timeLayout = "20060102T150405Z"
	dateLayout = "20060102"

	// maxAuthorization bounds the Authorization header; AWS's own clients stay below 1 KiB.
	maxAuthorization = 8 << 10
	// maxSignedHeaders bounds the list of signed headers.
	maxSignedHeaders = 100
	// maxExpires is the longest life of a presigned URL: seven days.
	maxExpires = 7 * 24 * time.Hour
	// defaultExpires is the life of a presigned request that names none, which S3 does not allow and
	// the SDKs' STS presigners do.
	defaultExpires = 15 * time.Minute
)

// Scope is the part of the world that a signature is good for.
type Scope struct {
	// Date is yyyymmdd, UTC.
	Date    string
	Region  string
	Service string
}

// String returns the scope as it is signed: date/region/service/aws4_request.
func (s Scope) String() string {
	return s.Date + "/" + s.Region + "/" + s.Service + "/" + terminator
}

// Claim is what a request says of its signature, well-formed and not yet verified.
type Claim struct {
	AccessKeyID string
	// Scope is {"", "", "s3"} for Signature Version 2.
	Scope Scope
	// Time is when the request was signed; zero for Signature Version 2.
	Time time.Time
	// SignedHeaders are lower-case and sorted.
	SignedHeaders []string
	Signature     string
	// Token is the session token, or empty.
	Token string
	// Presigned marks query authentication.
	Presigned bool
	// Expires is the life of a presigned URL from Time on.
	Expires time.Duration
	// Version2 marks the old query form of S3: AWSAccessKeyId, Signature, Expires.
	Version2 bool
	// Deadline is the end of a Signature Version 2 URL.
	Deadline time.Time
}

// Parse reads the claim out of a request's headers or query. Its errors are *awserr.Failure
// values: MissingAuth when the request is not signed at all, else what is malformed.
func Parse(r *http.Request) (*Claim, error) {
	q, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	headers := r.Header["Authorization"]
	byV4 := q.has("X-Amz-Algorithm") || q.has("X-Amz-Signature")
	byV2 := q.has("AWSAccessKeyId") && q.has("Signature")
	switch {
	case len(headers) > 0 && (byV4 || byV2):
		return nil, awserr.Fail(awserr.TwoMechanisms, "ArgumentName", "Authorization", "ArgumentValue", firstWord(headers[0]))
	case len(headers) > 1:
		return nil, malformedHeader("more than one Authorization header", headers[0])
	case len(headers) == 1:
		return parseHeader(r, headers[0])
	case byV4:
		return parsePresigned(r, q)
	case byV2:
		return parseVersion2(q)
	default:
		return nil, awserr.Fail(awserr.MissingAuth)
	}
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if len(word) > 64 {
		return word[:64]
	}
	return word
}

// malformedHeader words the failure for S3 and for the rest. Like AWS it shows a digest of the
// header, not the header.
func malformedHeader(reason, header string) error {
	sum := sha256.Sum256([]byte(header))
	return awserr.Fail(awserr.MalformedHeader,
		"json", reason+". (Hashed with SHA-256 and encoded with Base64) Authorization="+base64.StdEncoding.EncodeToString(sum[:]),
		"s3", reason)
}

func parseHeader(r *http.Request, header string) (*Claim, error) {
	scheme, rest, _ := strings.Cut(header, " ")
	if scheme != algorithm {
		return nil, awserr.Fail(awserr.UnsupportedMechanism)
	}
	if len(header) > maxAuthorization {
		return nil, malformedHeader("the header is too long", header)
	}
	params, err := parseParameters(rest, header)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if params[name] == "" {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	date, dateErr := requestTime(r)
	if dateErr != nil {
		missing = append(missing, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if len(missing) > 0 {
		if len(missing) == 1 && dateErr != nil {
			return nil, awserr.Fail(awserr.BadDate, "json", missing[0])
		}
		return nil, malformedHeader(strings.TrimSuffix(strings.Join(missing, " "), "."), header)
	}
	c := &Claim{Time: date, Signature: params["Signature"]}
	if err := c.setCredential(params["Credential"], func(reason string) error { return malformedHeader(reason, header) }); err != nil {
		return nil, err
	}
	if c.SignedHeaders, err = parseSignedHeaders(params["SignedHeaders"]); err != nil {
		return nil, malformedHeader(err.Error(), header)
	}
	tokens := r.Header["X-Amz-Security-Token"]
	if len(tokens) > 1 {
		return nil, malformedHeader("more than one X-Amz-Security-Token header", header)
	}
	if len(tokens) == 1 {
		c.Token = tokens[0]
	}
	return c, c.checkDate()
}

// parseParameters splits "Credential=…, SignedHeaders=…, Signature=…". Each may occur once.
func parseParameters(s, header string) (map[string]string, error) {
	params := make(map[string]string, 3)
	for part := range strings.SplitSeq(s, ",") {
		part = strings.Trim(part, " \t")
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil, malformedHeader("'"+clip(part)+"' not a valid key=value pair (missing equal-sign) in Authorization header", header)
		}
		if _, twice := params[name]; twice {
			return nil, malformedHeader("parameter '"+clip(name)+"' occurs more than once", header)
		}
		if len(params) == 3 {
			return nil, malformedHeader("too many parameters", header)
		}
		params[name] = value
	}
	return params, nil
}

// requestTime reads X-Amz-Date, or Date where that is missing.
func requestTime(r *http.Request) (time.Time, error) {
	if values := r.Header["X-Amz-Date"]; len(values) > 0 {
		if len(values) > 1 {
			return time.Time{}, fmt.Errorf("%d X-Amz-Date headers", len(values))
		}
		return time.Parse(timeLayout, values[0])
	}
	values := r.Header["Date"]
	if len(values) != 1 {
		return time.Time{}, fmt.Errorf("%d Date headers", len(values))
	}
	if t, err := time.Parse(timeLayout, values[0]); err == nil {
		return t, nil
	}
	return http.ParseTime(values[0])
}

// setCredential reads AKID/date/region/service/aws4_request. A key id holds no slash.
func (c *Claim) setCredential(credential string, malformed func(reason string) error) error {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || parts[0] == "" || len(credential) > 512 {
		return malformed("the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"")
	}
	for _, b := range []byte(credential) {
		if b <= ' ' || b >= 0x7f {
			return malformed("the Credential is mal-formed; it holds characters that are not allowed")
		}
	}
	c.AccessKeyID = parts[0]
	c.Scope = Scope{Date: parts[1], Region: parts[2], Service: parts[3]}
	if _, err := time.Parse(dateLayout, c.Scope.Date); err != nil {
		return malformed("incorrect date format \"" + c.Scope.Date + "\". This date in the credential must be in the format \"yyyyMMdd\"")
	}
	var json, s3 []string
	if !validRegion(c.Scope.Region) {
		json = append(json, "Credential should be scoped to a valid region.")
		s3 = append(s3, "the region '"+clip(c.Scope.Region)+"' is wrong; expecting 'us-east-1'")
	}
	if parts[4] != terminator {
		json = append(json, "Credential should be scoped with a valid terminator: 'aws4_request', not '"+clip(parts[4])+"'.")
		s3 = append(s3, "incorrect terminal \""+clip(parts[4])+"\". This endpoint uses \"aws4_request\"")
	}
	if len(json) > 0 {
		return awserr.Fail(awserr.WrongScope, "json", strings.Join(json, " "), "s3", strings.Join(s3, "; "))
	}
	return nil
}

// validRegion takes any name that can stand in an ARN: which regions exist is the operator's choice.
func validRegion(region string) bool {
	if region == "" || len(region) > 63 {
		return false
	}
	for _, c := range []byte(region) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// checkDate compares the scope's day with the request's time.
func (c *Claim) checkDate() error {
	day := c.Time.UTC().Format(dateLayout)
	if day == c.Scope.Date {
		return nil
	}
	stamp := c.Time.UTC().Format(timeLayout)
	s3 := "Invalid credential date \"" + c.Scope.Date + "\". This date is not the same as X-Amz-Date: \"" + day + "\"."
	return awserr.Fail(awserr.WrongScope,
		"json", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '"+c.Scope.Date+"' != '"+day+"', from '"+stamp+"'.",
		"s3", s3)
}

// authority is HTTP/2's name for the host, which clients of streams sign.
const authority = ":authority"

// parseSignedHeaders reads "host;x-amz-date": lower case, sorted, each once, host among them.
func parseSignedHeaders(list string) ([]string, error) {
	names := strings.Split(list, ";")
	if len(names) > maxSignedHeaders {
		return nil, fmt.Errorf("SignedHeaders names more than %d headers", maxSignedHeaders)
	}
	for i, name := range names {
		if name == "" || strings.ToLower(name) != name || name != authority && strings.ContainsAny(name, " \t\r\n:,") {
			return nil, fmt.Errorf("SignedHeaders is mal-formed")
		}
		if i > 0 && names[i-1] >= name {
			return nil, fmt.Errorf("SignedHeaders is not in canonical order")
		}
	}
	if !slices.Contains(names, "host") && !slices.Contains(names, authority) {
		return nil, fmt.Errorf("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization")
	}
	return names, nil
}

func malformedQuery(reason string) error {
	return awserr.Fail(awserr.MalformedQuery, "json", reason, "s3", reason)
}

var errIncomplete = errors.New("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.") //nolint:revive,staticcheck // AWS's text

func parsePresigned(r *http.Request, q query) (*Claim, error) {
	params := map[string]string{}
	complete := true
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		value, count := q.get(name)
		if count > 1 {
			return nil, malformedQuery("Query-string authentication parameter " + name + " occurs more than once")
		}
		if value == "" && (name != "X-Amz-Expires" || count > 0) {
			complete = false
		}
		params[name] = value
	}
	if !complete {
		return nil, malformedQuery(errIncomplete.Error())
	}
	if params["X-Amz-Algorithm"] != algorithm {
		return nil, malformedQuery("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
	}
	c := &Claim{Presigned: true, Signature: params["X-Amz-Signature"]}
	err := c.setCredential(params["X-Amz-Credential"], func(reason string) error {
		return malformedQuery("Error parsing the X-Amz-Credential parameter; " + reason)
	})
	if err != nil {
		return nil, err
	}
	if c.Time, err = time.Parse(timeLayout, params["X-Amz-Date"]); err != nil {
		return nil, malformedQuery("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	switch {
	case params["X-Amz-Expires"] != "":
		c.Expires, err = parseExpires(params["X-Amz-Expires"])
	case c.Scope.Service == "s3":
		err = errIncomplete
	default:
		c.Expires = defaultExpires
	}
	if err != nil {
		return nil, malformedQuery(err.Error())
	}
	if c.SignedHeaders, err = parseSignedHeaders(params["X-Amz-SignedHeaders"]); err != nil {
		return nil, malformedQuery(err.Error())
	}
	token, count := q.get("X-Amz-Security-Token")
	if count > 1 {
		return nil, malformedQuery("Query-string authentication parameter X-Amz-Security-Token occurs more than once")
	}
	c.Token = token
	if values := r.Header["X-Amz-Security-Token"]; c.Token == "" && len(values) == 1 {
		c.Token = values[0]
	}
	return c, c.checkDate()
}

func parseExpires(s string) (time.Duration, error) {
	seconds, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil && strings.Trim(s, "0123456789") != "":
		return 0, fmt.Errorf("X-Amz-Expires should be a number")
	case err != nil || seconds > int64(maxExpires/time.Second):
		return 0, fmt.Errorf("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	case seconds < 0:
		return 0, fmt.Errorf("X-Amz-Expires must be non-negative")
	case seconds == 0:
		return 0, fmt.Errorf("X-Amz-Expires must be at least one second")
	}
	return time.Duration(seconds) * time.Second, nil
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
