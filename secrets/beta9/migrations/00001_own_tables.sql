-- +goose Up

-- What Beta9's format cannot hold: which version a secret has, what it is bound to, and that nobody else changed it.
-- Nothing refers to Beta9's tables by a foreign key, so that what Beta9 does with them stays as it was.
CREATE TABLE cred_beta9_secret (
    workspace_id integer NOT NULL,
    name         text    NOT NULL,
    registry     text    NOT NULL,
    scope        text    NOT NULL,
    version      bigint  NOT NULL,
    mac          bytea,            -- none when the secret was deleted
    PRIMARY KEY (workspace_id, name)
);

-- One row for each secret that can serve a reference of an image: the one of the repository itself, of each of the
-- scopes that it lies in, and of the whole registry. The secrets may come and go.
CREATE TABLE cred_beta9_image (
    workspace_id integer NOT NULL,
    image_id     text    NOT NULL,
    registry     text    NOT NULL,
    reference    text    NOT NULL,
    repository   text    NOT NULL,
    name         text    NOT NULL, -- of the secret
    PRIMARY KEY (workspace_id, image_id, registry, reference, name)
);

CREATE TABLE cred_beta9_key (
    one integer PRIMARY KEY CHECK (one = 1),
    id  text NOT NULL
);

-- The columns that workers look at, where there are neither they nor the array that follows them.
-- +goose StatementBegin
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM pg_attribute
        WHERE attrelid = 'image'::regclass AND attname = 'credential_secret_names' AND NOT attisdropped
    ) THEN
        -- Whatever Beta9 asks of the table meanwhile waits behind this, and this behind what uses the table.
        PERFORM set_config('lock_timeout', '3s', true);
        ALTER TABLE image
            ADD COLUMN IF NOT EXISTS credential_secret_name varchar(255),
            ADD COLUMN IF NOT EXISTS credential_secret_id varchar(36);
        CREATE INDEX IF NOT EXISTS idx_image_credential_secret_name ON image (credential_secret_name);
    END IF;
END
$$;
-- +goose StatementEnd
