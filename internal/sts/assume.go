package sts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/aws/arn"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
)

// The actions that a role's trust policy grants.
const (
	actionAssume      = "sts:AssumeRole"
	actionWebIdentity = "sts:AssumeRoleWithWebIdentity"
	actionTag         = "sts:TagSession"
	actionSource      = "sts:SetSourceIdentity"
)

// RoleRequest is what all ways of assuming a role take. What the service model says of the members
// (lengths, patterns) was checked.
type RoleRequest struct {
	RoleARN     string
	SessionName string
	// Duration is zero for the default.
	Duration time.Duration
	// Policy is an inline session policy, JSON, and PolicyARNs name managed ones; they limit the session.
	Policy     string
	PolicyARNs []string
	// TokenSize is the least length of the session token, in characters; zero asks for none.
	TokenSize int
}

// AssumeRoleRequest is AssumeRole's.
type AssumeRoleRequest struct {
	RoleRequest
	ExternalID     string
	Tags           []Tag
	Transitive     []string
	SourceIdentity string
	// Serial and Code are a second factor, or empty.
	Serial, Code string
}

// RoleSession is a session that was begun.
type RoleSession struct {
	Credential iam.Credential
	// PackedPolicySize is how many percent of the room for session policies and tags are taken.
	PackedPolicySize int
}

// AssumeRole begins a session of a role for the caller, if the role's trust policy and the caller's own
// rights allow it (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html).
func (s *Service) AssumeRole(ctx context.Context, c iam.Caller, in AssumeRoleRequest) (RoleSession, error) {
	if c.Principal.Kind == iam.KindRoot {
		return RoleSession{}, errRoot
	}
	session, err := inherit(c.Principal, in)
	if err != nil {
		return RoleSession{}, err
	}
	c.Principal, err = s.withMFA(ctx, c.Principal, in.Serial, in.Code)
	if err != nil {
		return RoleSession{}, err
	}
	if own := c.Principal.Session; own != nil && !session.Chained {
		session.MFA = own.MFA
	}
	role, err := s.role(ctx, in.RoleARN)
	if errors.Is(err, iam.ErrNoSuchEntity) {
		return RoleSession{}, notAuthorized(c.Principal.ARN, actionAssume, in.RoleARN)
	}
	if err != nil {
		return RoleSession{}, err
	}
	if err := s.trust(ctx, c, role, actions(actionAssume, session), keysOf(in, session)); err != nil {
		return RoleSession{}, err
	}
	return s.begin(ctx, role, in.RoleRequest, session)
}

// begin makes the credentials of a session that was allowed.
func (s *Service) begin(ctx context.Context, role iam.Role, in RoleRequest, session iam.Session) (RoleSession, error) {
	var err error
	if session.Policies, err = s.sessionPolicies(ctx, in); err != nil {
		return RoleSession{}, err
	}
	packed, err := packedSize(in, session)
	if err != nil {
		return RoleSession{}, err
	}
	life, err := duration(in.Duration, role, session.Chained)
	if err != nil {
		return RoleSession{}, err
	}
	session.Issued = s.now()
	credential, err := s.issue(ctx, roleSession(role, in.SessionName, session), session.Issued, life, in.TokenSize)
	return RoleSession{Credential: credential, PackedPolicySize: packed}, err
}

func (s *Service) now() time.Time { return s.config.Now().UTC() }

// inherit returns the session that a caller asks for, with what goes on from the caller's own:
// transitive tags and the source identity.
func inherit(p iam.Principal, in AssumeRoleRequest) (iam.Session, error) {
	session := iam.Session{SourceIdentity: in.SourceIdentity}
	var inherited map[string]string
	if own := p.Session; own != nil {
		session.Chained = own.RoleID != ""
		if own.SourceIdentity != "" {
			if in.SourceIdentity != "" && in.SourceIdentity != own.SourceIdentity {
				return iam.Session{}, notAuthorized(p.ARN, actionSource, in.RoleARN)
			}
			session.SourceIdentity = own.SourceIdentity
		}
		inherited = make(map[string]string, len(own.Transitive))
		for _, k := range own.Transitive {
			inherited[k] = own.Tags[k]
		}
	}
	var err error
	session.Tags, session.Transitive, err = sessionTags(in.Tags, in.Transitive, inherited)
	return session, err
}

// actions are those that a session needs from the role's trust policy.
func actions(first string, session iam.Session) []string {
	list := []string{first}
	if len(session.Tags) > 0 {
		list = append(list, actionTag)
	}
	if session.SourceIdentity != "" {
		list = append(list, actionSource)
	}
	return list
}

// keysOf are the condition keys of AssumeRole
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html).
func keysOf(in AssumeRoleRequest, session iam.Session) map[string][]string {
	keys := requestKeys(in.RoleRequest, session)
	if in.ExternalID != "" {
		keys["sts:externalid"] = []string{in.ExternalID}
	}
	return keys
}

func requestKeys(in RoleRequest, session iam.Session) map[string][]string {
	keys := map[string][]string{"sts:rolesessionname": {in.SessionName}}
	if in.Duration != 0 {
		keys["sts:durationseconds"] = []string{strconv.FormatInt(int64(in.Duration/time.Second), 10)}
	}
	if session.SourceIdentity != "" {
		keys["sts:sourceidentity"] = []string{session.SourceIdentity}
	}
	if len(session.Transitive) > 0 {
		keys["sts:transitivetagkeys"] = session.Transitive
	}
	if len(session.Tags) > 0 {
		var names []string
		for k, v := range session.Tags {
			keys["aws:requesttag/"+k] = []string{v}
			names = append(names, k)
		}
		slices.Sort(names)
		keys["aws:tagkeys"] = names
	}
	return keys
}

// parseRole reads a role's ARN.
func parseRole(roleARN string) (arn.ARN, error) {
	a, err := arn.Parse(roleARN)
	if err != nil || a.Service != "iam" || a.Region != "" || a.AccountID == "" || !strings.HasPrefix(a.Resource, "role/") {
		return arn.ARN{}, validation("%s is invalid", roleARN)
	}
	return a, nil
}

// role finds a role by its ARN.
func (s *Service) role(ctx context.Context, roleARN string) (iam.Role, error) {
	a, err := parseRole(roleARN)
	if err != nil {
		return iam.Role{}, err
	}
	role, err := s.config.Directory.Role(ctx, a.AccountID, a.Resource[strings.LastIndexByte(a.Resource, '/')+1:])
	if err != nil {
		return iam.Role{}, fmt.Errorf("find role: %w", err)
	}
	if role.ARN() != roleARN { // another path, or another spelling
		return iam.Role{}, iam.ErrNoSuchEntity
	}
	return role, nil
}

// trust asks for all actions on the role. AWS tells nothing but the action: not why, and not whether
// there is such a role.
func (s *Service) trust(ctx context.Context, c iam.Caller, role iam.Role, actions []string, keys map[string][]string) error {
	for _, action := range actions {
		err := s.config.Authorizer.Authorize(ctx, c, iam.Access{
			Action: action, Resource: role.ARN(), Owner: role.AccountID, Keys: keys, Delegated: true,
			Policy: func(context.Context) (*policy.Document, error) { return s.config.Directory.TrustPolicy(role) },
			Tags:   func(context.Context) (map[string]string, error) { return role.Tags, nil },
		})
		if errors.Is(err, awserr.Fail(awserr.NotAuthorized)) {
			return notAuthorized(c.Principal.ARN, action, role.ARN())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// duration is how long the session may live.
func duration(asked time.Duration, role iam.Role, chained bool) (time.Duration, error) {
	switch {
	case asked == 0:
		return min(DefaultRoleDuration, role.MaxSession), nil
	case chained && asked > MaxChainedDuration:
		return 0, errChainTooLong
	case asked > role.MaxSession:
		return 0, errTooLong
	}
	return asked, nil
}

// AccountOfRole returns the account in a role's ARN, or "" when it is no such ARN.
func AccountOfRole(roleARN string) string {
	a, err := parseRole(roleARN)
	if err != nil {
		return ""
	}
	return a.AccountID
}
