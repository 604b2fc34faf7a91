package features_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dictum/dictum/test/harness"
)

// The rest of the tutorial's lab, as people type it, with both command lines.
func TestLabWithAWSCLI(t *testing.T) {
	server := harness.Run(t)
	clients := server.Clients("us-east-1")
	bucket := clients.Bucket(t, "lab")
	put(t, clients, bucket, "call.wav", write(t, "call.wav", 1, call(t)))
	for version, aws := range map[string][]string{
		"v1": {filepath.Join(harness.Root(), ".cache/venv/bin/aws")},
		"v2": {"/usr/bin/aws", "--endpoint-url", server.Env["AWS_ENDPOINT_URL"]},
	} {
		run := func(t *testing.T, args ...string) []byte {
			t.Helper()
			command := exec.CommandContext(t.Context(), aws[0], append(append([]string(nil), aws[1:]...), args...)...)
			command.Env = append(server.Environ(t.TempDir()), "AWS_DEFAULT_REGION=us-east-1")
			out, err := command.CombinedOutput()
			if err != nil {
				t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
			}
			return out
		}
		transcribe := func(t *testing.T, name string, options ...string) {
			t.Helper()
			run(t, append([]string{
				"transcribe", "start-transcription-job", "--transcription-job-name", name, "--language-code", "en-US",
				"--media", "MediaFileUri=s3://" + bucket + "/call.wav", "--output-bucket-name", bucket,
			}, options...)...)
			finished(t, clients, name)
		}
		t.Run(version+" speakers", func(t *testing.T) {
			name := "speakers-" + version
			transcribe(t, name, "--settings", "ShowSpeakerLabels=true,MaxSpeakerLabels=2")
			var document struct {
				Results struct {
					Labels struct {
						Speakers int `json:"speakers"`
						Segments []struct {
							Speaker string `json:"speaker_label"`
						} `json:"segments"`
					} `json:"speaker_labels"`
				} `json:"results"`
			}
			if err := json.Unmarshal(get(t, clients, bucket, name+".json"), &document); err != nil {
				t.Fatal(err)
			}
			turns := ""
			for _, s := range document.Results.Labels.Segments {
				if !strings.HasSuffix(turns, s.Speaker[4:]) {
					turns += s.Speaker[4:]
				}
			}
			if document.Results.Labels.Speakers != 2 || turns != "0101" {
				t.Errorf("%d speakers in turns %s, want 2 in 0101", document.Results.Labels.Speakers, turns)
			}
		})
		t.Run(version+" redaction", func(t *testing.T) {
			name := "redaction-" + version
			transcribe(t, name, "--content-redaction", "RedactionType=PII,RedactionOutput=redacted")
			content := string(get(t, clients, bucket, "redacted-"+name+".json"))
			if !strings.Contains(content, `starting with the area code. [PII]`) || !strings.Contains(content, `"type":"PHONE"`) || !strings.Contains(content, `"isRedacted":true`) {
				t.Error(content)
			}
			out := run(t, "transcribe", "get-transcription-job", "--transcription-job-name", name, "--query", "TranscriptionJob.Transcript", "--output", "json")
			if strings.Contains(string(out), `"TranscriptFileUri"`) || !strings.Contains(string(out), "redacted-"+name+".json") {
				t.Errorf("Transcript: %s", out)
			}
		})
		t.Run(version+" filter from a file", func(t *testing.T) {
			put(t, clients, bucket, "words.txt", writeText(t, "worst\nwisdom\n"))
			name := "filter-" + version
			run(t, "transcribe", "create-vocabulary-filter", "--vocabulary-filter-name", name, "--language-code", "en-US",
				"--vocabulary-filter-file-uri", "s3://"+bucket+"/words.txt", "--tags", "Key=Team,Value=x")
			transcribe(t, name, "--settings", "VocabularyFilterName="+name+",VocabularyFilterMethod=mask")
			if content := string(get(t, clients, bucket, name+".json")); !strings.Contains(content, "the *** of times") || strings.Contains(content, "wisdom") {
				t.Error(content)
			}
			run(t, "transcribe", "delete-vocabulary-filter", "--vocabulary-filter-name", name)
		})
	}
}

func TestBoto3(t *testing.T) {
	server := harness.Run(t)
	clients := server.Clients("us-east-1")
	bucket := clients.Bucket(t, "boto")
	put(t, clients, bucket, "call.wav", write(t, "call.wav", 2, call(t)))
	put(t, clients, bucket, "bilingual.wav", write(t, "bilingual.wav", 1, bilingual(t)))
	command := exec.CommandContext(t.Context(), filepath.Join(harness.Root(), ".cache/venv/bin/python"), "features.py", bucket)
	command.Env = server.Environ(t.TempDir())
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
