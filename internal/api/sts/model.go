package sts

import (
	_ "embed"
	"net/http"
	"strconv"
	"sync"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/shapes"
	"github.com/dictum/dictum/internal/sts"
)

//go:generate go run ../../aws/shapes/gen -service sts/2011-06-15 -out service.json

//go:embed service.json
var serviceJSON []byte

// model is the embedded model. It is generated and tested, so that it can't be unreadable at run time.
var model = sync.OnceValue(func() *shapes.Model {
	m, err := shapes.Load(serviceJSON)
	if err != nil {
		panic("api/sts: " + err.Error())
	}
	return m
})

// validate is an awsquery.Validator: it names all that the parameters break of the model, as AWS does.
func validate(action string, params map[string]any) error {
	found := model().Violations(action, params)
	for i := range found {
		if found[i].Path == "webIdentityToken" {
			found[i].Value = "'***'" // it would be on record with the message
		}
	}
	// Newer than the model: RoleInput.
	given, _ := params["MinimumSessionTokenSize"].(string)
	if n, err := strconv.Atoi(given); err == nil && n > sts.MaxTokenSize {
		found = append(found, shapes.Violation{
			Path: "minimumSessionTokenSize", Value: "'" + given + "'",
			Constraint: "Member must have value less than or equal to " + strconv.Itoa(sts.MaxTokenSize),
		})
	}
	if len(found) == 0 {
		return nil
	}
	return &awserr.Error{Code: "ValidationError", Status: http.StatusBadRequest, Message: shapes.Message(found)}
}
