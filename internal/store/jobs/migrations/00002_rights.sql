-- +goose Up
-- principal is iam.Principal as JSON: who started the job. Jobs from before have none, and act
-- for the account as a whole: every user administered it then.
ALTER TABLE transcription_jobs ADD COLUMN principal TEXT NOT NULL DEFAULT '';
-- key_arn is the customer's key that the output is under.
ALTER TABLE transcription_jobs ADD COLUMN key_arn TEXT NOT NULL DEFAULT '';
-- output_expired tells that service-managed output was removed before the record.
ALTER TABLE transcription_jobs ADD COLUMN output_expired INTEGER NOT NULL DEFAULT 0;
CREATE INDEX transcription_jobs_output ON transcription_jobs (completed_ms) WHERE completed_ms > 0 AND output_service AND NOT output_expired;

-- +goose Down
DROP INDEX transcription_jobs_output;
ALTER TABLE transcription_jobs DROP COLUMN output_expired;
ALTER TABLE transcription_jobs DROP COLUMN key_arn;
ALTER TABLE transcription_jobs DROP COLUMN principal;
