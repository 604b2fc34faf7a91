package job_test

// trustTranscribe lets the service assume a role.
const trustTranscribe = `Allow "Principal":{"Service":"transcribe.amazonaws.com"},"Action":"sts:AssumeRole"`
