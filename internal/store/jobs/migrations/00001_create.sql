-- +goose Up
-- Transcription jobs and the queue of workers are one table, so that a job's state and its place in the
-- queue change in one transaction. Times are milliseconds since 1970; 0 is "not yet".
CREATE TABLE transcription_jobs (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT, -- order of creation
    id             TEXT    NOT NULL UNIQUE,
    account_id     TEXT    NOT NULL,
    region         TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    status         TEXT    NOT NULL CHECK (status IN ('QUEUED', 'IN_PROGRESS', 'COMPLETED', 'FAILED')),
    request        TEXT    NOT NULL, -- StartTranscriptionJob's input as JSON, without tags
    caller         TEXT    NOT NULL,
    media_bucket   TEXT    NOT NULL,
    media_key      TEXT    NOT NULL,
    output_service INTEGER NOT NULL,
    output_bucket  TEXT    NOT NULL,
    output_key     TEXT    NOT NULL,
    created_ms     INTEGER NOT NULL,
    started_ms     INTEGER NOT NULL DEFAULT 0,
    completed_ms   INTEGER NOT NULL DEFAULT 0,
    deferred       INTEGER NOT NULL DEFAULT 0,
    failure_kind   TEXT    NOT NULL DEFAULT '',
    failure_reason TEXT    NOT NULL DEFAULT '',
    media_format   TEXT    NOT NULL DEFAULT '',
    sample_rate    INTEGER NOT NULL DEFAULT 0,
    language_code  TEXT    NOT NULL DEFAULT '',
    language_score REAL    NOT NULL DEFAULT 0,
    attempts       INTEGER NOT NULL DEFAULT 0,
    errors         INTEGER NOT NULL DEFAULT 0,
    owner          TEXT    NOT NULL DEFAULT '', -- the worker process that holds the lease
    fence          INTEGER NOT NULL DEFAULT 0,  -- grows with every claim
    available_ms   INTEGER NOT NULL DEFAULT 0,  -- end of the lease, or of the pause before the next attempt
    UNIQUE (account_id, region, name)
) STRICT;
CREATE INDEX transcription_jobs_list ON transcription_jobs (account_id, region, seq);
CREATE INDEX transcription_jobs_work ON transcription_jobs (account_id, available_ms, owner) WHERE status = 'IN_PROGRESS';
CREATE INDEX transcription_jobs_load ON transcription_jobs (account_id, region, status, deferred, seq) WHERE status IN ('QUEUED', 'IN_PROGRESS');
CREATE INDEX transcription_jobs_ended ON transcription_jobs (completed_ms) WHERE completed_ms > 0;

CREATE TABLE transcription_job_tags (
    job_seq INTEGER NOT NULL REFERENCES transcription_jobs (seq),
    key     TEXT    NOT NULL,
    value   TEXT    NOT NULL,
    UNIQUE (job_seq, key)
) STRICT;

-- Service-managed output of deleted jobs that is still to be removed.
CREATE TABLE transcription_garbage (
    bucket TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    due_ms INTEGER NOT NULL,
    PRIMARY KEY (bucket, key)
) STRICT;
CREATE INDEX transcription_garbage_due ON transcription_garbage (due_ms);

-- +goose Down
DROP TABLE transcription_garbage;
DROP TABLE transcription_job_tags;
DROP TABLE transcription_jobs;
