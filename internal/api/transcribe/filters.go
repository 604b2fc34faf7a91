package transcribe

import (
	"context"

	"github.com/dictum/dictum/internal/aws/awsjson"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/transcribe/model"
	"github.com/dictum/dictum/internal/transcribe/vocabularyfilter"
)

// createFilterAccess are the permissions to create a filter. As with jobs, AWS gives the operation no resource; here it
// is the ARN that the filter would have, which has no tags of its own yet.
func (a *API) createFilterAccess(_ context.Context, c *gateway.Call, in *model.CreateVocabularyFilterRequest) ([]iam.Access, error) {
	create := a.vocabularyFilter().access(scope(c), in.VocabularyFilterName)
	create.Tags = nil
	create.Keys = requestTags(in.Tags)
	out := []iam.Access{create}
	if len(in.Tags) > 0 {
		tag := create
		tag.Action, tag.Keys = "transcribe:TagResource", requestTags(in.Tags)
		out = append(out, tag)
	}
	if in.DataAccessRoleArn != nil {
		out = append(out, a.passRole(*in.DataAccessRoleArn, create.Resource))
	}
	return out, nil
}

func (a *API) updateFilterAccess(_ context.Context, c *gateway.Call, in *model.UpdateVocabularyFilterRequest) ([]iam.Access, error) {
	out := []iam.Access{a.vocabularyFilter().access(scope(c), in.VocabularyFilterName)}
	if in.DataAccessRoleArn != nil {
		out = append(out, a.passRole(*in.DataAccessRoleArn, out[0].Resource))
	}
	return out, nil
}

func (a *API) getFilterAccess(_ context.Context, c *gateway.Call, in *model.GetVocabularyFilterRequest) ([]iam.Access, error) {
	return []iam.Access{a.vocabularyFilter().access(scope(c), in.VocabularyFilterName)}, nil
}

func (a *API) deleteFilterAccess(_ context.Context, c *gateway.Call, in *model.DeleteVocabularyFilterRequest) ([]iam.Access, error) {
	return []iam.Access{a.vocabularyFilter().access(scope(c), in.VocabularyFilterName)}, nil
}

func (a *API) createFilter(ctx context.Context, c *gateway.Call, in *model.CreateVocabularyFilterRequest) (*model.CreateVocabularyFilterResponse, error) {
	f, err := a.filters.Create(ctx, caller(c), in)
	if err != nil {
		return nil, err
	}
	return &model.CreateVocabularyFilterResponse{VocabularyFilterName: &f.Name, LanguageCode: &f.LanguageCode, LastModifiedTime: at(f.Modified)}, nil
}

func (a *API) updateFilter(ctx context.Context, c *gateway.Call, in *model.UpdateVocabularyFilterRequest) (*model.UpdateVocabularyFilterResponse, error) {
	f, err := a.filters.Update(ctx, caller(c), in)
	if err != nil {
		return nil, err
	}
	return &model.UpdateVocabularyFilterResponse{VocabularyFilterName: &f.Name, LanguageCode: &f.LanguageCode, LastModifiedTime: at(f.Modified)}, nil
}

func (a *API) getFilter(ctx context.Context, c *gateway.Call, in *model.GetVocabularyFilterRequest) (*model.GetVocabularyFilterResponse, error) {
	f, err := a.filters.Get(ctx, caller(c), in)
	if err != nil {
		return nil, err
	}
	uri, err := a.presigner.PresignGet(ctx, c.Origin, f.Region, f.Words.Bucket, f.Words.Key, LinkLife)
	if err != nil {
		return nil, err
	}
	out := &model.GetVocabularyFilterResponse{
		VocabularyFilterName: &f.Name, LanguageCode: &f.LanguageCode, LastModifiedTime: at(f.Modified), DownloadUri: &uri,
	}
	if f.Role != "" {
		out.DataAccessRoleArn = &f.Role
	}
	if f.Encryption.Customer() {
		out.EncryptionConfiguration = &model.EncryptionConfiguration{KMSKey: &f.Encryption.KeyARN, KMSEncryptionContext: f.Encryption.Context}
	}
	return out, nil
}

func (a *API) listFilters(ctx context.Context, c *gateway.Call, in *model.ListVocabularyFiltersRequest) (*model.ListVocabularyFiltersResponse, error) {
	page, err := a.filters.List(ctx, caller(c), in)
	if err != nil {
		return nil, err
	}
	out := &model.ListVocabularyFiltersResponse{VocabularyFilters: []model.VocabularyFilterInfo{}}
	for _, f := range page.Filters {
		out.VocabularyFilters = append(out.VocabularyFilters, filterInfo(f))
	}
	if page.Next != "" {
		out.NextToken = &page.Next
	}
	return out, nil
}

func filterInfo(f vocabularyfilter.Filter) model.VocabularyFilterInfo {
	return model.VocabularyFilterInfo{VocabularyFilterName: &f.Name, LanguageCode: &f.LanguageCode, LastModifiedTime: at(f.Modified)}
}

func (a *API) deleteFilter(ctx context.Context, c *gateway.Call, in *model.DeleteVocabularyFilterRequest) (*awsjson.None, error) {
	return nil, a.filters.Delete(ctx, caller(c), in)
}
