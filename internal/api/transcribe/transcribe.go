// Package transcribe is Amazon Transcribe's batch API: requests in, calls of package job, AWS's
// answers out. What a job is and may be is job's business; what an answer holds at which time is
// this package's. Start at New.
package transcribe

import (
	"context"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/awsjson"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
	"github.com/dictum/dictum/internal/transcribe/vocabularyfilter"
)

// LinkLife is how long a link to service-managed output works (spec transcript-json.md §1.3).
const LinkLife = 900 * time.Second

// Presigner makes links to service-managed output.
type Presigner interface {
	// PresignGet returns a URL under origin, path style, with which anyone can GET the object for
	// the time that life says. Each call makes a new one.
	PresignGet(ctx context.Context, origin, region, bucket, key string, life time.Duration) (string, error)
}

// KeyFinder finds customers' keys (kms.Service).
type KeyFinder interface {
	// Find finds a key by id, alias name, key ARN or alias ARN, without using it. That there is none is in the
	// target.
	Find(ctx context.Context, c iam.Caller, name string) (kms.Target, error)
}

// RoleFinder knows roles (iam.Directory).
type RoleFinder interface {
	// Role returns a role by its name, or iam.ErrNoSuchEntity.
	Role(ctx context.Context, accountID, name string) (iam.Role, error)
}

// Config is what the API needs.
type Config struct {
	Jobs      *job.Service
	Filters   *vocabularyfilter.Service
	Presigner Presigner
	// Keys is optional: how policies see the key that a request names.
	Keys KeyFinder
	// Roles is optional: the tags of roles, for policies about passing them.
	Roles RoleFinder
	// Now is optional: the clock of rate limits.
	Now func() time.Time
}

// API carries out the operations.
type API struct {
	jobs      *job.Service
	filters   *vocabularyfilter.Service
	presigner Presigner
	keys      KeyFinder
	roles     RoleFinder
	limits    *limits
}

// New makes the service for the gateway. Operations of the service model that this version does not
// carry out answer with a BadRequestException that says so.
func New(cfg Config) *awsjson.Service {
	a := &API{jobs: cfg.Jobs, filters: cfg.Filters, presigner: cfg.Presigner, keys: cfg.Keys, roles: cfg.Roles, limits: newLimits(cfg.Jobs.Quotas, cfg.Now)}
	ops := a.operations()
	for _, name := range model.Operations() {
		if _, ok := ops[name]; !ok {
			ops[name] = awsjson.Refuse(awserr.BadRequest("The operation %s isn't available in this version of Dictum yet.", name))
		}
	}
	return awsjson.NewService("transcribe", "Transcribe", ops)
}

// Routed are the names of the operations that are carried out.
func Routed() []string {
	var out []string
	ops := (&API{}).operations()
	for _, name := range model.Operations() {
		if _, ok := ops[name]; ok {
			out = append(out, name)
		}
	}
	return out
}

func (a *API) operations() awsjson.Operations {
	return awsjson.Operations{
		"StartTranscriptionJob":  awsjson.OpOn(a.startAccess, a.start),
		"GetTranscriptionJob":    awsjson.OpOn(a.getAccess, a.get),
		"DeleteTranscriptionJob": awsjson.OpOn(a.deleteAccess, a.delete),
		"ListTranscriptionJobs":  awsjson.Op(a.list),
		"CreateVocabularyFilter": awsjson.OpOn(a.createFilterAccess, a.createFilter),
		"GetVocabularyFilter":    awsjson.OpOn(a.getFilterAccess, a.getFilter),
		"ListVocabularyFilters":  awsjson.Op(a.listFilters),
		"UpdateVocabularyFilter": awsjson.OpOn(a.updateFilterAccess, a.updateFilter),
		"DeleteVocabularyFilter": awsjson.OpOn(a.deleteFilterAccess, a.deleteFilter),
		"TagResource":            awsjson.OpOn(a.tagAccess, a.tag),
		"UntagResource":          awsjson.OpOn(a.untagAccess, a.untag),
		"ListTagsForResource":    awsjson.OpOn(a.listTagsAccess, a.listTags),
	}
}

func scope(c *gateway.Call) job.Scope {
	return job.Scope{AccountID: c.Principal.AccountID, Region: c.Region}
}

func caller(c *gateway.Call) job.Caller {
	return job.Caller{Scope: scope(c), Identity: c.Caller, Origin: c.Origin}
}

func (a *API) start(ctx context.Context, c *gateway.Call, in *model.StartTranscriptionJobRequest) (*model.StartTranscriptionJobResponse, error) {
	if err := a.limits.take(c, "StartTranscriptionJob"); err != nil {
		return nil, err
	}
	j, err := a.jobs.Start(ctx, caller(c), in)
	if err != nil {
		return nil, err
	}
	return &model.StartTranscriptionJobResponse{TranscriptionJob: started(j)}, nil
}

func (a *API) get(ctx context.Context, c *gateway.Call, in *model.GetTranscriptionJobRequest) (*model.GetTranscriptionJobResponse, error) {
	if err := a.limits.take(c, "GetTranscriptionJob"); err != nil {
		return nil, err
	}
	j, err := a.jobs.Get(ctx, caller(c), in)
	if err != nil {
		return nil, err
	}
	out, err := described(j, func(key string) (string, error) { return a.link(ctx, c, j, key) })
	if err != nil {
		return nil, err
	}
	return &model.GetTranscriptionJobResponse{TranscriptionJob: out}, nil
}

// link is the URI of an output file, under the address the client called: of a customer's bucket plain,
// since the client has rights of its own there; of the service's bucket presigned.
func (a *API) link(ctx context.Context, c *gateway.Call, j job.Job, key string) (string, error) {
	if j.Output.Service {
		return a.presigner.PresignGet(ctx, c.Origin, j.Region, j.Output.Bucket, key, LinkLife)
	}
	return c.Origin + "/" + j.Output.Bucket + "/" + escapeKey(key), nil
}

func (a *API) list(ctx context.Context, c *gateway.Call, in *model.ListTranscriptionJobsRequest) (*model.ListTranscriptionJobsResponse, error) {
	if err := a.limits.take(c, "ListTranscriptionJobs"); err != nil {
		return nil, err
	}
	page, err := a.jobs.List(ctx, caller(c), in)
	if err != nil {
		return nil, err
	}
	out := &model.ListTranscriptionJobsResponse{Status: in.Status, TranscriptionJobSummaries: []model.TranscriptionJobSummary{}}
	for _, j := range page.Jobs {
		out.TranscriptionJobSummaries = append(out.TranscriptionJobSummaries, summary(j))
	}
	if page.Next != "" {
		out.NextToken = &page.Next
	}
	return out, nil
}

func (a *API) delete(ctx context.Context, c *gateway.Call, in *model.DeleteTranscriptionJobRequest) (*awsjson.None, error) {
	if err := a.limits.take(c, "DeleteTranscriptionJob"); err != nil {
		return nil, err
	}
	return nil, a.jobs.Delete(ctx, caller(c), in)
}

func (a *API) tag(ctx context.Context, c *gateway.Call, in *model.TagResourceRequest) (*awsjson.Empty, error) {
	if err := a.jobs.TagResource(ctx, caller(c), in); err != nil {
		return nil, err
	}
	return &awsjson.Empty{}, nil
}

func (a *API) untag(ctx context.Context, c *gateway.Call, in *model.UntagResourceRequest) (*awsjson.Empty, error) {
	if err := a.jobs.UntagResource(ctx, caller(c), in); err != nil {
		return nil, err
	}
	return &awsjson.Empty{}, nil
}

func (a *API) listTags(ctx context.Context, c *gateway.Call, in *model.ListTagsForResourceRequest) (*model.ListTagsForResourceResponse, error) {
	tags, err := a.jobs.ListTags(ctx, caller(c), in)
	if err != nil {
		return nil, err
	}
	out := &model.ListTagsForResourceResponse{ResourceArn: in.ResourceArn, Tags: []model.Tag{}}
	out.Tags = append(out.Tags, wireTags(tags)...)
	return out, nil
}
