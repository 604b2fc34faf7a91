package job

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// ErrTooLarge means that an input file is larger than it may be.
var ErrTooLarge = errors.New("input file is too large")

// Input is how another resource than a job, such as a vocabulary filter, reaches what belongs to customers: with the
// rights that a job of the caller's would have.
type Input struct {
	// ARN is the resource's, Role the data access role's, empty for none.
	ARN, Role string
}

// Reader uses keys with the rights of a job or of an Input.
type Reader struct{ session session }

// UseKey lets the service use a customer's key in a context of encryption, as kms.Gate does. Its error is a
// *objects.KeyError.
func (r Reader) UseKey(ctx context.Context, operation, key string, bound kms.Context) (kms.Key, error) {
	k, err := r.session.rights.Keys.Use(ctx, r.session.own.Through(serviceS3), operation, key, bound)
	return k, objects.FailKey(err)
}

// Refuse is the answer to an error of a key.
func (r Reader) Refuse(err error) error { return refuse(err, failKey) }

// Open asks who reads and writes for a resource.
func (r *Rights) Open(ctx context.Context, c Caller, in Input) (Reader, error) {
	j := Job{Scope: c.Scope, ID: c.Identity.RequestID, Principal: c.Identity.Principal}
	if in.Role != "" {
		j.Request.JobExecutionSettings = &model.JobExecutionSettings{DataAccessRoleArn: &in.Role}
	}
	s, err := r.sessionFor(ctx, j, in.ARN)
	if err != nil {
		return Reader{}, refuse(err, failRole)
	}
	return Reader{s}, nil
}

// Read returns the content of the file that a URI names. Its errors are AWS's, ErrTooLarge beyond most bytes, or a
// failure of our own.
func (r Reader) Read(ctx context.Context, c Caller, uri string, most int64) ([]byte, error) {
	at, region, ok := ParseMediaURI(uri, c.Origin)
	if !ok || region != "" && region != c.Region {
		return nil, awserr.BadRequest(msgMediaAccess)
	}
	r.session.job.Media = at
	file, err := r.session.open(ctx)
	if err != nil {
		return nil, refuse(err, failMedia)
	}
	defer func() { _ = file.Close() }()
	if file.size > most {
		return nil, ErrTooLarge
	}
	content, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, fmt.Errorf("read input file: %w", err)
	}
	if int64(len(content)) > most {
		return nil, ErrTooLarge
	}
	return content, nil
}
