// Package features_test runs what a job is asked for most, each feature by itself and every two that go together, with
// AWS's Go SDK on real speech, and holds the documents to goldens: words, labels and times.
package features_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/transcribe"
	"github.com/aws/aws-sdk-go-v2/service/transcribe/types"

	"github.com/dictum/dictum/test/harness"
)

var update = flag.Bool("update", false, "write the goldens in testdata")

type request = transcribe.StartTranscriptionJobInput

// feature changes a request.
type feature struct {
	name string
	ask  func(r *request)
	// without names features that AWS does not take together with this one.
	without []string
}

func settings(r *request) *types.Settings {
	if r.Settings == nil {
		r.Settings = &types.Settings{}
	}
	return r.Settings
}

// filtered asks for the vocabulary filter where the language is known, and where it is not.
func filtered(r *request, method types.VocabularyFilterMethod) {
	settings(r).VocabularyFilterMethod = method
	if r.LanguageCode != "" {
		r.Settings.VocabularyFilterName = aws.String("words")
		return
	}
	r.LanguageIdSettings = map[string]types.LanguageIdSettings{"en-US": {VocabularyFilterName: aws.String("words")}}
}

// features are in an order in which a later one may look at what an earlier one asked for.
var features = []feature{
	{name: "languages", ask: func(r *request) {
		r.LanguageCode, r.IdentifyMultipleLanguages = "", aws.Bool(true)
		r.LanguageOptions = []types.LanguageCode{types.LanguageCodeEnUs, types.LanguageCodeFrCa}
	}},
	{name: "speakers", without: []string{"channels"}, ask: func(r *request) {
		settings(r).ShowSpeakerLabels, settings(r).MaxSpeakerLabels = aws.Bool(true), aws.Int32(4)
	}},
	{name: "channels", without: []string{"speakers"}, ask: func(r *request) { settings(r).ChannelIdentification = aws.Bool(true) }},
	{name: "alternatives", ask: func(r *request) {
		settings(r).ShowAlternatives, settings(r).MaxAlternatives = aws.Bool(true), aws.Int32(3)
	}},
	{name: "mask", without: []string{"remove", "tag"}, ask: func(r *request) { filtered(r, types.VocabularyFilterMethodMask) }},
	{name: "remove", without: []string{"mask", "tag"}, ask: func(r *request) { filtered(r, types.VocabularyFilterMethodRemove) }},
	{name: "tag", without: []string{"mask", "remove"}, ask: func(r *request) { filtered(r, types.VocabularyFilterMethodTag) }},
	{name: "redaction", ask: func(r *request) {
		r.ContentRedaction = &types.ContentRedaction{RedactionType: types.RedactionTypePii, RedactionOutput: types.RedactionOutputRedacted}
	}},
	{name: "subtitles", ask: func(r *request) {
		r.Subtitles = &types.Subtitles{Formats: []types.SubtitleFormat{types.SubtitleFormatVtt}}
	}},
}

func TestFeaturesAndPairs(t *testing.T) {
	server := harness.Run(t)
	clients := server.Clients("us-east-1")
	bucket := clients.Bucket(t, "features")
	for name, turns := range map[string][]turn{"call": call(t), "bilingual": bilingual(t)} {
		put(t, clients, bucket, name+".wav", write(t, name+".wav", 2, turns))
	}
	_, err := clients.Transcribe.CreateVocabularyFilter(t.Context(), &transcribe.CreateVocabularyFilterInput{
		VocabularyFilterName: aws.String("words"), LanguageCode: types.LanguageCodeEnUs, Words: []string{"worst", "NUMBER"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, f := range features {
		start(t, clients, bucket, f)
		names = append(names, f.name)
		for _, g := range features[i+1:] {
			if !strings.Contains(strings.Join(f.without, " "), g.name) {
				start(t, clients, bucket, f, g)
				names = append(names, f.name+"-"+g.name)
			}
		}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { check(t, clients, bucket, name) })
	}
}

func put(t testing.TB, c *harness.Clients, bucket, key, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.S3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(content)}); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, c *harness.Clients, bucket, key string) []byte {
	t.Helper()
	o, err := c.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	defer o.Body.Close()
	content, err := io.ReadAll(o.Body)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func start(t testing.TB, c *harness.Clients, bucket string, asked ...feature) {
	t.Helper()
	media, name := "call.wav", asked[0].name
	if name == "languages" {
		media = "bilingual.wav"
	}
	if len(asked) > 1 {
		name += "-" + asked[1].name
	}
	r := &request{
		TranscriptionJobName: &name, LanguageCode: types.LanguageCodeEnUs, OutputBucketName: &bucket, OutputKey: aws.String("out/"),
		Media: &types.Media{MediaFileUri: aws.String("s3://" + bucket + "/" + media)},
	}
	for _, f := range asked {
		f.ask(r)
	}
	if _, err := c.Transcribe.StartTranscriptionJob(t.Context(), r); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
}

// finished waits for a job.
func finished(t testing.TB, c *harness.Clients, name string) *types.TranscriptionJob {
	t.Helper()
	for {
		out, err := c.Transcribe.GetTranscriptionJob(t.Context(), &transcribe.GetTranscriptionJobInput{TranscriptionJobName: &name})
		if err != nil {
			t.Fatal(err)
		}
		switch j := out.TranscriptionJob; j.TranscriptionJobStatus {
		case types.TranscriptionJobStatusCompleted:
			return j
		case types.TranscriptionJobStatusFailed:
			t.Fatalf("%s failed: %s", name, *j.FailureReason)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

// check compares a job's document, and its subtitles, with the golden.
func check(t *testing.T, c *harness.Clients, bucket, name string) {
	j := finished(t, c, name)
	key := "out/" + name + ".json"
	if strings.Contains(name, "redaction") {
		key = "out/redacted-" + name + ".json"
		if j.Transcript.TranscriptFileUri != nil || !strings.HasSuffix(*j.Transcript.RedactedTranscriptFileUri, key) {
			t.Errorf("URIs of a redacted job: %+v", j.Transcript)
		}
	} else if !strings.HasSuffix(*j.Transcript.TranscriptFileUri, key) || j.Transcript.RedactedTranscriptFileUri != nil {
		t.Errorf("URIs: %+v", j.Transcript)
	}
	if languages := strings.HasPrefix(name, "languages"); languages != (len(j.LanguageCodes) == 2) || languages != (j.LanguageCode == "") {
		t.Errorf("languages: %v %q", j.LanguageCodes, j.LanguageCode)
	}
	content := get(t, c, bucket, key)
	subtitles := []byte(nil)
	if strings.Contains(name, "subtitles") {
		subtitles = get(t, c, bucket, strings.TrimSuffix(key, ".json")+".vtt")
	}
	if strings.Contains(name, "redaction") {
		var document any
		if err := json.Unmarshal(content, &document); err != nil {
			t.Fatal(err)
		}
		words := strings.ToLower(strings.Join(append(texts("", document), captions(subtitles)...), "\n"))
		for _, clear := range []string{"0142", "555", "zero one four two", "0-1-4-2"} {
			if strings.Contains(words, clear) {
				t.Errorf("%q is there in clear", clear)
			}
		}
	}
	golden := filepath.Join("testdata", name+".json")
	if *update {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, content, "", " "); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, append(pretty.Bytes(), '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		if subtitles != nil {
			if err := os.WriteFile(strings.TrimSuffix(golden, ".json")+".vtt", subtitles, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var got, expected map[string]any
	for text, v := range map[*[]byte]*map[string]any{&content: &got, &want: &expected} {
		if err := json.Unmarshal(*text, v); err != nil {
			t.Fatal(err)
		}
	}
	delete(got, "accountId")
	delete(expected, "accountId")
	for _, d := range differences("", expected, got) {
		t.Error(d)
	}
	if subtitles != nil {
		lines := func(b []byte) []string { return strings.Split(string(b), "\n") }
		golden, err := os.ReadFile(strings.TrimSuffix(golden, ".json") + ".vtt")
		if err != nil {
			t.Fatal(err)
		}
		w, g := lines(golden), lines(subtitles)
		if len(w) != len(g) {
			t.Fatalf("subtitles:\n%s", subtitles)
		}
		for i := range w {
			if w[i] != g[i] && !strings.Contains(w[i], " --> ") {
				t.Errorf("subtitle line %d: %q, want %q", i, g[i], w[i])
			}
		}
	}
}

// texts are all strings of a document that may hold what was said: not the account, whose digits are chance, nor numbers.
func texts(member string, v any) (out []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			out = append(out, texts(k, e)...)
		}
	case []any:
		for _, e := range v {
			out = append(out, texts(member, e)...)
		}
	case string:
		switch member {
		case "accountId", "start_time", "end_time", "confidence":
		default:
			out = append(out, v)
		}
	}
	return out
}

// captions are the lines of subtitles without those of times.
func captions(subtitles []byte) []string {
	return slices.DeleteFunc(strings.Split(string(subtitles), "\n"), func(l string) bool { return strings.Contains(l, " --> ") })
}

// Processors differ in the last bits of arithmetic, so times and confidences may differ by a little.
const (
	timeTolerance       = 0.2
	confidenceTolerance = 0.15
)

// differences lists where two documents differ.
func differences(at string, want, got any) (out []string) {
	add := func(format string, args ...any) { out = append(out, at+": "+fmt.Sprintf(format, args...)) }
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			add("members %v, want %v", got, want)
			return out
		}
		for k := range w {
			out = append(out, differences(at+"/"+k, w[k], g[k])...)
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			add("%d elements, want %d: %v", len(g), len(w), got)
			return out
		}
		for i := range w {
			out = append(out, differences(at+"/"+strconv.Itoa(i), w[i], g[i])...)
		}
	default:
		tolerance := 0.0
		switch filepath.Base(at) {
		case "start_time", "end_time":
			tolerance = timeTolerance
		case "duration_in_seconds":
			tolerance = 4 * timeTolerance
		case "confidence":
			tolerance = confidenceTolerance
		}
		if tolerance > 0 {
			a, errA := strconv.ParseFloat(fmt.Sprint(want), 64)
			b, errB := strconv.ParseFloat(fmt.Sprint(got), 64)
			if errA != nil || errB != nil || math.Abs(a-b) > tolerance {
				add("%v, want %v", got, want)
			}
		} else if !reflect.DeepEqual(want, got) {
			add("%v, want %v", got, want)
		}
	}
	return out
}
