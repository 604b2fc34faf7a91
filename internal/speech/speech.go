// Package speech is the recognition domain: what a recogniser is given and what it
// gives back. It knows nothing of AWS, HTTP, SQL or of any model; packages below it
// (vad, whisper, engine) implement its interfaces. Start reading at Recognizer.
package speech

import (
	"context"
	"time"
)

// SampleRate is the rate, in samples per second, of all audio a Recognizer reads.
const SampleRate = 16000

// SampleReader yields mono audio at SampleRate as samples in [-1, 1].
//
// ReadSamples fills dst and returns how many samples it wrote. It returns io.EOF, with
// or after the last samples, at the end of the audio, and any other error when the audio
// cannot be decoded further.
type SampleReader interface {
	ReadSamples(dst []float32) (n int, err error)
}

// Recognizer turns audio into a transcript.
type Recognizer interface {
	// Recognize reads audio until io.EOF, in constant memory, and returns what was said.
	// The same audio and settings give the same transcript, whatever else runs.
	// It calls progress, when not nil, from one goroutine, with the position reached.
	// It returns the reader's error wrapped, ErrTooLittleSpeech, or the context's error.
	Recognize(ctx context.Context, audio SampleReader, settings Settings, progress func(Progress)) (Transcript, error)
}

// Settings says what is known of the audio and what is wanted of it.
type Settings struct {
	// Language is an ISO 639-1 code ("en", "fr", "zh"; Whisper's own list). Empty means identify it.
	Language string
	// LanguageCandidates restricts identification to these codes; empty allows all.
	LanguageCandidates []string
	// MultipleLanguages has the language identified anew along the audio, for people who change it. Language is
	// then empty.
	MultipleLanguages bool
	// MaxSpeakers is how many speakers are told apart at most; zero asks for no speakers.
	MaxSpeakers int
	// MaxAlternatives is how many texts of each segment are wanted at most; zero asks for none but the best.
	MaxAlternatives int
	// Priority orders this work against other work in the same engine.
	Priority Priority
}

// Priority is a class of work; a lower value is served first.
type Priority int

// The classes of work, most urgent first.
const (
	PriorityLive Priority = iota
	PriorityInteractive
	PriorityBatch
)

// Progress tells how far recognition has come.
type Progress struct {
	// Position is the media time up to which results are final.
	Position time.Duration
	// Read is the media time that has been read.
	Read time.Duration
	// Language is set once it is known.
	Language LanguageScore
}

// Transcript is all that was recognised in one run of audio.
type Transcript struct {
	// Language is the code given, or the one identified with the highest score.
	Language string
	// Languages are the identification scores in descending order; nil when Settings.Language was given.
	Languages []LanguageScore
	// Duration is the length of the audio read.
	Duration time.Duration
	// Speech is how much of it voice activity detection took for speech.
	Speech time.Duration
	// Speakers is how many were told apart; zero when that was not asked.
	Speakers int
	// Channels is how many were recognised apart; zero when they were mixed.
	Channels int
	// Segments are in order of time. Those of one channel do not overlap.
	Segments []Segment
}

// LanguageScore is the probability, 0 to 1, that the speech is in a language.
type LanguageScore struct {
	Language string
	Score    float64
}

// Segment is a stretch of speech between pauses, a sentence or a few: of one speaker, in one channel and one language.
type Segment struct {
	Start, End time.Duration
	Language   string
	// Speaker is who talks, from 1 in order of first appearance; zero when speakers were not told apart.
	Speaker int
	// Channel is where the segment was said, from 1; zero when channels were mixed.
	Channel int
	Items   []Item
	// Alternatives are the most probable texts of the segment, first that of Items; nil when not asked for.
	Alternatives []Alternative
}

// Alternative is one text of a segment, with its own times and confidences.
type Alternative struct {
	Items []Item
}

// Item is a word or a punctuation mark.
type Item struct {
	Kind ItemKind
	// Text has no surrounding space: "it's", "42", ",".
	Text string
	// Start and End are offsets from the start of the audio, End > Start. Zero for punctuation.
	Start, End time.Duration
	// Confidence is the calibrated probability, 0 to 1, that the word is right. Zero for punctuation.
	Confidence float64
	// NoSpaceBefore is set where the script joins this item to the one before (punctuation, Chinese, Japanese, Thai).
	NoSpaceBefore bool
	// FilterMatch is set where a word filter that tags found the item.
	FilterMatch bool
	// Redaction is set where the item stands for personal information, of which Text then tells nothing.
	Redaction *Redaction
}

// Redaction says what was taken out of the text.
type Redaction struct {
	// Type is the kind of entity, as package pii names it: "NAME", "PHONE".
	Type string
	// Confidence is the probability, 0 to 1, that it was one.
	Confidence float64
}

// ItemKind tells words from punctuation.
type ItemKind int

// The kinds of item.
const (
	Word ItemKind = iota
	Punctuation
)
