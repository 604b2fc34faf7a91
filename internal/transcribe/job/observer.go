package job

import "time"

// Observer is told what happens to jobs, for metrics and events. Its methods must be quick and safe
// for concurrent use.
type Observer interface {
	// Accepted: Start has stored the job.
	Accepted(j Job)
	// Claimed: a worker took the job, waited after it could have been taken.
	Claimed(j Job, waited time.Duration)
	// Progressed: the worker has recognised the media up to position.
	Progressed(j Job, position time.Duration)
	// Retried: the attempt ended without an end of the job. The cause is a short constant.
	Retried(j Job, cause string)
	// Finished: the job is COMPLETED or FAILED.
	Finished(r Report)
	// Depth: how much work there is; told about every second.
	Depth(d Depth)
}

// Report is what there is to say at a job's end.
type Report struct {
	Job Job
	// Audio is the length of the media, Speech how much of it was speech; zero when it could not be read.
	Audio, Speech time.Duration
	// Busy is how long the last attempt took: Audio/Busy is the real-time factor.
	Busy time.Duration
	// Latency is the time from the request to the end.
	Latency time.Duration
}

// Unobserved is the Observer of those who do not care.
type Unobserved struct{}

var _ Observer = Unobserved{}

// Accepted implements Observer.
func (Unobserved) Accepted(Job) {}

// Claimed implements Observer.
func (Unobserved) Claimed(Job, time.Duration) {}

// Progressed implements Observer.
func (Unobserved) Progressed(Job, time.Duration) {}

// Retried implements Observer.
func (Unobserved) Retried(Job, string) {}

// Finished implements Observer.
func (Unobserved) Finished(Report) {}

// Depth implements Observer.
func (Unobserved) Depth(Depth) {}
