package kms

import (
	_ "embed"
	"sync"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/shapes"
)

//go:generate go run ../../aws/shapes/gen -service kms/2014-11-01 -out service.json

//go:embed service.json
var serviceJSON []byte

// model is the embedded model. It is generated and tested, so that it can't be unreadable at run time.
var model = sync.OnceValue(func() *shapes.Model {
	m, err := shapes.Load(serviceJSON)
	if err != nil {
		panic("api/kms: " + err.Error())
	}
	return m
})

// validate holds an operation's input against the constraints of the service model, and returns nil or one
// ValidationException that names all that are broken, in AWS's words.
func validate(operation string, input any) error {
	if v := model().Violations(operation, input); len(v) > 0 {
		return invalid(shapes.Message(v))
	}
	return nil
}

func invalid(message string) *awserr.Error {
	return &awserr.Error{Code: "ValidationException", Status: 400, Message: message, Framework: true}
}
