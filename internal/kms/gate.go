package kms

import (
	"context"
	"fmt"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
)

// eventSource is the service's name in the audit.
const eventSource = "kms.amazonaws.com"

var _ Gate = (*Service)(nil)

// Use implements Gate. An empty key means the key that S3 has in the account, which is made at its first use.
func (s *Service) Use(ctx context.Context, c iam.Caller, operation, key string, context Context) (Key, error) {
	if key == "" {
		key = ServiceAliasS3
	}
	t, err := s.use(ctx, c, operation, key, context)
	if recordErr := s.record(ctx, c, operation, key, t, context, err); recordErr != nil {
		return Key{}, recordErr
	}
	if err != nil {
		return Key{}, err
	}
	return t.key.Key, nil
}

func (s *Service) use(ctx context.Context, c iam.Caller, operation, key string, context Context) (Target, error) {
	t, err := s.Find(ctx, c, key)
	if err != nil {
		return t, err
	}
	if t.first != nil && t.owner == account(c) {
		// Its policy, which decides, comes with the key.
		if t.key, err = s.serviceKey(ctx, *t.first); err != nil {
			return t, err
		}
		t.err, t.first, t.arn, t.aliases = nil, nil, t.key.ARN, []string{t.alias}
	}
	if err := s.config.Authorizer.Authorize(ctx, c, s.Access(c, operation, t, Circumstances{Context: context})); err != nil {
		return t, err
	}
	if t.err != nil || operation == "DescribeKey" {
		return t, t.err
	}
	return t, t.ready(operation)
}

// record puts the use of a key on record, refused or not.
func (s *Service) record(ctx context.Context, c iam.Caller, operation, name string, t Target, context Context, err error) error {
	request := map[string]any{"keyId": name}
	if len(context) > 0 {
		request["encryptionContext"] = map[string]string(context)
	}
	if operation == "GenerateDataKey" || operation == "GenerateDataKeyWithoutPlaintext" {
		request["keySpec"] = "AES_256"
	}
	e := audit.Event{Caller: c, Source: eventSource, Name: operation, ReadOnly: true, Request: request}
	if t.key.ID != "" {
		request["keyId"] = t.key.ARN
		e.Resources = []audit.Resource{resource(t.key.Key)}
	}
	if err != nil {
		shown := awserr.For(awserr.JSON, err)
		e.ErrorCode, e.ErrorMessage = shown.Code, shown.Message
	}
	if err := s.config.Recorder.Record(ctx, e); err != nil {
		return fmt.Errorf("record use of key in the audit: %w", err)
	}
	return nil
}

func resource(k Key) audit.Resource {
	return audit.Resource{ARN: k.ARN, AccountID: k.AccountID, Type: "AWS::KMS::Key"}
}
