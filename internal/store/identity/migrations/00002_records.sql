-- +goose Up
-- How often the account's records were changed: writers find out that they were not the only one.
ALTER TABLE accounts ADD COLUMN version INTEGER NOT NULL DEFAULT 0;

-- Users, groups, roles, policies, keys and what else an account has: JSON that internal/iam reads and
-- writes whole. An account's records are read together, once.
CREATE TABLE iam_records (
    type       TEXT NOT NULL,
    id         TEXT NOT NULL, -- AIDA…, AKIA…, an ARN: unique over all accounts
    account_id TEXT NOT NULL REFERENCES accounts (id),
    body       TEXT NOT NULL,
    owner      TEXT,          -- whose secret it is
    secret     BLOB,          -- sealed, bound to the type, the id and the owner
    PRIMARY KEY (type, id)
) STRICT;
CREATE INDEX iam_records_account ON iam_records (account_id);

-- Until now every user was an administrator; from now on policies say so.
INSERT INTO iam_records (type, id, account_id, body)
SELECT 'user', id, account_id, json_object(
    'AccountID', account_id, 'ID', id, 'Name', name, 'Path', '/',
    'Created', strftime('%Y-%m-%dT%H:%M:%SZ', created / 1000, 'unixepoch'),
    'Attached', json_array('arn:aws:iam::aws:policy/AdministratorAccess'))
FROM users;
INSERT INTO iam_records (type, id, account_id, body, owner, secret)
SELECT 'access-key', k.id, u.account_id, json_object(
    'AccountID', u.account_id, 'ID', k.id, 'UserID', u.id,
    'Active', json(iif(k.active, 'true', 'false')),
    'Created', strftime('%Y-%m-%dT%H:%M:%SZ', k.created / 1000, 'unixepoch')), u.id, k.secret
FROM access_keys k JOIN users u ON u.id = k.user_id;

DROP TABLE access_keys;
DROP TABLE users;

-- There is no way down: roles and policies have no place in the old tables.
