package sts

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// The errors of this package; compare with errors.Is.
var (
	// ErrTooManySessions means that an account has as many live sessions as it may have.
	ErrTooManySessions = errors.New("too many sessions")
	// ErrNotTrusted means that a role does not exist, or that its trust policy does not let a service assume it.
	ErrNotTrusted = errors.New("role does not trust the service")
)

// What clients see. Texts that AWS documents or was seen to send are its own.
var (
	errRoot         = denied("Roles may not be assumed by root accounts.")
	errSession      = denied("Cannot call GetSessionToken with session credentials")
	errMFAPair      = denied("MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.")
	errMFADevice    = denied("MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
	errMFACode      = denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
	errWebIdentity  = denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
	errTooLong      = validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	errChainTooLong = validation("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")

	errNotJWT    = identityToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	errNoKey     = identityToken("Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements")
	errSignature = identityToken("The ID Token provided is not signed by its identity provider's key")
	errAudience  = identityToken("Incorrect token audience")
)

func denied(text string) *awserr.Error {
	return &awserr.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: text}
}

// notAuthorized has the text of a role that may not be assumed, which is also that of one that does not exist.
func notAuthorized(principal, action, role string) *awserr.Error {
	return denied("User: " + principal + " is not authorized to perform: " + action + " on resource: " + role)
}

func validation(format string, args ...any) *awserr.Error {
	return &awserr.Error{Code: "ValidationError", Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

func invalidParameter(format string, args ...any) *awserr.Error {
	return &awserr.Error{Code: "InvalidParameterValue", Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

func identityToken(text string) *awserr.Error {
	return &awserr.Error{Code: "InvalidIdentityToken", Status: http.StatusBadRequest, Message: text}
}

func malformedPolicy(text string) *awserr.Error {
	return &awserr.Error{Code: "MalformedPolicyDocument", Status: http.StatusBadRequest, Message: text}
}

func packedTooLarge(percent int) *awserr.Error {
	return &awserr.Error{
		Code: "PackedPolicyTooLarge", Status: http.StatusBadRequest,
		Message: fmt.Sprintf("Packed size of session policies and tags consumes %d%% of allotted space.", percent),
	}
}
