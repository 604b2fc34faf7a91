// Package awserr is the one table of errors that clients can see: their AWS code, HTTP
// status and text. Handlers return these (wrapped or not); only the gateway writes them,
// in the protocol of the service that was called. An error that is not an *Error reaches
// the client as InternalFailure with no detail.
package awserr

import "fmt"

// Error is an error as AWS shows it.
type Error struct {
	// Code is the bare shape name or S3 code: "BadRequestException", "NoSuchKey".
	Code string
	// Status is the HTTP status on the wire.
	Status int
	// Message is the sentence for people.
	Message string
	// Framework marks errors raised before a service's own model applies (authentication,
	// throttling, serialization); AWS JSON spells their member "message", not "Message".
	Framework bool
	// Fields are further elements of an S3 error document, in order: {"BucketName", "b"}.
	Fields []Field
}

// Field is one further element of an S3 error document.
type Field struct{ Name, Value string }

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// With returns a copy of e with one more field.
func (e *Error) With(name, value string) *Error {
	c := *e
	c.Fields = append(append([]Field(nil), e.Fields...), Field{name, value})
	return &c
}

// BadRequest is Transcribe's answer to a request that breaks one of its rules.
func BadRequest(format string, args ...any) *Error {
	return &Error{Code: "BadRequestException", Status: 400, Message: fmt.Sprintf(format, args...)}
}
