package job_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/store/jobs/jobtest"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
)

type request = model.StartTranscriptionJobRequest

func identify(r *request) { r.LanguageCode, r.IdentifyLanguage = nil, ptr(true) }

// refused starts a job and returns the AWS error it must be refused with.
func refused(t *testing.T, b *bench, change func(*request)) *awserr.Error {
	t.Helper()
	_, err := b.Start(t.Context(), caller, b.request(t, "job", change))
	var e *awserr.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an AWS error", err)
	}
	if _, err := b.store.Get(t.Context(), scope, "job"); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("a refused job was stored: %v", err)
	}
	return e
}

// Spec transcribe-batch.md §3.1, row by row.
func TestStartRules(t *testing.T) {
	role := ptr("arn:aws:iam::111122223333:role/r")
	cases := map[string][]struct {
		change func(*request)
		want   string
	}{
		"media URI is required": {{func(r *request) { r.Media = &model.Media{} }, "Value null at 'media.mediaFileUri'"}},
		"a language or its identification is required": {
			{func(r *request) { r.LanguageCode = nil }, "The language code is missing. Either add a language code or turn on language identification."},
			{func(r *request) { r.LanguageCode, r.IdentifyLanguage = nil, ptr(false) }, "The language code is missing."},
		},
		"one way to choose the language": {
			{func(r *request) { r.IdentifyLanguage = ptr(true) }, "only one of LanguageCode"},
			{func(r *request) { identify(r); r.IdentifyMultipleLanguages = ptr(true) }, "only one of LanguageCode"},
		},
		"LanguageOptions need identification":             {{func(r *request) { r.LanguageOptions = []string{"en-US", "fr-FR"} }, "LanguageOptions only when"}},
		"LanguageOptions are two different codes or more": {{func(r *request) { identify(r); r.LanguageOptions = []string{"en-US", "en-US"} }, "at least two different"}},
		"LanguageIdSettings need identification": {{func(r *request) {
			r.LanguageIdSettings = map[string]model.LanguageIdSettings{"en-US": {}}
		}, "LanguageIdSettings only when"}},
		"no language model with IdentifyMultipleLanguages": {{func(r *request) {
			r.LanguageCode, r.IdentifyMultipleLanguages = nil, ptr(true)
			r.LanguageIdSettings = map[string]model.LanguageIdSettings{"en-US": {LanguageModelName: ptr("m")}}
		}, "can't specify LanguageModelName"}},
		"no Settings.VocabularyName with identification": {{func(r *request) { identify(r); r.Settings = &model.Settings{VocabularyName: ptr("v")} }, "can't specify VocabularyName"}},
		"no Settings.VocabularyFilterName with identification": {{func(r *request) {
			identify(r)
			r.Settings = &model.Settings{VocabularyFilterName: ptr("v"), VocabularyFilterMethod: ptr("mask")}
		}, "can't specify VocabularyFilterName"}},
		"no ModelSettings with identification":     {{func(r *request) { identify(r); r.ModelSettings = &model.ModelSettings{LanguageModelName: ptr("m")} }, "can't specify ModelSettings"}},
		"ShowSpeakerLabels needs MaxSpeakerLabels": {{func(r *request) { r.Settings = &model.Settings{ShowSpeakerLabels: ptr(true)} }, "must specify MaxSpeakerLabels"}},
		"MaxSpeakerLabels needs ShowSpeakerLabels": {
			{func(r *request) { r.Settings = &model.Settings{MaxSpeakerLabels: ptr(int64(2))} }, "MaxSpeakerLabels only when"},
			{func(r *request) {
				r.Settings = &model.Settings{ShowSpeakerLabels: ptr(false), MaxSpeakerLabels: ptr(int64(2))}
			}, "MaxSpeakerLabels only when"},
		},
		"ShowAlternatives needs MaxAlternatives": {{func(r *request) { r.Settings = &model.Settings{ShowAlternatives: ptr(true)} }, "must specify MaxAlternatives"}},
		"MaxAlternatives needs ShowAlternatives": {{func(r *request) { r.Settings = &model.Settings{MaxAlternatives: ptr(int64(2))} }, "MaxAlternatives only when"}},
		"speakers or channels, not both": {{func(r *request) {
			r.Settings = &model.Settings{ShowSpeakerLabels: ptr(true), MaxSpeakerLabels: ptr(int64(2)), ChannelIdentification: ptr(true)}
		}, "can't set both"}},
		"VocabularyFilterName and VocabularyFilterMethod go together": {
			{func(r *request) { r.Settings = &model.Settings{VocabularyFilterName: ptr("f")} }, "together"},
			{func(r *request) { r.Settings = &model.Settings{VocabularyFilterMethod: ptr("mask")} }, "together"},
		},
		"AllowDeferredExecution and DataAccessRoleArn go together": {
			{func(r *request) {
				r.JobExecutionSettings = &model.JobExecutionSettings{AllowDeferredExecution: ptr(true)}
			}, "together"},
			{func(r *request) { r.JobExecutionSettings = &model.JobExecutionSettings{DataAccessRoleArn: role} }, "together"},
		},
		"KMSEncryptionContext needs OutputEncryptionKMSKeyId": {{func(r *request) { r.KMSEncryptionContext = map[string]string{"k": "v"} }, "KMSEncryptionContext only together"}},
		"OutputEncryptionKMSKeyId needs OutputBucketName":     {{func(r *request) { r.OutputEncryptionKMSKeyId = ptr("k") }, "OutputEncryptionKMSKeyId only together"}},
		"RedactedMediaFileUri is for Call Analytics":          {{func(r *request) { r.Media.RedactedMediaFileUri = ptr("s3://b/k") }, "only for Call Analytics"}},
		"ToxicityDetection is for en-US": {{func(r *request) {
			r.LanguageCode = ptr("en-GB")
			r.ToxicityDetection = []model.ToxicityDetectionSettings{{ToxicityCategories: []string{"ALL"}}}
		}, "only with the language code en-US"}},
		"ContentRedaction is for some languages": {{func(r *request) {
			r.LanguageCode = ptr("ja-JP")
			r.ContentRedaction = &model.ContentRedaction{RedactionType: ptr("PII"), RedactionOutput: ptr("redacted")}
		}, "ContentRedaction isn't supported"}},
		"tag keys differ": {{func(r *request) {
			r.Tags = []model.Tag{{Key: ptr("k"), Value: ptr("1")}, {Key: ptr("k"), Value: ptr("2")}}
		}, "must be unique"}},
		"tag keys don't begin with aws:": {{func(r *request) { r.Tags = []model.Tag{{Key: ptr("aws:k"), Value: ptr("1")}} }, "reserved"}},
	}
	b := newBench(t)
	for _, rule := range job.StartRules() {
		if len(cases[rule]) == 0 {
			t.Errorf("no case for the rule %q", rule)
		}
		for i, tc := range cases[rule] {
			t.Run(fmt.Sprintf("%s/%d", rule, i), func(t *testing.T) {
				e := refused(t, b, tc.change)
				if e.Code != "BadRequestException" || !strings.Contains(e.Message, tc.want) {
					t.Errorf("got %v, want …%s…", e, tc.want)
				}
			})
		}
	}
}

// A setting that is not built yet is refused by name, never ignored.
func TestStartRefusesByNameWhatIsNotThereYet(t *testing.T) {
	cases := map[string]func(*request){
		"Settings.VocabularyName": func(r *request) { r.Settings = &model.Settings{VocabularyName: ptr("v")} },
		"ModelSettings":           func(r *request) { r.ModelSettings = &model.ModelSettings{LanguageModelName: ptr("m")} },
		"LanguageIdSettings.VocabularyName": func(r *request) {
			identify(r)
			r.LanguageIdSettings = map[string]model.LanguageIdSettings{"en-US": {VocabularyName: ptr("v")}}
		},
		"LanguageIdSettings.LanguageModelName": func(r *request) {
			identify(r)
			r.LanguageIdSettings = map[string]model.LanguageIdSettings{"en-US": {LanguageModelName: ptr("m")}}
		},
		"ToxicityDetection": func(r *request) {
			r.ToxicityDetection = []model.ToxicityDetectionSettings{{ToxicityCategories: []string{"ALL"}}}
		},
	}
	b := newBench(t)
	for _, name := range job.Unavailable() {
		change := cases[name]
		if change == nil {
			t.Errorf("no case for %s", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			e := refused(t, b, change)
			if e.Code != "BadRequestException" || !strings.Contains(e.Message, name) || !strings.Contains(e.Message, "isn't available in this version of Dictum yet") {
				t.Errorf("got %v", e)
			}
		})
	}
}

func TestStartRefusesLanguagesThatTheModelDoesNotKnow(t *testing.T) {
	b := newBench(t)
	for want, change := range map[string]func(*request){
		"zu-ZA":         func(r *request) { r.LanguageCode = ptr("zu-ZA") },
		"ab-GE, kab-DZ": func(r *request) { identify(r); r.LanguageOptions = []string{"ab-GE", "en-US", "kab-DZ"} },
	} {
		if e := refused(t, b, change); e.Code != "BadRequestException" || !strings.Contains(e.Message, want) {
			t.Errorf("got %v, want …%s…", e, want)
		}
	}
}

const (
	noMedia  = "The S3 URI that you provided can't be accessed. Make sure that you have read permission and try your request again."
	noOutput = "The specified S3 bucket can't be accessed. Make sure you have write permission on the bucket and try your request again."
)

func TestStartReachesForItsObjects(t *testing.T) {
	b := newBench(t)
	media := func(uri string) func(*request) { return func(r *request) { r.Media.MediaFileUri = &uri } }
	output := func(bucket string) func(*request) { return func(r *request) { r.OutputBucketName = &bucket } }
	for name, tc := range map[string]struct {
		change func(*request)
		want   string
	}{
		"object missing":         {media("s3://media/none"), noMedia},
		"bucket missing":         {media("s3://none/k"), noMedia},
		"foreign bucket":         {media("s3://foreign/k"), noMedia},
		"bucket in other region": {media("s3://far/k"), noMedia},
		"URI of other region":    {media("https://s3.eu-west-1.amazonaws.com/media/tone.wav"), noMedia},
		"not S3":                 {media("https://example.com/b/tone.wav"), noMedia},
		"no key":                 {media("s3://media"), noMedia},
		"output missing":         {output("none"), noOutput},
		"output foreign":         {output("foreign"), noOutput},
		"output in other region": {output("far"), noOutput},
	} {
		t.Run(name, func(t *testing.T) {
			if e := refused(t, b, tc.change); e.Code != "BadRequestException" || e.Message != tc.want {
				t.Errorf("got %v", e)
			}
		})
	}
}

func TestParseMediaURI(t *testing.T) {
	for uri, want := range map[string]struct {
		bucket, key, region string
	}{
		"s3://b/k":            {"b", "k", ""},
		"s3://b/a//b%20c?d#e": {"b", "a//b%20c?d#e", ""},
		"https://s3.us-east-1.amazonaws.com/b/a/k":          {"b", "a/k", "us-east-1"},
		"https://s3-us-west-2.amazonaws.com/b/k":            {"b", "k", "us-west-2"},
		"https://s3.amazonaws.com/b/k%20l":                  {"b", "k l", ""},
		"https://b.s3.us-gov-west-1.amazonaws.com/a/k":      {"b", "a/k", "us-gov-west-1"},
		"https://b.c.s3.amazonaws.com/k":                    {"b.c", "k", ""},
		origin + "/b/a%2Bk":                                 {"b", "a+k", ""},
		origin + "/b":                                       {},
		origin + "/b/k?X-Amz-Signature=":                    {},
		"s3:///k":                                           {},
		"s3://b/":                                           {},
		"http://127.0.0.1:9999/b/k":                         {},
		"https://evil.example/s3.us-east-1.amazonaws.com/b": {},
		"https://s3.us-east-1.amazonaws.com.evil/b/k":       {},
		"https://b.s3.us-east-1.amazonaws.com/%zz":          {},
	} {
		at, region, ok := job.ParseMediaURI(uri, origin)
		if ok != (want.bucket != "") || ok && (at.Bucket != want.bucket || at.Key != want.key || region != want.region) {
			t.Errorf("%s: got %v %q %v, want %v", uri, at, region, ok, want)
		}
	}
}

func FuzzParseMediaURI(f *testing.F) {
	f.Add("s3://bucket/key")
	f.Add("https://b.s3.us-east-1.amazonaws.com/%41?x")
	f.Fuzz(func(t *testing.T, uri string) {
		if at, _, ok := job.ParseMediaURI(uri, origin); ok && (at.Bucket == "" || at.Key == "") {
			t.Errorf("%q gave %v", uri, at)
		}
	})
}

// Spec transcript-json.md §1.1 and §1.4.
func TestOutputPlaces(t *testing.T) {
	b := newBench(t)
	for i, tc := range []struct{ key, transcript, vtt, probe string }{
		{"", "J.json", "J.vtt", ".write_access_check_file.temp"},
		{"x.json", "x.json", "x.vtt", ".write_access_check_file.temp"},
		{"x", "x/J.json", "x/J.vtt", "x/.write_access_check_file.temp"},
		{"x/", "x/J.json", "x/J.vtt", "x/.write_access_check_file.temp"},
		{"d/x.json", "d/x.json", "d/x.vtt", "d/.write_access_check_file.temp"},
		{"d/x", "d/x/J.json", "d/x/J.vtt", "d/x/.write_access_check_file.temp"},
		{"d/x.JSON", "d/x.JSON/J.json", "d/x.JSON/J.vtt", "d/x.JSON/.write_access_check_file.temp"},
		{"/x.json", "/x.json", "/x.vtt", "/.write_access_check_file.temp"},
	} {
		name := fmt.Sprintf("J%d", i)
		j := b.start(t, name, func(r *request) {
			r.OutputBucketName = ptr("results")
			if tc.key != "" {
				r.OutputKey = &tc.key
			}
		})
		want := strings.ReplaceAll(tc.transcript, "J.json", name+".json")
		if j.Output.Service || j.Output.Bucket != "results" || j.Output.Key != want || j.SubtitleKey("vtt") != strings.TrimSuffix(want, ".json")+".vtt" {
			t.Errorf("key %q: got %+v, want %s", tc.key, j.Output, want)
		}
		if _, content, ok := b.storage.get(t, "results", tc.probe); !ok || content != "" {
			t.Errorf("key %q: no empty probe at %s", tc.key, tc.probe)
		}
	}
	j := b.start(t, "lab", func(r *request) { r.OutputKey = ptr("output/lab.json") })
	if want := "111122223333/lab/" + j.ID + "/asrOutput.json"; !j.Output.Service || j.Output.Bucket != "aws-transcribe-us-east-1-prod" || j.Output.Key != want {
		t.Errorf("OutputKey alone: got %+v, want %s", j.Output, want)
	}
}

func TestStartAnswersAtOnce(t *testing.T) {
	b := newBench(t)
	j := b.start(t, "one", func(r *request) {
		r.Settings = &model.Settings{ChannelIdentification: ptr(false)}
		r.Tags = []model.Tag{{Key: ptr("k"), Value: ptr("v")}}
	})
	if j.Status != job.InProgress || j.Started.IsZero() || j.Started.Before(j.Created) {
		t.Errorf("got %+v", j)
	}
	if got := b.job(t, "one"); !slices.Equal(got.Tags, []job.Tag{{Key: "k", Value: "v"}}) {
		t.Errorf("tags %v", got.Tags)
	}
	_, err := b.Start(t.Context(), caller, b.request(t, "one", nil))
	var e *awserr.Error
	if !errors.As(err, &e) || e.Code != "ConflictException" || e.Status != 400 || e.Message != "The requested job name already exists. Use a different job name." {
		t.Errorf("second job of the name: %v", err)
	}
}

// Spec §3.3 and §11.
func TestQuotas(t *testing.T) {
	aws := job.AWSQuotas
	for _, tc := range []struct {
		name   string
		quota  job.Quotas
		load   job.Load
		defer_ bool
		want   job.Status
		code   string
	}{
		{"off by default", job.Quotas{}, job.Load{InProgress: 10_000}, false, job.InProgress, ""},
		{"room", aws, job.Load{InProgress: 249}, false, job.InProgress, ""},
		{"full", aws, job.Load{InProgress: 250}, false, "", "LimitExceededException"},
		{"full, may wait", aws, job.Load{InProgress: 250}, true, job.Queued, ""},
		{"room, may wait", aws, job.Load{InProgress: 249}, true, job.InProgress, ""},
		{"behind others", aws, job.Load{InProgress: 249, Queued: 1}, true, job.Queued, ""},
		{"others wait, this one can't", aws, job.Load{InProgress: 249, Queued: 1}, false, job.InProgress, ""},
		{"queue full", aws, job.Load{InProgress: 250, Queued: 10_000}, true, "", "LimitExceededException"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.quota.First(tc.load, tc.defer_)
			var e *awserr.Error
			if errors.As(err, &e) != (tc.code != "") || e != nil && e.Code != tc.code || got != tc.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	for load, want := range map[job.Load]bool{
		{InProgress: 224, Deferred: 224}: true,
		{InProgress: 225, Deferred: 225}: false, // 90 % of 250
		{InProgress: 249, Deferred: 100}: true,
		{InProgress: 250, Deferred: 100}: false,
	} {
		if got := aws.Promotes(load); got != want {
			t.Errorf("Promotes(%+v) = %v", load, got)
		}
	}
}

func TestDeferredExecution(t *testing.T) {
	b := newBench(t)
	b.Quotas = job.Quotas{ConcurrentJobs: 1, QueuedJobs: 2, QueueShare: 0.9}
	role := b.world.Role(t, jobtest.Account, "r", trustTranscribe, `Allow "Action":"s3:*","Resource":"*"`)
	wait := func(r *request) {
		r.JobExecutionSettings = &model.JobExecutionSettings{AllowDeferredExecution: ptr(true), DataAccessRoleArn: &role}
	}
	b.start(t, "first", nil)
	if _, err := b.Start(t.Context(), caller, b.request(t, "no", nil)); err == nil {
		t.Error("a second job was accepted")
	}
	for _, name := range []string{"second", "third"} {
		if j := b.start(t, name, wait); j.Status != job.Queued || !j.Started.IsZero() {
			t.Errorf("%s: %+v", name, j)
		}
	}
	if _, err := b.Start(t.Context(), caller, b.request(t, "no", wait)); err == nil {
		t.Error("a job was accepted into a full queue")
	}
	b.run(t, func(c *job.PoolConfig) { c.Quotas = b.Quotas })
	for _, want := range []string{"first", "second", "third"} {
		if r := b.report(t); r.Job.Name != want || r.Job.Status != job.Completed {
			t.Errorf("got %s %s, want %s", r.Job.Name, r.Job.Status, want)
		}
	}
}
