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

CREATE INDEX cred_secret_registry ON cred_secret (workspace, registry);

CREATE TABLE cred_image (
    workspace  text NOT NULL,
    image      text NOT NULL,
    reference  text NOT NULL,
    registry   text NOT NULL,
    repository text NOT NULL,
    PRIMARY KEY (workspace, image, reference)
);

CREATE TABLE cred_key (
    one integer PRIMARY KEY CHECK (one = 1),
    id  text NOT NULL
);
