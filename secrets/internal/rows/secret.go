package rows

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

const getStatement = `SELECT registry, scope, version, sealed, created, updated
FROM cred_secret WHERE workspace = $1 AND name = $2 AND sealed IS NOT NULL`

// Get returns the secret of a name; see [secrets.Store].
func (s *Store) Get(ctx context.Context, workspace, name string) (secrets.Secret, error) {
	if err := secrets.CheckKey(workspace, name); err != nil {
		return secrets.Secret{}, err
	}
	read := func() (row, error) { return s.read(ctx, workspace, name) }
	r, err := read()
	if err != nil {
		return secrets.Secret{}, err
	}
	return s.open(ctx, r, read)
}

func (s *Store) read(ctx context.Context, workspace, name string) (row, error) {
	r := row{place: secrets.Place{Workspace: workspace, Name: name}}
	err := s.get.QueryRowContext(ctx, workspace, name).Scan(
		&r.place.Registry, &r.place.Scope, &r.place.Version, &r.sealed, &r.created, &r.updated)
	if errors.Is(err, sql.ErrNoRows) {
		return r, secrets.NotFound(r.place)
	}
	if err != nil {
		return r, s.unavailable(r.place, err)
	}
	return r, nil
}

// List returns the secrets of a workspace; see [secrets.Store].
func (s *Store) List(ctx context.Context, workspace string) ([]secrets.Secret, error) {
	if err := secrets.CheckName("workspace", workspace); err != nil {
		return nil, err
	}
	all, err := s.rows(ctx, workspace)
	if err != nil {
		return nil, s.unavailable(whole{}, err)
	}
	var list []secrets.Secret
	var broken []error
	for _, r := range all {
		one, err := s.open(ctx, r, func() (row, error) { return s.read(ctx, workspace, r.place.Name) })
		switch {
		case err == nil:
			list = append(list, one)
		case errors.Is(err, secrets.ErrSealed):
			broken = append(broken, err)
		case !helpers.IsNotFound(err): // deleted since
			return nil, err
		}
	}
	return list, errors.Join(broken...)
}

func (s *Store) rows(ctx context.Context, workspace string) ([]row, error) {
	found, err := s.db.QueryContext(ctx, `SELECT name, registry, scope, version, sealed, created, updated
FROM cred_secret WHERE workspace = $1 AND sealed IS NOT NULL ORDER BY name`, workspace)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var all []row
	for found.Next() {
		r := row{place: secrets.Place{Workspace: workspace}}
		err := found.Scan(&r.place.Name, &r.place.Registry, &r.place.Scope, &r.place.Version, &r.sealed, &r.created, &r.updated)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, found.Err()
}

// writeStatement writes a secret if the key it is sealed with is still the one to write with, and if what is there is
// still what the writer saw: the version, and whether it is deleted. Locking the row of cred_key makes a rotation wait
// for the writers that sealed with the old key, and those that come later see the new one.
func writeStatement(d Dialect) string {
	return `WITH k AS (SELECT one FROM cred_key WHERE id = $1` + d.Share + `)
INSERT INTO cred_secret (workspace, name, registry, scope, version, sealed, created, updated)
SELECT $2, $3, $4, $5, $6, $7, $8, $8 FROM k WHERE CAST($9 AS BIGINT) = 0
	OR EXISTS (SELECT 1 FROM cred_secret WHERE workspace = $2 AND name = $3 AND version = $9)
ON CONFLICT (workspace, name) DO UPDATE SET registry = excluded.registry, scope = excluded.scope,
	version = excluded.version, sealed = excluded.sealed, updated = excluded.updated,
	created = CASE WHEN cred_secret.sealed IS NULL THEN excluded.created ELSE cred_secret.created END
WHERE cred_secret.version = $9 AND (cred_secret.sealed IS NULL) = $10
RETURNING created`
}

// Put writes a secret; see [secrets.Store].
func (s *Store) Put(ctx context.Context, secret secrets.Secret) (secrets.Secret, error) {
	return s.put(ctx, s.db, secret)
}

func (s *Store) put(ctx context.Context, q querier, secret secrets.Secret) (secrets.Secret, error) {
	if err := check(secret); err != nil {
		return secrets.Secret{}, err
	}
	blob, err := secret.Material.AppendBlob(nil)
	if err != nil {
		return secrets.Secret{}, err
	}
	next := secret
	next.Updated = moment(stamp(time.Now()))
	seen, deleted := secret.Version, false // what the row has to be for this writer to be the first
	for {
		next.Version = seen + 1
		if *s.key.Load() == "" {
			if err := s.claim(ctx, q); err != nil {
				return secrets.Secret{}, s.unavailable(next.Place(), err)
			}
		}
		used := *s.key.Load()
		created, err := s.writeRow(ctx, q, used, next, blob, seen, deleted)
		if err == nil {
			next.Created = moment(created)
			return next, nil
		}
		lacking := errors.Is(err, secrets.ErrNoKey)
		if !lacking && !errors.Is(err, sql.ErrNoRows) {
			return secrets.Secret{}, s.unavailable(next.Place(), err)
		}
		st, look := s.look(ctx, q, next.Place())
		switch {
		case look != nil:
			return secrets.Secret{}, look
		case st.key != used:
			// A rotation has begun since: the same again with the new key.
		case lacking:
			return secrets.Secret{}, err
		case secret.Version == 0 && st.deleted && (!deleted || st.version != seen):
			seen, deleted = st.version, true // the name was used before
		default:
			return secrets.Secret{}, secrets.Conflict(secret.Place())
		}
	}
}

// writeRow does it with the key of an id, and returns when the secret was created. The error is sql.ErrNoRows when the
// key or what is there is not what it has to be.
func (s *Store) writeRow(ctx context.Context, q querier, id string, next secrets.Secret, blob []byte, seen int64, deleted bool) (created int64, err error) {
	if ok, err := s.keyring.Has(ctx, id); err != nil {
		return 0, err
	} else if !ok {
		return 0, LackingKey(id)
	}
	p := next.Place()
	sealed, err := s.keyring.Seal(id, p, blob)
	if err != nil {
		return 0, err
	}
	err = q.QueryRowContext(ctx, s.write, id, p.Workspace, p.Name, p.Registry, string(p.Scope), p.Version, sealed,
		stamp(next.Updated), seen, deleted).Scan(&created)
	return created, err
}

// LackingKey is the error of a writer whose keyring does not belong to the store.
func LackingKey(id string) error {
	return &helpers.Failure{
		Reason: helpers.BadMaterial,
		Text:   "the store is written with the key " + id + ", which the keyring does not have",
		Hint:   "use the keyring that belongs to the store; where it is lost, remove the secrets that do not open, and rotate",
		Cause:  secrets.ErrNoKey,
	}
}

// check refuses a secret that could not be read again.
func check(secret secrets.Secret) error {
	made, err := secrets.New(secret.Workspace, secret.Material)
	if err != nil {
		return err
	}
	if made.Name != secret.Name || secret.Version < 0 {
		return helpers.Fail(helpers.BadRequest, "the name of the secret does not belong to its registry", "")
	}
	return nil
}

// Delete removes a secret; see [secrets.Store].
func (s *Store) Delete(ctx context.Context, workspace, name string, version int64) error {
	if err := secrets.CheckKey(workspace, name); err != nil {
		return err
	}
	p := secrets.Place{Workspace: workspace, Name: name, Version: version}
	done, err := s.db.ExecContext(ctx, `UPDATE cred_secret SET sealed = NULL, version = version + 1, updated = $4
WHERE workspace = $1 AND name = $2 AND version = $3 AND sealed IS NOT NULL`, workspace, name, version, stamp(time.Now()))
	if err != nil {
		return s.unavailable(p, err)
	}
	if n, err := done.RowsAffected(); err != nil {
		return s.unavailable(p, err)
	} else if n > 0 {
		s.forget(ctx)
		return nil
	}
	if _, err := s.read(ctx, workspace, name); err != nil {
		return err
	}
	return secrets.Conflict(p)
}

// state is what stands in the way of a write.
type state struct {
	key     string
	version int64
	deleted bool
}

// look tells why nothing was written, and takes over the key to write with.
func (s *Store) look(ctx context.Context, q querier, p secrets.Place) (state, error) {
	var st state
	err := q.QueryRowContext(ctx, `SELECT version, sealed IS NULL FROM cred_secret WHERE workspace = $1 AND name = $2`,
		p.Workspace, p.Name).Scan(&st.version, &st.deleted)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return st, s.unavailable(p, err)
	}
	if err := s.currentKey(ctx, q); err != nil {
		return st, s.unavailable(p, err)
	}
	st.key = *s.key.Load()
	return st, nil
}

// currentKey learns which key to write with. In a new store there is none.
func (s *Store) currentKey(ctx context.Context, q querier) error {
	var id string
	err := q.QueryRowContext(ctx, `SELECT id FROM cred_key`).Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	s.key.Store(&id)
	return nil
}

// claim is currentKey for writers, who have a new store written with their keyring's current key unless another one was
// faster. Whoever only reads, with the wrong keyring by mistake, would keep those with the right one out.
func (s *Store) claim(ctx context.Context, q querier) error {
	if err := s.currentKey(ctx, q); err != nil || *s.key.Load() != "" {
		return err
	}
	_, err := q.ExecContext(ctx, `INSERT INTO cred_key (one, id) VALUES (1, $1) ON CONFLICT DO NOTHING`, s.keyring.Current().ID())
	if err != nil {
		return err
	}
	return s.currentKey(ctx, q)
}
