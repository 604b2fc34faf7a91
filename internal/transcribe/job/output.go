package job

import (
	"strings"

	"github.com/dictum/dictum/internal/text/subtitle"
)

// probeName is the object that Start writes to see whether it may write (spec transcript-json.md §1.4).
const probeName = ".write_access_check_file.temp"

// maxKey is S3's limit on the length of a key in bytes.
const maxKey = 1024

// Output is where a job's files go.
type Output struct {
	// Service tells that they are in the service-managed bucket, and go with the job.
	Service bool
	// Bucket and Key are the transcript's.
	Bucket, Key string
	// Expired tells that service-managed output has had its time, before the job's record.
	Expired bool
}

// Redacted is the key of the redacted transcript: the transcript's, with a prefix to its name.
func (o Output) Redacted() string {
	folder := strings.LastIndexByte(o.Key, '/') + 1
	return o.Key[:folder] + "redacted-" + o.Key[folder:]
}

// TranscriptKey is the key of the transcript as it was said, empty when only the redacted one was asked for.
func (j Job) TranscriptKey() string {
	if r := j.Request.ContentRedaction; r != nil && text(r.RedactionOutput) == "redacted" {
		return ""
	}
	return j.Output.Key
}

// RedactedKey is the key of the redacted transcript, empty when there is none.
func (j Job) RedactedKey() string {
	if !j.Redacts() {
		return ""
	}
	return j.Output.Redacted()
}

// SubtitleKey is the key of subtitles: the transcript's name with another extension. Where a transcript is
// redacted, its subtitles are, and there are no others.
func (j Job) SubtitleKey(f subtitle.Format) string {
	key := j.Output.Key
	if j.Redacts() {
		key = j.Output.Redacted()
	}
	return strings.TrimSuffix(key, ".json") + "." + string(f)
}

// probe is the key of the write probe, in the transcript's folder.
func (o Output) probe() string {
	return o.Key[:strings.LastIndexByte(o.Key, '/')+1] + probeName
}

// customerOutput places the transcript in the customer's bucket (spec transcript-json.md §1.1): a
// key that ends in .json is the object, anything else is a folder.
func customerOutput(bucket, key, name string) Output {
	switch {
	case key == "":
		key = name + ".json"
	case !strings.HasSuffix(key, ".json"):
		key = strings.TrimSuffix(key, "/") + "/" + name + ".json"
	}
	return Output{Bucket: bucket, Key: key}
}

// serviceOutput places the transcript in the service's bucket (§1.3). The id keeps apart the outputs
// of jobs that have one name after the other.
func serviceOutput(bucket string, j Job) Output {
	return Output{Service: true, Bucket: bucket, Key: j.AccountID + "/" + j.Name + "/" + j.ID + "/asrOutput.json"}
}

// files are all objects that the job may have written.
func (j Job) files() []Location {
	var out []Location
	for _, key := range []string{j.TranscriptKey(), j.RedactedKey()} {
		if key != "" {
			out = append(out, Location{j.Output.Bucket, key})
		}
	}
	for _, f := range j.SubtitleFormats() {
		out = append(out, Location{j.Output.Bucket, j.SubtitleKey(f)})
	}
	return out
}
