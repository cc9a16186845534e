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

-- One row for each secret that can serve a reference of an image: the one of the repository itself, of each of the
-- scopes that it lies in, and of the whole registry. The secrets may come and go.
CREATE TABLE cred_image (
    workspace  TEXT NOT NULL,
    image      TEXT NOT NULL,
    registry   TEXT NOT NULL,
    reference  TEXT NOT NULL,
    repository TEXT NOT NULL,
    name       TEXT NOT NULL, -- of the secret
    PRIMARY KEY (workspace, image, registry, reference, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE cred_key (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id  TEXT NOT NULL
) STRICT;
