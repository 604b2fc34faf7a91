// Package leftovers_test looks for what a job leaves behind: pieces of known audio, transcripts, names and secrets in every
// byte below the data folder and the temporary folder, and in unlinked files that are still open, while jobs run, after they
// end either way, after kill -9, and after all is deleted.
package leftovers_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/transcribe"
	"github.com/aws/aws-sdk-go-v2/service/transcribe/types"

	"github.com/dictum/dictum/test/harness"
)

// What is looked for by name. None of these words is in anything else that a server writes.
const (
	bucket   = "quokka-recordings"
	metadata = "pangolin-metadata"
	tag      = "ocelot-tag-value"
	user     = "narwhal-user"
	policy   = "capybara-policy"
)

const jobLimit = 3 * time.Minute

// stride is how densely content is looked for: a page of 4 KiB of it anywhere is found.
const stride = 1000

// media is a recording in one format.
type media struct {
	format  string
	content []byte
	// fails tells that its job must fail.
	fails bool
}

// fixture is a server in folders of its own, and what must not be found in them.
type fixture struct {
	server    *harness.Server
	clients   *harness.Clients
	data, tmp string
	// home is the server's home folder, in which it has no business.
	home    string
	needles *needles
	media   []media
	looks   int
	bytes   int64
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{data: t.TempDir(), tmp: t.TempDir(), home: t.TempDir(), needles: newNeedles()}
	f.record(t)
	models := filepath.Dir(filepath.Dir(harness.ReadingFile(t)))
	f.server = harness.RunWith(t, harness.Options{
		Data: f.data, Flags: []string{"--models", models},
		Env: []string{"TMPDIR=" + f.tmp, "HOME=" + f.home, "XDG_CACHE_HOME=" + f.home + "/cache", "XDG_DATA_HOME=" + f.home + "/data"},
	})
	f.clients = f.server.Clients("us-east-1")
	f.needles.add("a bucket's name", bucket)
	f.needles.add("an object's metadata", metadata)
	f.needles.add("a tag", tag)
	f.needles.add("a job's name", "axolotl-job")
	f.needles.add("an object's key", "wombat-key")
	f.needles.add("a user's name", user)
	f.needles.add("a policy's name", policy)
	f.needles.add("a secret access key", f.server.Env["AWS_SECRET_ACCESS_KEY"])
	f.needles.add("transcript text", longWords(harness.Reading)...)
	return f
}

// longWords are a text's words that are long enough to be looked for, as they stand in it.
func longWords(text string) []string {
	var long []string
	for _, word := range strings.Fields(text) {
		if word = strings.Trim(word, ".,;"); len(word) >= prefix {
			long = append(long, word)
		}
	}
	return long
}

// record makes the recordings, and needles of their bytes and of the audio in them, as files hold it and as the
// program works on it.
func (f *fixture) record(t *testing.T) {
	t.Helper()
	read := func(name string, options ...string) []byte {
		b, err := os.ReadFile(harness.Excerpt(t, 30, name, options...))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	wav := read("x.wav", "-ar", "16000", "-c:a", "pcm_s16le")
	m4a := read("x.m4a", "-ar", "16000", "-movflags", "+faststart")
	f.media = []media{
		{format: "wav", content: wav},
		{format: "m4a", content: m4a},
		{format: "m4a", content: m4a[:3000], fails: true},
		{format: "wav", content: []byte("RIFF\x00\x00\x00\x00WAVEfmt " + strings.Repeat("gibbon-noise ", 1000)), fails: true},
	}
	for _, m := range f.media {
		f.needles.addWindows("encoded "+m.format, m.content, stride)
	}
	f.needles.addWindows("audio as 16-bit samples", wav[44:], stride)
	f.needles.addWindows("audio as floats", floats(wav[44:]), stride)
	// What ffmpeg hands over of the M4A.
	decode := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", "pipe:0", "-f", "f32le", "-ar", "16000", "-ac", "1", "pipe:1")
	decode.Stdin = strings.NewReader(string(m4a))
	decoded, err := decode.Output()
	if err != nil {
		t.Fatalf("decode M4A: %v", err)
	}
	f.needles.addWindows("audio as floats, of ffmpeg", decoded, stride)
}

// floats turns 16-bit samples into 32-bit floats.
func floats(samples []byte) []byte {
	var out []byte
	for i := 0; i+1 < len(samples); i += 2 {
		v := float32(int16(binary.LittleEndian.Uint16(samples[i:]))) / 32768
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

// look searches everything, and fails the test when something is found.
func (f *fixture) look(t *testing.T, when string) {
	t.Helper()
	var all []string
	for _, dir := range []string{f.data, f.tmp} {
		found, n, err := f.needles.searchTree(dir)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
		f.bytes += n
	}
	for _, pid := range descendants(f.server.Pid()) {
		all = append(all, f.needles.searchOpen(pid, []string{f.data, f.tmp})...)
	}
	// ONNX Runtime keeps a database there of what it reports to its vendor, unless it is told not to.
	strays, err := filepath.Glob(f.home + "/*")
	if hidden, _ := filepath.Glob(f.home + "/.*"); err == nil {
		strays = append(strays, hidden...)
	}
	for _, stray := range strays {
		all = append(all, stray+", which nobody asked for")
	}
	f.looks++
	for _, found := range all {
		t.Errorf("%s: found %s", when, found)
	}
}

// jobName is the name of the job of one of the media.
func jobName(round, i int) string { return fmt.Sprintf("axolotl-job-%d-%d", round, i) }

// start starts a job of each of the media.
func (f *fixture) start(t *testing.T, round int) {
	t.Helper()
	for i, m := range f.media {
		key := fmt.Sprintf("in/wombat-key-%d.%s", i, m.format)
		if _, err := f.clients.S3.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader(string(m.content)), Metadata: map[string]string{"note": metadata},
		}); err != nil {
			t.Fatal(err)
		}
		in := &transcribe.StartTranscriptionJobInput{
			TranscriptionJobName: aws.String(jobName(round, i)), LanguageCode: "en-US",
			Media:     &types.Media{MediaFileUri: aws.String("s3://" + bucket + "/" + key)},
			Tags:      []types.Tag{{Key: aws.String("kind"), Value: aws.String(tag)}},
			Subtitles: &types.Subtitles{Formats: []types.SubtitleFormat{"srt", "vtt"}},
		}
		if i == 0 { // the others' output is the service's own
			in.OutputBucketName = aws.String(bucket)
		}
		if _, err := f.clients.Transcribe.StartTranscriptionJob(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
}

// running counts the jobs of a round that have not ended.
func (f *fixture) running(t *testing.T, round int) int {
	t.Helper()
	n := 0
	for i := range f.media {
		out, err := f.clients.Transcribe.GetTranscriptionJob(t.Context(), &transcribe.GetTranscriptionJobInput{TranscriptionJobName: aws.String(jobName(round, i))})
		if err != nil {
			t.Fatal(err)
		}
		if !harness.Ended(out.TranscriptionJob) {
			n++
		}
	}
	return n
}

// finish looks again and again until the jobs of a round have ended, and checks how.
func (f *fixture) finish(t *testing.T, round int) {
	t.Helper()
	deadline, during := time.Now().Add(jobLimit), 0
	for f.running(t, round) > 0 {
		f.look(t, "while jobs run")
		if f.running(t, round) > 0 {
			during++
		}
		if time.Now().After(deadline) {
			t.Fatalf("jobs have not ended within %v", jobLimit)
		}
	}
	if during == 0 {
		t.Error("there was no look while a job ran")
	}
	for i, m := range f.media {
		job := f.clients.Await(t, jobName(round, i), time.Minute)
		if got := job.TranscriptionJobStatus == types.TranscriptionJobStatusFailed; got != m.fails {
			t.Fatalf("%s is %s: %s", jobName(round, i), job.TranscriptionJobStatus, aws.ToString(job.FailureReason))
		}
	}
}

// transcripts checks that the recogniser heard what is looked for, and adds what it wrote word for word.
func (f *fixture) transcripts(t *testing.T, round int) {
	t.Helper()
	job := f.clients.Await(t, jobName(round, 1), time.Minute)
	resp, err := http.Get(*job.Transcript.TranscriptFileUri)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Results struct {
			Transcripts []struct{ Transcript string }
		}
	}
	if err := json.Unmarshal(raw, &document); err != nil || len(document.Results.Transcripts) != 1 {
		t.Fatalf("%v in %s", err, raw)
	}
	text := document.Results.Transcripts[0].Transcript
	if rate := harness.OpeningErrorRate(text); rate > 0.2 {
		t.Fatalf("word error rate %v: %s", rate, text)
	}
	f.needles.add("transcript text", longWords(text)...)
	for at := 0; at+24 <= len(text); at += 8 {
		f.needles.add("transcript text", text[at:at+24])
	}
	f.needles.addWindows("a transcript document", raw, 64)
}

func TestNothingIsLeftBehind(t *testing.T) {
	f := newFixture(t)
	f.clients.Bucket(t, bucket)
	f.people(t)

	f.start(t, 1)
	f.finish(t, 1)
	f.transcripts(t, 1)
	f.look(t, "after jobs have ended")

	f.start(t, 2)
	f.look(t, "when jobs are accepted")
	f.kill(t)
	f.look(t, "after kill -9 of the server and the engine")
	if err := f.server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.finish(t, 2)
	f.look(t, "after jobs that a crash had cut have ended")

	f.remove(t)
	f.look(t, "after all was deleted")
	if err := f.server.Stop(); err != nil {
		t.Fatal(err)
	}
	f.look(t, "after the server has stopped")
	if err := f.server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d looks for %d pieces, %d MB in all", f.looks, f.needles.count, f.bytes>>20)
}

// kill ends the server and all that it started once they work on audio.
func (f *fixture) kill(t *testing.T) {
	t.Helper()
	var pids []int
	harness.Until(t, time.Minute, "the engine and a decoder run", func() bool {
		pids = descendants(f.server.Pid())
		return len(pids) > 2
	})
	f.look(t, "right before kill -9")
	for _, pid := range pids[1:] {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	if err := f.server.Kill(); err != nil {
		t.Fatal(err)
	}
}

// people makes a user with a policy and a key, and a session.
func (f *fixture) people(t *testing.T) {
	t.Helper()
	client := iam.NewFromConfig(f.clients.Config)
	if _, err := client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String(user)}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{
		UserName: aws.String(user), PolicyName: aws.String(policy),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + bucket + `/*"}]}`),
	}); err != nil {
		t.Fatal(err)
	}
	out, err := client.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String(user)})
	if err != nil {
		t.Fatal(err)
	}
	f.needles.add("a secret access key", *out.AccessKey.SecretAccessKey)
	session, err := f.clients.STS.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	f.needles.add("a session's secret access key", *session.Credentials.SecretAccessKey)
	f.needles.addWindows("a session token", []byte(*session.Credentials.SessionToken), 16)
}

// remove deletes jobs and objects.
func (f *fixture) remove(t *testing.T) {
	t.Helper()
	for round := range 2 {
		for i := range f.media {
			if _, err := f.clients.Transcribe.DeleteTranscriptionJob(t.Context(), &transcribe.DeleteTranscriptionJobInput{TranscriptionJobName: aws.String(jobName(round+1, i))}); err != nil {
				t.Fatal(err)
			}
		}
	}
	listed, err := f.clients.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range listed.Contents {
		if _, err := f.clients.S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: object.Key}); err != nil {
			t.Fatal(err)
		}
	}
}
