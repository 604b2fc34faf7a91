// Package job is the life of a transcription job: what a request may ask for, how a job moves from
// IN_PROGRESS to its end, and the workers that take it there. It knows no HTTP and no SQL; it declares
// the small interfaces it needs (Store, Queue, Buckets, Observer) and others implement them.
// Start at Job, then Service (what requests do) and Pool (what workers do).
package job

import (
	"fmt"
	"time"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/text/subtitle"
	"github.com/dictum/dictum/internal/transcribe/language"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// Scope is where names are unique: an account's region.
type Scope struct {
	AccountID, Region string
}

// ARN is the resource name of the job called name.
func (s Scope) ARN(name string) string { return s.ResourceARN("transcription-job", name) }

// ResourceARN is the name of a resource of any kind ("vocabulary-filter").
func (s Scope) ResourceARN(kind, name string) string {
	return "arn:aws:transcribe:" + s.Region + ":" + s.AccountID + ":" + kind + "/" + name
}

// Status is a job's place in its life, in AWS's spelling.
type Status string

// The statuses.
const (
	Queued     Status = "QUEUED"
	InProgress Status = "IN_PROGRESS"
	Completed  Status = "COMPLETED"
	Failed     Status = "FAILED"
)

// Terminal tells whether the status is the last one.
func (s Status) Terminal() bool { return s == Completed || s == Failed }

// Job is one transcription job.
type Job struct {
	// ID is ours: a name can be used again after a deletion, an id can't.
	ID string
	Scope
	Name   string
	Status Status
	// Request is what the client sent, without Tags; answers echo it.
	Request model.StartTranscriptionJobRequest
	// Principal is who started the job; without a data access role it acts with his rights.
	Principal iam.Principal
	// KeyARN is the customer's key that the output is under; empty for none. An alias that the request named
	// may point to another key by now.
	KeyARN string
	Media  Location
	Output Output
	// Started is zero while QUEUED, Completed until a terminal status.
	Created, Started, Completed time.Time
	// Deferred tells that the job waited in the queue; it then counts against the queue's share of slots.
	Deferred bool
	// Failure is set when FAILED.
	Failure  Failure
	Detected Detected
	Tags     []Tag
	// Attempts counts claims by workers, Errors those that ended in an error of our own.
	Attempts, Errors int
}

// role is the data access role's ARN, empty for none.
func (j Job) role() string {
	if j.Request.JobExecutionSettings == nil {
		return ""
	}
	return text(j.Request.JobExecutionSettings.DataAccessRoleArn)
}

// encryption is how files in the customer's bucket are encrypted.
func (j Job) encryption() objects.Encryption {
	return objects.Encryption{KeyARN: j.KeyARN, Context: j.Request.KMSEncryptionContext}
}

// Location is an object.
type Location struct{ Bucket, Key string }

// Tag is a label on a job.
type Tag struct{ Key, Value string }

// Detected is what working on the media told.
type Detected struct {
	// MediaFormat is in the spelling of the service's MediaFormat.
	MediaFormat string
	// SampleRate is in hertz.
	SampleRate int
	// LanguageCode and LanguageScore are set when the language was to be identified.
	LanguageCode  string
	LanguageScore float64
	// Languages are set when several were to be identified: how long each was spoken, in order of appearance.
	Languages []language.Time
}

// Identifies tells whether the one language is to be identified.
func (j Job) Identifies() bool { return isTrue(j.Request.IdentifyLanguage) }

// IdentifiesSeveral tells whether the languages are to be identified, of which there may be several.
func (j Job) IdentifiesSeveral() bool { return isTrue(j.Request.IdentifyMultipleLanguages) }

// Redacts tells whether personal information is to be taken out of the transcript.
func (j Job) Redacts() bool { return j.Request.ContentRedaction != nil }

// LanguageCode is the language asked for, or the one identified; empty while that is unknown.
func (j Job) LanguageCode() string {
	if j.Request.LanguageCode != nil {
		return *j.Request.LanguageCode
	}
	return j.Detected.LanguageCode
}

// recogniserLanguage is the language to recognise in, empty to identify it.
func (j Job) recogniserLanguage() string {
	if j.Request.LanguageCode == nil {
		return ""
	}
	return language.Of(*j.Request.LanguageCode)
}

// SubtitleFormats are the formats asked for, in the order of the request, each once.
func (j Job) SubtitleFormats() []subtitle.Format {
	if j.Request.Subtitles == nil {
		return nil
	}
	var out []subtitle.Format
	seen := map[string]bool{}
	for _, f := range j.Request.Subtitles.Formats {
		if !seen[f] {
			seen[f] = true
			out = append(out, subtitle.Format(f))
		}
	}
	return out
}

// move is the one place where a status changes. It knows the legal moves (spec transcribe-batch.md
// §3.3) and stamps the times that go with them.
func (j *Job) move(to Status, at time.Time) error {
	legal := map[Status][]Status{
		"":         {Queued, InProgress},
		Queued:     {InProgress},
		InProgress: {Completed, Failed},
	}
	for _, next := range legal[j.Status] {
		if next != to {
			continue
		}
		switch to {
		case Queued:
			j.Deferred = true
		case InProgress:
			j.Started = at
		case Completed, Failed:
			j.Completed = at
		}
		j.Status = to
		return nil
	}
	return fmt.Errorf("move job from %q to %q: %w", j.Status, to, ErrIllegalMove)
}

// Admit gives a new job its first status.
func (j *Job) Admit(to Status, at time.Time) error {
	if to.Terminal() {
		return fmt.Errorf("admit job as %q: %w", to, ErrIllegalMove)
	}
	return j.move(to, at)
}

// Promote takes a job out of the queue.
func (j *Job) Promote(at time.Time) error {
	if j.Status != Queued {
		return fmt.Errorf("promote a job that is %q: %w", j.Status, ErrIllegalMove)
	}
	return j.move(InProgress, at)
}

// Complete ends a job whose output is written.
func (j *Job) Complete(at time.Time, d Detected) error {
	if err := j.move(Completed, at); err != nil {
		return err
	}
	j.Detected = d
	return nil
}

// Fail ends a job that has no output. What was detected stays.
func (j *Job) Fail(at time.Time, f Failure, d Detected) error {
	if err := j.move(Failed, at); err != nil {
		return err
	}
	j.Failure = f
	j.Detected = d
	return nil
}

func isTrue(b *bool) bool { return b != nil && *b }

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
