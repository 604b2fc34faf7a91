package transcribe_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/api/transcribe"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store/jobs/jobtest"
	"github.com/dictum/dictum/internal/transcribe/job"
)

const (
	// trustTranscribe lets the service assume a role.
	trustTranscribe = `Allow "Principal":{"Service":"transcribe.amazonaws.com"},"Action":"sts:AssumeRole"`
	// objectsToo is what a job needs beside the right to start it.
	objectsToo = `Allow "Action":"s3:*","Resource":"*"`
	keysToo    = `Allow "Action":"kms:*","Resource":"*"`
	startAny   = `Allow "Action":"transcribe:StartTranscriptionJob","Resource":"*"`
	jobJ       = "arn:aws:transcribe:us-east-1:111122223333:transcription-job/J"
)

// withJob adds members to the least request.
func withJob(members string) string {
	return strings.TrimSuffix(least, "}") + "," + members + "}"
}

// Spec auth-and-security.md §2.1: the permissions of StartTranscriptionJob and their condition keys.
func TestStartIsAuthorised(t *testing.T) {
	s := newServer(t, job.Quotas{})
	w := s.world
	key := w.Key(t, account, kms.NewKey{})
	target := w.Target(t, key)
	if err := w.Keys.CreateAlias(t.Context(), w.Keys.Alias(jobtest.Caller(s.as), "alias/out"), target); err != nil {
		t.Fatal(err)
	}
	role := w.Role(t, account, "r", trustTranscribe, objectsToo)
	if err := w.Directory.Tag(t.Context(), account, iam.Holder{Type: iam.TypeRole, Name: "r"}, iam.Tags{"For": "jobs"}, nil); err != nil {
		t.Fatal(err)
	}
	s.as = w.User(t, account, "alice")

	startIf := func(condition string) string { return startAny + `,"Condition":{` + condition + `}` }
	const project = `"Tags":[{"Key":"Project","Value":"x"}]`
	const bucket = `"OutputBucketName":"results"`
	const tagAny = `Allow "Action":"transcribe:TagResource","Resource":"*"`
	withRole := `"JobExecutionSettings":{"AllowDeferredExecution":true,"DataAccessRoleArn":"` + role + `"}`
	passRole := `Allow "Action":"iam:PassRole","Resource":"` + role + `"`
	onKey := `"StringEquals":{"transcribe:OutputEncryptionKMSKeyId":"` + key.ARN + `"}`

	for name, tc := range map[string]struct {
		policy  []string
		request string
		// denied is what AccessDenied names, empty when the job starts.
		denied string
	}{
		"no policy":                {nil, least, "transcribe:StartTranscriptionJob on resource: " + jobJ},
		"resource *":               {[]string{startAny}, least, ""},
		"resource of the job":      {[]string{`Allow "Action":"transcribe:Start*","Resource":"` + jobJ + `"`}, least, ""},
		"resource of another name": {[]string{`Allow "Action":"transcribe:*","Resource":"` + jobJ + `x"`}, least, "transcribe:StartTranscriptionJob"},
		"deny by name":             {[]string{startAny, `Deny "Action":"transcribe:*","Resource":"` + jobJ + `"`}, least, "explicit deny"},

		"request tag":                 {[]string{startIf(`"StringEquals":{"aws:RequestTag/Project":"x"}`), tagAny}, withJob(project), ""},
		"other value of the tag":      {[]string{startIf(`"StringEquals":{"aws:RequestTag/Project":"y"}`), tagAny}, withJob(project), "transcribe:StartTranscriptionJob"},
		"tag missing":                 {[]string{startIf(`"StringEquals":{"aws:RequestTag/Project":"x"}`), tagAny}, least, "transcribe:StartTranscriptionJob"},
		"tags need TagResource":       {[]string{startAny}, withJob(project), "transcribe:TagResource on resource: " + jobJ},
		"only these tag keys":         {[]string{startIf(`"ForAllValues:StringEquals":{"aws:TagKeys":["Project"]}`), tagAny}, withJob(project), ""},
		"not these tag keys":          {[]string{startIf(`"ForAllValues:StringEquals":{"aws:TagKeys":["Team"]}`), tagAny}, withJob(project), "transcribe:StartTranscriptionJob"},
		"a new job has no tags":       {[]string{startIf(`"StringEquals":{"aws:ResourceTag/Project":"x"}`), tagAny}, withJob(project), "transcribe:StartTranscriptionJob"},
		"TagResource by its own tags": {[]string{startAny, tagAny + `,"Condition":{"StringEquals":{"aws:RequestTag/Project":"y"}}`}, withJob(project), "transcribe:TagResource"},

		"output bucket":         {[]string{startIf(`"StringEquals":{"transcribe:OutputBucketName":"results"}`)}, withJob(bucket), ""},
		"other output bucket":   {[]string{startIf(`"StringEquals":{"transcribe:OutputBucketName":"else"}`)}, withJob(bucket), "transcribe:StartTranscriptionJob"},
		"output bucket absent":  {[]string{startIf(`"StringEquals":{"transcribe:OutputBucketName":"results"}`)}, least, "transcribe:StartTranscriptionJob"},
		"absent and IfExists":   {[]string{startIf(`"StringEqualsIfExists":{"transcribe:OutputBucketName":"results"}`)}, least, ""},
		"bucket must be absent": {[]string{startIf(`"Null":{"transcribe:OutputBucketName":"true"}`)}, withJob(bucket), "transcribe:StartTranscriptionJob"},
		"output key":            {[]string{startIf(`"StringLike":{"transcribe:OutputKey":"team/*"}`)}, withJob(bucket + `,"OutputKey":"team/x"`), ""},
		"other output key":      {[]string{startIf(`"StringLike":{"transcribe:OutputKey":"team/*"}`)}, withJob(bucket + `,"OutputKey":"x"`), "transcribe:StartTranscriptionJob"},

		"key by ARN":       {[]string{startIf(onKey), keysToo}, withJob(bucket + `,"OutputEncryptionKMSKeyId":"` + key.ARN + `"`), ""},
		"key by id":        {[]string{startIf(onKey), keysToo}, withJob(bucket + `,"OutputEncryptionKMSKeyId":"` + key.ID + `"`), ""},
		"key by alias":     {[]string{startIf(onKey), keysToo}, withJob(bucket + `,"OutputEncryptionKMSKeyId":"alias/out"`), ""},
		"key by alias ARN": {[]string{startIf(onKey), keysToo}, withJob(bucket + `,"OutputEncryptionKMSKeyId":"arn:aws:kms:us-east-1:111122223333:alias/out"`), ""},
		"no key":           {[]string{startIf(onKey), keysToo}, withJob(bucket), "transcribe:StartTranscriptionJob"},
		"key required":     {[]string{startAny, `Deny "Action":"transcribe:StartTranscriptionJob","Resource":"*","Condition":{"Null":{"transcribe:OutputEncryptionKMSKeyId":"true"}}`}, withJob(bucket), "explicit deny"},

		"role without PassRole":           {[]string{startAny}, withJob(withRole), "iam:PassRole on resource: " + role},
		"role with PassRole":              {[]string{startAny, passRole}, withJob(withRole), ""},
		"PassRole to the service":         {[]string{startAny, passRole + `,"Condition":{"StringEquals":{"iam:PassedToService":"transcribe.amazonaws.com"}}`}, withJob(withRole), ""},
		"PassRole to another service":     {[]string{startAny, passRole + `,"Condition":{"StringEquals":{"iam:PassedToService":"lambda.amazonaws.com"}}`}, withJob(withRole), "iam:PassRole"},
		"PassRole by the role's tag":      {[]string{startAny, passRole + `,"Condition":{"StringEquals":{"aws:ResourceTag/For":"jobs"}}`}, withJob(withRole), ""},
		"PassRole by another tag":         {[]string{startAny, passRole + `,"Condition":{"StringEquals":{"iam:ResourceTag/For":"else"}}`}, withJob(withRole), "iam:PassRole"},
		"PassRole for one job":            {[]string{startAny, passRole + `,"Condition":{"ArnLike":{"iam:AssociatedResourceArn":"` + jobJ + `"}}`}, withJob(withRole), ""},
		"role of another account, passed": {[]string{startAny, `Allow "Action":"iam:PassRole","Resource":"*"`}, withJob(strings.Replace(withRole, account, jobtest.Other, 1)), "iam:PassRole"},
	} {
		t.Run(name, func(t *testing.T) {
			w.Allow(t, account, iam.Holder{Type: iam.TypeUser, Name: "alice"}, append(tc.policy, objectsToo)...)
			a := s.call(t, "StartTranscriptionJob", tc.request)
			if tc.denied == "" {
				a.job(t)
				w.Allow(t, account, iam.Holder{Type: iam.TypeUser, Name: "alice"}, `Allow "Action":"transcribe:*","Resource":"*"`)
				if a := s.call(t, "DeleteTranscriptionJob", `{"TranscriptionJobName":"J"}`); a.status != 200 {
					t.Fatal(a.raw)
				}
				return
			}
			if a.status != 400 || a.body["__type"] != "AccessDeniedException" || !strings.Contains(a.raw, tc.denied) ||
				!strings.Contains(a.raw, "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: ") {
				t.Errorf("got %s, want …%s…", a.raw, tc.denied)
			}
		})
	}
}

// Tag-based access control as AWS documents it for Transcribe: by the tags that a resource has.
func TestAccessByResourceTag(t *testing.T) {
	s := newServer(t, job.Quotas{})
	root := s.as
	s.call(t, "StartTranscriptionJob", withJob(`"Tags":[{"Key":"Team","Value":"a"}]`)).job(t)
	alice := s.world.User(t, account, "alice")
	named := `{"TranscriptionJobName":"J"}`
	byTag := func(action, value string) string {
		return `Allow "Action":"transcribe:` + action + `","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"` + value + `"}}`
	}
	for name, tc := range map[string]struct {
		policy, operation, request string
		denied                     string
	}{
		"get":                          {byTag("GetTranscriptionJob", "a"), "GetTranscriptionJob", named, ""},
		"get, other tag":               {byTag("GetTranscriptionJob", "b"), "GetTranscriptionJob", named, "transcribe:GetTranscriptionJob on resource: " + jobJ},
		"get what is not there":        {byTag("GetTranscriptionJob", "a"), "GetTranscriptionJob", `{"TranscriptionJobName":"none"}`, "transcription-job/none"},
		"delete, other tag":            {byTag("DeleteTranscriptionJob", "b"), "DeleteTranscriptionJob", named, "transcribe:DeleteTranscriptionJob"},
		"list tags":                    {byTag("ListTagsForResource", "a"), "ListTagsForResource", `{"ResourceArn":"` + jobJ + `"}`, ""},
		"list tags, other tag":         {byTag("ListTagsForResource", "b"), "ListTagsForResource", `{"ResourceArn":"` + jobJ + `"}`, "transcribe:ListTagsForResource on resource: " + jobJ},
		"tag":                          {byTag("TagResource", "a"), "TagResource", `{"ResourceArn":"` + jobJ + `","Tags":[{"Key":"k","Value":"v"}]}`, ""},
		"tag, other tag":               {byTag("TagResource", "b"), "TagResource", `{"ResourceArn":"` + jobJ + `","Tags":[{"Key":"Team","Value":"b"}]}`, "transcribe:TagResource"},
		"tag by request tag":           {`Allow "Action":"transcribe:TagResource","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/k":"v"}}`, "TagResource", `{"ResourceArn":"` + jobJ + `","Tags":[{"Key":"k","Value":"w"}]}`, "transcribe:TagResource"},
		"untag by key":                 {`Allow "Action":"transcribe:UntagResource","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["k"]}}`, "UntagResource", `{"ResourceArn":"` + jobJ + `","TagKeys":["k"]}`, ""},
		"untag another key":            {`Allow "Action":"transcribe:UntagResource","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["k"]}}`, "UntagResource", `{"ResourceArn":"` + jobJ + `","TagKeys":["Team"]}`, "transcribe:UntagResource"},
		"list is on *":                 {`Allow "Action":"transcribe:ListTranscriptionJobs","Resource":"*"`, "ListTranscriptionJobs", `{}`, ""},
		"list has no resource":         {`Allow "Action":"transcribe:ListTranscriptionJobs","Resource":"` + jobJ + `"`, "ListTranscriptionJobs", `{}`, "transcribe:ListTranscriptionJobs"},
		"what is not built yet":        {byTag("*", "a"), "CreateVocabulary", `{}`, "transcribe:CreateVocabulary"},
		"a resource of another region": {byTag("TagResource", "a"), "TagResource", `{"ResourceArn":"` + strings.Replace(jobJ, "east", "west", 1) + `","Tags":[{"Key":"k","Value":"v"}]}`, "transcribe:TagResource"},
	} {
		t.Run(name, func(t *testing.T) {
			s.as = alice
			s.world.Allow(t, account, iam.Holder{Type: iam.TypeUser, Name: "alice"}, tc.policy)
			a := s.call(t, tc.operation, tc.request)
			if tc.denied == "" && a.status != 200 {
				t.Errorf("got %s", a.raw)
			}
			if tc.denied != "" && (a.body["__type"] != "AccessDeniedException" || !strings.Contains(a.raw, tc.denied)) {
				t.Errorf("got %s, want …%s…", a.raw, tc.denied)
			}
		})
	}
	t.Run("delete", func(t *testing.T) {
		s.as = alice
		s.world.Allow(t, account, iam.Holder{Type: iam.TypeUser, Name: "alice"}, byTag("DeleteTranscriptionJob", "a"))
		if a := s.call(t, "DeleteTranscriptionJob", named); a.status != 200 {
			t.Error(a.raw)
		}
	})
	t.Run("nobody sees another account's job", func(t *testing.T) {
		s.as = root
		s.call(t, "StartTranscriptionJob", least).job(t)
		s.as = jobtest.Root(jobtest.Other)
		if a := s.call(t, "GetTranscriptionJob", named); a.body["__type"] != "BadRequestException" {
			t.Error(a.raw)
		}
		if a := s.call(t, "ListTagsForResource", `{"ResourceArn":"`+jobJ+`"}`); a.body["__type"] != "AccessDeniedException" {
			t.Error(a.raw)
		}
	})
}

// Service-managed output may be gone before the job's record: then there is no link to it.
func TestGetAfterTheOutputExpired(t *testing.T) {
	s := newServer(t, job.Quotas{})
	s.call(t, "StartTranscriptionJob", least).job(t)
	s.end(t, completed(wav))
	get := func() map[string]any {
		return s.call(t, "GetTranscriptionJob", `{"TranscriptionJobName":"J"}`).job(t)["Transcript"].(map[string]any)
	}
	if got := get(); got["TranscriptFileUri"] == nil {
		t.Errorf("before: %v", got)
	}
	s.jobs.Now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	keeper := job.Keeper{Service: s.jobs, OutputRetention: 24 * time.Hour}
	if err := keeper.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := get(); len(got) != 0 {
		t.Errorf("after: %v", got)
	}
}

// Any text may come as an ARN. It names itself, and its tags are read from no job of another name.
func FuzzResourceARN(f *testing.F) {
	s := transcribe.New(transcribe.Config{Jobs: &job.Service{}})
	for _, seed := range []string{jobJ, "", "arn:aws:transcribe:::", "arn:aws:transcribe:us-east-1:1:transcription-job", "arn:aws:s3:::b", "arn:aws:transcribe:us-east-1:1:transcription-job/a:b/c", "::transcribe:us-east-1::transcription-job"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, arn string) {
		body, err := json.Marshal(map[string]string{"ResourceArn": arn})
		if err != nil {
			t.Skip()
		}
		var sent struct{ ResourceArn string }
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
		r.Header.Set("X-Amz-Target", "Transcribe.ListTagsForResource")
		route, err := s.Route(r, &gateway.Call{Caller: jobtest.Caller(jobtest.Root(account))})
		if err != nil {
			t.Fatal(err)
		}
		access := route.Access[0]
		if len(route.Access) != 1 || access.Resource != sent.ResourceArn || access.Action != "transcribe:ListTagsForResource" {
			t.Errorf("%q: %+v", arn, route.Access)
		}
		if access.Tags != nil && !strings.HasPrefix(sent.ResourceArn, "arn:") {
			t.Errorf("%q has tags", arn)
		}
	})
}
