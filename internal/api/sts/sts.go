// Package sts answers the Security Token Service API: for now who the caller is. Start at New.
//
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html.
package sts

import (
	"context"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
)

const (
	namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	version   = "2011-06-15"
)

// later are the actions that need roles or temporary credentials for people.
var later = []string{
	"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "DecodeAuthorizationMessage",
	"GetAccessKeyInfo", "GetFederationToken", "GetSessionToken",
}

// callerIdentity is the content of GetCallerIdentityResult.
type callerIdentity struct {
	Arn     string
	UserId  string
	Account string
}

// New returns the service.
func New() gateway.Service {
	actions := awsquery.Actions{"GetCallerIdentity": awsquery.Op(getCallerIdentity)}
	for _, name := range later {
		actions[name] = awsquery.Refuse(&awserr.Error{
			Code: "InvalidAction", Status: 400, Message: "The action " + name + " is not available yet on this server.",
		})
	}
	return awsquery.NewService("sts", namespace, version, actions)
}

// getCallerIdentity needs no permission: the signature says who the caller is.
func getCallerIdentity(_ context.Context, c *gateway.Call, _ *struct{}) (*callerIdentity, error) {
	return &callerIdentity{Arn: c.Principal.ARN, UserId: c.Principal.UserID, Account: c.Principal.AccountID}, nil
}
