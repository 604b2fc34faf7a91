package audit

import (
	"strings"
)

// hidden is what CloudTrail itself shows in the place of a secret.
const hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// secretNames are the parameters that never go on record, in lower case and without separators: the
// members of IAM, STS, KMS and S3 requests and answers that are secrets, one-time codes, keys or plaintext.
var secretNames = map[string]bool{
	"secretaccesskey": true, "sessiontoken": true, "securitytoken": true, "xamzsecuritytoken": true,
	"password": true, "oldpassword": true, "newpassword": true, "clientsecret": true, "secretstring": true, "secret": true,
	"plaintext": true, "ciphertextblob": true, "ciphertextforrecipient": true, "privatekeyplaintext": true, "privatekeyciphertextblob": true,
	"privatekey": true, "sharedsecret": true, "mac": true,
	"tokencode": true, "authenticationcode1": true, "authenticationcode2": true, "base32stringseed": true, "qrcodepng": true,
	"webidentitytoken": true, "samlassertion": true, "clienttoken": true, "accesstoken": true, "refreshtoken": true, "idtoken": true,
	"authorization": true, "signature": true, "xamzsignature": true, "ssecustomerkey": true, "copysourcessecustomerkey": true,
}

// publicNames look like secrets and are none: they show which page, which rule or which device.
var publicNames = map[string]bool{
	"nexttoken": true, "continuationtoken": true, "nextcontinuationtoken": true, "passwordresetrequired": true, "passwordlastused": true,
	"minimumpasswordlength": true, "maxpasswordage": true, "passwordreuseprevention": true, "allowuserstochangepassword": true,
}

// secretSuffixes catch members that nobody has thought of yet.
var secretSuffixes = []string{"secret", "password", "secretkey", "secretaccesskey", "sessiontoken", "privatekey", "plaintext"}

// secretName tells the names of parameters whose values never go on record.
func secretName(name string) bool {
	plain := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	if publicNames[plain] {
		return false
	}
	if secretNames[plain] {
		return true
	}
	for _, suffix := range secretSuffixes {
		if strings.HasSuffix(plain, suffix) {
			return true
		}
	}
	return false
}

// redact returns what may be shown of a parameter. It does not change v: maps and lists are copied.
func redact(v any) any {
	switch v := v.(type) {
	case map[string]any:
		shown := make(map[string]any, len(v))
		for name, value := range v {
			switch {
			case !secretName(name):
				shown[name] = redact(value)
			case value == nil:
				shown[name] = nil
			default:
				shown[name] = hidden
			}
		}
		return shown
	case []any:
		shown := make([]any, len(v))
		for i, value := range v {
			shown[i] = redact(value)
		}
		return shown
	case string:
		return redactText(v)
	default:
		return v
	}
}

// signedQueries are parameters that make a URL a secret for as long as it is valid.
var signedQueries = []string{"x-amz-signature=", "x-amz-security-token=", "awsaccesskeyid="}

// redactText takes the query from presigned URLs.
func redactText(s string) string {
	question := strings.IndexByte(s, '?')
	if question < 0 {
		return s
	}
	lower := strings.ToLower(s[question:])
	for _, q := range signedQueries {
		if strings.Contains(lower, q) {
			return s[:question+1] + hidden
		}
	}
	return s
}
