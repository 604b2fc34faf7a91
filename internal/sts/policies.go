package sts

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
)

const (
	// maxPolicyText is how many characters an inline session policy may have.
	maxPolicyText = 2048
	// maxPolicyARNs is how many managed policies may limit a session.
	maxPolicyARNs = 10
	// packedRoom is how many bytes session policies and tags may have once packed. AWS packs them in a
	// format of its own and tells only the percentage; ours is DEFLATE.
	packedRoom = 2048
)

// sessionPolicies returns the texts of all policies that limit the session. Managed ones are taken as they
// are now: a later version does not change a session that has begun.
func (s *Service) sessionPolicies(ctx context.Context, in RoleRequest) ([]string, error) {
	var texts []string
	if in.Policy != "" {
		if n := utf8.RuneCountInString(in.Policy); n > maxPolicyText {
			return nil, packedTooLarge((n*100 + maxPolicyText - 1) / maxPolicyText)
		}
		if _, err := policy.Parse([]byte(in.Policy), policy.Session); err != nil {
			var malformed *policy.Error
			if errors.As(err, &malformed) {
				return nil, malformedPolicy(malformed.Message)
			}
			return nil, err
		}
		texts = append(texts, in.Policy)
	}
	if len(in.PolicyARNs) > maxPolicyARNs {
		return nil, validation("A session can't have more than %d managed policies.", maxPolicyARNs)
	}
	role, err := parseRole(in.RoleARN)
	if err != nil {
		return nil, err
	}
	for _, arn := range in.PolicyARNs {
		text, err := s.config.Directory.ManagedPolicy(ctx, role.AccountID, arn)
		if errors.Is(err, iam.ErrNoSuchEntity) {
			return nil, validation("Policy %s does not exist or is not attachable.", arn)
		}
		if err != nil {
			return nil, fmt.Errorf("read session policy: %w", err)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// packedSize is how many percent of their room the policies and tags of a session take.
func packedSize(in RoleRequest, session iam.Session) (int, error) {
	if in.Policy == "" && len(in.PolicyARNs) == 0 && len(session.Tags) == 0 {
		return 0, nil
	}
	var plain bytes.Buffer
	if in.Policy != "" {
		if err := json.Compact(&plain, []byte(in.Policy)); err != nil {
			return 0, malformedPolicy("This policy contains invalid Json")
		}
	}
	for _, arn := range in.PolicyARNs {
		plain.WriteString(arn)
		plain.WriteByte(0)
	}
	for _, k := range slices.Sorted(maps.Keys(session.Tags)) {
		plain.WriteString(k)
		plain.WriteByte(0)
		plain.WriteString(session.Tags[k])
		plain.WriteByte(0)
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		return 0, fmt.Errorf("pack session policies: %w", err)
	}
	if _, err := plain.WriteTo(w); err != nil {
		return 0, fmt.Errorf("pack session policies: %w", err)
	}
	if err := w.Close(); err != nil {
		return 0, fmt.Errorf("pack session policies: %w", err)
	}
	percent := (packed.Len()*100 + packedRoom - 1) / packedRoom
	if percent > 100 {
		return 0, packedTooLarge(percent)
	}
	return percent, nil
}
