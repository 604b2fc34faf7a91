package sts

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
)

// ServiceRole returns the session of a role that a service works with on a customer's behalf: a job's
// DataAccessRoleArn. The role's trust policy must name the service ("transcribe.amazonaws.com"), and may
// bind it to the account and resource that it acts for (aws:SourceAccount, aws:SourceArn). No
// credentials are made: the session exists within this process only. It returns ErrNotTrusted when the role
// does not exist or does not trust the service, so ask again whenever the role is used.
func (s *Service) ServiceRole(ctx context.Context, roleARN, service, sourceAccount, sourceARN string) (iam.Principal, error) {
	role, err := s.role(ctx, roleARN)
	var refused *awserr.Error
	if errors.Is(err, iam.ErrNoSuchEntity) || errors.As(err, &refused) {
		return iam.Principal{}, fmt.Errorf("%w: %s: there is no role %s", ErrNotTrusted, service, clip(roleARN))
	}
	if err != nil {
		return iam.Principal{}, err
	}
	now := s.now()
	name, _, _ := strings.Cut(service, ".")
	c := iam.Caller{
		Principal: iam.Principal{Kind: iam.KindService, Service: service},
		Secure:    true, Time: now, SourceAccount: sourceAccount, SourceARN: sourceARN,
	}
	keys := requestKeys(RoleRequest{SessionName: name}, iam.Session{})
	err = s.trust(ctx, c, role, []string{actionAssume}, keys)
	if errors.As(err, &refused) {
		return iam.Principal{}, fmt.Errorf("%w: %s: %s", ErrNotTrusted, service, role.ARN())
	}
	if err != nil {
		return iam.Principal{}, err
	}
	return roleSession(role, name, iam.Session{Issued: now}), nil
}
