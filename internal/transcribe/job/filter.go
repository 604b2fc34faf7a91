package job

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// gone is the failure of a job whose vocabulary filter was deleted since Start. It says which of them: AWS's text does
// not, and a job may have five.
func gone(name string) error {
	return (&Failure{failFilter.Kind, msgFilterNotFound + " Vocabulary filter: " + name + "."})
}

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
	rights, err := a.pool.cfg.Rights.session(ctx, j)
	if err != nil {
		return nil, failAccess(err, failRole)
	}
	out := wordFilters{}
	for _, code := range slices.Sorted(maps.Keys(names)) {
		name := names[code]
		if a.pool.cfg.Filters == nil {
			return nil, gone(name)
		}
		of, filter, err := a.pool.cfg.Filters.Filter(ctx, j.Scope, name, Reader{rights})
		if errors.Is(err, ErrNotFound) {
			return nil, gone(name)
		}
		if err != nil {
			return nil, failAccess(err, failFilter)
		}
		spoken := language.Of(code)
		if spoken != language.Of(of) {
			continue
		}
		// Sound does not tell en-GB from en-AU: of two filters for one language, the code that answers has its own.
		if out[spoken] == nil || code == language.Code(spoken, j.Request.LanguageOptions) {
			out[spoken] = filter
		}
	}
	return out, nil
}

// concern tells whether there is a filter for what was spoken.
func (w wordFilters) concern(t speech.Transcript) bool {
	return w[t.Language] != nil || slices.ContainsFunc(t.Segments, func(s speech.Segment) bool { return w[spoken(t, s)] != nil })
}

// voice is whose words follow one another: a phrase goes on in the next segment only if that is of the same voice.
type voice struct{ channel, speaker int }

// apply filters what was recognised. What one voice says in one language is filtered as one text.
func (w wordFilters) apply(method wordfilter.Method, t speech.Transcript) speech.Transcript {
	if len(w) == 0 {
		return t
	}
	out := slices.Clone(t.Segments)
	// runs are the places of the segments of each voice that are still to be filtered.
	runs := map[voice][]int{}
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
		who := voice{s.Channel, s.Speaker}
		run := runs[who]
		if len(run) > 0 && spoken(t, out[run[0]]) != spoken(t, s) {
			filter(run)
			run = nil
		}
		runs[who] = append(run, i)
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
