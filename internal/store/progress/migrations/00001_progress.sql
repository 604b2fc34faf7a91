-- +goose Up
CREATE TABLE progress (
    log     TEXT    PRIMARY KEY,
    reached INTEGER NOT NULL
) STRICT;

-- +goose Down
DROP TABLE progress;
