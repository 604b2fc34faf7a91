package transcribe_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/dictum/dictum/internal/api/transcribe"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/store/jobs/jobtest"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
)

const least = `{"TranscriptionJobName":"J","LanguageCode":"en-US","Media":{"MediaFileUri":"s3://media/talk.wav"}}`

func members(m map[string]any) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), " ")
}

func completed(d job.Detected) func(*job.Job) error {
	return func(j *job.Job) error { return j.Complete(time.Now(), d) }
}

var wav = job.Detected{MediaFormat: "wav", SampleRate: 16000}

// Spec transcribe-batch.md §3.1: Start answers with what was sent and nothing else.
func TestStartAnswer(t *testing.T) {
	for name, tc := range map[string]struct{ request, want string }{
		"least": {least, "CreationTime LanguageCode Media StartTime TranscriptionJobName TranscriptionJobStatus"},
		"all that works": {
			`{"TranscriptionJobName":"J","LanguageCode":"en-US","Media":{"MediaFileUri":"s3://media/talk.wav"},"MediaFormat":"wav",
			"MediaSampleRateHertz":16000,"OutputBucketName":"results","OutputKey":"x","Settings":{"ChannelIdentification":false},
			"Subtitles":{"Formats":["vtt"]},"Tags":[{"Key":"k","Value":""}],"Unheard":1,
			"JobExecutionSettings":{"AllowDeferredExecution":true,"DataAccessRoleArn":"arn:aws:iam::111122223333:role/r"}}`,
			"CreationTime JobExecutionSettings LanguageCode Media MediaFormat MediaSampleRateHertz Settings StartTime Subtitles Tags TranscriptionJobName TranscriptionJobStatus",
		},
		"identify": {
			`{"TranscriptionJobName":"J","IdentifyLanguage":true,"LanguageOptions":["en-US","fr-FR"],"Media":{"MediaFileUri":"s3://media/talk.wav"}}`,
			"CreationTime IdentifyLanguage LanguageOptions Media StartTime TranscriptionJobName TranscriptionJobStatus",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, job.Quotas{})
			s.world.Role(t, account, "r", trustTranscribe, `Allow "Action":"s3:*","Resource":"*"`)
			a := s.call(t, "StartTranscriptionJob", tc.request)
			j := a.job(t)
			if got := members(j); got != tc.want {
				t.Errorf("members %s\nwant    %s", got, tc.want)
			}
			if j["TranscriptionJobStatus"] != "IN_PROGRESS" || j["TranscriptionJobName"] != "J" {
				t.Errorf("got %v", j)
			}
			if created, ok := j["CreationTime"].(float64); !ok || created < 1.7e9 || created > 1e11 {
				t.Errorf("CreationTime is not in epoch seconds: %v", j["CreationTime"])
			}
			if s, ok := j["Settings"].(map[string]any); ok && members(s) != "ChannelIdentification" {
				t.Errorf("Settings were not echoed as sent: %v", s)
			}
			if got := a.header.Get("Content-Type"); got != "application/x-amz-json-1.1" {
				t.Errorf("Content-Type %s", got)
			}
		})
	}
}

// Spec §3.2: while running, Transcript is there and empty, and Settings have their defaults.
func TestGetWhileRunning(t *testing.T) {
	s := newServer(t, job.Quotas{})
	s.call(t, "StartTranscriptionJob", least)
	j := s.call(t, "GetTranscriptionJob", `{"TranscriptionJobName":"J"}`).job(t)
	if got, want := members(j), "CreationTime LanguageCode Media Settings StartTime Transcript TranscriptionJobName TranscriptionJobStatus"; got != want {
		t.Errorf("members %s\nwant    %s", got, want)
	}
	if got := fmt.Sprint(j["Transcript"], j["Settings"]); got != "map[] map[ChannelIdentification:false ShowAlternatives:false]" {
		t.Errorf("got %s", got)
	}
}

func TestGetOfServiceOutputIsPresignedAfresh(t *testing.T) {
	s := newServer(t, job.Quotas{})
	s.call(t, "StartTranscriptionJob", `{"TranscriptionJobName":"J","IdentifyLanguage":true,"Media":{"MediaFileUri":"s3://media/talk.wav"},"OutputKey":"output/J.json","Subtitles":{"Formats":["srt","vtt"]}}`)
	s.end(t, completed(job.Detected{MediaFormat: "wav", SampleRate: 8000, LanguageCode: "de-DE", LanguageScore: 0.75}))
	j := s.call(t, "GetTranscriptionJob", `{"TranscriptionJobName":"J"}`).job(t)
	want := "CompletionTime CreationTime IdentifiedLanguageScore IdentifyLanguage LanguageCode Media MediaFormat MediaSampleRateHertz Settings StartTime Subtitles Transcript TranscriptionJobName TranscriptionJobStatus"
	if got := members(j); got != want {
		t.Errorf("members %s\nwant    %s", got, want)
	}
	if j["LanguageCode"] != "de-DE" || j["IdentifiedLanguageScore"] != 0.75 || j["MediaSampleRateHertz"] != 8000.0 || j["MediaFormat"] != "wav" {
		t.Errorf("got %v", j)
	}
	u, err := url.Parse(j["Transcript"].(map[string]any)["TranscriptFileUri"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(u.String(), origin+"/aws-transcribe-us-east-1-prod/111122223333/J/") || !strings.HasSuffix(u.Path, "/asrOutput.json") {
		t.Errorf("URI %s", u)
	}
	q := u.Query()
	if q.Get("X-Amz-Expires") != "900" || q.Get("X-Amz-Signature") == "" || q.Get("X-Amz-SignedHeaders") != "host" {
		t.Errorf("query %v", q)
	}
	subtitles := j["Subtitles"].(map[string]any)
	if subtitles["OutputStartIndex"] != 0.0 {
		t.Errorf("OutputStartIndex %v", subtitles["OutputStartIndex"])
	}
	for i, ext := range []string{".srt?", ".vtt?"} { // in the order of the request
		if uri := subtitles["SubtitleFileUris"].([]any)[i].(string); !strings.Contains(uri, "/asrOutput"+ext) {
			t.Errorf("subtitles %d: %s", i, uri)
		}
	}
}

func TestGetOfCustomersOutputIsAPlainURI(t *testing.T) {
	s := newServer(t, job.Quotas{})
	s.call(t, "StartTranscriptionJob", strings.Replace(least, `"Media"`, `"OutputBucketName":"results","OutputKey":"it's(1)","Media"`, 1))
	s.end(t, completed(wav))
	uri := s.call(t, "GetTranscriptionJob", `{"TranscriptionJobName":"J"}`).job(t)["Transcript"].(map[string]any)["TranscriptFileUri"]
	if want := origin + "/results/it%27s%281%29/J.json"; uri != want {
		t.Errorf("got %v, want %s", uri, want)
	}
}

func TestGetOfFailedJob(t *testing.T) {
	s := newServer(t, job.Quotas{})
	s.call(t, "StartTranscriptionJob", least)
	s.end(t, func(j *job.Job) error {
		return j.Fail(time.Now(), job.Failure{Kind: "k", Reason: "Unsupported media format."}, wav)
	})
	j := s.call(t, "GetTranscriptionJob", `{"TranscriptionJobName":"J"}`).job(t)
	if j["TranscriptionJobStatus"] != "FAILED" || j["FailureReason"] != "Unsupported media format." || fmt.Sprint(j["Transcript"]) != "map[]" || j["StartTime"] == nil || j["MediaFormat"] != nil {
		t.Errorf("got %v", j)
	}
}

func TestMediaURIIsEchoedVerbatim(t *testing.T) {
	for _, uri := range []string{
		"s3://media/talk.wav", "https://s3.us-east-1.amazonaws.com/media/talk.wav", "https://s3-us-east-1.amazonaws.com/media/talk%2Ewav",
		"https://media.s3.us-east-1.amazonaws.com/talk.wav", origin + "/media/talk.wav",
	} {
		s := newServer(t, job.Quotas{})
		s.call(t, "StartTranscriptionJob", strings.Replace(least, "s3://media/talk.wav", uri, 1))
		j := s.call(t, "GetTranscriptionJob", `{"TranscriptionJobName":"J"}`).job(t)
		if got := j["Media"].(map[string]any)["MediaFileUri"]; got != uri {
			t.Errorf("got %v, want %s", got, uri)
		}
	}
}

// Spec §3.2, ListTranscriptionJobs.
func TestList(t *testing.T) {
	s := newServer(t, job.Quotas{})
	if a := s.call(t, "ListTranscriptionJobs", ``); a.raw != `{"TranscriptionJobSummaries":[]}` {
		t.Errorf("empty list: %s", a.raw)
	}
	for i := range 7 {
		s.call(t, "StartTranscriptionJob", strings.Replace(least, `"J"`, fmt.Sprintf(`"Job-%d"`, i), 1))
	}
	s.call(t, "StartTranscriptionJob", strings.Replace(least, `"J"`, `"mine","OutputBucketName":"results"`, 1))
	s.end(t, func(j *job.Job) error { return j.Fail(time.Now(), job.Failure{Kind: "k", Reason: "why"}, wav) })

	first := s.call(t, "ListTranscriptionJobs", `{}`)
	list := first.body["TranscriptionJobSummaries"].([]any)
	newest := list[0].(map[string]any)
	if len(list) != 5 || newest["TranscriptionJobName"] != "mine" || newest["OutputLocationType"] != "CUSTOMER_BUCKET" || first.body["Status"] != nil {
		t.Errorf("got %s", first.raw)
	}
	if got, want := members(newest), "CreationTime LanguageCode OutputLocationType StartTime TranscriptionJobName TranscriptionJobStatus"; got != want {
		t.Errorf("members %s\nwant    %s", got, want)
	}
	second := s.call(t, "ListTranscriptionJobs", fmt.Sprintf(`{"NextToken":%q}`, first.body["NextToken"]))
	if list := second.body["TranscriptionJobSummaries"].([]any); len(list) != 3 || second.body["NextToken"] != nil {
		t.Errorf("second page: %s", second.raw)
	}
	failed := s.call(t, "ListTranscriptionJobs", `{"Status":"FAILED","JobNameContains":"jOB"}`)
	list = failed.body["TranscriptionJobSummaries"].([]any)
	if len(list) != 1 || failed.body["Status"] != "FAILED" || list[0].(map[string]any)["FailureReason"] != "why" || list[0].(map[string]any)["OutputLocationType"] != "SERVICE_BUCKET" {
		t.Errorf("got %s", failed.raw)
	}
	if a := s.callIn(t, "eu-west-1", "ListTranscriptionJobs", `{}`); a.raw != `{"TranscriptionJobSummaries":[]}` {
		t.Errorf("another region: %s", a.raw)
	}
}

func TestDelete(t *testing.T) {
	s := newServer(t, job.Quotas{})
	s.call(t, "StartTranscriptionJob", least)
	if a := s.call(t, "DeleteTranscriptionJob", `{"TranscriptionJobName":"J"}`); a.status != 200 || a.raw != "" {
		t.Errorf("HTTP %d %q", a.status, a.raw)
	}
	if a := s.call(t, "GetTranscriptionJob", `{"TranscriptionJobName":"J"}`); a.status != 400 {
		t.Errorf("a deleted job is still there: %s", a.raw)
	}
}

func TestTags(t *testing.T) {
	s := newServer(t, job.Quotas{})
	s.call(t, "StartTranscriptionJob", strings.Replace(least, `"Media"`, `"Tags":[{"Key":"a","Value":"1"}],"Media"`, 1))
	const arn = "arn:aws:transcribe:us-east-1:111122223333:transcription-job/J"
	if a := s.call(t, "TagResource", `{"ResourceArn":"`+arn+`","Tags":[{"Key":"a","Value":"2"},{"Key":"b","Value":""}]}`); a.raw != "{}" {
		t.Errorf("TagResource: %s", a.raw)
	}
	if a := s.call(t, "UntagResource", `{"ResourceArn":"`+arn+`","TagKeys":["b","none"]}`); a.raw != "{}" {
		t.Errorf("UntagResource: %s", a.raw)
	}
	if a := s.call(t, "ListTagsForResource", `{"ResourceArn":"`+arn+`"}`); a.raw != `{"ResourceArn":"`+arn+`","Tags":[{"Key":"a","Value":"2"}]}` {
		t.Errorf("ListTagsForResource: %s", a.raw)
	}
	if j := s.call(t, "GetTranscriptionJob", `{"TranscriptionJobName":"J"}`).job(t); fmt.Sprint(j["Tags"]) != "[map[Key:a Value:2]]" {
		t.Errorf("tags in Get: %v", j["Tags"])
	}
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprintf(`{"Key":"k%d","Value":""}`, i))
	}
	for name, tc := range map[string]struct{ arn, tags, code string }{
		"unknown job":     {arn + "x", `{"Key":"a","Value":"2"}`, "NotFoundException"},
		"other account":   {strings.Replace(arn, "1111", "2222", 1), `{"Key":"a","Value":"2"}`, "AccessDeniedException"},
		"other region":    {strings.Replace(arn, "east", "west", 1), `{"Key":"a","Value":"2"}`, "NotFoundException"},
		"other kind":      {strings.Replace(arn, "transcription-job", "vocabulary", 1), `{"Key":"a","Value":"2"}`, "NotFoundException"},
		"malformed":       {"arn:aws:s3:::b", `{"Key":"a","Value":"2"}`, "BadRequestException"},
		"reserved prefix": {arn, `{"Key":"AWS:a","Value":"2"}`, "BadRequestException"},
		"repeated key":    {arn, `{"Key":"a","Value":"2"},{"Key":"a","Value":"2"}`, "BadRequestException"},
		"more than fifty": {arn, strings.Join(many, ","), "LimitExceededException"},
	} {
		a := s.call(t, "TagResource", `{"ResourceArn":"`+tc.arn+`","Tags":[`+tc.tags+`]}`)
		if a.status != 400 || a.body["__type"] != tc.code {
			t.Errorf("%s: HTTP %d %s", name, a.status, a.raw)
		}
	}
}

// Spec §1.1 to §1.3.
func TestErrors(t *testing.T) {
	const notFound = "The requested job couldn't be found. Check the job name and try your request again."
	for name, tc := range map[string]struct{ operation, body, code, message string }{
		"get unknown":       {"GetTranscriptionJob", `{"TranscriptionJobName":"none"}`, "BadRequestException", notFound},
		"delete unknown":    {"DeleteTranscriptionJob", `{"TranscriptionJobName":"none"}`, "BadRequestException", notFound},
		"duplicate":         {"StartTranscriptionJob", least, "ConflictException", "The requested job name already exists. Use a different job name."},
		"empty body":        {"GetTranscriptionJob", ``, "BadRequestException", "1 validation error detected: Value null at 'transcriptionJobName' failed to satisfy constraint: Member must not be null"},
		"pattern":           {"GetTranscriptionJob", `{"TranscriptionJobName":"test/key-1"}`, "BadRequestException", "1 validation error detected: Value 'test/key-1' at 'transcriptionJobName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9a-zA-Z._-]+"},
		"max results":       {"ListTranscriptionJobs", `{"MaxResults":101}`, "BadRequestException", "1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100"},
		"next token":        {"ListTranscriptionJobs", `{"NextToken":"x"}`, "BadRequestException", "The NextToken that you provided isn't valid. Use the token of the previous response and try your request again."},
		"not available yet": {"CreateVocabulary", `{}`, "BadRequestException", "The operation CreateVocabulary isn't available in this version of Dictum yet."},
		"wrong type":        {"GetTranscriptionJob", `{"TranscriptionJobName":1}`, "SerializationException", ""},
		"not JSON":          {"GetTranscriptionJob", `{`, "SerializationException", ""},
		"unknown operation": {"MakeCoffee", `{}`, "UnknownOperationException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, job.Quotas{})
			s.call(t, "StartTranscriptionJob", least)
			a := s.call(t, tc.operation, tc.body)
			message := a.body["Message"]
			if tc.message == "" {
				message = ""
			}
			if a.status != 400 || a.body["__type"] != tc.code || message != tc.message {
				t.Errorf("HTTP %d %s", a.status, a.raw)
			}
		})
	}
}

// Every operation of the model is answered: carried out, or refused by name.
func TestNoOperationIsUnknown(t *testing.T) {
	s := newServer(t, job.Quotas{})
	for _, op := range model.Operations() {
		a := s.call(t, op, `{}`)
		yet := strings.Contains(a.raw, op+" isn't available in this version of Dictum yet.")
		if yet == slices.Contains(transcribe.Routed(), op) || a.body["__type"] == "UnknownOperationException" {
			t.Errorf("%s: %s", op, a.raw)
		}
	}
}

// Spec §11: with AWS's quotas, a caller over the rate is throttled; others are not.
func TestRates(t *testing.T) {
	s := newServer(t, job.AWSQuotas)
	for operation, rate := range map[string]int{"StartTranscriptionJob": 25, "GetTranscriptionJob": 30, "DeleteTranscriptionJob": 5, "ListTranscriptionJobs": 5} {
		for i := range rate {
			if a := s.call(t, operation, `{"TranscriptionJobName":"/"}`); a.body["__type"] == "ThrottlingException" {
				t.Errorf("%s %d of %d: %s", operation, i+1, rate, a.raw)
			}
		}
		a := s.call(t, operation, `{}`)
		if a.status != 400 || a.raw != `{"__type":"ThrottlingException","message":"Rate exceeded"}` {
			t.Errorf("%s %d: HTTP %d %s", operation, rate+1, a.status, a.raw)
		}
		if a := s.callIn(t, "eu-west-1", operation, `{}`); a.body["__type"] == "ThrottlingException" {
			t.Errorf("%s in another region: %s", operation, a.raw)
		}
		s.now = s.now.Add(time.Second)
		if a := s.call(t, operation, `{}`); a.body["__type"] == "ThrottlingException" {
			t.Errorf("%s a second later: %s", operation, a.raw)
		}
	}
}

// Resources are named for authorisation before anything is looked up.
func TestResources(t *testing.T) {
	s := newServer(t, job.Quotas{})
	for operation, tc := range map[string]struct{ body, want string }{
		"StartTranscriptionJob":  {`{"TranscriptionJobName":"J"}`, "arn:aws:transcribe:us-east-1:111122223333:transcription-job/J"},
		"GetTranscriptionJob":    {`{}`, "*"},
		"DeleteTranscriptionJob": {`{"TranscriptionJobName":"J"}`, "arn:aws:transcribe:us-east-1:111122223333:transcription-job/J"},
		"ListTranscriptionJobs":  {`{}`, "*"},
		"TagResource":            {`{"ResourceArn":"arn:x"}`, "arn:x"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tc.body))
		r.Header.Set("X-Amz-Target", "com.amazonaws.transcribe.Transcribe."+operation)
		route, err := s.Route(r, &gateway.Call{Caller: iam.Caller{Region: "us-east-1", Principal: iam.Principal{AccountID: account}}})
		if err != nil || route.Action != operation || route.Access[0].Resource != tc.want {
			t.Errorf("%s: %+v, %v", operation, route, err)
		}
	}
}

// The second protocol of the service model: RPC v2 CBOR.
func TestCBOR(t *testing.T) {
	s := newServer(t, job.Quotas{})
	s.call(t, "StartTranscriptionJob", least)
	body, err := cbor.Marshal(map[string]any{"TranscriptionJobName": "J"})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/service/Transcribe/operation/GetTranscriptionJob", strings.NewReader(string(body)))
	r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
	w := httptest.NewRecorder()
	if err := s.serve(w, r, &gateway.Call{Origin: origin, Caller: jobtest.Caller(s.as), Authorizer: s.world.Authorizer}); err != nil {
		t.Fatal(err)
	}
	var out struct {
		TranscriptionJob struct {
			TranscriptionJobStatus string
			CreationTime           cbor.Tag
			Transcript             map[string]any
		}
	}
	if err := cbor.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	if j := out.TranscriptionJob; j.TranscriptionJobStatus != "IN_PROGRESS" || j.CreationTime.Number != 1 || j.Transcript == nil {
		t.Errorf("got %+v", j)
	}
}
