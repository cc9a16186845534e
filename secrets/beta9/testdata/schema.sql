-- Beta9's tables, as far as they matter here.
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

CREATE TYPE token_type AS ENUM (
    'admin', 'workspace', 'worker', 'machine', 'workspace_primary', 'workspace_restricted', 'worker_private'
);

CREATE TABLE workspace (
    id          serial PRIMARY KEY,
    external_id uuid UNIQUE DEFAULT uuid_generate_v4(),
    name        varchar(255) UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    signing_key varchar(256)
);

CREATE TABLE token (
    id                        serial PRIMARY KEY,
    external_id               uuid UNIQUE DEFAULT uuid_generate_v4(),
    key                       varchar(255) NOT NULL,
    active                    boolean,
    reusable                  boolean DEFAULT true,
    workspace_id              integer REFERENCES workspace (id),
    token_type                token_type,
    created_at                timestamptz NOT NULL DEFAULT now(),
    updated_at                timestamptz NOT NULL DEFAULT now(),
    disabled_by_cluster_admin boolean
);

CREATE TABLE workspace_secret (
    id              serial PRIMARY KEY,
    external_id     uuid UNIQUE DEFAULT uuid_generate_v4(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    name            text NOT NULL,
    value           text NOT NULL,
    workspace_id    integer NOT NULL REFERENCES workspace (id) ON DELETE CASCADE,
    last_updated_by integer REFERENCES token (id) ON DELETE SET NULL,
    UNIQUE (workspace_id, name)
);

CREATE TABLE image (
    id           serial PRIMARY KEY,
    image_id     text UNIQUE NOT NULL,
    clip_version integer NOT NULL,
    external_id  uuid UNIQUE DEFAULT uuid_generate_v4(),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE goose_db_version (
    id         serial PRIMARY KEY,
    version_id bigint NOT NULL,
    is_applied boolean NOT NULL,
    tstamp     timestamp DEFAULT now()
);

INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (31, true);
