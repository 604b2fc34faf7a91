-- +goose Up
-- Settings is objects.Settings in JSON: policy, public access block, default encryption, tags.
ALTER TABLE buckets ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

-- +goose Down
ALTER TABLE buckets DROP COLUMN settings;
