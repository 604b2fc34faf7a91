package job_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store/jobs/jobtest"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// closedLog is an audit that takes nothing any more.
func closedLog(t *testing.T) *audit.Log {
	t.Helper()
	root, err := kms.NewRoot(make([]byte, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(audit.Config{Dir: t.TempDir(), Keys: audit.DeriveKeys(root)})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return log
}

// What a job does is on record as done by the service for who started it.
func TestAJobsActsAreOnRecord(t *testing.T) {
	const service = "transcribe.amazonaws.com"
	b := newBench(t)
	alice := b.alice(t, readMedia, writeResults, useKeys)
	k := b.world.Key(t, jobtest.Account, kms.NewKey{})
	_, err := b.Start(t.Context(), as(alice), b.request(t, "J", all(underKey(k.ID), inContext(map[string]string{"color": "blue"}))))
	if err != nil {
		t.Fatal(err)
	}
	b.run(t, nil)
	b.report(t)
	for name, want := range map[string]struct {
		resource string
		times    int
	}{
		"GetObject": {"arn:aws:s3:::media/tone.wav", 2}, // at Start and at use
		"PutObject": {"arn:aws:s3:::results/J.json", 1},
	} {
		n := 0
		for _, e := range b.world.Events(t, name) {
			if !slices.ContainsFunc(e.Resources, func(r audit.Resource) bool { return r.ARN == want.resource }) {
				continue
			}
			n++
			if e.UserIdentity.ARN != alice.ARN || e.UserIdentity.InvokedBy != service || e.SourceIPAddress != service || e.ErrorCode != "" {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if n != want.times {
			t.Errorf("%s of %s is on record %d times, want %d", name, want.resource, n, want.times)
		}
	}
	keys := b.world.Events(t, "GenerateDataKey")
	if len(keys) == 0 {
		t.Error("the use of the key is not on record")
	}
	for _, e := range keys {
		context, _ := e.RequestParameters["encryptionContext"].(map[string]any)
		if e.UserIdentity.ARN != alice.ARN || context["color"] != "blue" || !strings.HasPrefix(context["aws:s3:arn"].(string), "arn:aws:s3:::results/") {
			t.Errorf("GenerateDataKey: %+v", e)
		}
	}
	ends := b.world.Events(t, "TranscriptionJobStateChange")
	if len(ends) != 1 || ends[0].EventSource != service || ends[0].UserIdentity.InvokedBy != service ||
		ends[0].AdditionalEventData["transcriptionJobStatus"] != "COMPLETED" || ends[0].Resources[0].ARN != scope.ARN("J") {
		t.Errorf("the end of the job: %+v", ends)
	}
}

// Refusals are on record too, with their reason, and so is a job's failure.
func TestWhatAJobMayNotIsOnRecord(t *testing.T) {
	b := newBench(t)
	alice := b.alice(t)
	if _, err := b.Start(t.Context(), as(alice), b.request(t, "J", nil)); err == nil {
		t.Fatal("started")
	}
	if e := b.world.Events(t, "GetObject"); len(e) == 0 || e[0].ErrorCode != "AccessDenied" || e[0].UserIdentity.ARN != alice.ARN {
		t.Errorf("got %+v", e)
	}
	b.allow(t, readMedia)
	if _, err := b.Start(t.Context(), as(alice), b.request(t, "J", nil)); err != nil {
		t.Fatal(err)
	}
	b.allow(t)
	b.run(t, nil)
	b.report(t)
	ends := b.world.Events(t, "TranscriptionJobStateChange")
	if len(ends) != 1 || ends[0].AdditionalEventData["transcriptionJobStatus"] != "FAILED" || ends[0].AdditionalEventData["failureReason"] != noMedia {
		t.Errorf("got %+v", ends)
	}
}

// An end that can't be put on record is not one.
func TestNoEndWithoutARecord(t *testing.T) {
	b := newBench(t)
	b.start(t, "J", nil)
	_, stop := b.run(t, func(c *job.PoolConfig) { c.Audit = closedLog(t) })
	if cause := b.retried(t); cause != "audit" {
		t.Errorf("retried because of %q", cause)
	}
	stop()
	if j := b.job(t, "J"); j.Status != job.InProgress {
		t.Errorf("the job is %s", j.Status)
	}
	b.run(t, func(c *job.PoolConfig) { c.Now = func() time.Time { return time.Now().Add(time.Minute) } }) // past the pause
	if r := b.report(t); r.Job.Status != job.Completed {
		t.Errorf("got %+v", r.Job.Failure)
	}
}

// Output may go before the record; each removal is on record, and none happens that can't be.
func TestOutputExpiresBeforeTheRecord(t *testing.T) {
	b := newBench(t)
	j := b.start(t, "J", func(r *request) { r.Subtitles = &model.Subtitles{Formats: []string{"vtt"}} })
	b.start(t, "mine", toResults)
	b.run(t, nil)
	b.report(t)
	b.report(t)
	now := time.Now()
	b.Now = func() time.Time { return now }
	const day = 24 * time.Hour
	k := &job.Keeper{Service: b.Service, Retention: 90 * day, OutputRetention: 30 * day, Audit: b.world.Audit}
	there := func() (record, output, subtitles, expired bool) {
		got, err := b.store.Get(t.Context(), scope, "J")
		if err != nil && !errors.Is(err, job.ErrNotFound) {
			t.Fatal(err)
		}
		_, _, output = b.storage.get(t, j.Output.Bucket, j.Output.Key)
		_, _, subtitles = b.storage.get(t, j.Output.Bucket, j.SubtitleKey("vtt"))
		return err == nil, output, subtitles, got.Output.Expired
	}
	for _, step := range []struct {
		after                              time.Duration
		record, output, subtitles, expired bool
		transcripts, jobs                  int
	}{
		{29 * day, true, true, true, false, 0, 0},
		{31 * day, true, false, false, true, 1, 0},
		{32 * day, true, false, false, true, 1, 0},
		{91 * day, false, false, false, false, 1, 2},
	} {
		now = time.Now().Add(step.after)
		unrecorded := *k
		unrecorded.Audit = closedLog(t)
		wasRecord, wasOutput, _, _ := there()
		err := unrecorded.Sweep(t.Context())
		if r, o, _, _ := there(); r != wasRecord || o != wasOutput {
			t.Errorf("after %v something was removed that is not on record: %v", step.after, err)
		}
		if err := k.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r, o, s, e := there(); r != step.record || o != step.output || s != step.subtitles || e != step.expired {
			t.Errorf("after %v: record %v, output %v, subtitles %v, expired %v", step.after, r, o, s, e)
		}
		transcripts, jobs := b.world.Events(t, "DeleteTranscript"), b.world.Events(t, "DeleteTranscriptionJob")
		if len(transcripts) != step.transcripts || len(jobs) != step.jobs {
			t.Errorf("after %v: %d and %d removals on record", step.after, len(transcripts), len(jobs))
		}
		for _, e := range append(transcripts, jobs...) {
			if e.EventSource != "transcribe.amazonaws.com" || e.UserIdentity.InvokedBy != "transcribe.amazonaws.com" || e.AdditionalEventData["reason"] != "retention" {
				t.Errorf("removal: %+v", e)
			}
		}
	}
	if _, _, ok := b.storage.get(t, "results", "mine.json"); !ok {
		t.Error("the customer's transcript is gone")
	}
}

// A job of an account's own bucket does not need the service: its record does not show it.
func TestTheServiceActsOnlyWhereItMust(t *testing.T) {
	b := newBench(t)
	alice := b.alice(t, readMedia)
	b.world.Bucket(t, "media", jobtest.Account, scope.Region, serviceMay("media", ""))
	if _, err := b.Start(t.Context(), as(alice), b.request(t, "J", nil)); err != nil {
		t.Fatal(err)
	}
	if got := b.world.Events(t, "GetObject"); len(got) != 1 || got[0].UserIdentity.ARN != alice.ARN {
		t.Errorf("got %+v", got)
	}
}
