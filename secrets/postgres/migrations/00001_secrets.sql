-- +goose Up
CREATE TABLE cred_secret (
    workspace text   NOT NULL,
    name      text   NOT NULL,
    registry  text   NOT NULL,
    scope     text   NOT NULL,
    version   bigint NOT NULL,
    sealed    bytea,           -- none when the secret was deleted
    created   bigint NOT NULL, -- microseconds since 1970, UTC
    updated   bigint NOT NULL,
    PRIMARY KEY (workspace, name)
);

-- One row for each secret that can serve a reference of an image: the one of the repository itself, of each of the
-- scopes that it lies in, and of the whole registry. The secrets may come and go.
CREATE TABLE cred_image (
    workspace  text NOT NULL,
    image      text NOT NULL,
    registry   text NOT NULL,
    reference  text NOT NULL,
    repository text NOT NULL,
    name       text NOT NULL, -- of the secret
    PRIMARY KEY (workspace, image, registry, reference, name)
);

CREATE TABLE cred_key (
    one integer PRIMARY KEY CHECK (one = 1),
    id  text NOT NULL
);
