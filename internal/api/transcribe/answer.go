package transcribe

import (
	"strings"
	"time"

	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// started is the answer to Start: what was sent, the status and the times, and nothing else (spec
// transcribe-batch.md §3.1).
func started(j job.Job) *model.TranscriptionJob {
	r := j.Request
	out := &model.TranscriptionJob{
		TranscriptionJobName:      &j.Name,
		TranscriptionJobStatus:    ptr(string(j.Status)),
		LanguageCode:              r.LanguageCode,
		MediaSampleRateHertz:      r.MediaSampleRateHertz,
		MediaFormat:               r.MediaFormat,
		Media:                     r.Media,
		StartTime:                 at(j.Started),
		CreationTime:              at(j.Created),
		Settings:                  r.Settings,
		ModelSettings:             r.ModelSettings,
		JobExecutionSettings:      r.JobExecutionSettings,
		ContentRedaction:          r.ContentRedaction,
		IdentifyLanguage:          r.IdentifyLanguage,
		IdentifyMultipleLanguages: r.IdentifyMultipleLanguages,
		LanguageOptions:           r.LanguageOptions,
		Tags:                      wireTags(j.Tags),
		LanguageIdSettings:        r.LanguageIdSettings,
		ToxicityDetection:         r.ToxicityDetection,
	}
	if r.Subtitles != nil {
		out.Subtitles = &model.SubtitlesOutput{Formats: r.Subtitles.Formats, OutputStartIndex: r.Subtitles.OutputStartIndex}
	}
	return out
}

// described is the answer to Get (§3.2): what Start says, defaults merged into Settings, and what is
// known by now. link makes the URI of an output file.
func described(j job.Job, link func(key string) (string, error)) (*model.TranscriptionJob, error) {
	out := started(j)
	merged := model.Settings{}
	if j.Request.Settings != nil {
		merged = *j.Request.Settings
	}
	if merged.ChannelIdentification == nil {
		merged.ChannelIdentification = ptr(false)
	}
	if merged.ShowAlternatives == nil {
		merged.ShowAlternatives = ptr(false)
	}
	out.Settings = &merged
	out.Transcript = &model.Transcript{}
	out.CompletionTime = at(j.Completed)
	out.LanguageCode, out.IdentifiedLanguageScore = languageOf(j)
	out.LanguageCodes = languagesOf(j)
	switch j.Status {
	case job.Failed:
		out.FailureReason = &j.Failure.Reason
		return out, nil
	case job.Completed:
	default:
		return out, nil
	}

	out.MediaFormat = &j.Detected.MediaFormat
	out.MediaSampleRateHertz = ptr(int64(j.Detected.SampleRate))
	if j.Output.Expired {
		return out, nil // the files are gone before the record
	}
	for _, file := range []struct {
		key string
		uri **string
	}{{j.TranscriptKey(), &out.Transcript.TranscriptFileUri}, {j.RedactedKey(), &out.Transcript.RedactedTranscriptFileUri}} {
		if file.key == "" {
			continue
		}
		uri, err := link(file.key)
		if err != nil {
			return nil, err
		}
		*file.uri = &uri
	}
	if out.Subtitles == nil {
		return out, nil
	}
	if out.Subtitles.OutputStartIndex == nil {
		out.Subtitles.OutputStartIndex = ptr(int64(0))
	}
	out.Subtitles.SubtitleFileUris = []string{}
	for _, f := range j.SubtitleFormats() {
		uri, err := link(j.SubtitleKey(f))
		if err != nil {
			return nil, err
		}
		out.Subtitles.SubtitleFileUris = append(out.Subtitles.SubtitleFileUris, uri)
	}
	return out, nil
}

// summary is a job in a list: no URIs, no settings.
func summary(j job.Job) model.TranscriptionJobSummary {
	r := j.Request
	out := model.TranscriptionJobSummary{
		TranscriptionJobName:      &j.Name,
		CreationTime:              at(j.Created),
		StartTime:                 at(j.Started),
		CompletionTime:            at(j.Completed),
		TranscriptionJobStatus:    ptr(string(j.Status)),
		OutputLocationType:        ptr("CUSTOMER_BUCKET"),
		ContentRedaction:          r.ContentRedaction,
		ModelSettings:             r.ModelSettings,
		IdentifyLanguage:          r.IdentifyLanguage,
		IdentifyMultipleLanguages: r.IdentifyMultipleLanguages,
		ToxicityDetection:         r.ToxicityDetection,
	}
	out.LanguageCode, out.IdentifiedLanguageScore = languageOf(j)
	out.LanguageCodes = languagesOf(j)
	if j.Output.Service {
		out.OutputLocationType = ptr("SERVICE_BUCKET")
	}
	if j.Status == job.Failed {
		out.FailureReason = &j.Failure.Reason
	}
	return out
}

// languageOf is the language asked for, or the identified one with its score, as soon as it is known.
func languageOf(j job.Job) (code *string, score *float64) {
	if c := j.LanguageCode(); c != "" {
		code = &c
	}
	if j.Identifies() && j.Detected.LanguageCode != "" {
		score = &j.Detected.LanguageScore
	}
	return code, score
}

func wireTags(tags []job.Tag) []model.Tag {
	var out []model.Tag
	for _, t := range tags {
		out = append(out, model.Tag{Key: &t.Key, Value: &t.Value})
	}
	return out
}

// at is a time for the wire; nil for none.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func ptr[T any](v T) *T { return &v }

// escapeKey writes a key as the path of a URL: everything but RFC 3986's unreserved characters and
// slashes escaped. The keys that OutputKey allows need little of it.
func escapeKey(key string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_.~/", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// languagesOf are the languages identified, when several were to be.
func languagesOf(j job.Job) []model.LanguageCodeItem {
	var out []model.LanguageCodeItem
	for _, l := range j.Detected.Languages {
		out = append(out, model.LanguageCodeItem{LanguageCode: &l.Code, DurationInSeconds: ptr(l.Duration.Seconds())})
	}
	return out
}
