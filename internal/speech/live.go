package speech

import "context"

// LiveRecognizer turns audio into text while it is spoken.
type LiveRecognizer interface {
	// Listen starts to recognise one run of audio. The context ends it, whatever it is doing.
	Listen(ctx context.Context, settings LiveSettings) (Listener, error)
}

// LiveSettings says what is known of the audio and what is wanted of it.
type LiveSettings struct {
	// Language, LanguageCandidates and MultipleLanguages are as in Settings. PreferredLanguage is the candidate that
	// is taken when the audio leaves a doubt.
	Language           string
	LanguageCandidates []string
	PreferredLanguage  string
	MultipleLanguages  bool
	// MaxSpeakers is how many speakers are told apart at most; zero asks for no speakers.
	MaxSpeakers int
	// Stability is how soon items of partial results settle; zero asks for none before the final.
	Stability Stability
}

// Stability is a trade between how soon words of a partial result settle and how right they are.
type Stability int

// The levels of stability.
const (
	// StabilityNone has items settle in finals only.
	StabilityNone Stability = iota
	StabilityLow
	StabilityMedium
	StabilityHigh
)

// Listener recognises one run of audio. One goroutine may write while another reads results.
type Listener interface {
	// Write takes the next samples: mono, at SampleRate, in [-1, 1]. It waits while recognition is behind by more than
	// a bounded time, so that a sender faster than speech is slowed.
	Write(ctx context.Context, samples []float32) error
	// Finish says that the audio has ended. What was said last still comes as a final.
	Finish() error
	// Next waits for the next result. It returns io.EOF after the last one.
	Next(ctx context.Context) (LiveResult, error)
	// Close ends recognition at once and frees what it holds.
	Close() error
}

// LiveResult is what has been recognised so far of one segment.
type LiveResult struct {
	// Segment has a Speaker when speakers are told apart, from 1 in order of appearance.
	Segment Segment
	// Number tells segments apart: all partials of a segment and its final have the same one, and later segments
	// larger ones.
	Number int
	// Partial results grow; the one that is not partial is the last of its segment.
	Partial bool
	// Stable counts the items from the first on whose text won't change any more; the final may refine their times and
	// confidence. In a final it is all of them.
	Stable int
	// Speakers are those of the items, one for each, when more than one talks in the segment; from 1.
	Speakers []int
	// Languages are the scores of identification in descending order, nil when the language was told.
	Languages []LanguageScore
}
