-- +goose Up
CREATE TABLE accounts (
    id      TEXT PRIMARY KEY CHECK (length(id) = 12),
    name    TEXT NOT NULL,
    created INTEGER NOT NULL -- milliseconds since 1970, as everywhere
) STRICT;

CREATE TABLE users (
    id         TEXT PRIMARY KEY, -- AIDA…
    account_id TEXT NOT NULL REFERENCES accounts (id),
    name       TEXT NOT NULL,
    created    INTEGER NOT NULL
) STRICT;
-- IAM's user names differ in more than case.
CREATE UNIQUE INDEX users_name ON users (account_id, name COLLATE NOCASE);

CREATE TABLE access_keys (
    id      TEXT PRIMARY KEY, -- AKIA…
    user_id TEXT NOT NULL REFERENCES users (id),
    secret  BLOB NOT NULL,    -- sealed, bound to the id and the user
    active  INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX access_keys_user ON access_keys (user_id);

-- +goose Down
DROP TABLE access_keys;
DROP TABLE users;
DROP TABLE accounts;
