// Package crash_test kills servers and engines in every phase of a job, and checks that each
// acknowledged job comes to exactly one result.
package crash_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/transcribe"
	"github.com/aws/aws-sdk-go-v2/service/transcribe/types"

	"github.com/dictum/dictum/test/harness"
)

const (
	bucket   = "crash"
	jobCount = 6
	jobLimit = 4 * time.Minute
)

func TestServerKilledInEachPhase(t *testing.T) {
	phases := []struct {
		name  string
		reach func(t *testing.T, f *fixture)
	}{
		{"as soon as the jobs are acknowledged", func(*testing.T, *fixture) {}},
		{"while the engine works", func(t *testing.T, f *fixture) { f.awaitEngine(t) }},
		{"when the first result is written", func(t *testing.T, f *fixture) { f.awaitResults(t, 1) }},
		{"when half the results are written", func(t *testing.T, f *fixture) { f.awaitResults(t, jobCount/2) }},
		{"when all results are written", func(t *testing.T, f *fixture) { f.awaitResults(t, jobCount) }},
	}
	for _, phase := range phases {
		t.Run(phase.name, func(t *testing.T) {
			f := newFixture(t)
			f.startJobs(t)
			phase.reach(t, f)
			before := f.completed(t)
			if err := f.server.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := f.server.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.checkResults(t, before)
		})
	}
}

func TestServerKilledAgainAndAgain(t *testing.T) {
	f := newFixture(t)
	f.startJobs(t)
	before := map[string]string{}
	for range 3 {
		f.awaitEngine(t)
		for job, etag := range f.completed(t) {
			before[job] = etag
		}
		if err := f.server.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := f.server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.checkResults(t, before)
}

func TestEngineKilled(t *testing.T) {
	f := newFixture(t)
	f.startJobs(t)
	for range 2 {
		for _, pid := range f.awaitEngine(t) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				t.Fatal(err)
			}
		}
	}
	f.checkResults(t, nil)
}

func TestGracefulStopHandsJobsBack(t *testing.T) {
	f := newFixture(t)
	f.startJobs(t)
	f.awaitEngine(t)
	before := f.completed(t)
	began := time.Now()
	if err := f.server.Stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("SIGTERM took %v, want the grace of 10 s and little more", took)
	}
	if err := f.server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.checkResults(t, before)
}

func TestTwoServersOnOneDataFolder(t *testing.T) {
	data := t.TempDir()
	harness.RunIn(t, data)
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	second := exec.CommandContext(ctx, binary, "serve", "--data", data, "--api", "127.0.0.1:0", "--console", "127.0.0.1:0", "--ops", "127.0.0.1:0")
	out, err := second.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !exit.Exited() {
		t.Fatalf("the second server ended with %v, want an exit code: %s", err, out)
	}
	if !strings.Contains(string(out), "another dictum process uses the data folder") {
		t.Errorf("the second server does not say why: %s", out)
	}
}

// fixture is a server with recordings and jobs.
type fixture struct {
	server  *harness.Server
	clients *harness.Clients
	uri     string
}

func newFixture(t *testing.T) *fixture {
	server := harness.Run(t)
	f := &fixture{server: server, clients: server.Clients("us-east-1")}
	f.clients.Bucket(t, bucket)
	recording, err := os.ReadFile(harness.Excerpt(t, 12, "recording.wav", "-ar", "16000"))
	if err != nil {
		t.Fatal(err)
	}
	f.uri = f.clients.Put(t, bucket, "in/recording.wav", recording)
	return f
}

func jobName(i int) string { return fmt.Sprintf("job-%d", i) }

func outputKey(job string) string { return "out/" + job + "/" + job + ".json" }

// startJobs starts jobCount jobs, each acknowledged.
func (f *fixture) startJobs(t *testing.T) {
	t.Helper()
	for i := range jobCount {
		name := jobName(i)
		if _, err := f.clients.Transcribe.StartTranscriptionJob(t.Context(), &transcribe.StartTranscriptionJobInput{
			TranscriptionJobName: &name,
			LanguageCode:         "en-US",
			Media:                &types.Media{MediaFileUri: &f.uri},
			OutputBucketName:     aws.String(bucket),
			OutputKey:            aws.String(outputKey(name)),
		}); err != nil {
			t.Fatalf("start %s: %v", name, err)
		}
	}
}

// awaitEngine waits until the engine child runs and returns the server's children.
func (f *fixture) awaitEngine(t *testing.T) []int {
	t.Helper()
	var children []int
	harness.Until(t, time.Minute, "the engine runs", func() bool {
		var err error
		if children, err = f.server.Children(); err != nil {
			t.Fatal(err)
		}
		return len(children) > 0
	})
	return children
}

// awaitResults waits until that many jobs are complete.
func (f *fixture) awaitResults(t *testing.T, count int) {
	t.Helper()
	harness.Until(t, jobLimit, fmt.Sprintf("%d jobs are complete", count), func() bool { return len(f.completed(t)) >= count })
}

// completed maps the jobs that are complete now to their results' ETags.
func (f *fixture) completed(t *testing.T) map[string]string {
	t.Helper()
	etags := map[string]string{}
	for i := range jobCount {
		name := jobName(i)
		out, err := f.clients.Transcribe.GetTranscriptionJob(t.Context(), &transcribe.GetTranscriptionJobInput{TranscriptionJobName: &name})
		if err != nil {
			t.Fatalf("get %s: %v", name, err)
		}
		if out.TranscriptionJob.TranscriptionJobStatus != types.TranscriptionJobStatusCompleted {
			continue
		}
		head, err := f.clients.S3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String(outputKey(name))})
		if err != nil {
			t.Fatalf("%s is complete and has no result: %v", name, err)
		}
		etags[name] = *head.ETag + head.LastModified.String()
	}
	return etags
}

// checkResults waits for all jobs, and checks that each has one result and that results which
// were there before are the ones that are there now.
func (f *fixture) checkResults(t *testing.T, before map[string]string) {
	t.Helper()
	for i := range jobCount {
		job := f.clients.Await(t, jobName(i), jobLimit)
		if job.TranscriptionJobStatus != types.TranscriptionJobStatusCompleted {
			t.Errorf("%s is %s: %s", *job.TranscriptionJobName, job.TranscriptionJobStatus, aws.ToString(job.FailureReason))
		}
	}
	after := f.completed(t)
	for job, etag := range before {
		if after[job] != etag {
			t.Errorf("%s had the result %s and now has %s", job, etag, after[job])
		}
	}
	listed, err := f.clients.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("out/")})
	if err != nil {
		t.Fatal(err)
	}
	results := 0
	for _, object := range listed.Contents {
		if !strings.HasSuffix(*object.Key, "/.write_access_check_file.temp") {
			results++
		}
	}
	if results != jobCount {
		t.Errorf("%d results for %d jobs", results, jobCount)
	}
}
