package job

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// errResource answers to an ARN of something that is not there (spec transcribe-batch.md §10).
var errResource = &awserr.Error{Code: "NotFoundException", Status: 400, Message: "The requested resource couldn't be found. Check the resource ARN and try your request again."}

// tagged returns the name of the resource that an ARN names, and where its tags are. What belongs to another account
// or region does not exist for the caller.
func (s *Service) tagged(c Caller, arn string) (store TagStore, name string, err error) {
	if name, ok := strings.CutPrefix(arn, c.ARNPrefix()); ok {
		return s.Tags, name, nil
	}
	for kind, store := range s.TagStores {
		if name, ok := strings.CutPrefix(arn, c.ResourceARN(kind, "")); ok {
			return store, name, nil
		}
	}
	return nil, "", errResource
}

// ARNPrefix is what the ARNs of the scope's jobs begin with.
func (s Scope) ARNPrefix() string { return s.ARN("") }

// ListTags returns a resource's tags.
func (s *Service) ListTags(ctx context.Context, c Caller, r *model.ListTagsForResourceRequest) ([]Tag, error) {
	if err := model.Validate("ListTagsForResource", r); err != nil {
		return nil, err
	}
	store, name, err := s.tagged(c, *r.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags, err := store.Tags(ctx, c.Scope, name)
	return tags, tagError(err)
}

// TagResource adds tags to a resource; a key that is there gets the new value.
func (s *Service) TagResource(ctx context.Context, c Caller, r *model.TagResourceRequest) error {
	if err := model.Validate("TagResource", r); err != nil {
		return err
	}
	if err := CheckTags(r.Tags); err != nil {
		return err
	}
	store, name, err := s.tagged(c, *r.ResourceArn)
	if err != nil {
		return err
	}
	tags := make([]Tag, len(r.Tags))
	for i, t := range r.Tags {
		tags[i] = Tag{text(t.Key), text(t.Value)}
	}
	return tagError(store.SetTags(ctx, c.Scope, name, tags, MaxTags))
}

// UntagResource removes tags by key.
func (s *Service) UntagResource(ctx context.Context, c Caller, r *model.UntagResourceRequest) error {
	if err := model.Validate("UntagResource", r); err != nil {
		return err
	}
	store, name, err := s.tagged(c, *r.ResourceArn)
	if err != nil {
		return err
	}
	return tagError(store.RemoveTags(ctx, c.Scope, name, r.TagKeys))
}

func tagError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
		return errResource
	case errors.Is(err, ErrTooManyTags):
		return errTooManyTags
	}
	return fmt.Errorf("tags: %w", err)
}
