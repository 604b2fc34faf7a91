package job_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/store/jobs/jobtest"
	"github.com/dictum/dictum/internal/store/vocabularyfilters"
	"github.com/dictum/dictum/internal/transcribe/document"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
	"github.com/dictum/dictum/internal/transcribe/vocabularyfilter"
)

// said is a recogniser that hears the same whatever is played.
type said speech.Transcript

func (s said) Recognize(_ context.Context, audio speech.SampleReader, set speech.Settings, _ func(speech.Progress)) (speech.Transcript, error) {
	t := speech.Transcript(s)
	for block := make([]float32, speech.SampleRate); ; {
		n, err := audio.ReadSamples(block)
		t.Duration += time.Duration(n) * time.Second / speech.SampleRate
		if err != nil {
			break
		}
	}
	t.Speech = t.Duration
	if set.Language != "" {
		t.Language = set.Language
		return t, nil
	}
	for _, l := range set.LanguageCandidates {
		t.Languages = append(t.Languages, speech.LanguageScore{Language: l, Score: 1 / float64(len(t.Languages)+2)})
	}
	t.Language = t.Languages[0].Language
	return t, nil
}

// sentence is a segment of a second.
func sentence(at int, text string) speech.Segment {
	s := speech.Segment{Start: time.Duration(at) * time.Second, End: time.Duration(at+1) * time.Second}
	for _, w := range strings.Fields(text) {
		if w == "." || w == "," {
			s.Items = append(s.Items, speech.Item{Kind: speech.Punctuation, Text: w, NoSpaceBefore: true})
			continue
		}
		s.Items = append(s.Items, speech.Item{Text: w, Start: s.Start, End: s.End, Confidence: 0.9})
	}
	return s
}

// filtering is a bench with vocabulary filters.
func filtering(t *testing.T) (*bench, *vocabularyfilter.Service) {
	t.Helper()
	b := newBench(t)
	table, err := vocabularyfilters.Open(t.Context(), b.world.DB, b.store)
	if err != nil {
		t.Fatal(err)
	}
	filters := &vocabularyfilter.Service{Store: table, Rights: b.Rights, Objects: b.storage, Buckets: b.storage}
	b.Filters = filters
	return b, filters
}

func hears(filters job.Filters, heard speech.Transcript) func(*job.PoolConfig) {
	return func(c *job.PoolConfig) { c.Recognizer, c.Filters = said(heard), filters }
}

func newFilter(t *testing.T, s *vocabularyfilter.Service, name, code string, change func(*model.CreateVocabularyFilterRequest), words ...string) {
	t.Helper()
	r := &model.CreateVocabularyFilterRequest{VocabularyFilterName: &name, LanguageCode: &code, Words: words}
	if change != nil {
		change(r)
	}
	if _, err := s.Create(t.Context(), caller, r); err != nil {
		t.Fatal(err)
	}
}

// filtered asks for a filter by name and method.
func filtered(name, method string) func(*request) {
	return func(r *request) {
		r.Settings = &model.Settings{VocabularyFilterName: &name, VocabularyFilterMethod: &method}
	}
}

// identifying asks for identification with a filter for each language, and a method if that is not empty.
func identifying(method string, options []string, filters map[string]string) func(*request) {
	return func(r *request) {
		r.LanguageCode, r.IdentifyLanguage, r.LanguageOptions = nil, ptr(true), options
		r.LanguageIdSettings = map[string]model.LanguageIdSettings{}
		for code, name := range filters {
			r.LanguageIdSettings[code] = model.LanguageIdSettings{VocabularyFilterName: &name}
		}
		if method != "" {
			r.Settings = &model.Settings{VocabularyFilterMethod: &method}
		}
	}
}

// results runs a job and returns its document and its subtitles.
func (b *bench) results(t *testing.T, name string) (document.Transcript, string) {
	t.Helper()
	r := <-b.reports
	if r.Job.Status != job.Completed {
		t.Fatalf("job %s is %s: %s", name, r.Job.Status, r.Job.Failure.Reason)
	}
	var d document.Transcript
	_, content, _ := b.storage.get(t, "results", name+".json")
	if err := json.Unmarshal([]byte(content), &d); err != nil {
		t.Fatal(err)
	}
	_, subtitles, _ := b.storage.get(t, "results", name+".srt")
	return d, subtitles
}

func TestVocabularyFiltersInJobs(t *testing.T) {
	heard := speech.Transcript{Segments: []speech.Segment{sentence(0, "Damn that bloody"), sentence(1, "hell ."), sentence(2, "damn .")}}
	options := []string{"en-GB", "en-US", "fr-FR"}
	for _, tc := range []struct {
		rule         string
		change       func(*request)
		want         string
		items, cues  int
		tagged, hits int
	}{
		{"mask", filtered("words", "mask"), "*** that *** ***. ***.", 7, 3, 0, 0},
		{"an utterance of which nothing is left goes", filtered("words", "remove"), "that", 1, 1, 0, 0},
		{"tag", filtered("words", "tag"), "Damn that bloody hell. damn.", 7, 3, 7, 4},
		{"another language is not applied", filtered("mots", "remove"), "Damn that bloody hell. damn.", 7, 3, 0, 0},
		{"nor does it tag", filtered("mots", "tag"), "Damn that bloody hell. damn.", 7, 3, 0, 0},
		{"by identified language", identifying("remove", options, map[string]string{"en-GB": "words", "fr-FR": "mots"}), "that", 1, 1, 0, 0},
		{"without a method it masks", identifying("", options, map[string]string{"en-GB": "words"}), "*** that *** ***. ***.", 7, 3, 0, 0},
		{"the code that is answered has its own", identifying("", options, map[string]string{"en-GB": "british", "en-US": "words"}), "Damn *** bloody hell. damn.", 7, 3, 0, 0},
		{"not identified, not applied", identifying("tag", options, map[string]string{"fr-FR": "mots"}), "Damn that bloody hell. damn.", 7, 3, 0, 0},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			b, filters := filtering(t)
			newFilter(t, filters, "words", "en-US", nil, "DAMN", "bloody hell")
			newFilter(t, filters, "british", "en-GB", nil, "that")
			newFilter(t, filters, "mots", "fr-FR", nil, "damn", "that")
			b.start(t, "job", all(toResults, tc.change, func(r *request) { r.Subtitles = &model.Subtitles{Formats: []string{"srt"}} }))
			b.run(t, hears(filters, heard))
			d, subtitles := b.results(t, "job")
			if got := d.Results.Transcripts[0].Transcript; got != tc.want {
				t.Errorf("transcript %q, want %q", got, tc.want)
			}
			if got := len(d.Results.Items); got != tc.items {
				t.Errorf("%d items, want %d", got, tc.items)
			}
			tagged, hits := 0, 0
			for _, item := range d.Results.Items {
				if item.VocabularyFilterMatch != nil {
					tagged++
					if *item.VocabularyFilterMatch {
						hits++
					}
				}
			}
			if tagged != tc.tagged || hits != tc.hits {
				t.Errorf("%d items are tagged, %d of them matches; want %d and %d", tagged, hits, tc.tagged, tc.hits)
			}
			if got := strings.Count(subtitles, "-->"); got != tc.cues {
				t.Errorf("%d cues, want %d: %q", got, tc.cues, subtitles)
			}
			if clear := strings.Contains(strings.ToLower(subtitles), "damn"); clear != strings.Contains(strings.ToLower(tc.want), "damn") {
				t.Errorf("subtitles %q beside the transcript %q", subtitles, tc.want)
			}
		})
	}
}

func TestPhrasesAreOfOneVoice(t *testing.T) {
	say := func(at, channel, speaker int, text string) speech.Segment {
		s := sentence(at, text)
		s.Channel, s.Speaker = channel, speaker
		return s
	}
	for rule, tc := range map[string]struct {
		segments []speech.Segment
		want     string
	}{
		"speakers": {[]speech.Segment{say(0, 0, 1, "oh bloody"), say(1, 0, 2, "hell no"), say(2, 0, 1, "hell yes")}, "oh *** hell no *** yes"},
		"channels": {[]speech.Segment{say(0, 1, 0, "oh bloody"), say(1, 2, 0, "hell no"), say(2, 1, 0, "hell yes")}, "oh *** hell no *** yes"},
	} {
		t.Run(rule, func(t *testing.T) {
			heard := speech.Transcript{Segments: tc.segments}
			b, filters := filtering(t)
			newFilter(t, filters, "words", "en-US", nil, "bloody hell")
			b.start(t, "job", all(toResults, filtered("words", "mask")))
			b.run(t, hears(filters, heard))
			if d, _ := b.results(t, "job"); d.Results.Transcripts[0].Transcript != tc.want {
				t.Errorf("got %q, want %q", d.Results.Transcripts[0].Transcript, tc.want)
			}
		})
	}
}

// What a filter was at Start may be something else when the job is worked on.
func TestVocabularyFiltersThatChangeMeanwhile(t *testing.T) {
	heard := speech.Transcript{Segments: []speech.Segment{sentence(0, "damn that")}}
	name := &model.DeleteVocabularyFilterRequest{VocabularyFilterName: ptr("words")}
	b, filters := filtering(t)
	newFilter(t, filters, "words", "en-US", nil, "damn")
	b.start(t, "updated", all(toResults, filtered("words", "mask")))
	if _, err := filters.Update(t.Context(), caller, &model.UpdateVocabularyFilterRequest{VocabularyFilterName: ptr("words"), Words: []string{"that"}}); err != nil {
		t.Fatal(err)
	}
	_, stop := b.run(t, hears(filters, heard))
	if d, _ := b.results(t, "updated"); d.Results.Transcripts[0].Transcript != "damn ***" {
		t.Errorf("after an update: %q", d.Results.Transcripts[0].Transcript)
	}
	stop()

	b.start(t, "deleted", all(toResults, filtered("words", "mask")))
	if err := filters.Delete(t.Context(), caller, name); err != nil {
		t.Fatal(err)
	}
	b.run(t, hears(filters, heard))
	r := <-b.reports
	if want := "The requested vocabulary filter couldn't be found. Check the vocabulary filter name and try your request again. Vocabulary filter: words."; r.Job.Status != job.Failed || r.Job.Failure.Reason != want {
		t.Errorf("after a deletion the job is %s: %q", r.Job.Status, r.Job.Failure.Reason)
	}
	if n := b.storage.written("deleted.json"); n != 0 {
		t.Error("a transcript was written")
	}
}

// Words that are replaced while a job is about to read them are read anew.
func TestVocabularyFilterIsUpdatedAsItIsRead(t *testing.T) {
	heard := speech.Transcript{Segments: []speech.Segment{sentence(0, "damn that")}}
	b, filters := filtering(t)
	newFilter(t, filters, "words", "en-US", nil, "damn")
	b.start(t, "job", all(toResults, filtered("words", "mask")))
	once := true
	b.storage.before = func(op, key string) error {
		if op == "open" && strings.HasSuffix(key, "/input.txt") && once {
			once = false
			_, err := filters.Update(t.Context(), caller, &model.UpdateVocabularyFilterRequest{VocabularyFilterName: ptr("words"), Words: []string{"that"}})
			return err
		}
		return nil
	}
	b.run(t, hears(filters, heard))
	if d, _ := b.results(t, "job"); d.Results.Transcripts[0].Transcript != "damn ***" {
		t.Errorf("got %q", d.Results.Transcripts[0].Transcript)
	}
}

// A job reads words under a customer's key with its own rights to the key.
func TestJobsNeedTheKeyOfAFilter(t *testing.T) {
	heard := speech.Transcript{Segments: []speech.Segment{sentence(0, "damn that")}}
	b, filters := filtering(t)
	key := b.world.Key(t, jobtest.Account, kms.NewKey{})
	newFilter(t, filters, "words", "en-US", func(r *model.CreateVocabularyFilterRequest) {
		r.EncryptionConfiguration = &model.EncryptionConfiguration{KMSKey: &key.ARN, KMSEncryptionContext: map[string]string{"team": "blue"}}
	}, "damn")
	alice := as(b.alice(t, readMedia, writeResults))
	start := func(name string) {
		t.Helper()
		if _, err := b.Start(t.Context(), alice, b.request(t, name, all(toResults, filtered("words", "mask")))); err != nil {
			t.Fatal(err)
		}
	}
	start("without")
	_, stop := b.run(t, hears(filters, heard))
	if r := <-b.reports; r.Job.Status != job.Failed || !strings.HasPrefix(r.Job.Failure.Reason, noKey) {
		t.Errorf("without the key the job is %s: %q", r.Job.Status, r.Job.Failure.Reason)
	}
	stop()
	b.world.Allow(t, jobtest.Account, iam.Holder{Type: iam.TypeUser, Name: "alice"}, readMedia, writeResults,
		`Allow "Action":"kms:Decrypt","Resource":"`+key.ARN+`","Condition":{"StringEquals":{"kms:EncryptionContext:team":"blue"}}`)
	start("with")
	b.run(t, hears(filters, heard))
	if d, _ := b.results(t, "with"); d.Results.Transcripts[0].Transcript != "*** that" {
		t.Errorf("got %q", d.Results.Transcripts[0].Transcript)
	}
}
