-- +goose Up
CREATE TABLE sessions (
    id         TEXT PRIMARY KEY, -- ASIA…
    account_id TEXT NOT NULL,
    owner      TEXT NOT NULL,    -- the unique id of the role (AROA…) or user (AIDA…), or the account of its root
    sealed     BLOB NOT NULL,    -- secret, token and principal, bound to the id and to expires
    expires    INTEGER NOT NULL  -- milliseconds since 1970
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_owner ON sessions (owner);
CREATE INDEX sessions_expires ON sessions (expires);
CREATE INDEX sessions_account ON sessions (account_id, expires);

-- How many rows each account has, so that the limit costs no count over them.
CREATE TABLE session_counts (
    account_id TEXT PRIMARY KEY,
    n          INTEGER NOT NULL CHECK (n >= 0)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER sessions_added AFTER INSERT ON sessions BEGIN
    INSERT INTO session_counts (account_id, n) VALUES (new.account_id, 1)
    ON CONFLICT (account_id) DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sessions_gone AFTER DELETE ON sessions BEGIN
    UPDATE session_counts SET n = n - 1 WHERE account_id = old.account_id;
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE session_counts;
DROP TABLE sessions;
