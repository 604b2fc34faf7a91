package kms

import (
	"net/http"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// failure is an error that callers compare with errors.Is, and that clients of KMS see as AWS words it.
type failure struct {
	kind  error
	shown *awserr.Error
}

// Error implements error.
func (f failure) Error() string { return f.shown.Error() }

// Unwrap lets errors.Is and errors.As find both.
func (f failure) Unwrap() []error { return []error{f.kind, f.shown} }

// shown is an error of KMS's model: they all have status 400 and spell their member "message", as errors of the
// framework do.
func shown(code, message string) *awserr.Error {
	return &awserr.Error{Code: code, Status: http.StatusBadRequest, Message: message, Framework: true}
}

func validation(message string) error { return shown("ValidationException", message) }

func unsupported(message string) error { return unsupportedError(message) }

func limitExceeded(message string) error { return shown("LimitExceededException", message) }

func malformedPolicy(message string) error { return shown("MalformedPolicyDocumentException", message) }

func invalidState(message string) error { return shown("KMSInvalidStateException", message) }

func invalidARN(text string) error { return shown("InvalidArnException", "Invalid arn "+text) }

func noKey(arn string) error {
	return failure{ErrKeyGone, shown("NotFoundException", "Key '"+arn+"' does not exist")}
}

func noKeyID(text string) error {
	return failure{ErrKeyGone, shown("NotFoundException", "Invalid keyId '"+text+"'")}
}

func noAlias(a AliasOf) error {
	return failure{ErrNoAlias, shown("NotFoundException", "Alias "+a.ARN()+" is not found.")}
}

func aliasExists(a AliasOf) error {
	return failure{ErrAliasExists, shown("AlreadyExistsException", "An alias with the name "+a.ARN()+" already exists")}
}

// noAccess is what KMS says of a key that the caller can't know of.
func noAccess() error {
	return failure{ErrKeyGone, shown("AccessDeniedException",
		"The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")}
}

// invalidCiphertext says nothing on purpose: not whether the context, the key or the bytes are wrong.
func invalidCiphertext() error { return failure{ErrSealed, shown("InvalidCiphertextException", "")} }

// DryRun is what a request that only asks whether it would succeed is answered with when it would.
func DryRun() error {
	return shown("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
}

func unsupportedError(message string) *awserr.Error {
	return shown("UnsupportedOperationException", message)
}
