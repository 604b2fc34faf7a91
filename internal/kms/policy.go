package kms

import (
	"context"
	"errors"
	"fmt"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
)

// defaultPolicy leaves the decision to the account's own policies
// (https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html).
func defaultPolicy(accountID string) string {
	return `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::` + accountID + `:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`
}

// servicePolicy lets everyone in the account who may use the service use its key, through the service only
// (https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk).
func servicePolicy(service, accountID, region string) string {
	return `{
  "Version" : "2012-10-17",
  "Id" : "auto-` + service + `-2",
  "Statement" : [ {
    "Sid" : "Allow access through S3 for all principals in the account that are authorized to use S3",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "*"
    },
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {
      "StringEquals" : {
        "kms:CallerAccount" : "` + accountID + `",
        "kms:ViaService" : "` + service + `.` + region + `.amazonaws.com"
      }
    }
  }, {
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::` + accountID + `:root"
    },
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*" ],
    "Resource" : "*"
  } ]
}`
}

func (s *Service) parsePolicy(text string) (*policy.Document, error) {
	if d, ok := s.policies.Get(text); ok {
		return d, nil
	}
	d, err := policy.Parse([]byte(text), policy.Resource)
	if err != nil {
		return nil, fmt.Errorf("parse key policy: %w", err)
	}
	s.policies.Put(text, d)
	return d, nil
}

// checkPolicy refuses a policy that is none, and one that would lock everybody out: neither the caller nor the
// account's root could change it again. It returns the policy bound to those whom it names
// (https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#prevent-unmanageable-key).
func (s *Service) checkPolicy(ctx context.Context, c iam.Caller, k CustomerKey, text string, bypass bool) (string, error) {
	if len(text) > maxPolicy {
		return "", limitExceeded(fmt.Sprintf("The key policy document is larger than %d bytes.", maxPolicy))
	}
	if _, err := s.parsePolicy(text); err != nil {
		var malformed *policy.Error
		if errors.As(err, &malformed) {
			return "", malformedPolicy(malformed.Message)
		}
		return "", err
	}
	if s.config.Names != nil {
		var err error
		text, err = s.config.Names.Pin(ctx, text)
		var unknown *iam.UnknownPrincipalError
		if errors.As(err, &unknown) {
			return "", malformedPolicy("Policy contains a statement with one or more invalid principals.")
		}
		if err != nil {
			return "", fmt.Errorf("look for principals of key policy: %w", err)
		}
	}
	if bypass {
		return text, nil
	}
	k.Policy = text
	t := Target{key: k, arn: k.ARN, owner: k.AccountID}
	root := c
	root.Principal = iam.Principal{Kind: iam.KindRoot, AccountID: k.AccountID, ARN: "arn:aws:iam::" + k.AccountID + ":root", UserID: k.AccountID}
	for _, who := range []iam.Caller{c, root} {
		err := s.config.Authorizer.Authorize(ctx, who, s.Access(who, "PutKeyPolicy", t, Circumstances{}))
		if err == nil {
			return text, nil
		}
		if !errors.Is(err, awserr.Fail(awserr.NotAuthorized)) {
			return "", fmt.Errorf("try new key policy: %w", err)
		}
	}
	return "", malformedPolicy("The new key policy will not allow you to update the key policy in the future.")
}

// PolicyText returns a key's policy as people read it: with names, where those whom it means still exist.
func (s *Service) PolicyText(ctx context.Context, k CustomerKey) (string, error) {
	if s.config.Names == nil {
		return k.Policy, nil
	}
	text, err := s.config.Names.Show(ctx, k.Policy)
	if err != nil {
		return "", fmt.Errorf("show key policy: %w", err)
	}
	return text, nil
}
