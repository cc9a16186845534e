package rows

import (
	"context"
	"database/sql"
	"errors"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// Attach writes secrets and references; see [secrets.Images].
func (s *Store) Attach(ctx context.Context, image secrets.Image, with ...secrets.Secret) error {
	if err := image.Check(); err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.unavailable(image, err)
	}
	defer tx.Rollback()
	if err := s.attach(ctx, tx, image, with); err != nil {
		return s.unavailable(image, err)
	}
	if err := tx.Commit(); err != nil {
		return s.unavailable(image, err)
	}
	return nil
}

func (s *Store) attach(ctx context.Context, tx *sql.Tx, image secrets.Image, with []secrets.Secret) error {
	with, err := image.Order(with)
	if err != nil {
		return err
	}
	if s.dialect.LockImage != "" {
		if _, err := tx.ExecContext(ctx, s.dialect.LockImage, image.Workspace, image.ID); err != nil {
			return err
		}
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
	if _, err := tx.ExecContext(ctx, `DELETE FROM cred_image WHERE workspace = $1 AND image = $2`, image.Workspace, image.ID); err != nil {
		return err
	}
	for _, ref := range image.References {
		for _, name := range secrets.Names(ref.Registry()) {
			_, err := tx.ExecContext(ctx, `INSERT INTO cred_image (workspace, image, registry, reference, repository, name)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
				image.Workspace, image.ID, ref.Registry().Identity(), ref.String(), ref.Repository(), name)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// still fails when a secret is not in its version any more. Who changes it from now on comes after the attaching.
func still(ctx context.Context, q querier, p secrets.Place) error {
	var version int64
	err := q.QueryRowContext(ctx, `SELECT version FROM cred_secret WHERE workspace = $1 AND name = $2 AND sealed IS NOT NULL`,
		p.Workspace, p.Name).Scan(&version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if version != p.Version {
		return secrets.Conflict(p)
	}
	return nil
}

// Exists checks the names alone; see [secrets.Images].
func (s *Store) Exists(_ context.Context, workspace, id string) error {
	return secrets.Image{Workspace: workspace, ID: id}.Check()
}

// Image returns the references of an image; see [secrets.Images].
func (s *Store) Image(ctx context.Context, workspace, id string) (secrets.Image, error) {
	image := secrets.Image{Workspace: workspace, ID: id}
	if err := image.Check(); err != nil {
		return image, err
	}
	texts, err := s.references(ctx, image)
	if err != nil {
		return image, s.unavailable(image, err)
	}
	return image.WithReferences(texts)
}

func (s *Store) references(ctx context.Context, image secrets.Image) ([]string, error) {
	found, err := s.db.QueryContext(ctx, `SELECT DISTINCT reference FROM cred_image WHERE workspace = $1 AND image = $2 ORDER BY reference`,
		image.Workspace, image.ID)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var texts []string
	for found.Next() {
		var text string
		if err := found.Scan(&text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, found.Err()
}

// findStatement reads the secrets that could serve a reference of the image. Which of them it is, and that its scope
// covers the reference, is seen to by [secrets.Image.Choose].
const findStatement = `SELECT i.repository, s.registry, s.name, s.scope, s.version, s.sealed, s.created, s.updated
FROM cred_image i JOIN cred_secret s ON s.workspace = i.workspace AND s.name = i.name
WHERE i.workspace = $1 AND i.image = $2 AND i.registry = $3 AND s.sealed IS NOT NULL`

// Find returns the secret that an image needs for a registry; see [secrets.Images].
func (s *Store) Find(ctx context.Context, workspace, id string, r helpers.Registry) (secrets.Secret, error) {
	image := secrets.Image{Workspace: workspace, ID: id}
	if err := image.Check(); err != nil {
		return secrets.Secret{}, err
	}
	again := func() (row, error) {
		candidates, found, err := s.candidates(ctx, image, r)
		if err != nil {
			return row{}, s.unavailable(image, err)
		}
		chosen, err := image.Choose(r, candidates)
		return found[chosen.Name], err
	}
	chosen, err := again()
	if err != nil {
		return secrets.Secret{}, err
	}
	return s.open(ctx, chosen, again)
}

func (s *Store) candidates(ctx context.Context, image secrets.Image, r helpers.Registry) ([]secrets.Candidate, map[string]row, error) {
	read, err := s.find.QueryContext(ctx, image.Workspace, image.ID, r.Identity())
	if err != nil {
		return nil, nil, err
	}
	defer read.Close()
	var candidates []secrets.Candidate
	found := make(map[string]row)
	for read.Next() {
		one := row{place: secrets.Place{Workspace: image.Workspace}}
		p := &one.place
		var c secrets.Candidate
		err := read.Scan(&c.Repository, &p.Registry, &p.Name, &p.Scope, &p.Version, &one.sealed, &one.created, &one.updated)
		if err != nil {
			return nil, nil, err
		}
		c.Place = *p
		candidates = append(candidates, c)
		found[p.Name] = one
	}
	return candidates, found, read.Err()
}
