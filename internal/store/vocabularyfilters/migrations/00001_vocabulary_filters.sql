-- +goose Up
-- Vocabulary filters without their words, which are objects. modified_ms is milliseconds since 1970.
CREATE TABLE vocabulary_filters (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id    TEXT    NOT NULL,
    region        TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    language_code TEXT    NOT NULL,
    modified_ms   INTEGER NOT NULL,
    words_bucket  TEXT    NOT NULL,
    words_key     TEXT    NOT NULL,
    role          TEXT    NOT NULL,
    encryption    TEXT    NOT NULL, -- objects.Encryption as JSON
    UNIQUE (account_id, region, name)
) STRICT;
CREATE INDEX vocabulary_filters_list ON vocabulary_filters (account_id, region, modified_ms, id);

CREATE TABLE vocabulary_filter_tags (
    filter_id INTEGER NOT NULL REFERENCES vocabulary_filters (id),
    key       TEXT    NOT NULL,
    value     TEXT    NOT NULL,
    UNIQUE (filter_id, key)
) STRICT;

-- +goose Down
DROP TABLE vocabulary_filter_tags;
DROP TABLE vocabulary_filters;
