package beta9

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/rows"
)

// Put writes a secret; see [secrets.Store].
func (s *Store) Put(ctx context.Context, secret secrets.Secret) (written secrets.Secret, err error) {
	err = s.transaction(ctx, secret.Place(), func(tx pgx.Tx) error {
		written, err = s.put(ctx, tx, secret)
		return err
	})
	written.Workspace = secret.Workspace
	return written, err
}

// transaction runs do in one. Its own errors come back as they are, those of the database as [secrets.ErrUnavailable].
func (s *Store) transaction(ctx context.Context, what interface{ String() string }, do func(pgx.Tx) error) error {
	if err := pgx.BeginFunc(ctx, s.pool, do); err != nil {
		return unavailable(what, err)
	}
	return nil
}

func (s *Store) put(ctx context.Context, tx pgx.Tx, secret secrets.Secret) (secrets.Secret, error) {
	made, err := secrets.New(secret.Workspace, secret.Material)
	if err != nil {
		return made, err
	}
	if made.Name != secret.Name || secret.Version < 0 {
		return made, helpers.Fail(helpers.BadRequest, "the name of the secret does not belong to its registry", "")
	}
	workspace, err := checkWorkspace(secret.Workspace)
	if err != nil {
		return made, err
	}
	next := secret
	next.Workspace = workspace
	var id int
	var signingKey string
	err = tx.QueryRow(ctx, `SELECT id, coalesce(signing_key, '') FROM workspace WHERE external_id = $1`, workspace).Scan(&id, &signingKey)
	if errors.Is(err, pgx.ErrNoRows) {
		return made, secrets.NotFound(named("workspace " + workspace))
	}
	if err != nil {
		return made, err
	}
	key, err := workspaceKey(signingKey)
	if err != nil {
		return made, err
	}
	keyID, err := s.holdKey(ctx, tx)
	if err != nil {
		return made, err
	}
	if next.Version, err = s.lock(ctx, tx, id, next.Place()); err != nil {
		return made, err
	}
	blob, err := next.Material.AppendBlob(nil)
	if err != nil {
		return made, err
	}
	return s.write(ctx, tx, id, keyID, next, seal(key, blob))
}

type named string

func (n named) String() string { return string(n) }

// lock keeps other writers of the secret away until the transaction ends, checks that it is in the version that the
// writer saw, and returns the next one. Deleting the row of workspace_secret behind this package's back deletes the
// secret. Where nothing stands beside that row yet, something is put there: there is no other way to have those wait who
// are about to.
func (s *Store) lock(ctx context.Context, tx pgx.Tx, id int, p secrets.Place) (int64, error) {
	if _, err := tx.Exec(ctx, `INSERT INTO cred_beta9_secret (workspace_id, name, registry, scope, version)
VALUES ($1, $2, $3, $4, 0) ON CONFLICT DO NOTHING`, id, p.Name, p.Registry, p.Scope); err != nil {
		return 0, err
	}
	var version int64
	if err := tx.QueryRow(ctx, `SELECT version FROM cred_beta9_secret WHERE workspace_id = $1 AND name = $2 FOR UPDATE`,
		id, p.Name).Scan(&version); err != nil {
		return 0, err
	}
	var there bool // seen after the lock was taken: by a statement of its own
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM workspace_secret s JOIN cred_beta9_secret c
	ON c.workspace_id = s.workspace_id AND c.name = s.name AND c.mac IS NOT NULL
	WHERE s.workspace_id = $1 AND s.name = $2)`, id, p.Name).Scan(&there); err != nil {
		return 0, err
	}
	if there && p.Version != version || !there && p.Version != 0 {
		return 0, secrets.Conflict(p)
	}
	return version + 1, nil
}

// write writes the sealed value and its MAC, which is made with the key of keyID.
func (s *Store) write(ctx context.Context, tx pgx.Tx, id int, keyID string, next secrets.Secret, value string) (secrets.Secret, error) {
	mac, err := s.keyring.MAC(keyID, next.Place(), []byte(value))
	if err != nil {
		return next, err
	}
	p := next.Place()
	if _, err := tx.Exec(ctx, `UPDATE cred_beta9_secret SET registry = $3, scope = $4, version = $5, mac = $6
WHERE workspace_id = $1 AND name = $2`, id, p.Name, p.Registry, p.Scope, p.Version, mac); err != nil {
		return next, err
	}
	err = tx.QueryRow(ctx, `INSERT INTO workspace_secret (workspace_id, name, value) VALUES ($1, $2, $3)
ON CONFLICT (workspace_id, name) DO UPDATE SET value = excluded.value, updated_at = now()
RETURNING created_at, updated_at`, id, p.Name, value).Scan(&next.Created, &next.Updated)
	next.Created, next.Updated = next.Created.UTC(), next.Updated.UTC()
	return next, err
}

// holdKey returns the id of the key that everything is written with, and keeps that key from being replaced until the
// transaction ends. A rotation that wants to begin waits for it and is waited for by those who come later, so that a
// transaction which locked a secret before this could wait for one that waits for the secret.
func (s *Store) holdKey(ctx context.Context, tx pgx.Tx) (id string, err error) {
	for {
		id = *s.key.Load()
		held, err := hold(ctx, tx, id)
		if err != nil {
			return "", err
		}
		if !held {
			// A rotation has begun since, or nothing was written yet.
			if err := s.claim(ctx, tx); err != nil {
				return "", err
			}
			continue
		}
		if ok, err := s.keyring.Has(ctx, id); err != nil {
			return "", err
		} else if !ok {
			return "", rows.LackingKey(id)
		}
		return id, nil
	}
}

// hold tells whether everything is written with the key of an id, and keeps that so until the transaction ends.
func hold(ctx context.Context, tx pgx.Tx, id string) (bool, error) {
	var one int
	err := tx.QueryRow(ctx, `SELECT one FROM cred_beta9_key WHERE id = $1 FOR SHARE`, id).Scan(&one)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Delete removes a secret; see [secrets.Store]. A secret of an older release has the version 0.
func (s *Store) Delete(ctx context.Context, workspace, name string, version int64) error {
	if err := secrets.CheckKey(workspace, name); err != nil {
		return err
	}
	workspace, err := checkWorkspace(workspace)
	if err != nil {
		return err
	}
	r, err := s.read(ctx, workspace, name)
	if err != nil {
		return err
	}
	r.place.Version = version
	return s.transaction(ctx, r.place, func(tx pgx.Tx) error {
		var id int
		if err := tx.QueryRow(ctx, `SELECT id FROM workspace WHERE external_id = $1`, workspace).Scan(&id); err != nil {
			return err
		}
		next, err := s.lock(ctx, tx, id, r.place)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE cred_beta9_secret SET mac = NULL, version = $3 WHERE workspace_id = $1 AND name = $2`,
			id, name, next); err != nil {
			return err
		}
		done, err := tx.Exec(ctx, `DELETE FROM workspace_secret WHERE workspace_id = $1 AND name = $2`, id, name)
		if err == nil && done.RowsAffected() == 0 {
			return secrets.NotFound(r.place)
		}
		return err
	})
}
