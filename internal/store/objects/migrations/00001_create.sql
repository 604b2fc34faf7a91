-- +goose Up
-- Buckets, objects and the files that hold their content. Keys are BLOBs, so that they compare by
-- their bytes whatever they hold. Times are milliseconds since 1970. Metadata is objects.Metadata in JSON.
CREATE TABLE buckets (
    name       TEXT    NOT NULL PRIMARY KEY,
    account_id TEXT    NOT NULL,
    region     TEXT    NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX buckets_account ON buckets (account_id, name);

CREATE TABLE objects (
    bucket      TEXT    NOT NULL REFERENCES buckets (name),
    key         BLOB    NOT NULL,
    content     TEXT    NOT NULL UNIQUE, -- whose segments hold it; of a multipart upload, the upload's id
    size        INTEGER NOT NULL,
    etag        TEXT    NOT NULL,
    modified_ms INTEGER NOT NULL,
    metadata    TEXT    NOT NULL,
    PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE uploads (
    bucket       TEXT    NOT NULL REFERENCES buckets (name),
    key          BLOB    NOT NULL,
    id           TEXT    NOT NULL UNIQUE,
    initiated_ms INTEGER NOT NULL,
    metadata     TEXT    NOT NULL,
    PRIMARY KEY (bucket, key, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_initiated ON uploads (initiated_ms);

CREATE TABLE segments (
    content            TEXT    NOT NULL, -- objects.content or uploads.id
    number             INTEGER NOT NULL,
    blob               TEXT    NOT NULL UNIQUE, -- the file
    size               INTEGER NOT NULL,
    etag               TEXT    NOT NULL,
    checksum_algorithm TEXT    NOT NULL,
    checksum_value     TEXT    NOT NULL,
    modified_ms        INTEGER NOT NULL,
    key_id             TEXT    NOT NULL, -- the key that wraps the data key
    data_key           BLOB    NOT NULL, -- wrapped
    PRIMARY KEY (content, number)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE segments;
DROP TABLE uploads;
DROP TABLE objects;
DROP TABLE buckets;
