-- +goose Up
-- The languages that were identified in a job's media, as JSON; empty for none.
ALTER TABLE transcription_jobs ADD COLUMN languages TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE transcription_jobs DROP COLUMN languages;
