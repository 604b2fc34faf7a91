// Package formats_test sends every kind of media that Dictum takes, and every kind that it must
// refuse, through the API of a running server.
package formats_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/transcribe"
	"github.com/aws/aws-sdk-go-v2/service/transcribe/types"

	"github.com/dictum/dictum/test/harness"
)

// jobLimit is how long the slowest of a test's jobs may take, all of them sharing the machine.
const jobLimit = 3 * time.Minute

// maxWordErrorRate allows for telephone codecs and a sentence cut at the excerpt's end.
const maxWordErrorRate = 0.15

// excerptSeconds is enough for four clauses of the reading.
const excerptSeconds = 10

func TestAcceptedMedia(t *testing.T) {
	cases := []struct {
		name, file string
		options    []string // for ffmpeg
		format     types.MediaFormat
		rate       int32
	}{
		{"WAV PCM 8 bit", "u8.wav", []string{"-c:a", "pcm_u8", "-ar", "16000"}, "wav", 16000},
		{"WAV PCM 16 bit", "s16.wav", []string{"-c:a", "pcm_s16le", "-ar", "16000"}, "wav", 16000},
		{"WAV PCM 24 bit, WAVE_EXTENSIBLE", "s24.wav", []string{"-c:a", "pcm_s24le", "-ar", "44100"}, "wav", 44100},
		{"WAV PCM 32 bit", "s32.wav", []string{"-c:a", "pcm_s32le", "-ar", "48000"}, "wav", 48000},
		{"WAV float", "f32.wav", []string{"-c:a", "pcm_f32le", "-ar", "22050"}, "wav", 22050},
		{"WAV mu-law", "mulaw.wav", []string{"-c:a", "pcm_mulaw", "-ar", "8000"}, "wav", 8000},
		{"WAV A-law", "alaw.wav", []string{"-c:a", "pcm_alaw", "-ar", "8000"}, "wav", 8000},
		{"WAV stereo", "stereo.wav", []string{"-c:a", "pcm_s16le", "-ac", "2", "-ar", "16000"}, "wav", 16000},
		{"FLAC", "x.flac", []string{"-ar", "44100"}, "flac", 44100},
		{"MP3", "x.mp3", []string{"-ar", "24000"}, "mp3", 24000},
		{"Ogg with Opus", "x.ogg", []string{"-c:a", "libopus"}, "ogg", 48000},
		{"M4A, moov at the end", "end.m4a", []string{"-ar", "44100"}, "m4a", 44100},
		{"M4A, moov at the start", "start.m4a", []string{"-ar", "44100", "-movflags", "+faststart"}, "m4a", 44100},
		{"MP4 with video", "x.mp4", nil, "mp4", 48000},
		{"WebM", "x.webm", []string{"-c:a", "libopus"}, "webm", 48000},
		{"AMR", "x.amr", nil, "amr", 8000},
	}
	server := harness.Run(t)
	clients := server.Clients("us-east-1")
	bucket := clients.Bucket(t, "formats")
	for i, c := range cases {
		uri := clients.Put(t, bucket, c.file, media(t, c.file, c.options))
		start(t, clients, &transcribe.StartTranscriptionJobInput{
			TranscriptionJobName: aws.String(fmt.Sprint("accepted-", i)),
			Media:                &types.Media{MediaFileUri: &uri},
			LanguageCode:         "en-US",
		})
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			job := clients.Await(t, fmt.Sprint("accepted-", i), jobLimit)
			if job.TranscriptionJobStatus != types.TranscriptionJobStatusCompleted {
				t.Fatalf("status %s: %s", job.TranscriptionJobStatus, aws.ToString(job.FailureReason))
			}
			if got := job.MediaFormat; got != c.format {
				t.Errorf("MediaFormat %q, want %q", got, c.format)
			}
			if got := aws.ToInt32(job.MediaSampleRateHertz); got != c.rate {
				t.Errorf("MediaSampleRateHertz %d, want %d", got, c.rate)
			}
			text := transcript(t, job)
			if rate := harness.OpeningErrorRate(text); rate > maxWordErrorRate || len(harness.Words(text)) < 15 {
				t.Errorf("word error rate %.3f, want at most %v: %s", rate, maxWordErrorRate, text)
			}
		})
	}
}

func TestMediaThatFailTheJob(t *testing.T) {
	plain := media(t, "plain.wav", []string{"-c:a", "pcm_s16le", "-ar", "16000"})
	m4a := media(t, "x.m4a", nil)
	cases := []struct {
		name    string
		content []byte
		change  func(*transcribe.StartTranscriptionJobInput)
		reason  string // prefix of FailureReason
	}{
		{
			"another format than given", plain, func(in *transcribe.StartTranscriptionJobInput) { in.MediaFormat = "flac" },
			"The media format provided does not match the detected media format.",
		},
		{
			"another sample rate than given", plain, func(in *transcribe.StartTranscriptionJobInput) { in.MediaSampleRateHertz = aws.Int32(44100) },
			"The sample rate provided does not match the detected sample rate",
		},
		{"sample rate under 8 kHz", media(t, "low.wav", []string{"-c:a", "pcm_s16le", "-ar", "4000"}), nil, "Invalid sample rate for audio file."},
		{"sample rate over 48 kHz", media(t, "high.wav", []string{"-c:a", "pcm_s16le", "-ar", "96000"}), nil, "Invalid sample rate for audio file."},
		{
			"shorter than half a second", synthetic(t, "sine=frequency=300:duration=0.3"), nil,
			"The input media file length is too small. Minimum audio duration is 0.500000 seconds.",
		},
		{"empty", nil, nil, "Unsupported media format."},
		{"not audio", []byte(strings.Repeat("This is a text, not audio.\n", 400)), nil, "Unsupported media format."},
		{"truncated before its index", m4a[:len(m4a)/2], nil, "The data in your input media file isn't valid."},
		{"header only", plain[:44], nil, "The "}, // either too small or not valid is true
		{
			"three channels", synthetic(t, "aevalsrc=sin(300*t)|sin(400*t)|sin(500*t):d=3:s=16000"), nil,
			"Invalid number of channels: number of channels too large.",
		},
		{
			"no speech to identify the language by", synthetic(t, "anullsrc=r=16000:cl=mono,atrim=duration=5"),
			func(in *transcribe.StartTranscriptionJobInput) {
				in.LanguageCode, in.IdentifyLanguage = "", aws.Bool(true)
			},
			"Your audio file must have a speech segment long enough in duration to perform automatic language identification.",
		},
	}
	server := harness.Run(t)
	clients := server.Clients("us-east-1")
	bucket := clients.Bucket(t, "failures")
	for i, c := range cases {
		uri := clients.Put(t, bucket, fmt.Sprint(i), c.content)
		in := &transcribe.StartTranscriptionJobInput{
			TranscriptionJobName: aws.String(fmt.Sprint("failing-", i)),
			Media:                &types.Media{MediaFileUri: &uri},
			LanguageCode:         "en-US",
		}
		if c.change != nil {
			c.change(in)
		}
		start(t, clients, in)
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			job := clients.Await(t, fmt.Sprint("failing-", i), jobLimit)
			if job.TranscriptionJobStatus != types.TranscriptionJobStatusFailed {
				t.Fatalf("status %s, want FAILED", job.TranscriptionJobStatus)
			}
			if got := aws.ToString(job.FailureReason); !strings.HasPrefix(got, c.reason) {
				t.Errorf("FailureReason %q, want one that begins with %q", got, c.reason)
			}
			if job.Transcript != nil && job.Transcript.TranscriptFileUri != nil {
				t.Error("a failed job has a transcript")
			}
		})
	}
}

func TestMediaWithoutSpeech(t *testing.T) {
	cases := []struct{ name, source string }{
		{"silence", "anullsrc=r=16000:cl=mono,atrim=duration=20"},
		{"white noise", "anoisesrc=d=20:c=white:r=16000:a=0.3:seed=7"},
		{"brown noise", "anoisesrc=d=20:c=brown:r=16000:a=0.5:seed=7"},
		{"a tone", "sine=frequency=440:duration=20:sample_rate=16000"},
		{"chords", "aevalsrc=0.2*sin(2*PI*(262+66*floor(mod(t\\,3)))*t)+0.2*sin(2*PI*(330+82*floor(mod(t\\,3)))*t):d=20:s=16000"},
	}
	server := harness.Run(t)
	clients := server.Clients("us-east-1")
	bucket := clients.Bucket(t, "no-speech")
	for i, c := range cases {
		uri := clients.Put(t, bucket, fmt.Sprint(i), synthetic(t, c.source))
		start(t, clients, &transcribe.StartTranscriptionJobInput{
			TranscriptionJobName: aws.String(fmt.Sprint("silent-", i)),
			Media:                &types.Media{MediaFileUri: &uri},
			LanguageCode:         "en-US",
		})
	}
	for i, c := range cases {
		t.Run(c.name+" invents nothing", func(t *testing.T) {
			job := clients.Await(t, fmt.Sprint("silent-", i), jobLimit)
			if job.TranscriptionJobStatus != types.TranscriptionJobStatusCompleted {
				t.Fatalf("status %s: %s", job.TranscriptionJobStatus, aws.ToString(job.FailureReason))
			}
			if text := transcript(t, job); text != "" {
				t.Errorf("transcript %q, want none", text)
			}
		})
	}
}

func TestMediaThatAreRefusedAtStart(t *testing.T) {
	const (
		unreadable = "The S3 URI that you provided can't be accessed. Make sure that you have read permission and try your request again."
		unwritable = "The specified S3 bucket can't be accessed. Make sure you have write permission on the bucket and try your request again."
	)
	server := harness.Run(t)
	clients := server.Clients("us-east-1")
	bucket := clients.Bucket(t, "refused")
	uri := clients.Put(t, bucket, "a.wav", synthetic(t, "sine=duration=1"))
	cases := []struct {
		name, uri, output, message string
	}{
		{"missing object", "s3://refused/none.wav", "", unreadable},
		{"bucket of nobody", "s3://nobody-has-this-bucket/a.wav", "", unreadable},
		{"output to a bucket of nobody", uri, "nobody-has-this-bucket", unwritable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := &transcribe.StartTranscriptionJobInput{
				TranscriptionJobName: aws.String("refused"),
				Media:                &types.Media{MediaFileUri: &c.uri},
				LanguageCode:         "en-US",
			}
			if c.output != "" {
				in.OutputBucketName = &c.output
			}
			_, err := clients.Transcribe.StartTranscriptionJob(t.Context(), in)
			if got := harness.ErrorCode(err); got != "BadRequestException" {
				t.Fatalf("error %v, want BadRequestException", err)
			}
			if !strings.Contains(err.Error(), c.message) {
				t.Errorf("message %q, want %q", err, c.message)
			}
			_, err = clients.Transcribe.GetTranscriptionJob(t.Context(), &transcribe.GetTranscriptionJobInput{TranscriptionJobName: aws.String("refused")})
			if got := harness.ErrorCode(err); got != "BadRequestException" {
				t.Errorf("a refused job is there: %v", err)
			}
		})
	}
}

// start starts a job, which must be accepted with IN_PROGRESS.
func start(t *testing.T, clients *harness.Clients, in *transcribe.StartTranscriptionJobInput) {
	t.Helper()
	out, err := clients.Transcribe.StartTranscriptionJob(t.Context(), in)
	if err != nil {
		t.Fatalf("start %s: %v", *in.TranscriptionJobName, err)
	}
	if got, want := out.TranscriptionJob.TranscriptionJobStatus, types.TranscriptionJobStatusInProgress; got != want {
		t.Errorf("start answers %s, want %s", got, want)
	}
}

// media is the reading's opening in the form that the file's name and ffmpeg's options say.
func media(t *testing.T, name string, options []string) []byte {
	t.Helper()
	switch filepath.Ext(name) {
	case ".amr": // Debian's ffmpeg reads AMR and does not write it
		wav := harness.Excerpt(t, excerptSeconds, "x.wav", "-ar", "8000")
		out := filepath.Join(t.TempDir(), name)
		harness.Tool(t, "sox", wav, "-t", "amr-nb", out)
		return read(t, out)
	case ".mp4":
		out := filepath.Join(t.TempDir(), name)
		harness.FFmpeg(t, "-f", "lavfi", "-i", "testsrc=size=64x48:rate=5", "-i", harness.ReadingFile(t), "-t", fmt.Sprint(excerptSeconds),
			"-c:v", "mpeg4", "-c:a", "aac", "-ar", "48000", out)
		return read(t, out)
	}
	return read(t, harness.Excerpt(t, excerptSeconds, name, options...))
}

// synthetic is a WAV file from one of ffmpeg's audio sources.
func synthetic(t *testing.T, source string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "synthetic.wav")
	harness.FFmpeg(t, "-f", "lavfi", "-i", source, "-c:a", "pcm_s16le", out)
	return read(t, out)
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// transcript fetches a job's text from where the job says it is, without any credentials.
func transcript(t *testing.T, job *types.TranscriptionJob) string {
	t.Helper()
	response, err := http.Get(*job.Transcript.TranscriptFileUri)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("transcript answers %s: %v: %s", response.Status, err, body)
	}
	var doc struct {
		Results struct {
			Transcripts []struct {
				Transcript string `json:"transcript"`
			} `json:"transcripts"`
		} `json:"results"`
	}
	if err := json.Unmarshal(body, &doc); err != nil || len(doc.Results.Transcripts) != 1 {
		t.Fatalf("not a transcript document: %v: %s", err, body)
	}
	return doc.Results.Transcripts[0].Transcript
}
