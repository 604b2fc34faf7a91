// Package lab_test runs the batch lab (scripts/lab.sh) with the AWS CLIs that people have: v1
// from pip, which reads AWS_ENDPOINT_URL, and Debian's v2, which needs --endpoint-url.
package lab_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/dictum/dictum/test/harness"
)

// maxWordErrorRate is the share of wrong words that the lab's transcript may have.
const maxWordErrorRate = 0.10

func TestLab(t *testing.T) {
	server := harness.Run(t)
	sample := harness.Excerpt(t, 20, "sample.mp3", "-b:a", "64k")
	clis := map[string]string{
		"v1": filepath.Join(harness.Root(), ".cache/venv/bin/aws"),
		"v2": "/usr/bin/aws --endpoint-url " + server.Env["AWS_ENDPOINT_URL"],
	}
	for _, cli := range []string{"v1", "v2"} {
		for _, region := range []string{"us-east-1", "eu-west-1"} {
			for _, outputKey := range []bool{true, false} {
				name := fmt.Sprintf("CLI %s in %s with output key %v", cli, region, outputKey)
				t.Run(name, func(t *testing.T) {
					id := fmt.Sprintf("lab-%s-%s-%v", cli, region, outputKey)
					runLab(t, server, clis[cli], region, id, sample, outputKey)
				})
			}
		}
	}
}

func runLab(t *testing.T, server *harness.Server, aws, region, id, sample string, outputKey bool) {
	dir := t.TempDir()
	args := []string{"--aws", aws, "--region", region, "--bucket", id, "--job", id, "--sample", sample}
	if outputKey {
		args = append(args, "--output-key")
	}
	command := exec.CommandContext(t.Context(), filepath.Join(harness.Root(), "scripts", "lab.sh"), args...)
	command.Dir = dir
	command.Env = server.Environ(dir)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("lab: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "\nus-east-1\n") {
		t.Errorf("aws configure get region did not print us-east-1:\n%s", out)
	}
	checkTranscript(t, filepath.Join(dir, "transcript.json"), id)
	checkSubtitles(t, filepath.Join(dir, "transcript.vtt"), "WEBVTT\n\n", ".")
	checkSubtitles(t, filepath.Join(dir, "transcript.srt"), "", ",")
	checkGone(t, filepath.Join(dir, "uri.txt"))
}

// document is the part of the transcript document that is looked at here.
type document struct {
	JobName   string `json:"jobName"`
	AccountID string `json:"accountId"`
	Status    string `json:"status"`
	Results   struct {
		Transcripts []struct {
			Transcript string `json:"transcript"`
		} `json:"transcripts"`
		Items []struct {
			Type         string  `json:"type"`
			StartTime    *string `json:"start_time"`
			EndTime      *string `json:"end_time"`
			Alternatives []struct {
				Content    string `json:"content"`
				Confidence string `json:"confidence"`
			} `json:"alternatives"`
		} `json:"items"`
	} `json:"results"`
}

func checkTranscript(t *testing.T, file, job string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(content, &doc); err != nil {
		t.Fatalf("transcript: %v\n%s", err, content)
	}
	if doc.JobName != job || doc.Status != "COMPLETED" || !regexp.MustCompile(`^\d{12}$`).MatchString(doc.AccountID) {
		t.Errorf("jobName %q, status %q, accountId %q; want %q, COMPLETED and 12 digits", doc.JobName, doc.Status, doc.AccountID, job)
	}
	if len(doc.Results.Transcripts) != 1 {
		t.Fatalf("%d transcripts, want 1", len(doc.Results.Transcripts))
	}
	text := doc.Results.Transcripts[0].Transcript
	if rate := harness.OpeningErrorRate(text); rate > maxWordErrorRate || len(harness.Words(text)) < 30 {
		t.Errorf("word error rate %.3f over %d words, want at most %v over 30 or more: %s", rate, len(harness.Words(text)), maxWordErrorRate, text)
	}
	last, marks := 0.0, 0
	for _, item := range doc.Results.Items {
		if item.Type == "punctuation" {
			marks++
			if item.StartTime != nil || item.Alternatives[0].Confidence != "0.0" {
				t.Errorf("punctuation has a time or a confidence: %+v", item)
			}
			continue
		}
		if item.StartTime == nil || item.EndTime == nil {
			t.Fatalf("word without times: %+v", item)
		}
		start, end, confidence := number(t, *item.StartTime), number(t, *item.EndTime), number(t, item.Alternatives[0].Confidence)
		if start < last || end <= start {
			t.Errorf("word %q from %v to %v after one that began at %v", item.Alternatives[0].Content, start, end, last)
		}
		if confidence <= 0 || confidence > 1 {
			t.Errorf("word %q has confidence %v", item.Alternatives[0].Content, confidence)
		}
		last = start
	}
	if marks == 0 {
		t.Error("no punctuation items")
	}
}

// number reads a decimal as the documents write it: at least one digit after the point, three at most.
func number(t *testing.T, s string) float64 {
	t.Helper()
	if !regexp.MustCompile(`^\d+\.\d{1,4}$`).MatchString(s) {
		t.Errorf("%q is not a decimal as Amazon Transcribe writes it", s)
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func checkSubtitles(t *testing.T, file, head, point string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const clock = `\d\d:\d\d:\d\d%[1]s\d{3}`
	first := regexp.MustCompile(fmt.Sprintf(`^%[2]s0\n`+clock+` --> `+clock+"\n", regexp.QuoteMeta(point), head))
	if !first.Match(content) {
		t.Errorf("%s does not begin with cue 0:\n%.200s", filepath.Base(file), content)
	}
	if !strings.Contains(strings.ToLower(string(content)), "best of times") {
		t.Errorf("%s does not carry the words:\n%.200s", filepath.Base(file), content)
	}
}

// checkGone asks once more for the transcript, whose job and bucket have been deleted.
func checkGone(t *testing.T, file string) {
	t.Helper()
	uri, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(strings.TrimSpace(string(uri)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusForbidden {
		t.Errorf("the transcript of a deleted job answers %s", response.Status)
	}
}
