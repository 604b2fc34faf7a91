package model_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/transcribe/model"
)

func ptr[T any](v T) *T { return &v }

// start is a request that breaks nothing, changed by the case under test.
func start(change func(*model.StartTranscriptionJobRequest)) *model.StartTranscriptionJobRequest {
	r := &model.StartTranscriptionJobRequest{
		TranscriptionJobName: ptr("job"),
		Media:                &model.Media{MediaFileUri: ptr("s3://bucket/key")},
	}
	change(r)
	return r
}

// Spec transcribe-batch.md §1.2: every kind of constraint and its sentence.
func TestViolationsAreAWSsSentences(t *testing.T) {
	type request = model.StartTranscriptionJobRequest
	for _, tc := range []struct {
		name   string
		change func(*request)
		want   string
	}{
		{"required", func(r *request) { r.TranscriptionJobName = nil }, "1 validation error detected: Value null at 'transcriptionJobName' failed to satisfy constraint: Member must not be null"},
		{"required structure", func(r *request) { r.Media = nil }, "Value null at 'media' failed to satisfy constraint: Member must not be null"},
		{"pattern", func(r *request) { r.TranscriptionJobName = ptr("a b") }, "1 validation error detected: Value 'a b' at 'transcriptionJobName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9a-zA-Z._-]+"},
		{"pattern without $ matches the whole value", func(r *request) { r.TranscriptionJobName = ptr("test/key") }, "Value 'test/key' at 'transcriptionJobName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9a-zA-Z._-]+"},
		{"pattern is not fooled by a final newline", func(r *request) { r.OutputKey = ptr("key\n") }, "at 'outputKey' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_.!*'()/]{1,1024}$"},
		{"nested path", func(r *request) { r.Media.MediaFileUri = ptr("ftp://x") }, "Value 'ftp://x' at 'media.mediaFileUri' failed to satisfy constraint: Member must satisfy regular expression pattern: (s3://|http(s*)://).+"},
		{"too short", func(r *request) { r.TranscriptionJobName = ptr("") }, "Value '' at 'transcriptionJobName' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"too long", func(r *request) { r.TranscriptionJobName = ptr(strings.Repeat("a", 201)) }, "failed to satisfy constraint: Member must have length less than or equal to 200"},
		{"enum", func(r *request) { r.LanguageCode = ptr("xx-XX") }, "Value 'xx-XX' at 'languageCode' failed to satisfy constraint: Member must satisfy enum value set: [af-ZA, "},
		{"number too small", func(r *request) { r.MediaSampleRateHertz = ptr(int64(7999)) }, "Value '7999' at 'mediaSampleRateHertz' failed to satisfy constraint: Member must have value greater than or equal to 8000"},
		{"number too large", func(r *request) { r.MediaSampleRateHertz = ptr(int64(48001)) }, "failed to satisfy constraint: Member must have value less than or equal to 48000"},
		{"list element", func(r *request) { r.LanguageOptions = []string{"en-US", "xx"} }, "Value '[en-US, xx]' at 'languageOptions' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: ["},
		{"empty list", func(r *request) { r.Tags = []model.Tag{} }, "Value '[]' at 'tags' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"member of a list element, counted from 1", func(r *request) { r.Tags = []model.Tag{{Key: ptr(""), Value: ptr("v")}} }, "Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"map value", func(r *request) { r.KMSEncryptionContext = map[string]string{"k": ""} }, "failed to satisfy constraint: Map value must satisfy constraint: [Member must have length greater than or equal to 1"},
		{"map size", func(r *request) { r.KMSEncryptionContext = map[string]string{} }, "Value '{}' at 'kMSEncryptionContext' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"in a map of structures", func(r *request) {
			r.LanguageIdSettings = map[string]model.LanguageIdSettings{"en-US": {VocabularyName: ptr("a b")}}
		}, "Value 'a b' at 'languageIdSettings.en-US.member.vocabularyName' failed"},
		{"bound inside a structure", func(r *request) { r.Settings = &model.Settings{MaxSpeakerLabels: ptr(int64(1))} }, "Value '1' at 'settings.maxSpeakerLabels' failed to satisfy constraint: Member must have value greater than or equal to 2"},
		{"all together", func(r *request) { r.LanguageCode, r.MediaFormat = ptr("xx"), ptr("doc") }, "2 validation errors detected: Value 'xx' at 'languageCode' failed to satisfy constraint: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := model.Validate("StartTranscriptionJob", start(tc.change))
			var e *awserr.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an AWS error", err)
			}
			if e.Code != "BadRequestException" || e.Status != 400 || e.Framework {
				t.Errorf("got %s, HTTP %d, framework %v", e.Code, e.Status, e.Framework)
			}
			if !strings.Contains(e.Message, tc.want) {
				t.Errorf("got  %s\nwant %s", e.Message, tc.want)
			}
		})
	}
}

func TestLegalRequestsPass(t *testing.T) {
	type request = model.StartTranscriptionJobRequest
	for name, change := range map[string]func(*request){
		"least":            func(*request) {},
		"longest key":      func(r *request) { r.OutputKey = ptr(strings.Repeat("k", 1024)) },
		"characters count": func(r *request) { r.Tags = []model.Tag{{Key: ptr(strings.Repeat("é", 128)), Value: ptr("")}} },
		"longest role": func(r *request) {
			r.JobExecutionSettings = role("arn:aws:iam::111122223333:role/" + strings.Repeat("r", 1024))
		},
		"empty subtitles":    func(r *request) { r.Subtitles = &model.Subtitles{Formats: []string{}} },
		"no start index":     func(r *request) { r.Subtitles = &model.Subtitles{Formats: []string{"vtt", "srt"}} },
		"format and rate":    func(r *request) { r.MediaFormat, r.MediaSampleRateHertz = ptr("wav"), ptr(int64(8000)) },
		"dots in the bucket": func(r *request) { r.OutputBucketName = ptr("a.b-c") },
	} {
		t.Run(name, func(t *testing.T) {
			if err := model.Validate("StartTranscriptionJob", start(change)); err != nil {
				t.Error(err)
			}
		})
	}
	if err := model.Validate("StartTranscriptionJob", start(func(r *request) {
		r.JobExecutionSettings = role("arn:aws:iam::111122223333:role/" + strings.Repeat("r", 1025))
	})); err == nil {
		t.Error("a role name of 1,025 characters passed the pattern's {0,1024}")
	}
}

func role(arn string) *model.JobExecutionSettings {
	return &model.JobExecutionSettings{DataAccessRoleArn: &arn}
}

// A decoded map is checked like a wire type; what the model does not know is ignored.
func TestDecodedMaps(t *testing.T) {
	err := model.Validate("CreateVocabulary", map[string]any{
		"VocabularyName": "v", "LanguageCode": "en-US", "Phrases": []any{}, "Unheard": 1,
	})
	if err != nil {
		t.Errorf("list without a bound in the model: %v", err)
	}
	err = model.Validate("CreateVocabulary", map[string]any{"VocabularyName": nil})
	want := "2 validation errors detected: Value null at 'vocabularyName' failed to satisfy constraint: Member must not be null; Value null at 'languageCode' failed to satisfy constraint: Member must not be null"
	var e *awserr.Error
	if !errors.As(err, &e) || e.Message != want {
		t.Errorf("got %v", err)
	}
}

func TestEveryOperationCanBeValidated(t *testing.T) {
	if n := len(model.Operations()); n < 43 {
		t.Errorf("%d operations in the model", n)
	}
	for _, op := range model.Operations() {
		model.Violations(op, map[string]any{})
	}
	if got := len(model.Enum("LanguageCode")); got != 117 {
		t.Errorf("%d language codes, want the 117 of spec §12", got)
	}
}

// No decoded document makes the walker fail, and what it finds has a path and a constraint.
func FuzzViolations(f *testing.F) {
	f.Add("StartTranscriptionJob", []byte(`{"TranscriptionJobName":"a b","Media":{"MediaFileUri":1},"Tags":[null,{}],"LanguageOptions":"x"}`))
	f.Add("CreateCallAnalyticsCategory", []byte(`{"Rules":[{"SentimentFilter":{"Sentiments":["x"]}}],"Tags":{"a":[[]]}}`))
	f.Add("StartTranscriptionJob", []byte(`{"KMSEncryptionContext":{"k":null},"LanguageIdSettings":{"en-US":[]},"MediaSampleRateHertz":"9"}`))
	f.Fuzz(func(t *testing.T, operation string, body []byte) {
		var v map[string]any
		if json.Unmarshal(body, &v) != nil {
			return
		}
		for _, found := range model.Violations(operation, v) {
			if found.Path == "" || found.Constraint == "" {
				t.Errorf("%+v", found)
			}
		}
	})
}
