package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/store/jobs/jobtest"
	"github.com/dictum/dictum/internal/transcribe/document"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
)

func TestLifeCycle(t *testing.T) {
	b := newBench(t)
	b.upload(t, "tone.wav", wav(8000, 2, 1500*time.Millisecond, 0.5))
	b.start(t, "J", func(r *request) {
		r.OutputBucketName, r.OutputKey = ptr("results"), ptr("out")
		r.MediaFormat, r.MediaSampleRateHertz = ptr("wav"), ptr(int64(8000))
		r.Subtitles = &model.Subtitles{Formats: []string{"srt", "vtt"}, OutputStartIndex: ptr(int64(1))}
	})
	b.run(t, nil)
	r := b.report(t)
	if r.Job.Status != job.Completed || r.Audio != 1500*time.Millisecond || r.Speech != r.Audio || r.Latency <= 0 {
		t.Errorf("got %+v", r)
	}
	j := b.job(t, "J")
	if j.Status != job.Completed || j.Completed.IsZero() || j.Detected.MediaFormat != "wav" || j.Detected.SampleRate != 8000 {
		t.Errorf("got %+v", j)
	}
	for key, want := range map[string]struct{ contentType, begins string }{
		"out/J.json": {"application/json", `{"jobName":"J","accountId":"111122223333","status":"COMPLETED","results":{"transcripts":[{"transcript":"tone. tone. tone."}]`},
		"out/J.vtt":  {"text/vtt", "WEBVTT\n\n1\n00:00:00.000 --> 00:00:00.500\ntone.\n\n2\n"},
		"out/J.srt":  {"application/x-subrip", "1\n00:00:00,000 --> 00:00:00,500\ntone.\n\n2\n"},
	} {
		contentType, content, ok := b.storage.get(t, "results", key)
		if !ok || contentType != want.contentType || !strings.HasPrefix(content, want.begins) {
			t.Errorf("%s: %v %q\n%s", key, ok, contentType, content)
		}
	}
}

// Spec transcribe-batch.md §3.4: what is only known once the media is open fails the job.
func TestFailureReasons(t *testing.T) {
	tone := wav(16000, 1, time.Second, 0.5)
	for _, tc := range []struct {
		name   string
		media  []byte
		change func(*request)
		// then happens between Start and the worker.
		then   func(t *testing.T, s *storage)
		reason string
	}{
		{"not audio", []byte("%PDF-1.7 " + strings.Repeat("not audio ", 500)), nil, nil, "Unsupported media format."},
		{"empty file", nil, nil, nil, "Unsupported media format."},
		{"other format", tone, func(r *request) { r.MediaFormat = ptr("mp3") }, nil, "The media format provided does not match the detected media format."},
		{"other rate", tone, func(r *request) { r.MediaSampleRateHertz = ptr(int64(8000)) }, nil, "The sample rate provided does not match the detected sample rate"},
		{"rate too low", wav(4000, 1, time.Second, 0.5), nil, nil, "Invalid sample rate for audio file."},
		{"rate too high", wav(96000, 1, time.Second, 0.5), nil, nil, "Invalid sample rate for audio file."},
		{"three channels", wav(16000, 3, time.Second, 0.5), nil, nil, "Invalid number of channels: number of channels too large."},
		{"too short", wav(16000, 1, 400*time.Millisecond, 0.5), nil, nil, "The input media file length is too small. Minimum audio duration is 0.500000 seconds. Check the length of the file and try your request again."},
		{"no samples", wav(16000, 1, 0, 0), nil, nil, "The data in your input media file isn't valid. Check the media file and try your request again."},
		{"too large", tone, nil, func(_ *testing.T, s *storage) { s.size = 2<<30 + 1 }, "Invalid file size: file size too large."},
		{"object is gone", tone, nil, func(t *testing.T, s *storage) {
			if err := s.Delete(t.Context(), "media", "m"); err != nil {
				t.Fatal(err)
			}
		}, noMedia},
		{"bucket has another owner", tone, nil, func(t *testing.T, s *storage) {
			s.drop(t, "media")
			err := s.CreateBucket(t.Context(), objects.Bucket{Name: "media", AccountID: jobtest.Other, Region: scope.Region})
			if err != nil {
				t.Fatal(err)
			}
		}, noMedia},
		{"output bucket is gone", tone, func(r *request) { r.OutputBucketName = ptr("results") }, func(t *testing.T, s *storage) { s.drop(t, "results") }, noOutput},
		{"language of silence", wav(16000, 1, time.Second, 0), identify, nil, "Your audio file must have a speech segment long enough in duration to perform automatic language identification."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			uri := b.upload(t, "m", tc.media)
			b.start(t, "J", func(r *request) {
				r.Media.MediaFileUri = &uri
				if tc.change != nil {
					tc.change(r)
				}
			})
			if tc.then != nil {
				tc.then(t, b.storage)
			}
			b.run(t, nil)
			r := b.report(t)
			if r.Job.Status != job.Failed || !strings.HasPrefix(r.Job.Failure.Reason, tc.reason) || r.Job.Failure.Kind == "" {
				t.Errorf("got %s %+v, want %s", r.Job.Status, r.Job.Failure, tc.reason)
			}
			if r.Job.Attempts != 1 {
				t.Errorf("a fault of the media took %d attempts", r.Job.Attempts)
			}
			if _, content, ok := b.storage.get(t, r.Job.Output.Bucket, r.Job.Output.Key); ok {
				t.Errorf("a failed job wrote %s", content)
			}
		})
	}
}

func TestSilenceIsAnEmptyTranscript(t *testing.T) {
	b := newBench(t)
	b.upload(t, "tone.wav", wav(16000, 1, time.Second, 0))
	j := b.start(t, "J", nil)
	b.run(t, nil)
	if r := b.report(t); r.Job.Status != job.Completed {
		t.Fatalf("got %+v", r.Job)
	}
	_, content, _ := b.storage.get(t, j.Output.Bucket, j.Output.Key)
	if want := `{"jobName":"J","accountId":"111122223333","status":"COMPLETED","results":{"transcripts":[{"transcript":""}],"items":[],"audio_segments":[]}}`; content != want {
		t.Errorf("got %s", content)
	}
}

func TestIdentifiedLanguage(t *testing.T) {
	b := newBench(t)
	b.start(t, "J", func(r *request) { identify(r); r.LanguageOptions = []string{"en-IN", "fr-FR", "en-US"} })
	b.run(t, nil)
	r := b.report(t)
	if r.Job.LanguageCode() != "en-IN" || r.Job.Detected.LanguageScore != 0.9 {
		t.Errorf("got %+v", r.Job.Detected)
	}
	_, content, _ := b.storage.get(t, r.Job.Output.Bucket, r.Job.Output.Key)
	var d document.Transcript
	if err := json.Unmarshal([]byte(content), &d); err != nil {
		t.Fatal(err)
	}
	if d.Results.LanguageCode != "en-IN" || len(d.Results.LanguageIdentification) != 3 || d.Results.LanguageIdentification[0].Score != "0.9" {
		t.Errorf("got %+v", d.Results.LanguageIdentification)
	}
}

// The identified language is in Get's answer as soon as it is known.
func TestIdentifiedLanguageShowsWhileRunning(t *testing.T) {
	b := newBench(t)
	release := make(chan struct{})
	b.start(t, "J", identify)
	b.run(t, func(c *job.PoolConfig) {
		c.Recognizer = recognizer(func(ctx context.Context, a speech.SampleReader, set speech.Settings, progress func(speech.Progress)) (speech.Transcript, error) {
			progress(speech.Progress{Language: speech.LanguageScore{Language: "de", Score: 0.7}})
			<-release
			return tones{}.Recognize(ctx, a, set, progress)
		})
	})
	eventually(t, func() bool {
		j := b.job(t, "J")
		return j.Status == job.InProgress && j.Detected.LanguageCode == "de-DE" && j.Detected.LanguageScore == 0.7
	})
	close(release)
	b.report(t)
}

type recognizer func(context.Context, speech.SampleReader, speech.Settings, func(speech.Progress)) (speech.Transcript, error)

func (r recognizer) Recognize(ctx context.Context, a speech.SampleReader, set speech.Settings, progress func(speech.Progress)) (speech.Transcript, error) {
	return r(ctx, a, set, progress)
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("did not happen in 20 s")
		}
	}
}

func TestDeleteCancelsARunningJob(t *testing.T) {
	b := newBench(t)
	entered := make(chan struct{})
	j := b.start(t, "J", nil)
	p, _ := b.run(t, func(c *job.PoolConfig) {
		c.Lease = time.Hour // only the cancellation can end it
		c.Recognizer = tones{begin: func(ctx context.Context) error { close(entered); <-ctx.Done(); return ctx.Err() }}
	})
	b.Deleted = p.Cancel
	<-entered
	if err := b.Delete(t.Context(), caller, &model.DeleteTranscriptionJobRequest{TranscriptionJobName: ptr("J")}); err != nil {
		t.Fatal(err)
	}
	b.retried(t)
	if _, _, ok := b.storage.get(t, j.Output.Bucket, j.Output.Key); ok {
		t.Error("a deleted job wrote its output")
	}
	if due, _ := b.store.Garbage(t.Context(), time.Now().Add(time.Hour), 10); len(due) != 1 {
		t.Errorf("what a late worker could write is not watched: %v", due)
	}
	b.start(t, "J", nil) // the name is free
}

func TestDeleteRemovesServiceOutputAndLeavesTheCustomers(t *testing.T) {
	b := newBench(t)
	subtitles := func(r *request) { r.Subtitles = &model.Subtitles{Formats: []string{"vtt", "srt"}} }
	ours := b.start(t, "ours", subtitles)
	theirs := b.start(t, "theirs", func(r *request) { subtitles(r); r.OutputBucketName = ptr("results") })
	b.run(t, nil)
	b.report(t)
	b.report(t)
	for _, name := range []string{"ours", "theirs"} {
		if err := b.Delete(t.Context(), caller, &model.DeleteTranscriptionJobRequest{TranscriptionJobName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{ours.Output.Key, ours.SubtitleKey("vtt"), ours.SubtitleKey("srt")} {
		if _, _, ok := b.storage.get(t, ours.Output.Bucket, key); ok {
			t.Errorf("%s is still there", key)
		}
	}
	if _, _, ok := b.storage.get(t, "results", theirs.Output.Key); !ok {
		t.Error("the customer's transcript is gone")
	}
}

// Records and service-managed output go after 90 days.
func TestExpiry(t *testing.T) {
	b := newBench(t)
	j := b.start(t, "J", nil)
	b.run(t, nil)
	b.report(t)
	k := &job.Keeper{Service: b.Service}
	now := time.Now()
	b.Now = func() time.Time { return now }
	for _, tc := range []struct {
		after time.Duration
		there bool
	}{{89 * 24 * time.Hour, true}, {91 * 24 * time.Hour, false}} {
		now = time.Now().Add(tc.after)
		if err := k.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := b.store.Get(t.Context(), scope, "J")
		_, _, output := b.storage.get(t, j.Output.Bucket, j.Output.Key)
		if (err == nil) != tc.there || output != tc.there {
			t.Errorf("after %v: record %v, output %v", tc.after, err, output)
		}
	}
}

func TestShutdownHandsBack(t *testing.T) {
	b := newBench(t)
	entered := make(chan struct{})
	b.start(t, "J", nil)
	_, stop := b.run(t, func(c *job.PoolConfig) {
		c.Grace = 50 * time.Millisecond
		c.Recognizer = tones{begin: func(ctx context.Context) error { close(entered); <-ctx.Done(); return ctx.Err() }}
	})
	<-entered
	stop()
	if got := b.retried(t); got != "shutdown" {
		t.Errorf("handed back by %q", got)
	}
	b.run(t, func(c *job.PoolConfig) { c.Lease = time.Hour })
	if r := b.report(t); r.Job.Status != job.Completed || r.Job.Attempts != 1 {
		t.Errorf("got %s after %d attempts; a shutdown is none", r.Job.Status, r.Job.Attempts)
	}
}

func TestShutdownLetsShortJobsFinish(t *testing.T) {
	b := newBench(t)
	entered := make(chan struct{})
	b.start(t, "J", nil)
	_, stop := b.run(t, func(c *job.PoolConfig) {
		c.Grace = 20 * time.Second
		c.Recognizer = tones{begin: func(context.Context) error { close(entered); return nil }}
	})
	<-entered
	stop()
	if r := b.report(t); r.Job.Status != job.Completed {
		t.Errorf("got %s", r.Job.Status)
	}
}

// A new process of the same name takes back at once what the old one held when it was killed.
func TestRestartResumesAtOnce(t *testing.T) {
	b := newBench(t)
	b.start(t, "J", nil)
	now := time.Now()
	if _, err := b.store.Claim(t.Context(), "server", now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	b.run(t, func(c *job.PoolConfig) { c.Owner = "server" })
	if r := b.report(t); r.Job.Status != job.Completed || r.Job.Attempts != 2 {
		t.Errorf("got %+v", r.Job)
	}
}

// A crash of the engine's process is not held against the job; errors of ours are, within bounds.
func TestRetries(t *testing.T) {
	for _, tc := range []struct {
		name     string
		err      error
		times    int
		status   job.Status
		attempts int
	}{
		{"engine went away", speech.ErrInterrupted, 2, job.Completed, 3},
		{"engine always goes away", speech.ErrInterrupted, 100, job.Failed, 4},
		{"passing error", errors.New("disk"), 1, job.Completed, 2},
		{"lasting error", errors.New("disk"), 100, job.Failed, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			var calls atomic.Int32
			b.start(t, "J", nil)
			// An hour passes at every look at the clock, so that pauses cost no time.
			var clock atomic.Int64
			clock.Store(time.Now().UnixNano())
			b.run(t, func(c *job.PoolConfig) {
				c.MaxErrors, c.MaxAttempts, c.Workers = 2, 4, 1
				c.Now = func() time.Time { return time.Unix(0, clock.Add(int64(time.Second))) }
				c.Lease = 24 * time.Hour
				c.Stall = 24 * 365 * time.Hour
				c.Recognizer = tones{begin: func(context.Context) error {
					if int(calls.Add(1)) <= tc.times {
						return tc.err
					}
					return nil
				}}
			})
			r := b.report(t)
			if r.Job.Status != tc.status || r.Job.Attempts != tc.attempts {
				t.Errorf("got %s after %d attempts, want %s after %d", r.Job.Status, r.Job.Attempts, tc.status, tc.attempts)
			}
			if tc.status == job.Failed && !strings.HasPrefix(r.Job.Failure.Reason, "Internal Failure.") {
				t.Errorf("reason %q", r.Job.Failure.Reason)
			}
		})
	}
}

// A bug in a decoder costs the job, not the server.
func TestPanicIsAnError(t *testing.T) {
	b := newBench(t)
	b.start(t, "bad", nil)
	b.run(t, func(c *job.PoolConfig) {
		c.MaxErrors = 1
		c.Recognizer = tones{begin: func(context.Context) error { panic("bug") }}
	})
	if r := b.report(t); r.Job.Status != job.Failed || r.Job.Failure.Kind != "internal" {
		t.Errorf("got %+v", r.Job)
	}
}

func TestStalledAttemptEnds(t *testing.T) {
	b := newBench(t)
	var first sync.Once
	b.start(t, "J", nil)
	b.run(t, func(c *job.PoolConfig) {
		c.Lease, c.Stall = 900*time.Millisecond, 100*time.Millisecond
		c.Recognizer = tones{begin: func(ctx context.Context) error {
			hang := false
			first.Do(func() { hang = true })
			if hang {
				<-ctx.Done()
			}
			return ctx.Err()
		}}
	})
	if r := b.report(t); r.Job.Status != job.Completed || r.Job.Errors != 1 {
		t.Errorf("got %s with %d errors", r.Job.Status, r.Job.Errors)
	}
}

// Many jobs, two pools: each ends once.
func TestTwoPoolsShareTheWork(t *testing.T) {
	b := newBench(t)
	const n = 30
	for i := range n {
		b.start(t, fmt.Sprintf("J%d", i), nil)
	}
	b.run(t, nil)
	b.run(t, nil)
	ended := map[string]int{}
	for range n {
		ended[b.report(t).Job.Name]++
	}
	if len(ended) != n || len(b.reports) != 0 {
		t.Errorf("%d jobs ended, %d more ends", len(ended), len(b.reports))
	}
}
