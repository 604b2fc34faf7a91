package transcribe_test

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/store/jobs/jobtest"
	"github.com/dictum/dictum/internal/transcribe/job"
)

const (
	filterF     = "arn:aws:transcribe:us-east-1:111122223333:vocabulary-filter/F"
	leastFilter = `{"VocabularyFilterName":"F","LanguageCode":"en-US","Words":["damn","hell"]}`
)

// words reads the file behind a filter's DownloadUri.
func (s *server) words(t *testing.T, get answer) string {
	t.Helper()
	u, err := url.Parse(fmt.Sprint(get.body["DownloadUri"]))
	if err != nil || get.status != 200 {
		t.Fatalf("%v %s", err, get.raw)
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	_, r, err := s.files.Open(t.Context(), bucket, key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestVocabularyFilterLife(t *testing.T) {
	s := newServer(t, job.Quotas{})
	a := s.call(t, "CreateVocabularyFilter", leastFilter)
	if a.status != 200 || a.body["VocabularyFilterName"] != "F" || a.body["LanguageCode"] != "en-US" || a.body["LastModifiedTime"] == nil || len(a.body) != 3 {
		t.Fatal(a.raw)
	}
	if got := s.words(t, s.call(t, "GetVocabularyFilter", `{"VocabularyFilterName":"F"}`)); got != "damn\nhell\n" {
		t.Errorf("words of Create: %q", got)
	}
	if _, err := s.files.Put(t.Context(), "media", "words.txt", strings.NewReader("heck\ndarn\n"), objects.Metadata{}); err != nil {
		t.Fatal(err)
	}
	a = s.call(t, "UpdateVocabularyFilter", `{"VocabularyFilterName":"F","VocabularyFilterFileUri":"s3://media/words.txt"}`)
	if a.status != 200 {
		t.Fatal(a.raw)
	}
	if got := s.words(t, s.call(t, "GetVocabularyFilter", `{"VocabularyFilterName":"F"}`)); got != "heck\ndarn\n" {
		t.Errorf("words of Update: %q", got)
	}
	for _, name := range []string{"G1", "G2", "H"} {
		if a := s.call(t, "CreateVocabularyFilter", strings.Replace(leastFilter, `"F"`, `"`+name+`"`, 1)); a.status != 200 {
			t.Fatal(a.raw)
		}
	}
	page := s.call(t, "ListVocabularyFilters", `{"NameContains":"g","MaxResults":1}`)
	next := fmt.Sprint(page.body["NextToken"])
	rest := s.call(t, "ListVocabularyFilters", `{"NameContains":"g","MaxResults":1,"NextToken":"`+next+`"}`)
	if !strings.Contains(page.raw, `"G2"`) || !strings.Contains(rest.raw, `"G1"`) || rest.body["NextToken"] != nil {
		t.Errorf("List: %s then %s", page.raw, rest.raw)
	}
	if a := s.call(t, "DeleteVocabularyFilter", `{"VocabularyFilterName":"F"}`); a.status != 200 {
		t.Error(a.raw)
	}
	if a := s.call(t, "GetVocabularyFilter", `{"VocabularyFilterName":"F"}`); a.body["__type"] != "NotFoundException" {
		t.Error(a.raw)
	}
}

func TestVocabularyFilterErrors(t *testing.T) {
	s := newServer(t, job.Quotas{VocabularyFilters: 2})
	if _, err := s.files.Put(t.Context(), "media", "binary", strings.NewReader("\xff\xfe"), objects.Metadata{}); err != nil {
		t.Fatal(err)
	}
	s.call(t, "CreateVocabularyFilter", leastFilter)
	long := strings.Repeat("x", 257)
	create := func(rest string) string { return `{"VocabularyFilterName":"N","LanguageCode":"en-US"` + rest + `}` }
	for name, tc := range map[string]struct{ operation, body, code, message string }{
		"exists":           {"CreateVocabularyFilter", leastFilter, "ConflictException", "The requested vocabulary filter name already exists. Use a different vocabulary filter name."},
		"neither":          {"CreateVocabularyFilter", create(``), "BadRequestException", "Words or VocabularyFilterFileUri"},
		"both":             {"CreateVocabularyFilter", create(`,"Words":["a"],"VocabularyFilterFileUri":"s3://media/x"`), "BadRequestException", "only one of Words"},
		"no language":      {"CreateVocabularyFilter", `{"VocabularyFilterName":"N","Words":["a"]}`, "BadRequestException", "Value null at 'languageCode'"},
		"empty list":       {"CreateVocabularyFilter", create(`,"Words":[]`), "BadRequestException", "length greater than or equal to 1"},
		"long word":        {"CreateVocabularyFilter", create(`,"Words":["` + long + `"]`), "BadRequestException", "256"},
		"no word in it":    {"CreateVocabularyFilter", create(`,"Words":["a","?!"]`), "BadRequestException", "entry 2"},
		"no file":          {"CreateVocabularyFilter", create(`,"VocabularyFilterFileUri":"s3://media/none"`), "BadRequestException", "The S3 URI that you provided can't be accessed."},
		"not text":         {"CreateVocabularyFilter", create(`,"VocabularyFilterFileUri":"s3://media/binary"`), "BadRequestException", "isn't UTF-8 text"},
		"key not an ARN":   {"CreateVocabularyFilter", create(`,"Words":["a"],"EncryptionConfiguration":{"KMSKey":"alias/x"}`), "BadRequestException", "full key ARN"},
		"reserved tag":     {"CreateVocabularyFilter", create(`,"Words":["a"],"Tags":[{"Key":"aws:x","Value":""}]`), "BadRequestException", "aws:"},
		"update unknown":   {"UpdateVocabularyFilter", `{"VocabularyFilterName":"none","Words":["a"]}`, "NotFoundException", "The requested vocabulary filter couldn't be found."},
		"delete unknown":   {"DeleteVocabularyFilter", `{"VocabularyFilterName":"none"}`, "NotFoundException", "The requested vocabulary filter couldn't be found."},
		"bad token":        {"ListVocabularyFilters", `{"NextToken":"x"}`, "BadRequestException", "NextToken"},
		"job without it":   {"StartTranscriptionJob", withJob(`"Settings":{"VocabularyFilterName":"none","VocabularyFilterMethod":"mask"}`), "BadRequestException", "The requested vocabulary filter couldn't be found."},
		"in id settings":   {"StartTranscriptionJob", strings.Replace(withJob(`"IdentifyLanguage":true,"LanguageOptions":["en-US","fr-FR"],"LanguageIdSettings":{"fr-FR":{"VocabularyFilterName":"none"}}`), `"LanguageCode":"en-US",`, ``, 1), "BadRequestException", "The requested vocabulary filter couldn't be found."},
		"job with no such": {"StartTranscriptionJob", withJob(`"Settings":{"VocabularyFilterName":"F"}`), "BadRequestException", "VocabularyFilterMethod"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.call(t, tc.operation, tc.body)
			if a.status != 400 || a.body["__type"] != tc.code || !strings.Contains(fmt.Sprint(a.body["Message"]), tc.message) {
				t.Errorf("HTTP %d %s, want %s …%s…", a.status, a.raw, tc.code, tc.message)
			}
		})
	}
	s.call(t, "CreateVocabularyFilter", create(`,"Words":["a"]`))
	if a := s.call(t, "CreateVocabularyFilter", strings.Replace(create(`,"Words":["a"]`), `"N"`, `"O"`, 1)); a.body["__type"] != "LimitExceededException" {
		t.Errorf("over the quota: %s", a.raw)
	}
}

// A filter under a customer's key is read and used only by those who may use the key, and by tag.
func TestVocabularyFilterRights(t *testing.T) {
	s := newServer(t, job.Quotas{})
	w := s.world
	key := w.Key(t, account, kms.NewKey{})
	tagged := strings.TrimSuffix(leastFilter, "}") + `,"Tags":[{"Key":"Team","Value":"x"}],"EncryptionConfiguration":{"KMSKey":"` + key.ARN + `"}}`
	if a := s.call(t, "CreateVocabularyFilter", tagged); a.status != 200 {
		t.Fatal(a.raw)
	}
	s.as = w.User(t, account, "alice")
	allow := func(statements ...string) {
		t.Helper()
		w.Allow(t, account, iam.Holder{Type: iam.TypeUser, Name: "alice"}, statements...)
	}
	const byTag = `Allow "Action":"transcribe:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"x"}}`
	get := func() answer { return s.call(t, "GetVocabularyFilter", `{"VocabularyFilterName":"F"}`) }

	if a := get(); a.body["__type"] != "AccessDeniedException" || !strings.Contains(a.raw, "transcribe:GetVocabularyFilter on resource: "+filterF) {
		t.Errorf("no policy: %s", a.raw)
	}
	allow(byTag)
	if a := get(); a.body["__type"] != "BadRequestException" || !strings.Contains(a.raw, "KMS key") {
		t.Errorf("without the key: %s", a.raw)
	}
	allow(byTag, keysToo)
	if a := get(); a.status != 200 || !strings.Contains(a.raw, key.ARN) {
		t.Errorf("by tag: %s", a.raw)
	}
	if a := s.call(t, "UntagResource", `{"ResourceArn":"`+filterF+`","TagKeys":["Team"]}`); a.status != 200 {
		t.Errorf("UntagResource: %s", a.raw)
	}
	if a := get(); a.body["__type"] != "AccessDeniedException" {
		t.Errorf("without the tag: %s", a.raw)
	}
	allow(strings.Replace(byTag, "aws:ResourceTag", "aws:RequestTag", 1))
	if a := s.call(t, "CreateVocabularyFilter", strings.Replace(leastFilter, `"F"`, `"N"`, 1)); a.body["__type"] != "AccessDeniedException" {
		t.Errorf("create without the tag: %s", a.raw)
	}
	if a := s.call(t, "CreateVocabularyFilter", strings.Replace(strings.TrimSuffix(leastFilter, "}")+`,"Tags":[{"Key":"Team","Value":"x"}]}`, `"F"`, `"N"`, 1)); a.status != 200 {
		t.Errorf("create with the tag: %s", a.raw)
	}
	role := w.Role(t, account, "r", trustTranscribe, objectsToo)
	withRole := strings.TrimSuffix(leastFilter, "}") + `,"DataAccessRoleArn":"` + role + `"}`
	allow(`Allow "Action":"transcribe:*","Resource":"*"`)
	if a := s.call(t, "CreateVocabularyFilter", strings.Replace(withRole, `"F"`, `"P"`, 1)); !strings.Contains(a.raw, "iam:PassRole on resource: "+role) {
		t.Errorf("role without PassRole: %s", a.raw)
	}
	// Who may pass the role creates a filter with what it may read. Who may not pass it does not read with it either,
	// by changing that filter.
	if _, err := s.files.Put(t.Context(), "media", "list.txt", strings.NewReader("heck\n"), objects.Metadata{}); err != nil {
		t.Fatal(err)
	}
	fromFile := `{"VocabularyFilterName":"P","VocabularyFilterFileUri":"s3://media/list.txt"`
	allow(`Allow "Action":["transcribe:*","iam:PassRole"],"Resource":"*"`)
	if a := s.call(t, "CreateVocabularyFilter", fromFile+`,"LanguageCode":"en-US","DataAccessRoleArn":"`+role+`"}`); a.status != 200 {
		t.Errorf("create with the role: %s", a.raw)
	}
	if a := s.call(t, "GetVocabularyFilter", `{"VocabularyFilterName":"P"}`); a.body["DataAccessRoleArn"] != role {
		t.Errorf("the role is not shown: %s", a.raw)
	}
	allow(`Allow "Action":"transcribe:*","Resource":"*"`)
	if a := s.call(t, "UpdateVocabularyFilter", fromFile+`}`); !strings.Contains(a.raw, "The S3 URI that you provided can't be accessed.") {
		t.Errorf("update with another's role: %s", a.raw)
	}
	s.as = jobtest.Root(jobtest.Other)
	if a := get(); a.body["__type"] != "NotFoundException" {
		t.Errorf("another account's: %s", a.raw)
	}
}
