// Package stream is Amazon Transcribe's streaming domain: the parameters of a stream and the rules that they keep, a
// session from the audio that comes to the results that go out, and the limits of an account. It knows nothing of HTTP.
// Start at Parse, Sessions and Session.
package stream

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/wordfilter"
	"github.com/dictum/dictum/internal/transcribe/language"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// Operation is one of the operations that open a stream, with what its parameters may be.
type Operation struct {
	// Name is the operation's: "StartStreamTranscription". Over WebSocket, IAM and the audit have WebSocket behind it.
	Name string
	// Names are the parameters' names, as they stand behind x-amzn-transcribe- in headers, and in queries.
	Names []string

	required  []string
	languages []string // nil is all of the service
	encodings []string
	leastRate int
	medical   bool
}

// The operations.
var (
	Standard = &Operation{
		Name: "StartStreamTranscription",
		Names: []string{
			"language-code", "sample-rate", "media-encoding", "vocabulary-name", "session-id", "vocabulary-filter-name", "vocabulary-filter-method",
			"show-speaker-label", "enable-channel-identification", "number-of-channels", "enable-partial-results-stabilization",
			"partial-results-stability", "content-identification-type", "content-redaction-type", "pii-entity-types", "language-model-name",
			"identify-language", "language-options", "preferred-language", "identify-multiple-languages", "vocabulary-names",
			"vocabulary-filter-names", "session-resume-window", "transcript-format",
		},
		required:  []string{"media-encoding", "sample-rate"},
		encodings: []string{"ogg-opus", "pcm", "flac", "g711-alaw", "g711-ulaw", "g729"},
		leastRate: 8000,
	}
	Medical = &Operation{
		Name: "StartMedicalStreamTranscription",
		Names: []string{
			"language-code", "sample-rate", "media-encoding", "vocabulary-name", "specialty", "type", "show-speaker-label", "session-id",
			"enable-channel-identification", "number-of-channels", "content-identification-type",
		},
		required:  []string{"language-code", "media-encoding", "sample-rate", "specialty", "type"},
		languages: []string{"en-US"},
		encodings: []string{"pcm", "ogg-opus", "flac"},
		leastRate: 16000,
		medical:   true,
	}
)

// Parameters are those of a stream.
type Parameters struct {
	// Medical is of StartMedicalStreamTranscription, whose results have another shape.
	Medical bool
	// SessionID is the client's, or a new one.
	SessionID    string
	LanguageCode string
	SampleRate   int
	Encoding     audio.LiveEncoding
	// Channels are those that are recognised apart: 1 where they are not.
	Channels int

	ShowSpeakerLabel  bool
	Stabilized        bool
	Stability         speech.Stability
	IdentifyLanguage  bool
	IdentifyMultiple  bool
	LanguageOptions   []string
	PreferredLanguage string

	// FilterNames are the vocabulary filters that the request names, and FilterMethod what is done with what they list.
	FilterNames  []string
	FilterMethod wordfilter.Method
	// Identify and Redact are what is asked of personal information; Entities are its types, none for all.
	Identify, Redact bool
	Entities         []string
	// ResumeWindow is for how long, from its start, the session can be taken up again; zero for not at all.
	ResumeWindow time.Duration
}

// Personal tells whether personal information is to be found.
func (p Parameters) Personal() bool { return p.Identify || p.Redact }

// later are the parameters of what this version has not.
var later = map[string]string{
	"vocabulary-name": "Custom vocabularies in streams aren't", "vocabulary-names": "Custom vocabularies in streams aren't",
	"language-model-name": "Custom language models in streams aren't",
}

// decoded are the encodings that are decoded here.
var decoded = []audio.LiveEncoding{audio.LivePCM, audio.LiveFLAC, audio.LiveOpus, audio.LiveALaw, audio.LiveMuLaw}

// entityTypes are the types of personal information that streams know (spec streaming.md §2).
var entityTypes = strings.Fields(`ADDRESS BANK_ACCOUNT_NUMBER BANK_ROUTING CREDIT_DEBIT_CVV CREDIT_DEBIT_EXPIRY CREDIT_DEBIT_NUMBER
	EMAIL NAME PHONE PIN SSN AGE DATE_TIME LICENSE_PLATE PASSPORT_NUMBER PASSWORD USERNAME VEHICLE_IDENTIFICATION_NUMBER ALL`)

// EntityTypes returns the types of personal information that streams find, without ALL.
func EntityTypes() []string {
	return slices.DeleteFunc(slices.Clone(entityTypes), func(t string) bool { return t == "ALL" })
}

var (
	languageList = regexp.MustCompile(`^[a-zA-Z-,]+$`)
	entityList   = regexp.MustCompile(`^[A-Z_, ]+$`)
	resourceName = regexp.MustCompile(`^[0-9a-zA-Z._-]+$`)
	sessionID    = regexp.MustCompile(`^[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}$`)
)

// reader reads parameters by name and collects what is wrong with them.
type reader struct {
	get    func(name string) string
	broken []string
}

// Parse reads the parameters of an operation, which get gives by name ("" for one that is not there), and holds them
// against the rules of the service, what the recogniser knows and what is on offer. Errors are *awserr.Error values.
func Parse(op *Operation, get func(name string) string, known language.Set, personal bool) (Parameters, error) {
	own := func(name string) string {
		if !slices.Contains(op.Names, name) {
			return ""
		}
		return get(name)
	}
	r := &reader{get: own}
	languages := op.languages
	if languages == nil {
		languages = model.Enum("LanguageCode")
	}
	p := Parameters{
		Medical: op.medical, SessionID: own("session-id"), LanguageCode: r.enum("language-code", "languageCode", languages),
		SampleRate: r.number("sample-rate", "mediaSampleRateHertz", op.leastRate, 48000), Channels: 1,
		Encoding:          audio.LiveEncoding(r.enum("media-encoding", "mediaEncoding", op.encodings)),
		ShowSpeakerLabel:  r.truth("show-speaker-label", "showSpeakerLabel"),
		Stabilized:        r.truth("enable-partial-results-stabilization", "enablePartialResultsStabilization"),
		IdentifyLanguage:  r.truth("identify-language", "identifyLanguage"),
		IdentifyMultiple:  r.truth("identify-multiple-languages", "identifyMultipleLanguages"),
		PreferredLanguage: r.enum("preferred-language", "preferredLanguage", languages),
		FilterMethod:      wordfilter.Method(r.enum("vocabulary-filter-method", "vocabularyFilterMethod", []string{"remove", "mask", "tag"})),
		ResumeWindow:      time.Duration(r.number("session-resume-window", "sessionResumeWindow", 1, 300)) * time.Minute,
	}
	r.enum("specialty", "specialty", []string{"PRIMARYCARE", "CARDIOLOGY", "NEUROLOGY", "ONCOLOGY", "RADIOLOGY", "UROLOGY"})
	r.enum("type", "type", []string{"CONVERSATION", "DICTATION"})
	what := []string{"PII"}
	if op.medical {
		what = []string{"PHI"}
	}
	p.Identify = r.enum("content-identification-type", "contentIdentificationType", what) != ""
	p.Redact = r.enum("content-redaction-type", "contentRedactionType", what) != ""
	level := r.enum("partial-results-stability", "partialResultsStability", []string{"high", "medium", "low"})
	r.enum("transcript-format", "transcriptFormat", []string{"written", "spoken"})
	if p.SessionID != "" && !sessionID.MatchString(p.SessionID) {
		r.fail(p.SessionID, "sessionId", "Member must satisfy regular expression pattern: "+sessionID.String()[1:len(sessionID.String())-1])
	}
	identify := r.truth("enable-channel-identification", "enableChannelIdentification")
	channels := r.number("number-of-channels", "numberOfChannels", 2, 2)
	p.LanguageOptions = r.list("language-options", "languageOptions", 200, languageList)
	p.Entities = r.list("pii-entity-types", "piiEntityTypes", 300, entityList)
	p.FilterNames = r.names("vocabulary-filter-name", "vocabularyFilterName", "vocabulary-filter-names", "vocabularyFilterNames")
	r.names("vocabulary-name", "vocabularyName", "vocabulary-names", "vocabularyNames")
	r.names("language-model-name", "languageModelName", "", "")
	members := map[string]string{"media-encoding": "mediaEncoding", "sample-rate": "mediaSampleRateHertz", "language-code": "languageCode", "specialty": "specialty", "type": "type"}
	for _, name := range op.required {
		if own(name) == "" {
			r.broken = append(r.broken, "Value null at '"+members[name]+"' failed to satisfy constraint: Member must not be null")
		}
	}
	if err := r.err(); err != nil {
		return Parameters{}, err
	}
	if err := p.check(op, own, identify, channels, level, known, personal); err != nil {
		return Parameters{}, err
	}
	if identify {
		p.Channels = channels
	}
	if p.Stabilized {
		p.Stability = map[string]speech.Stability{"": speech.StabilityHigh, "high": speech.StabilityHigh, "medium": speech.StabilityMedium, "low": speech.StabilityLow}[level]
	}
	if p.FilterMethod == "" {
		p.FilterMethod = wordfilter.Mask // nothing that a filter lists shall be read
	}
	if slices.Contains(p.Entities, "ALL") {
		p.Entities = nil
	}
	if p.SessionID == "" {
		p.SessionID = uuid.NewString()
	}
	return p, nil
}

// check holds parameters against each other.
func (p *Parameters) check(op *Operation, get func(string) string, identify bool, channels int, level string, known language.Set, personal bool) error {
	identified := p.IdentifyLanguage || p.IdentifyMultiple
	for _, name := range op.Names {
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
		{p.Identify && p.Redact, "ContentIdentificationType and ContentRedactionType can't be used together. Update your request and try again."},
		{len(p.Entities) > 0 && !p.Personal(), "PiiEntityTypes can only be used with ContentIdentificationType or ContentRedactionType. Update your request and try again."},
		{identified && p.Personal(), "ContentIdentificationType and ContentRedactionType can't be used with language identification. Update your request and try again."},
		{identified && p.Encoding == audio.LiveOpus, "MediaEncoding ogg-opus can't be used with language identification. Update your request and try again."},
		{identified && get("vocabulary-filter-name") != "", "VocabularyFilterName can't be used with language identification: use VocabularyFilterNames. Update your request and try again."},
		{!identified && get("vocabulary-filter-names") != "", "VocabularyFilterNames can only be used with language identification: use VocabularyFilterName. Update your request and try again."},
		{get("transcript-format") == "spoken", "TranscriptFormat spoken isn't available in this version of Dictum yet."},
		{p.Identify && !personal, get("content-identification-type") + " identification in streams isn't available in this version of Dictum yet (content-identification-type)."},
		{p.Redact && !personal, "PII redaction in streams isn't available in this version of Dictum yet (content-redaction-type)."},
		{!slices.Contains(decoded, p.Encoding), "MediaEncoding " + string(p.Encoding) + " in streams isn't available in this version of Dictum yet."},
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
	for _, entity := range p.Entities {
		if !slices.Contains(entityTypes, entity) {
			return awserr.BadRequest("PiiEntityTypes has %q, which is no type of personal information in streams. Update your request and try again.", entity)
		}
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

// list reads values between commas.
func (r *reader) list(name, member string, most int, pattern *regexp.Regexp) []string {
	v := r.get(name)
	switch {
	case v == "":
		return nil
	case len(v) > most:
		r.fail(v, member, "Member must have length less than or equal to "+strconv.Itoa(most))
	case !pattern.MatchString(v):
		r.fail(v, member, "Member must satisfy regular expression pattern: "+strings.TrimSuffix(pattern.String(), "$"))
	}
	var out []string
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// maxNames bounds how many resources a list names.
const maxNames = 5

// names reads the name of a resource, or a list of such under another name.
func (r *reader) names(one, member, list, listMember string) []string {
	var out []string
	for _, part := range []struct {
		name, member string
		values       []string
	}{
		{one, member, []string{r.get(one)}},
		{list, listMember, strings.Split(r.get(list), ",")},
	} {
		for _, v := range part.values {
			switch {
			case v == "":
				continue
			case len(v) > 200:
				r.fail(v, part.member, "Member must have length less than or equal to 200")
			case !resourceName.MatchString(v):
				r.fail(v, part.member, "Member must satisfy regular expression pattern: ^[0-9a-zA-Z._-]+")
			case len(out) == maxNames:
				r.fail(v, part.member, "Member must have length less than or equal to "+strconv.Itoa(maxNames))
			default:
				out = append(out, v)
			}
		}
	}
	return out
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
