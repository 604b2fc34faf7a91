package s3

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
	"github.com/dictum/dictum/internal/objects"
)

// maxPolicy is the largest bucket policy in bytes.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html
const maxPolicy = 20 << 10

func malformedPolicy(message string) *awserr.Error { return s3error(400, "MalformedPolicy", message) }

// own refuses another account's identities, whatever policies say, with 405 as S3 does.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
func (r *request) own() error {
	if r.call.Principal.AccountID != r.target.AccountID {
		return errMethodNotAllowed.With("Method", r.Method).With("ResourceType", "BUCKETPOLICY")
	}
	return nil
}

func (s *Service) getBucketPolicy(w http.ResponseWriter, r *request) error {
	if err := r.own(); err != nil {
		return err
	}
	text := r.target.Settings.Policy
	if text == "" {
		return errNoPolicy.With("BucketName", r.bucket)
	}
	if s.names != nil {
		var err error
		if text, err = s.names.Show(r.Context(), text); err != nil {
			return fmt.Errorf("show policy: %w", err)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("write policy: %w", err)
	}
	return nil
}

func (s *Service) getBucketPolicyStatus(w http.ResponseWriter, r *request) error {
	doc, err := s.rules.Policy(r.target)
	if err != nil {
		return err
	}
	if doc == nil {
		return errNoPolicy.With("BucketName", r.bucket)
	}
	return reply(w, http.StatusOK, policyStatus{Xmlns: namespace, IsPublic: doc.Public()})
}

func (s *Service) putBucketPolicy(w http.ResponseWriter, r *request) error {
	if err := r.own(); err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxPolicy+1))
	if err != nil {
		return err
	}
	doc, err := parsePolicy(text, r.bucket)
	if err != nil {
		return err
	}
	pinned, err := s.pin(r, string(text))
	if err != nil {
		return err
	}
	err = s.store.Configure(r.Context(), r.bucket, func(settings *objects.Settings) error {
		if settings.Block != nil && settings.Block.BlockPublicPolicy && doc.Public() {
			return awserr.Fail(awserr.NotAuthorized, "principal", r.call.Principal.ARN, "action", "s3:PutBucketPolicy", "resource", objects.ARN(r.bucket, ""),
				"reason", "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.")
		}
		settings.Policy = pinned
		return nil
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// parsePolicy holds a policy against the rules that S3 has for those of buckets.
func parsePolicy(text []byte, bucket string) (*policy.Document, error) {
	switch {
	case len(text) > maxPolicy:
		return nil, malformedPolicy(fmt.Sprintf("Policies must be no longer than %d bytes", maxPolicy))
	case !bytes.HasPrefix(text, []byte("{")) || !json.Valid(text):
		return nil, malformedPolicy("Policies must be valid JSON and the first byte must be '{'")
	}
	doc, err := policy.Parse(text, policy.Resource)
	var wrong *policy.Error
	switch {
	case errors.As(err, &wrong):
		shown := malformedPolicy(wrong.Message)
		if wrong.Detail != "" {
			shown = shown.With("Detail", wrong.Detail)
		}
		return nil, shown
	case err != nil:
		return nil, fmt.Errorf("parse bucket policy: %w", err)
	}
	if !doc.ResourcesWithin(objects.ARN(bucket, "")) {
		return nil, malformedPolicy("Policy has invalid resource")
	}
	for _, action := range doc.Actions() {
		if service, _, _ := strings.Cut(strings.ToLower(action), ":"); service != "s3" && action != "*" {
			return nil, malformedPolicy("Policy has invalid action").With("Detail", action)
		}
	}
	return doc, nil
}

// pin binds a policy to those whom it names, and refuses one that names somebody who is not there.
func (s *Service) pin(r *request, text string) (string, error) {
	if s.names == nil {
		return text, nil
	}
	pinned, err := s.names.Pin(r.Context(), text)
	var unknown *iam.UnknownPrincipalError
	if errors.As(err, &unknown) {
		return "", malformedPolicy("Invalid principal in policy").With("Detail", fmt.Sprintf("%q : %q", "AWS", unknown.ARN))
	}
	if err != nil {
		return "", fmt.Errorf("look up principals of a policy: %w", err)
	}
	return pinned, nil
}

func (s *Service) deleteBucketPolicy(w http.ResponseWriter, r *request) error {
	if err := r.own(); err != nil {
		return err
	}
	return s.configure(w, r, http.StatusNoContent, func(settings *objects.Settings) { settings.Policy = "" })
}

// configure changes a bucket's settings and answers without content.
func (s *Service) configure(w http.ResponseWriter, r *request, status int, change func(*objects.Settings)) error {
	err := s.store.Configure(r.Context(), r.bucket, func(settings *objects.Settings) error {
		change(settings)
		return nil
	})
	if err != nil {
		return err
	}
	w.WriteHeader(status)
	return nil
}

func (*Service) getPublicAccessBlock(w http.ResponseWriter, r *request) error {
	block := r.target.Settings.Block
	if block == nil {
		return s3error(404, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found").With("BucketName", r.bucket)
	}
	return reply(w, http.StatusOK, publicAccessBlock{Xmlns: namespace, PublicAccessBlock: *block})
}

func (s *Service) putPublicAccessBlock(w http.ResponseWriter, r *request) error {
	var body publicAccessBlock
	if err := readRequired(r, &body); err != nil {
		return err
	}
	return s.configure(w, r, http.StatusOK, func(settings *objects.Settings) { settings.Block = &body.PublicAccessBlock })
}

func (s *Service) deletePublicAccessBlock(w http.ResponseWriter, r *request) error {
	return s.configure(w, r, http.StatusNoContent, func(settings *objects.Settings) { settings.Block = nil })
}

func (*Service) getBucketEncryption(w http.ResponseWriter, r *request) error {
	return reply(w, http.StatusOK, encryptionDocument(r.target.Settings.Default))
}

func (s *Service) putBucketEncryption(w http.ResponseWriter, r *request) error {
	var body encryption
	if err := readRequired(r, &body); err != nil {
		return err
	}
	e, err := body.encryption()
	if err != nil {
		return err
	}
	return s.configure(w, r, http.StatusOK, func(settings *objects.Settings) { settings.Default = e })
}

// deleteBucketEncryption goes back to SSE-S3: there is no bucket without encryption.
func (s *Service) deleteBucketEncryption(w http.ResponseWriter, r *request) error {
	return s.configure(w, r, http.StatusNoContent, func(settings *objects.Settings) { settings.Default = objects.Encryption{} })
}
