// Package sts answers the Security Token Service API over the domain package of the same name. Start at New.
//
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html.
package sts

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/sts"
)

const (
	namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	version   = "2011-06-15"

	// webIdentity is the one action that needs no signature: the token says who asks.
	webIdentity = "AssumeRoleWithWebIdentity"
)

// service is the query service and what of it is open to unsigned requests.
type service struct{ *awsquery.Service }

var (
	_ gateway.Opener  = service{}
	_ gateway.Speaker = service{}
)

// New returns the service. Without a domain service it answers GetCallerIdentity alone.
func New(domain *sts.Service) gateway.Service {
	actions := awsquery.Actions{"GetCallerIdentity": awsquery.OpOn(everyone[struct{}], getCallerIdentity)}
	if domain != nil {
		h := handlers{domain}
		actions["AssumeRole"] = awsquery.OpOn(everyone[assumeRoleInput], h.assumeRole)
		actions[webIdentity] = awsquery.OpOn(everyone[webIdentityInput], h.assumeRoleWithWebIdentity)
		actions["GetSessionToken"] = awsquery.OpOn(everyone[sessionTokenInput], h.getSessionToken)
		actions["GetAccessKeyInfo"] = awsquery.Op(h.getAccessKeyInfo)
	}
	for _, name := range model().Operations() {
		if actions[name] == nil {
			actions[name] = awsquery.Refuse(&awserr.Error{
				Code: "InvalidAction", Status: http.StatusBadRequest, Message: "The action " + name + " is not offered by this server.",
			})
		}
	}
	return service{awsquery.NewService("sts", namespace, version, actions).Validated(validate)}
}

// Open implements gateway.Opener.
func (service) Open(r *http.Request, body []byte) bool {
	raw := r.URL.RawQuery
	if r.Method == http.MethodPost {
		raw = string(body)
	}
	params, err := url.ParseQuery(raw)
	return err == nil && params.Get("Action") == webIdentity
}

// everyone lets every verified caller in: the action needs no permission, or asks the role's trust policy.
func everyone[I any](context.Context, *gateway.Call, *I) ([]iam.Access, error) { return nil, nil }

// callerIdentity is the content of GetCallerIdentityResult.
type callerIdentity struct {
	Arn     string
	UserId  string
	Account string
}

// getCallerIdentity needs no permission: the signature says who the caller is.
func getCallerIdentity(_ context.Context, c *gateway.Call, _ *struct{}) (*callerIdentity, error) {
	return &callerIdentity{Arn: c.Principal.ARN, UserId: c.Principal.UserID, Account: c.Principal.AccountID}, nil
}

type handlers struct{ domain *sts.Service }

type policyDescriptor struct {
	Arn string `xml:"arn"`
}

type tag struct{ Key, Value string }

// RoleInput is what all ways of assuming a role take. It is exported, as AssumeRoleOutput is, because the
// audit shows no unexported members.
type RoleInput struct {
	RoleArn         string
	RoleSessionName string
	DurationSeconds int
	Policy          string
	PolicyArns      []policyDescriptor
	// MinimumSessionTokenSize is newer than botocore 1.43's model: it makes tokens longer, for clients to
	// try whether they bear it.
	MinimumSessionTokenSize int
}

func (in RoleInput) request() sts.RoleRequest {
	r := sts.RoleRequest{
		RoleARN: in.RoleArn, SessionName: in.RoleSessionName, Duration: time.Duration(in.DurationSeconds) * time.Second, Policy: in.Policy,
		TokenSize: in.MinimumSessionTokenSize,
	}
	for _, p := range in.PolicyArns {
		r.PolicyARNs = append(r.PolicyARNs, p.Arn)
	}
	return r
}

type assumeRoleInput struct {
	RoleInput
	Tags              []tag
	TransitiveTagKeys []string
	ExternalId        string
	SourceIdentity    string
	SerialNumber      string
	TokenCode         string `audit:"-"`
}

type credentials struct {
	AccessKeyId     string
	SecretAccessKey string `audit:"-"`
	SessionToken    string `audit:"-"`
	Expiration      time.Time
}

type assumedRoleUser struct {
	AssumedRoleId string
	Arn           string
}

// AssumeRoleOutput is the answer of all ways of assuming a role.
type AssumeRoleOutput struct {
	Credentials      credentials
	AssumedRoleUser  assumedRoleUser
	PackedPolicySize int `xml:",omitempty"`
	TokenUse
	SourceIdentity string `xml:",omitempty"`
}

func credentialsOf(c iam.Credential) credentials {
	return credentials{AccessKeyId: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expiration: c.Expires}
}

func assumed(s sts.RoleSession) AssumeRoleOutput {
	p := s.Credential.Principal
	return AssumeRoleOutput{
		Credentials:      credentialsOf(s.Credential),
		AssumedRoleUser:  assumedRoleUser{AssumedRoleId: p.UserID, Arn: p.ARN},
		PackedPolicySize: s.PackedPolicySize,
		TokenUse:         tokenUse(s.Credential),
		SourceIdentity:   p.Session.SourceIdentity,
	}
}

func (h handlers) assumeRole(ctx context.Context, c *gateway.Call, in *assumeRoleInput) (*AssumeRoleOutput, error) {
	show(c, in.RoleArn)
	request := sts.AssumeRoleRequest{
		RoleRequest: in.request(), ExternalID: in.ExternalId, Transitive: in.TransitiveTagKeys, SourceIdentity: in.SourceIdentity,
		Serial: in.SerialNumber, Code: in.TokenCode,
	}
	for _, t := range in.Tags {
		request.Tags = append(request.Tags, sts.Tag(t))
	}
	session, err := h.domain.AssumeRole(ctx, c.Caller, request)
	if err != nil {
		return nil, err
	}
	out := assumed(session)
	c.Response = audit.Parameters(out)
	return &out, nil
}

type webIdentityInput struct {
	RoleInput
	WebIdentityToken string `audit:"-"`
	ProviderId       string
}

type webIdentityOutput struct {
	AssumeRoleOutput
	SubjectFromWebIdentityToken string
	Provider                    string
	Audience                    string
}

func (h handlers) assumeRoleWithWebIdentity(ctx context.Context, c *gateway.Call, in *webIdentityInput) (*webIdentityOutput, error) {
	c.Principal = iam.Principal{} // whoever signed it, the token says who asks
	if in.ProviderId != "" {
		return nil, &awserr.Error{
			Code: "ValidationError", Status: http.StatusBadRequest,
			Message: "ProviderId is for OAuth 2.0 access tokens, which this server does not accept. Leave it out for OpenID Connect ID tokens.",
		}
	}
	identity, err := h.domain.WebIdentity(ctx, in.RoleArn, in.WebIdentityToken)
	if err != nil {
		return nil, err
	}
	c.Principal = identity.Principal()
	show(c, in.RoleArn)
	session, err := h.domain.AssumeRoleWithWebIdentity(ctx, c.Caller, identity, in.request())
	if err != nil {
		return nil, err
	}
	out := webIdentityOutput{
		AssumeRoleOutput:            assumed(session),
		SubjectFromWebIdentityToken: identity.Token.Subject,
		Provider:                    identity.Provider.ARN(),
		Audience:                    identity.Token.Audience,
	}
	c.Response = audit.Parameters(out)
	return &out, nil
}

type sessionTokenInput struct {
	DurationSeconds int
	SerialNumber    string
	TokenCode       string `audit:"-"`
	// MinimumSessionTokenSize is as RoleInput's.
	MinimumSessionTokenSize int
}

type sessionTokenOutput struct {
	Credentials credentials
	TokenUse
}

// TokenUse is how long a session token is, in characters and in percent of the longest one. It is exported as
// RoleInput is.
type TokenUse struct{ SessionTokenSize, SessionTokenUtilization int }

func tokenUse(c iam.Credential) TokenUse {
	n := len(c.SessionToken)
	return TokenUse{SessionTokenSize: n, SessionTokenUtilization: (n*100 + sts.MaxTokenSize - 1) / sts.MaxTokenSize}
}

func (h handlers) getSessionToken(ctx context.Context, c *gateway.Call, in *sessionTokenInput) (*sessionTokenOutput, error) {
	credential, err := h.domain.SessionToken(ctx, c.Caller, sts.SessionTokenRequest{
		Duration: time.Duration(in.DurationSeconds) * time.Second, Serial: in.SerialNumber, Code: in.TokenCode,
		TokenSize: in.MinimumSessionTokenSize,
	})
	if err != nil {
		return nil, err
	}
	out := sessionTokenOutput{credentialsOf(credential), tokenUse(credential)}
	c.Response = audit.Parameters(out)
	return &out, nil
}

type keyInfoInput struct{ AccessKeyId string }

type keyInfoOutput struct{ Account string }

func (h handlers) getAccessKeyInfo(ctx context.Context, _ *gateway.Call, in *keyInfoInput) (*keyInfoOutput, error) {
	account, err := h.domain.AccountOf(ctx, in.AccessKeyId)
	if err != nil {
		return nil, err
	}
	return &keyInfoOutput{account}, nil
}

// show has the role in the audit, as the resource acted on.
func show(c *gateway.Call, roleARN string) {
	c.Resources = append(c.Resources, audit.Resource{ARN: roleARN, AccountID: sts.AccountOfRole(roleARN), Type: "AWS::IAM::Role"})
}
