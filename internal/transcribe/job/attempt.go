package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/subtitle"
	"github.com/dictum/dictum/internal/text/wordfilter"
	"github.com/dictum/dictum/internal/transcribe/document"
	"github.com/dictum/dictum/internal/transcribe/language"
)

// The limits of media (spec transcribe-batch.md §11).
const (
	maxFileBytes = 2 << 30
	maxDuration  = 4 * time.Hour
	minDuration  = 500 * time.Millisecond
	maxChannels  = 2
	minRate      = 8000
	maxRate      = 48000
)

// attempt is one worker's try at a job.
type attempt struct {
	pool  *Pool
	claim Claim
	// active is when something last moved, in nanoseconds of the Unix clock.
	active atomic.Int64
	// found is the identified language once it is known; moved tells the heartbeat of it.
	found atomic.Pointer[speech.LanguageScore]
	moved chan struct{}
}

// ending is what a run came to.
type ending struct {
	detected      Detected
	audio, speech time.Duration
}

func (a *attempt) touch() { a.active.Store(a.pool.cfg.Now().UnixNano()) }

// heartbeat keeps the lease until ctx ends, and cancels the work when the lease is or may be lost: by
// the local clock, so that a worker that can't reach the queue stops before another one begins.
func (a *attempt) heartbeat(ctx context.Context, cancel context.CancelCauseFunc) {
	cfg := &a.pool.cfg
	beat := time.NewTicker(max(cfg.Lease/3, time.Millisecond))
	defer beat.Stop()
	// The claim was made a moment ago; count from no later than that.
	expiry := time.NewTimer(cfg.Lease * 9 / 10)
	defer expiry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-expiry.C:
			cancel(fmt.Errorf("heartbeat failed: %w", ErrLostLease))
			return
		case <-a.moved:
			if err := a.recordLanguage(ctx); errors.Is(err, ErrLostLease) {
				cancel(err)
				return
			}
		case <-beat.C:
			if cfg.Now().Sub(time.Unix(0, a.active.Load())) > cfg.Stall {
				cancel(errStalled)
			}
			switch err := a.extend(ctx); {
			case err == nil:
				expiry.Reset(cfg.Lease * 9 / 10)
			case errors.Is(err, ErrLostLease):
				cancel(err)
				return
			case ctx.Err() == nil:
				slog.WarnContext(ctx, "heartbeat", "job", a.claim.Job.ID, "error", err)
			}
		}
	}
}

// extend renews the lease and so also checks the fence.
func (a *attempt) extend(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.pool.cfg.Lease/3)
	defer cancel()
	return a.pool.cfg.Queue.Extend(ctx, a.claim, a.pool.cfg.Now().Add(a.pool.cfg.Lease))
}

// recordLanguage makes an identified language visible while the job runs.
func (a *attempt) recordLanguage(ctx context.Context) error {
	found := a.found.Load()
	if found == nil {
		return nil
	}
	code := language.Code(found.Language, a.claim.Job.Request.LanguageOptions)
	if code == "" {
		return nil
	}
	err := a.pool.cfg.Queue.Commit(ctx, a.claim, func(j *Job) error {
		j.Detected.LanguageCode, j.Detected.LanguageScore = code, found.Score
		return nil
	})
	if err != nil && !errors.Is(err, ErrLostLease) && ctx.Err() == nil {
		slog.WarnContext(ctx, "record identified language", "job", a.claim.Job.ID, "error", err)
	}
	return err
}

// run takes the job through its phases: fetch, open and check, recognise, publish. Its error is a
// *Failure where the job itself is at fault. Nothing is published before all is known, and what is
// published is a function of the media and the request, so that a repeated run writes the same bytes.
func (a *attempt) run(ctx context.Context) (end ending, err error) {
	// Decoders read bytes of strangers. A bug in one costs this job its attempts, not the server its life.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	j := a.claim.Job
	media, err := a.fetch(ctx)
	if err != nil {
		return ending{}, err
	}
	defer func() { _ = media.Close() }()

	r, err := a.recording(ctx, media)
	defer r.close()
	end.detected = r.detected
	if err != nil {
		return end, err
	}
	filters, err := a.filters(ctx)
	if err != nil {
		return end, err
	}
	transcript, err := r.recognise(ctx)
	if err != nil {
		return end, err
	}
	end.audio, end.speech = transcript.Duration, transcript.Speech
	doc := document.Job{
		Name: j.Name, AccountID: j.AccountID, LanguageOptions: j.Request.LanguageOptions,
		Speakers: isTrue(settings(&j.Request).ShowSpeakerLabels), Alternatives: isTrue(settings(&j.Request).ShowAlternatives),
		MultipleLanguages: j.IdentifiesSeveral(), Tagged: j.filterMethod() == wordfilter.Tag && filters.concern(transcript),
	}
	if j.Identifies() {
		doc.Identified = language.Identified(transcript.Languages, j.Request.LanguageOptions)
		if len(doc.Identified) == 0 {
			return end, failLanguage.as()
		}
		end.detected.LanguageCode, end.detected.LanguageScore = doc.Identified[0].Code, doc.Identified[0].Score
	}
	if j.IdentifiesSeveral() {
		end.detected.Languages = language.Spoken(transcript.Segments, j.Request.LanguageOptions)
	}
	// What is personal is found in what was said, before words of it are filtered.
	redacted, err := a.redact(ctx, transcript)
	if err != nil {
		return end, err
	}
	if redacted != nil {
		*redacted = filters.apply(j.filterMethod(), *redacted)
	}
	return end, a.publish(ctx, doc, filters.apply(j.filterMethod(), transcript), redacted)
}

// fetch opens the media with the rights that the job has now.
func (a *attempt) fetch(ctx context.Context) (objects.Reader, error) {
	rights, err := a.pool.cfg.Rights.session(ctx, a.claim.Job)
	if err != nil {
		return nil, failAccess(err, failRole)
	}
	m, err := rights.open(ctx)
	if err != nil {
		return nil, failAccess(err, failMedia)
	}
	if m.size > maxFileBytes {
		_ = m.Close()
		return nil, failSize.as()
	}
	return m, nil
}

// failAccess fails the job for a right that it no longer has. Faults of our own stay what they are.
func failAccess(err error, object Failure) error {
	if f, ok := refusal(err, object); ok {
		return f.as()
	}
	return fmt.Errorf("reach object: %w", err)
}

// mediaError tells bad media from faults of our own, which are worth another attempt.
func mediaError(doing string, err error) error {
	switch {
	case errors.Is(err, audio.ErrNoFFmpeg):
		return failNoFFmpeg.as()
	case errors.Is(err, audio.ErrUnsupported):
		return failFormat.as()
	case errors.Is(err, audio.ErrInvalid):
		return failInvalid.as()
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// publish writes the subtitles, then the transcripts; redacted is nil where nothing was to be redacted. Before each
// file it checks the fence, and the context ends with the lease: a worker that lost the job does not write over its
// successor's.
func (a *attempt) publish(ctx context.Context, doc document.Job, t speech.Transcript, redacted *speech.Transcript) error {
	j := a.claim.Job
	put := a.putOwn
	if !j.Output.Service {
		rights, err := a.pool.cfg.Rights.session(ctx, j)
		if err != nil {
			return failAccess(err, failRole)
		}
		put = rights.put
	}
	first := 0
	if s := j.Request.Subtitles; s != nil && s.OutputStartIndex != nil {
		first = int(*s.OutputStartIndex)
	}
	shown := t
	if redacted != nil {
		shown = *redacted
	}
	for _, format := range j.SubtitleFormats() {
		var file bytes.Buffer
		if err := subtitle.Write(&file, format, shown.Segments, first); err != nil {
			return err
		}
		if err := a.write(ctx, put, j.SubtitleKey(format), format.ContentType(), file.Bytes()); err != nil {
			return err
		}
	}
	if redacted != nil {
		if err := a.writeTranscript(ctx, put, j.RedactedKey(), doc.As(true), *redacted); err != nil {
			return err
		}
		doc = doc.As(false)
	}
	if key := j.TranscriptKey(); key != "" {
		return a.writeTranscript(ctx, put, key, doc, t)
	}
	return nil
}

func (a *attempt) writeTranscript(ctx context.Context, put putter, key string, doc document.Job, t speech.Transcript) error {
	file, err := document.Build(doc, t).JSON()
	if err != nil {
		return err
	}
	return a.write(ctx, put, key, "application/json", file)
}

// putter writes an object.
type putter func(ctx context.Context, key, contentType string, content []byte) error

// putOwn writes into the service's bucket.
func (a *attempt) putOwn(ctx context.Context, key, contentType string, content []byte) error {
	_, err := a.pool.cfg.Objects.Put(ctx, a.claim.Job.Output.Bucket, key, bytes.NewReader(content), objects.Metadata{ContentType: contentType})
	return err
}

func (a *attempt) write(ctx context.Context, put putter, key, contentType string, content []byte) error {
	if err := a.extend(ctx); err != nil {
		return fmt.Errorf("check lease before writing output: %w", err)
	}
	a.touch()
	if err := put(ctx, key, contentType, content); err != nil {
		return failAccess(err, failOutput)
	}
	return nil
}
