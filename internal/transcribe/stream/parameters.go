// Package stream is Amazon Transcribe's streaming domain: the parameters of a stream and the rules that they keep, a
// session from the audio that comes to the results that go out, and the limits of an account. It knows nothing of HTTP.
// Start at Parse, Sessions and Session.
package stream

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/language"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// Parameters are those of StartStreamTranscription.
type Parameters struct {
	// SessionID is the client's, or a new one.
	SessionID    string
	LanguageCode string
	SampleRate   int
	Encoding     audio.Encoding
	Channels     int

	ShowSpeakerLabel  bool
	Stabilized        bool
	Stability         speech.Stability
	IdentifyLanguage  bool
	IdentifyMultiple  bool
	LanguageOptions   []string
	PreferredLanguage string
}

// Names are the parameters' names, as they stand behind x-amzn-transcribe- in headers, and in queries.
var Names = []string{
	"language-code", "sample-rate", "media-encoding", "vocabulary-name", "session-id", "vocabulary-filter-name", "vocabulary-filter-method",
	"show-speaker-label", "enable-channel-identification", "number-of-channels", "enable-partial-results-stabilization",
	"partial-results-stability", "content-identification-type", "content-redaction-type", "pii-entity-types", "language-model-name",
	"identify-language", "language-options", "preferred-language", "identify-multiple-languages", "vocabulary-names",
	"vocabulary-filter-names", "session-resume-window", "transcript-format",
}

// later are the parameters of what this version has not.
var later = map[string]string{
	"vocabulary-name": "Custom vocabularies in streams aren't", "vocabulary-names": "Custom vocabularies in streams aren't",
	"language-model-name": "Custom language models in streams aren't", "vocabulary-filter-name": "Vocabulary filters in streams aren't",
	"vocabulary-filter-names": "Vocabulary filters in streams aren't", "vocabulary-filter-method": "Vocabulary filters in streams aren't",
	"content-identification-type": "PII identification in streams isn't", "content-redaction-type": "PII redaction in streams isn't",
	"pii-entity-types": "PII entity types in streams aren't", "session-resume-window": "Resuming a session isn't",
}

// encodings are those that the service takes, and those of them that are decoded here.
var (
	encodings = []string{"ogg-opus", "pcm", "flac", "g711-alaw", "g711-ulaw", "g729"}
	decoded   = []string{"pcm", "g711-alaw", "g711-ulaw"}
)

var (
	languageList = regexp.MustCompile(`^[a-zA-Z-,]+$`)
	sessionID    = regexp.MustCompile(`^[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}$`)
)

// reader reads parameters by name and collects what is wrong with them.
type reader struct {
	get    func(name string) string
	broken []string
}

// Parse reads the parameters, which get gives by name ("" for one that is not there), and holds them against the
// rules of the service and what the recogniser knows. Errors are *awserr.Error values.
func Parse(get func(name string) string, known language.Set) (Parameters, error) {
	r := &reader{get: get}
	p := Parameters{
		SessionID: get("session-id"), LanguageCode: r.enum("language-code", "languageCode", model.Enum("LanguageCode")),
		SampleRate: r.number("sample-rate", "mediaSampleRateHertz", 8000, 48000), Channels: 1,
		Encoding:          audio.Encoding(r.enum("media-encoding", "mediaEncoding", encodings)),
		ShowSpeakerLabel:  r.truth("show-speaker-label", "showSpeakerLabel"),
		Stabilized:        r.truth("enable-partial-results-stabilization", "enablePartialResultsStabilization"),
		IdentifyLanguage:  r.truth("identify-language", "identifyLanguage"),
		IdentifyMultiple:  r.truth("identify-multiple-languages", "identifyMultipleLanguages"),
		PreferredLanguage: r.enum("preferred-language", "preferredLanguage", model.Enum("LanguageCode")),
	}
	level := r.enum("partial-results-stability", "partialResultsStability", []string{"high", "medium", "low"})
	r.enum("transcript-format", "transcriptFormat", []string{"written", "spoken"})
	if p.SessionID != "" && !sessionID.MatchString(p.SessionID) {
		r.fail(p.SessionID, "sessionId", "Member must satisfy regular expression pattern: "+sessionID.String()[1:len(sessionID.String())-1])
	}
	identify := r.truth("enable-channel-identification", "enableChannelIdentification")
	channels := r.number("number-of-channels", "numberOfChannels", 2, 2)
	if options := get("language-options"); options != "" {
		if len(options) > 200 || !languageList.MatchString(options) {
			r.fail(options, "languageOptions", "Member must satisfy regular expression pattern: ^[a-zA-Z-,]+")
		}
		p.LanguageOptions = strings.Split(options, ",")
	}
	for _, required := range []struct{ name, member string }{{"media-encoding", "mediaEncoding"}, {"sample-rate", "mediaSampleRateHertz"}} {
		if get(required.name) == "" {
			r.broken = append(r.broken, "Value null at '"+required.member+"' failed to satisfy constraint: Member must not be null")
		}
	}
	if err := r.err(); err != nil {
		return Parameters{}, err
	}
	if err := p.check(get, identify, channels, level, known); err != nil {
		return Parameters{}, err
	}
	if identify {
		p.Channels = channels
	}
	if p.Stabilized {
		p.Stability = map[string]speech.Stability{"": speech.StabilityHigh, "high": speech.StabilityHigh, "medium": speech.StabilityMedium, "low": speech.StabilityLow}[level]
	}
	if p.SessionID == "" {
		p.SessionID = uuid.NewString()
	}
	return p, nil
}

// check holds parameters against each other.
func (p *Parameters) check(get func(string) string, identify bool, channels int, level string, known language.Set) error {
	identified := p.IdentifyLanguage || p.IdentifyMultiple
	for _, name := range Names {
		if what := later[name]; what != "" && get(name) != "" {
			return awserr.BadRequest("%s available in this version of Dictum yet (%s).", what, name)
		}
	}
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{!identified && p.LanguageCode == "", "You must specify one of LanguageCode, IdentifyLanguage or IdentifyMultipleLanguages. Update your request and try again."},
		{identified && p.LanguageCode != "", "LanguageCode can't be used with IdentifyLanguage or IdentifyMultipleLanguages. Update your request and try again."},
		{p.IdentifyLanguage && p.IdentifyMultiple, "IdentifyLanguage and IdentifyMultipleLanguages can't both be true. Update your request and try again."},
		{identified && len(p.LanguageOptions) < 2, "You must provide at least 2 language options when you identify languages. Update your request and try again."},
		{!identified && len(p.LanguageOptions) > 0, "LanguageOptions can only be used with IdentifyLanguage or IdentifyMultipleLanguages. Update your request and try again."},
		{p.PreferredLanguage != "" && !p.IdentifyLanguage, "PreferredLanguage can only be used with IdentifyLanguage. Update your request and try again."},
		{p.PreferredLanguage != "" && !slices.Contains(p.LanguageOptions, p.PreferredLanguage), "PreferredLanguage must be one of LanguageOptions. Update your request and try again."},
		{identify != (channels == 2), "EnableChannelIdentification and NumberOfChannels must be used together, and NumberOfChannels must be 2. Update your request and try again."},
		{level != "" && !p.Stabilized, "PartialResultsStability can only be used when EnablePartialResultsStabilization is true. Update your request and try again."},
		{get("transcript-format") == "spoken", "TranscriptFormat spoken isn't available in this version of Dictum yet."},
		{!slices.Contains(decoded, string(p.Encoding)), "MediaEncoding " + string(p.Encoding) + " in streams isn't available in this version of Dictum yet."},
	} {
		if rule.broken {
			return awserr.BadRequest("%s", rule.text)
		}
	}
	seen := map[string]bool{}
	for _, option := range p.LanguageOptions {
		if !slices.Contains(model.Enum("LanguageCode"), option) {
			return awserr.BadRequest("LanguageOptions has %q, which is no language code. Update your request and try again.", option)
		}
		if seen[language.Of(option)] {
			return awserr.BadRequest("LanguageOptions can only have one variant of each language. Update your request and try again.")
		}
		seen[language.Of(option)] = true
	}
	if unknown := known.Unknown(append(p.LanguageOptions, p.codes()...)...); len(unknown) > 0 {
		return awserr.BadRequest("The model in use doesn't know %s.", strings.Join(unknown, ", "))
	}
	return nil
}

func (p *Parameters) codes() []string {
	if p.LanguageCode == "" {
		return nil
	}
	return []string{p.LanguageCode}
}

func (r *reader) fail(value, member, constraint string) {
	r.broken = append(r.broken, "Value '"+clip(value)+"' at '"+member+"' failed to satisfy constraint: "+constraint)
}

func (r *reader) enum(name, member string, allowed []string) string {
	v := r.get(name)
	if v != "" && !slices.Contains(allowed, v) {
		r.fail(v, member, "Member must satisfy enum value set: ["+strings.Join(allowed, ", ")+"]")
	}
	return v
}

func (r *reader) number(name, member string, least, most int) int {
	v := r.get(name)
	if v == "" {
		return 0
	}
	n, err := strconv.Atoi(v)
	switch {
	case err != nil:
		r.fail(v, member, "Member must be an integer")
	case n < least:
		r.fail(v, member, "Member must have value greater than or equal to "+strconv.Itoa(least))
	case n > most:
		r.fail(v, member, "Member must have value less than or equal to "+strconv.Itoa(most))
	}
	return n
}

// truth reads a boolean, which Python's SDK writes with a capital.
func (r *reader) truth(name, member string) bool {
	v := r.get(name)
	switch strings.ToLower(v) {
	case "true":
		return true
	case "", "false":
		return false
	}
	r.fail(v, member, "Member must be a boolean")
	return false
}

func (r *reader) err() error {
	switch n := len(r.broken); n {
	case 0:
		return nil
	case 1:
		return awserr.BadRequest("1 validation error detected: %s", r.broken[0])
	default:
		return awserr.BadRequest("%d validation errors detected: %s", n, strings.Join(r.broken, "; "))
	}
}

func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}
