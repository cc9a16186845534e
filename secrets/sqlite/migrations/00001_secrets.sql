-- +goose Up
CREATE TABLE cred_secret (
    workspace TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    registry  TEXT    NOT NULL,
    scope     TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    sealed    BLOB,             -- none when the secret was deleted
    created   INTEGER NOT NULL, -- microseconds since 1970, UTC
    updated   INTEGER NOT NULL,
    PRIMARY KEY (workspace, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX cred_secret_registry ON cred_secret (workspace, registry);

CREATE TABLE cred_image (
    workspace  TEXT NOT NULL,
    image      TEXT NOT NULL,
    reference  TEXT NOT NULL,
    registry   TEXT NOT NULL,
    repository TEXT NOT NULL,
    PRIMARY KEY (workspace, image, reference)
) STRICT, WITHOUT ROWID;

CREATE TABLE cred_key (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id  TEXT NOT NULL
) STRICT;
