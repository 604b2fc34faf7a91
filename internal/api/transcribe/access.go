package transcribe

import (
	"context"
	"errors"
	"strings"

	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
	"github.com/dictum/dictum/internal/transcribe/vocabularyfilter"
)

// The permissions that operations need: which action, on which ARN, with which condition keys
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazontranscribe.html).

// kind is a kind of resource. To declare one is all it takes for policies to control it by name and by tags.
type kind struct {
	// name is the kind's in ARNs: arn:aws:transcribe:{region}:{account}:{name}/{resource}.
	name string
	// tags reads the tags of a resource; nil when there is no such resource.
	tags func(ctx context.Context, s job.Scope, name string) (map[string]string, error)
}

// kinds are the kinds of resources that there are.
func (a *API) kinds() []kind { return []kind{a.transcriptionJob(), a.vocabularyFilter()} }

func (a *API) transcriptionJob() kind {
	return kindIn("transcription-job", func() job.TagStore { return a.jobs.Tags })
}

func (a *API) vocabularyFilter() kind {
	return kindIn(vocabularyfilter.Kind, func() job.TagStore { return a.filters.Store })
}

// kindIn is a kind whose tags are in a store.
func kindIn(name string, store func() job.TagStore) kind {
	return kind{name: name, tags: func(ctx context.Context, s job.Scope, name string) (map[string]string, error) {
		tags, err := store().Tags(ctx, s, name)
		if errors.Is(err, job.ErrNotFound) {
			return nil, nil
		}
		out := make(map[string]string, len(tags))
		for _, t := range tags {
			out[t.Key] = t.Value
		}
		return out, err
	}}
}

// access is an access to the resource of a name, by its ARN and with its tags; to "*" where the request names
// none, which validation refuses.
func (k kind) access(s job.Scope, name *string) iam.Access {
	if name == nil {
		return iam.Access{Resource: "*"}
	}
	return iam.Access{
		Resource: "arn:aws:transcribe:" + s.Region + ":" + s.AccountID + ":" + k.name + "/" + *name,
		Owner:    s.AccountID,
		Tags:     func(ctx context.Context) (map[string]string, error) { return k.tags(ctx, s, *name) },
	}
}

// resource is an access to whatever an ARN names. An ARN of no kind that there is, or of another region, has no
// tags: nothing is there.
func (a *API) resource(c *gateway.Call, arn *string) iam.Access {
	if arn == nil {
		return iam.Access{Resource: "*"}
	}
	// arn:aws:transcribe:region:account:kind/name
	parts := strings.SplitN(*arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || parts[2] != "transcribe" {
		return iam.Access{Resource: *arn}
	}
	kindName, name, _ := strings.Cut(parts[5], "/")
	for _, k := range a.kinds() {
		if k.name == kindName && parts[3] == c.Region {
			out := k.access(job.Scope{AccountID: parts[4], Region: parts[3]}, &name)
			out.Resource = *arn
			return out
		}
	}
	return iam.Access{Resource: *arn, Owner: parts[4]}
}

// startAccess are the permissions to start a job. AWS's reference gives StartTranscriptionJob no resource, only "*";
// its denials name the ARN that the job would have. With that ARN as the resource, policies that say "*" and
// policies that say which names a job may have both do what they say.
//
// Tags of the request need transcribe:TagResource as well, and a role to work with needs iam:PassRole. A job
// that does not exist yet has no tags of its own: aws:ResourceTag is absent.
func (a *API) startAccess(ctx context.Context, c *gateway.Call, in *model.StartTranscriptionJobRequest) ([]iam.Access, error) {
	start := a.transcriptionJob().access(scope(c), in.TranscriptionJobName)
	start.Tags = nil
	start.Keys = requestTags(in.Tags)
	put := func(name string, value *string) {
		if value != nil {
			start.Keys[name] = []string{*value}
		}
	}
	put("transcribe:outputbucketname", in.OutputBucketName)
	put("transcribe:outputkey", in.OutputKey)
	if in.OutputEncryptionKMSKeyId != nil {
		arn, err := a.keyARN(ctx, c, *in.OutputEncryptionKMSKeyId)
		if err != nil {
			return nil, err
		}
		put("transcribe:outputencryptionkmskeyid", &arn)
	}
	out := []iam.Access{start}
	if len(in.Tags) > 0 {
		tag := start
		tag.Action, tag.Keys = "transcribe:TagResource", requestTags(in.Tags)
		out = append(out, tag)
	}
	if in.JobExecutionSettings != nil && in.JobExecutionSettings.DataAccessRoleArn != nil {
		out = append(out, a.passRole(*in.JobExecutionSettings.DataAccessRoleArn, start.Resource))
	}
	return out, nil
}

// passRole is the permission to hand a role to the service.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
func (a *API) passRole(roleARN, forARN string) iam.Access {
	pass := iam.Access{Action: "iam:PassRole", Resource: roleARN, Keys: map[string][]string{
		"iam:passedtoservice":       {iam.ServiceTranscribe},
		"iam:associatedresourcearn": {forARN},
	}}
	parts := strings.SplitN(roleARN, ":", 6)
	if len(parts) < 6 {
		return pass // which validation refuses
	}
	pass.Owner = parts[4] // a role can't be passed to another account's jobs: no policy of a role's allows it
	if a.roles == nil {
		return pass
	}
	pass.Tags = func(ctx context.Context) (map[string]string, error) {
		role, err := a.roles.Role(ctx, parts[4], parts[5][strings.LastIndexByte(parts[5], '/')+1:])
		if errors.Is(err, iam.ErrNoSuchEntity) {
			return nil, nil
		}
		return role.Tags, err
	}
	return pass
}

func requestTags(tags []model.Tag) map[string][]string {
	keys := map[string][]string{}
	var names []string
	for _, t := range tags {
		if t.Key == nil || t.Value == nil {
			continue // which validation refuses
		}
		keys["aws:requesttag/"+*t.Key] = []string{*t.Value}
		names = append(names, *t.Key)
	}
	return withTagKeys(keys, names)
}

// withTagKeys adds aws:TagKeys, which is absent when there are none.
func withTagKeys(keys map[string][]string, names []string) map[string][]string {
	if len(names) > 0 {
		keys["aws:tagkeys"] = names
	}
	return keys
}

// keyARN is the form in which policies see a key: its ARN, whatever form the request has. A name that can't be a
// key's stays what it is.
func (a *API) keyARN(ctx context.Context, c *gateway.Call, key string) (string, error) {
	if a.keys == nil {
		return key, nil
	}
	target, err := a.keys.Find(ctx, c.Caller, key)
	if err != nil {
		return "", err
	}
	if found := target.ARN(); found != "*" {
		return found, nil
	}
	return key, nil
}

func (a *API) getAccess(_ context.Context, c *gateway.Call, in *model.GetTranscriptionJobRequest) ([]iam.Access, error) {
	return []iam.Access{a.transcriptionJob().access(scope(c), in.TranscriptionJobName)}, nil
}

func (a *API) deleteAccess(_ context.Context, c *gateway.Call, in *model.DeleteTranscriptionJobRequest) ([]iam.Access, error) {
	return []iam.Access{a.transcriptionJob().access(scope(c), in.TranscriptionJobName)}, nil
}

func (a *API) tagAccess(_ context.Context, c *gateway.Call, in *model.TagResourceRequest) ([]iam.Access, error) {
	out := a.resource(c, in.ResourceArn)
	out.Keys = requestTags(in.Tags)
	return []iam.Access{out}, nil
}

func (a *API) untagAccess(_ context.Context, c *gateway.Call, in *model.UntagResourceRequest) ([]iam.Access, error) {
	out := a.resource(c, in.ResourceArn)
	out.Keys = withTagKeys(map[string][]string{}, in.TagKeys)
	return []iam.Access{out}, nil
}

func (a *API) listTagsAccess(_ context.Context, c *gateway.Call, in *model.ListTagsForResourceRequest) ([]iam.Access, error) {
	return []iam.Access{a.resource(c, in.ResourceArn)}, nil
}
