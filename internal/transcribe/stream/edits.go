package stream

import (
	"context"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/wordfilter"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/language"
)

// Edits are what is done to results before anybody sees them: first with personal information, then with what
// vocabulary filters list.
type Edits struct {
	// Personal makes the Editor of one channel of a stream that asks for personal information. Nil has such streams
	// refused.
	Personal func(Parameters) Editor

	filters filters
}

// Editor finds personal information in the results of one channel, in the order in which they come, and takes it out
// where the parameters ask for that. What a final has redacted no partial before it may show: in partials, it redacts
// what may still become personal, or keeps it back. Items that it replaces or removes it accounts for in Stable and
// Speakers. It is for one goroutine.
type Editor interface {
	// Edit takes the next result, and gives those that can be shown.
	Edit(ctx context.Context, r speech.LiveResult) ([]Edited, error)
	// Holds tells that it keeps finals back, since what comes next may tell that they have personal information.
	Holds() bool
	// Flush gives what it keeps back: nothing comes next, or not for a while.
	Flush(ctx context.Context) ([]Edited, error)
}

// Edited is a result that can be shown, and what was found in it.
type Edited struct {
	Result   speech.LiveResult
	Entities []Entity
}

// Entity is personal information in a final.
type Entity struct {
	Start, End time.Duration
	// Category is "PII"; Medical's are those of PHI. Type is "NAME".
	Category, Type string
	// Content is what was said, or what stands in its place.
	Content    string
	Confidence float64
}

// Filters find the vocabulary filters that requests name (vocabularyfilter.Service).
type Filters interface {
	// ForCaller returns a filter and the language code that it is for, as the caller may read it. Its errors are
	// *awserr.Error values, or failures of our own.
	ForCaller(ctx context.Context, c job.Caller, name string) (code string, f *wordfilter.Filter, err error)
}

// WithFilters reads the filters that the parameters name. A filter for another language than the stream's is not
// applied, as with AWS.
func (e Edits) WithFilters(ctx context.Context, from Filters, c job.Caller, p Parameters) (Edits, error) {
	e.filters = filters{method: p.FilterMethod, of: map[string]*wordfilter.Filter{}, language: language.Of(p.LanguageCode)}
	for _, name := range p.FilterNames {
		if from == nil {
			return Edits{}, awserr.BadRequest("Vocabulary filters in streams aren't available in this version of Dictum yet.")
		}
		code, f, err := from.ForCaller(ctx, c, name)
		if err != nil {
			return Edits{}, err
		}
		e.filters.of[language.Of(code)] = f
	}
	return e, nil
}

// filters are a stream's word filters by the recogniser's code of the language that they are for.
type filters struct {
	method wordfilter.Method
	of     map[string]*wordfilter.Filter
	// language is the stream's, where it does not change.
	language string
}

// apply filters a result. Of a partial the end is kept back as long as it may be the beginning of a phrase that is
// listed: what a final will not show, nobody sees before.
func (f filters) apply(r speech.LiveResult) speech.LiveResult {
	spoken := r.Segment.Language
	if spoken == "" {
		spoken = f.language
	}
	filter := f.of[spoken]
	if filter == nil {
		return r
	}
	// The filter gives items back and not which they were. Their places travel where it does not look.
	placed := make([]speech.Item, len(r.Segment.Items))
	for i, item := range r.Segment.Items {
		item.Confidence = float64(i)
		placed[i] = item
	}
	s := filter.Stream(f.method)
	out := s.Push(placed...)
	if !r.Partial {
		out = append(out, s.Flush()...)
	}
	edited := r
	edited.Segment.Items, edited.Speakers, edited.Stable = make([]speech.Item, 0, len(out)), nil, 0
	for _, item := range out {
		at := int(item.Confidence)
		item.Confidence = r.Segment.Items[at].Confidence
		edited.Segment.Items = append(edited.Segment.Items, item)
		if at < len(r.Speakers) {
			edited.Speakers = append(edited.Speakers, r.Speakers[at])
		}
		if at < r.Stable {
			edited.Stable++
		}
	}
	return edited
}
