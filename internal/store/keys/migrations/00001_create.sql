-- +goose Up
CREATE TABLE kms_keys (
    id               TEXT PRIMARY KEY, -- a UUID, unique over all accounts and regions
    account_id       TEXT NOT NULL,
    region           TEXT NOT NULL,
    spec             TEXT NOT NULL,
    usage            TEXT NOT NULL,
    manager          TEXT NOT NULL CHECK (manager IN ('CUSTOMER', 'AWS')),
    state            TEXT NOT NULL CHECK (state IN ('Enabled', 'Disabled', 'PendingDeletion')),
    description      TEXT NOT NULL,
    created          INTEGER NOT NULL, -- milliseconds since 1970, as everywhere
    deletion         INTEGER CHECK ((deletion IS NOT NULL) = (state = 'PendingDeletion')),
    pending_days     INTEGER NOT NULL,
    policy           TEXT NOT NULL,
    tags             TEXT NOT NULL,    -- a JSON object
    rotation_days    INTEGER NOT NULL, -- 0 when it was never set
    rotation_next    INTEGER,          -- NULL when automatic rotation is off
    version          INTEGER NOT NULL,
    material_id      TEXT NOT NULL
) STRICT;
CREATE INDEX kms_keys_list ON kms_keys (account_id, region, id);
CREATE INDEX kms_keys_deletion ON kms_keys (deletion) WHERE deletion IS NOT NULL;
CREATE INDEX kms_keys_rotation ON kms_keys (rotation_next) WHERE rotation_next IS NOT NULL;

CREATE TABLE kms_material (
    key_id   TEXT NOT NULL REFERENCES kms_keys (id) ON DELETE CASCADE,
    version  INTEGER NOT NULL,
    id       TEXT NOT NULL,
    created  INTEGER NOT NULL,
    rotation TEXT NOT NULL CHECK (rotation IN ('', 'AUTOMATIC', 'ON_DEMAND')),
    sealed   BLOB NOT NULL, -- under the root, bound to the key's ARN and the version
    PRIMARY KEY (key_id, version)
) STRICT;

CREATE TABLE kms_aliases (
    account_id TEXT NOT NULL,
    region     TEXT NOT NULL,
    name       TEXT NOT NULL, -- alias/…
    key_id     TEXT NOT NULL REFERENCES kms_keys (id) ON DELETE CASCADE,
    created    INTEGER NOT NULL,
    updated    INTEGER NOT NULL,
    PRIMARY KEY (account_id, region, name)
) STRICT;
CREATE INDEX kms_aliases_key ON kms_aliases (key_id);

-- +goose Down
DROP TABLE kms_aliases;
DROP TABLE kms_material;
DROP TABLE kms_keys;
