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

// Subtitle is the key of the subtitles: the transcript's name with another extension.
func (o Output) Subtitle(f subtitle.Format) string {
	return strings.TrimSuffix(o.Key, ".json") + "." + string(f)
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
	out := []Location{{j.Output.Bucket, j.Output.Key}}
	for _, f := range j.SubtitleFormats() {
		out = append(out, Location{j.Output.Bucket, j.Output.Subtitle(f)})
	}
	return out
}
