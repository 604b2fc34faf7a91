package vocabularyfilter

import (
	"context"
	"errors"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/text/wordfilter"
	"github.com/dictum/dictum/internal/transcribe/job"
)

// ForCaller returns a filter and the language code that it is for, with the rights that the caller has now: those to
// the key that the words are under. Its errors are AWS's, except for failures of our own.
func (s *Service) ForCaller(ctx context.Context, c job.Caller, name string) (string, *wordfilter.Filter, error) {
	rights, err := s.Rights.Open(ctx, c, job.Input{ARN: Filter{Scope: c.Scope, Name: name}.ARN()})
	if err != nil {
		return "", nil, err
	}
	code, filter, err := s.Filter(ctx, c.Scope, name, rights)
	var key *objects.KeyError
	switch {
	case errors.Is(err, job.ErrNotFound):
		return "", nil, awserr.BadRequest(msgNotFound)
	case errors.As(err, &key):
		return "", nil, rights.Refuse(err)
	}
	return code, filter, err
}
