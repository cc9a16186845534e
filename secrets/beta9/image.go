package beta9

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/pg"
)

// Attach writes secrets and references; see [secrets.Images]. The image has to be one of Beta9's.
func (s *Store) Attach(ctx context.Context, image secrets.Image, with ...secrets.Secret) error {
	if err := image.Check(); err != nil {
		return err
	}
	workspace, err := checkWorkspace(image.Workspace)
	if err != nil {
		return err
	}
	image.Workspace = workspace
	with = slices.Clone(with)
	for i := range with {
		if with[i].Workspace, err = checkWorkspace(with[i].Workspace); err != nil {
			return err
		}
	}
	return s.transaction(ctx, image, func(tx pgx.Tx) error { return s.attach(ctx, tx, image, with) })
}

func (s *Store) attach(ctx context.Context, tx pgx.Tx, image secrets.Image, with []secrets.Secret) error {
	with, err := image.Order(with)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, pg.LockImage, image.Workspace, image.ID); err != nil {
		return err
	}
	for _, secret := range with {
		if secret.Material.IsZero() {
			err = still(ctx, tx, secret.Place())
		} else {
			_, err = s.put(ctx, tx, secret)
		}
		if err != nil {
			return err
		}
	}
	var id int
	err = tx.QueryRow(ctx, `SELECT w.id FROM workspace w, image i WHERE w.external_id = $1 AND i.image_id = $2`,
		image.Workspace, image.ID).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return secrets.NotFound(image)
	}
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM cred_beta9_image WHERE workspace_id = $1 AND image_id = $2`, id, image.ID); err != nil {
		return err
	}
	for _, ref := range image.References {
		_, err := tx.Exec(ctx, `INSERT INTO cred_beta9_image (workspace_id, image_id, reference, registry, repository, name)
SELECT $1, $2, $3, $4, $5, unnest($6::text[]) ON CONFLICT DO NOTHING`,
			id, image.ID, ref.String(), ref.Registry().Identity(), ref.Repository(), Names(ref.Registry()))
		if err != nil {
			return err
		}
	}
	// Having read the table of images, this transaction keeps it from being changed.
	var noted bool
	if err := tx.QueryRow(ctx, `SELECT count(*) = 2 FROM pg_attribute
WHERE attrelid = 'image'::regclass AND attname IN ('credential_secret_name', 'credential_secret_id') AND NOT attisdropped`).Scan(&noted); err != nil || !noted {
		return err
	}
	return s.note(ctx, tx, id, image)
}

// still fails when a secret is not in its version any more. Who changes it from now on comes after the attaching. A secret
// of an older release has the version 0, and whether it is there is not told.
func still(ctx context.Context, q querier, p secrets.Place) error {
	var version int64
	err := q.QueryRow(ctx, `SELECT coalesce(c.version, 0) FROM `+tables+` WHERE w.external_id = $1 AND s.name = $2`,
		p.Workspace, p.Name).Scan(&version)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if version != p.Version {
		return secrets.Conflict(p)
	}
	return nil
}

// note notes the first secret that the image needs where workers look for it. An image belongs to no workspace: when
// this workspace has no secret for it, the note of another one stays. Its own goes; a secret that was removed and stored
// again has another id than its note, which is then known by serving nobody else. The note of an older release's secret
// for one of the registries stays too: workers read values there that this package does not.
func (s *Store) note(ctx context.Context, tx pgx.Tx, workspace int, image secrets.Image) error {
	old := []string{}
	for _, ref := range image.References {
		old = append(old, oldName(ref.Registry()))
		name, id, err := s.first(ctx, tx, image.Workspace, ref)
		if err != nil {
			return err
		}
		if name != "" {
			_, err := tx.Exec(ctx, `UPDATE image SET credential_secret_name = $1, credential_secret_id = $2, updated_at = now()
WHERE image_id = $3`, name, id, image.ID)
			return err
		}
	}
	_, err := tx.Exec(ctx, `UPDATE image i SET credential_secret_name = NULL, credential_secret_id = NULL, updated_at = now()
WHERE image_id = $2 AND (credential_secret_id IN (SELECT external_id::text FROM workspace_secret WHERE workspace_id = $1)
	OR credential_secret_name LIKE 'oci-creds-%' AND NOT EXISTS (SELECT 1 FROM cred_beta9_image a
		WHERE a.image_id = i.image_id AND a.name = i.credential_secret_name AND a.workspace_id <> $1))
	AND credential_secret_name <> ALL ($3::text[])`, workspace, image.ID, old)
	return err
}

// first returns the name and the id of the first secret that serves the reference, or none.
func (s *Store) first(ctx context.Context, tx pgx.Tx, workspace string, ref helpers.Reference) (name, id string, err error) {
	found, err := tx.Query(ctx, `SELECT s.external_id::text, `+columns+` FROM `+tables+`
WHERE w.external_id = $1 AND s.name = ANY ($2::text[]) ORDER BY array_position($2::text[], s.name)`, workspace, Names(ref.Registry()))
	if err != nil {
		return "", "", err
	}
	defer found.Close()
	for found.Next() {
		r := row{place: secrets.Place{Workspace: workspace}}
		if err := found.Scan(append([]any{&id}, r.targets()...)...); err != nil {
			return "", "", err
		}
		if ours(r.place.Name) {
			return r.place.Name, id, nil
		}
		// An older release's secret may be of another registry whose name is the same; workers do not look.
		if m, err := s.material(ctx, r); err == nil && m.Bound(m.Type(), ref.Registry()) == nil {
			return r.place.Name, id, nil
		}
	}
	return "", "", found.Err()
}

// Exists asks Beta9's tables for the workspace and the image; see [secrets.Images].
func (s *Store) Exists(ctx context.Context, workspace, id string) error {
	image := secrets.Image{Workspace: workspace, ID: id}
	if err := image.Check(); err != nil {
		return err
	}
	workspace, err := checkWorkspace(workspace)
	if err != nil {
		return err
	}
	if err = s.knows(ctx, workspace); err == nil {
		var there bool
		err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM image WHERE image_id = $1)`, id).Scan(&there)
		if err == nil && !there {
			err = secrets.NotFound(image)
		}
	}
	if err != nil {
		return unavailable(image, err)
	}
	return nil
}

// Image returns the references of an image; see [secrets.Images].
func (s *Store) Image(ctx context.Context, workspace, id string) (secrets.Image, error) {
	image := secrets.Image{Workspace: workspace, ID: id}
	if err := image.Check(); err != nil {
		return image, err
	}
	workspace, err := checkWorkspace(workspace)
	if err != nil {
		return image, err
	}
	found, err := s.pool.Query(ctx, `SELECT c.reference FROM workspace w JOIN cred_beta9_image c ON c.workspace_id = w.id
WHERE w.external_id = $1 AND c.image_id = $2 GROUP BY c.reference ORDER BY c.reference COLLATE "C"`, workspace, id)
	if err != nil {
		return image, unavailable(image, err)
	}
	texts, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		return image, unavailable(image, err)
	}
	return image.WithReferences(texts)
}
