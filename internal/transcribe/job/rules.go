package job

import (
	"slices"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/transcribe/language"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// The texts that AWS was observed to use (spec transcribe-batch.md §1.3, §3.1); those about the key and the
// role are ours, in their manner.
const (
	msgLanguageMissing = "The language code is missing. Either add a language code or turn on language identification."
	msgMediaAccess     = "The S3 URI that you provided can't be accessed. Make sure that you have read permission and try your request again."
	msgOutputAccess    = "The specified S3 bucket can't be accessed. Make sure you have write permission on the bucket and try your request again."
	msgKeyAccess       = "The specified KMS key can't be accessed. Make sure that the key exists and is enabled, that you have permission to use it, and try your request again."
	msgRoleAccess      = "The specified data access role can't be assumed. Make sure that the role exists and that its trust policy allows transcribe.amazonaws.com to assume it, and try your request again."
	msgJobNotFound     = "The requested job couldn't be found. Check the job name and try your request again."
	msgJobExists       = "The requested job name already exists. Use a different job name."
)

type startRequest = model.StartTranscriptionJobRequest

// rule is one thing that the service model can't say.
type rule struct {
	// name says the rule in a few words, for tests and documentation.
	name    string
	broken  func(r *startRequest) bool
	message string
}

// MaxTags is how many tags a resource has at most, as AWS documents for all services; the model allows 200 in a request.
const MaxTags = 50

// startRules are the semantic rules of StartTranscriptionJob in the order of spec §3.1. The first that
// is broken answers. Only the first text is known from AWS; the others say what the documentation says.
var startRules = []rule{
	{
		"media URI is required",
		func(r *startRequest) bool { return r.Media.MediaFileUri == nil && r.Media.RedactedMediaFileUri == nil },
		model.Refuse(model.Violation{Path: "media.mediaFileUri", Value: "null", Constraint: "Member must not be null"}).Message,
	},
	{
		"a language or its identification is required",
		func(r *startRequest) bool { return languageChoices(r) == 0 }, msgLanguageMissing,
	},
	{
		"one way to choose the language",
		func(r *startRequest) bool { return languageChoices(r) > 1 },
		"You can specify only one of LanguageCode, IdentifyLanguage and IdentifyMultipleLanguages. Choose one and try your request again.",
	},
	{
		"LanguageOptions need identification",
		func(r *startRequest) bool { return r.LanguageOptions != nil && !identifies(r) },
		"You can specify LanguageOptions only when language identification is turned on. Turn on IdentifyLanguage or IdentifyMultipleLanguages, or remove LanguageOptions, and try your request again.",
	},
	{
		"LanguageOptions are two different codes or more",
		func(r *startRequest) bool { return r.LanguageOptions != nil && distinct(r.LanguageOptions) < 2 },
		"LanguageOptions must have at least two different language codes. Add a language code and try your request again.",
	},
	{
		"LanguageIdSettings need identification",
		func(r *startRequest) bool { return r.LanguageIdSettings != nil && !identifies(r) },
		"You can specify LanguageIdSettings only when language identification is turned on. Turn on IdentifyLanguage or IdentifyMultipleLanguages, or remove LanguageIdSettings, and try your request again.",
	},
	{
		"no language model with IdentifyMultipleLanguages",
		func(r *startRequest) bool {
			return isTrue(r.IdentifyMultipleLanguages) && anyValue(r.LanguageIdSettings, func(s model.LanguageIdSettings) bool { return s.LanguageModelName != nil })
		},
		"You can't specify LanguageModelName in LanguageIdSettings together with IdentifyMultipleLanguages.",
	},
	{
		"no Settings.VocabularyName with identification",
		func(r *startRequest) bool { return identifies(r) && settings(r).VocabularyName != nil },
		"You can't specify VocabularyName in Settings when language identification is turned on. Use LanguageIdSettings and try your request again.",
	},
	{
		"no Settings.VocabularyFilterName with identification",
		func(r *startRequest) bool { return identifies(r) && settings(r).VocabularyFilterName != nil },
		"You can't specify VocabularyFilterName in Settings when language identification is turned on. Use LanguageIdSettings and try your request again.",
	},
	{
		"no ModelSettings with identification",
		func(r *startRequest) bool { return identifies(r) && r.ModelSettings != nil },
		"You can't specify ModelSettings when language identification is turned on. Use LanguageIdSettings and try your request again.",
	},
	{
		"ShowSpeakerLabels needs MaxSpeakerLabels",
		func(r *startRequest) bool {
			return isTrue(settings(r).ShowSpeakerLabels) && settings(r).MaxSpeakerLabels == nil
		},
		"You must specify MaxSpeakerLabels when ShowSpeakerLabels is true. Add MaxSpeakerLabels and try your request again.",
	},
	{
		"MaxSpeakerLabels needs ShowSpeakerLabels",
		func(r *startRequest) bool {
			return !isTrue(settings(r).ShowSpeakerLabels) && settings(r).MaxSpeakerLabels != nil
		},
		"You can specify MaxSpeakerLabels only when ShowSpeakerLabels is true. Set ShowSpeakerLabels to true and try your request again.",
	},
	{
		"ShowAlternatives needs MaxAlternatives",
		func(r *startRequest) bool {
			return isTrue(settings(r).ShowAlternatives) && settings(r).MaxAlternatives == nil
		},
		"You must specify MaxAlternatives when ShowAlternatives is true. Add MaxAlternatives and try your request again.",
	},
	{
		"MaxAlternatives needs ShowAlternatives",
		func(r *startRequest) bool {
			return !isTrue(settings(r).ShowAlternatives) && settings(r).MaxAlternatives != nil
		},
		"You can specify MaxAlternatives only when ShowAlternatives is true. Set ShowAlternatives to true and try your request again.",
	},
	{
		"speakers or channels, not both",
		func(r *startRequest) bool {
			return isTrue(settings(r).ShowSpeakerLabels) && isTrue(settings(r).ChannelIdentification)
		},
		"You can't set both ShowSpeakerLabels and ChannelIdentification to true. Choose one and try your request again.",
	},
	{
		"VocabularyFilterName and VocabularyFilterMethod go together",
		func(r *startRequest) bool {
			name, method := settings(r).VocabularyFilterName != nil, settings(r).VocabularyFilterMethod != nil
			return name && !method || method && !name && !namesFilter(r)
		},
		"You must specify VocabularyFilterName and VocabularyFilterMethod together. Add the missing one and try your request again.",
	},
	{
		"AllowDeferredExecution and DataAccessRoleArn go together",
		func(r *startRequest) bool {
			s := r.JobExecutionSettings
			return s != nil && (s.AllowDeferredExecution == nil) != (s.DataAccessRoleArn == nil)
		},
		"You must specify AllowDeferredExecution and DataAccessRoleArn together. Add the missing one and try your request again.",
	},
	{
		"KMSEncryptionContext needs OutputEncryptionKMSKeyId",
		func(r *startRequest) bool { return r.KMSEncryptionContext != nil && r.OutputEncryptionKMSKeyId == nil },
		"You can specify KMSEncryptionContext only together with OutputEncryptionKMSKeyId. Add OutputEncryptionKMSKeyId and try your request again.",
	},
	{
		"OutputEncryptionKMSKeyId needs OutputBucketName",
		func(r *startRequest) bool { return r.OutputEncryptionKMSKeyId != nil && r.OutputBucketName == nil },
		"You can specify OutputEncryptionKMSKeyId only together with OutputBucketName. Add OutputBucketName and try your request again.",
	},
	{
		"RedactedMediaFileUri is for Call Analytics",
		func(r *startRequest) bool { return r.Media.RedactedMediaFileUri != nil },
		"You can specify RedactedMediaFileUri only for Call Analytics jobs. Use MediaFileUri and try your request again.",
	},
	{
		"ToxicityDetection is for en-US",
		func(r *startRequest) bool { return r.ToxicityDetection != nil && text(r.LanguageCode) != "en-US" },
		"You can specify ToxicityDetection only with the language code en-US. Change the language code and try your request again.",
	},
	{
		"ContentRedaction is for some languages",
		func(r *startRequest) bool {
			return r.ContentRedaction != nil && r.LanguageCode != nil && !redacts(*r.LanguageCode)
		},
		"ContentRedaction isn't supported for the language code that you provided. Change the language code and try your request again.",
	},
	{"tag keys differ", func(r *startRequest) bool { return tagsRepeat(r.Tags) }, msgTagsRepeat},
	{"tag keys don't begin with aws:", func(r *startRequest) bool { return tagsReserved(r.Tags) }, msgTagsReserved},
}

// The texts about tags.
const (
	msgTagsRepeat   = "The tag keys in a request must be unique. Remove the duplicate tag keys and try your request again."
	msgTagsReserved = "Tag keys can't start with aws:, which is reserved for AWS use. Change the tag key and try your request again."
)

// unavailable are the settings that this version of Dictum does not carry out. They are refused by
// name, never accepted and then ignored; a setting that is false asks for nothing.
var unavailable = []struct {
	name string
	used func(r *startRequest) bool
}{
	{"Settings.VocabularyName", func(r *startRequest) bool { return settings(r).VocabularyName != nil }},
	{"ModelSettings", func(r *startRequest) bool { return r.ModelSettings != nil && r.ModelSettings.LanguageModelName != nil }},
	{"LanguageIdSettings.VocabularyName", func(r *startRequest) bool {
		return anyValue(r.LanguageIdSettings, func(s model.LanguageIdSettings) bool { return s.VocabularyName != nil })
	}},
	{"LanguageIdSettings.LanguageModelName", func(r *startRequest) bool {
		return anyValue(r.LanguageIdSettings, func(s model.LanguageIdSettings) bool { return s.LanguageModelName != nil })
	}},
	{"ToxicityDetection", func(r *startRequest) bool { return r.ToxicityDetection != nil }},
}

// checkStart applies the model, the rules, and what is not there yet, in this order.
func checkStart(r *startRequest, languages language.Set) error {
	if err := model.Validate("StartTranscriptionJob", r); err != nil {
		return err
	}
	for _, rule := range startRules {
		if rule.broken(r) {
			return awserr.BadRequest("%s", rule.message)
		}
	}
	if len(r.Tags) > MaxTags {
		return errTooManyTags
	}
	var missing []string
	for _, u := range unavailable {
		if u.used(r) {
			missing = append(missing, u.name)
		}
	}
	if len(missing) > 0 {
		return awserr.BadRequest("%s isn't available in this version of Dictum yet. Remove it and try your request again.", strings.Join(missing, ", "))
	}
	codes := r.LanguageOptions
	if r.LanguageCode != nil {
		codes = []string{*r.LanguageCode}
	}
	if unknown := languages.Unknown(codes...); len(unknown) > 0 {
		return awserr.BadRequest("The speech model of this server doesn't know the language %s. Choose another language code and try your request again.", strings.Join(unknown, ", "))
	}
	return nil
}

// CheckTags applies the rules of tags outside Start.
func CheckTags(tags []model.Tag) error {
	switch {
	case len(tags) > MaxTags:
		return errTooManyTags
	case tagsRepeat(tags):
		return awserr.BadRequest(msgTagsRepeat)
	case tagsReserved(tags):
		return awserr.BadRequest(msgTagsReserved)
	}
	return nil
}

var errTooManyTags = &awserr.Error{Code: "LimitExceededException", Status: 400, Message: "A resource can have up to 50 tags. Remove tags and try your request again."}

func languageChoices(r *startRequest) int {
	n := 0
	for _, chosen := range []bool{r.LanguageCode != nil, isTrue(r.IdentifyLanguage), isTrue(r.IdentifyMultipleLanguages)} {
		if chosen {
			n++
		}
	}
	return n
}

func identifies(r *startRequest) bool {
	return isTrue(r.IdentifyLanguage) || isTrue(r.IdentifyMultipleLanguages)
}

func settings(r *startRequest) model.Settings {
	if r.Settings == nil {
		return model.Settings{}
	}
	return *r.Settings
}

func distinct(list []string) int {
	seen := map[string]bool{}
	for _, s := range list {
		seen[s] = true
	}
	return len(seen)
}

func anyValue[K comparable, V any](m map[K]V, is func(V) bool) bool {
	for _, v := range m {
		if is(v) {
			return true
		}
	}
	return false
}

// redacts: spec transcribe-batch.md §12, "Batch redaction".
func redacts(code string) bool {
	return strings.HasPrefix(code, "en-") ||
		slices.Contains([]string{"de-DE", "de-CH", "fr-FR", "fr-CA", "it-IT", "pt-BR", "pt-PT", "es-US"}, code)
}

func tagsRepeat(tags []model.Tag) bool {
	seen := map[string]bool{}
	for _, t := range tags {
		if seen[text(t.Key)] {
			return true
		}
		seen[text(t.Key)] = true
	}
	return false
}

func tagsReserved(tags []model.Tag) bool {
	return slices.ContainsFunc(tags, func(t model.Tag) bool {
		return strings.HasPrefix(strings.ToLower(text(t.Key)), "aws:")
	})
}
