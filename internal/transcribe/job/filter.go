package job

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/wordfilter"
	"github.com/dictum/dictum/internal/transcribe/language"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// msgFilterNotFound is AWS's text (spec transcribe-batch.md §1.3).
const msgFilterNotFound = "The requested vocabulary filter couldn't be found. Check the vocabulary filter name and try your request again."

var failFilter = Failure{"filter_not_found", msgFilterNotFound}

// Filters are the vocabulary filters that jobs name (vocabularyfilter.Service).
type Filters interface {
	// Language returns the language code of a filter, or ErrNotFound.
	Language(ctx context.Context, s Scope, name string) (code string, err error)
	// Filter returns a filter with its words, or ErrNotFound, or a *objects.KeyError: as is who wants to read
	// them, who must be let use the key that they are under.
	Filter(ctx context.Context, s Scope, name string, as Reader) (code string, f *wordfilter.Filter, err error)
}

// filterMethod is what is done with filtered words. LanguageIdSettings have no method of their own; without one in
// Settings nothing that the filter lists shall be read.
func (j Job) filterMethod() wordfilter.Method {
	if m := settings(&j.Request).VocabularyFilterMethod; m != nil {
		return wordfilter.Method(*m)
	}
	return wordfilter.Mask
}

// filterNames are the vocabulary filters that the request names, by language code; the one in Settings by the
// job's.
func filterNames(r *startRequest) map[string]string {
	out := map[string]string{}
	if name := settings(r).VocabularyFilterName; name != nil {
		out[text(r.LanguageCode)] = *name
	}
	for code, s := range r.LanguageIdSettings {
		if s.VocabularyFilterName != nil {
			out[code] = *s.VocabularyFilterName
		}
	}
	return out
}

// namesFilter tells whether LanguageIdSettings have a vocabulary filter.
func namesFilter(r *startRequest) bool {
	return anyValue(r.LanguageIdSettings, func(s model.LanguageIdSettings) bool { return s.VocabularyFilterName != nil })
}

// checkFilters refuses names of filters that are not there. A filter of another language is accepted, and not
// applied, as AWS does (spec transcribe-batch.md §3.1).
func (s *Service) checkFilters(ctx context.Context, c Caller, r *startRequest) error {
	for _, name := range filterNames(r) {
		if s.Filters == nil {
			return awserr.BadRequest(msgFilterNotFound)
		}
		_, err := s.Filters.Language(ctx, c.Scope, name)
		if errors.Is(err, ErrNotFound) {
			return awserr.BadRequest(msgFilterNotFound)
		}
		if err != nil {
			return fmt.Errorf("find vocabulary filter: %w", err)
		}
	}
	return nil
}

// wordFilters are a job's filters by the language, in the recogniser's code, whose speech they are for.
type wordFilters map[string]*wordfilter.Filter

// filters reads the job's vocabulary filters, as they are now, with the rights that the job has now.
func (a *attempt) filters(ctx context.Context) (wordFilters, error) {
	j := a.claim.Job
	names := filterNames(&j.Request)
	if len(names) == 0 {
		return nil, nil
	}
	if a.pool.cfg.Filters == nil {
		return nil, failFilter.as()
	}
	rights, err := a.pool.cfg.Rights.session(ctx, j)
	if err != nil {
		return nil, failAccess(err, failRole)
	}
	out := wordFilters{}
	for code, name := range names {
		of, filter, err := a.pool.cfg.Filters.Filter(ctx, j.Scope, name, Reader{rights})
		if errors.Is(err, ErrNotFound) {
			return nil, failFilter.as() // it was deleted since Start
		}
		if err != nil {
			return nil, failAccess(err, failFilter)
		}
		if spoken := language.Of(code); spoken == language.Of(of) {
			out[spoken] = filter
		}
	}
	return out, nil
}

// apply filters what was recognised. Segments of one channel and one language that follow one another are filtered as
// one text.
func (w wordFilters) apply(method wordfilter.Method, t speech.Transcript) speech.Transcript {
	if len(w) == 0 {
		return t
	}
	out := slices.Clone(t.Segments)
	// runs are the places of the segments of each channel that are still to be filtered.
	runs := map[int][]int{}
	filter := func(run []int) {
		f := w[spoken(t, out[run[0]])]
		if f == nil {
			return
		}
		segments := make([]speech.Segment, len(run))
		for i, at := range run {
			segments[i] = out[at]
		}
		for i, s := range f.Apply(method, segments) {
			out[run[i]] = s
		}
	}
	for i, s := range out {
		run := runs[s.Channel]
		if len(run) > 0 && spoken(t, out[run[0]]) != spoken(t, s) {
			filter(run)
			run = nil
		}
		runs[s.Channel] = append(run, i)
	}
	for _, run := range runs {
		filter(run)
	}
	t.Segments = out
	return t
}

// spoken is the language of a segment.
func spoken(t speech.Transcript, s speech.Segment) string {
	if s.Language != "" {
		return s.Language
	}
	return t.Language
}
