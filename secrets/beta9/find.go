package beta9

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// attachedStatement reads every secret that could serve the references which the workspace attached to an image. Each
// table is entered by a key.
const attachedStatement = `SELECT a.repository, false, ` + columns + `
FROM workspace w JOIN cred_beta9_image a ON a.workspace_id = w.id
	JOIN workspace_secret s ON s.workspace_id = w.id AND s.name = a.name
	LEFT JOIN cred_beta9_secret c ON c.workspace_id = w.id AND c.name = s.name AND c.mac IS NOT NULL
WHERE w.external_id = $1 AND a.image_id = $2 AND a.registry = $3`

// namedStatement reads the secrets that the image's own columns name: the older two, the array, or both. They count for
// a workspace that attached no reference to the image; what the array names, which stays as it was, counts as well for a
// reference that was attached, where no secret of the references serves it. A name of this project's does not count: it
// is there because some workspace attached the image, it is the same in every workspace, and the one that attached has
// rows that say so.
//
// The statement is for the columns that there are, and fails with any others: one that it reads may not be there any more,
// and the one that is missing, which it calls by a name without a table, is then there twice. PostgreSQL sees that
// beforehand, and sees it anew when the table was changed; carrying the statement out takes no longer.
func namedStatement(single, array bool) string {
	names, raw, missing := `ARRAY[i.credential_secret_name::text]`, `false`, `credential_secret_names`
	if array {
		names, raw, missing = `i.credential_secret_names`, `coalesce(s.name = ANY (i.credential_secret_names), false)`, `credential_secret_name`
	}
	if single && array {
		names, missing = `array_append(i.credential_secret_names, i.credential_secret_name::text)`, `nothing`
	}
	return `SELECT NULL, ` + raw + `, ` + columns + `
FROM image i CROSS JOIN (SELECT NULL AS ` + missing + `) missing
	CROSS JOIN workspace w JOIN workspace_secret s ON s.workspace_id = w.id AND s.name = ANY (` + names + `)
	LEFT JOIN cred_beta9_secret c ON c.workspace_id = w.id AND c.name = s.name AND c.mac IS NOT NULL
WHERE w.external_id = $1 AND i.image_id = $2 AND s.name NOT LIKE 'oci-creds-%' AND ` + missing + ` IS NULL
	AND (NOT EXISTS (SELECT 1 FROM cred_beta9_image a WHERE a.workspace_id = w.id AND a.image_id = i.image_id)
		OR ` + raw + ` AND EXISTS (SELECT 1 FROM cred_beta9_image a WHERE a.workspace_id = w.id AND a.image_id = i.image_id
			AND a.registry = $3 AND ($4 IN ('', a.repository) OR starts_with(a.repository, $4 || '/'))))`
}

// found is a secret that could serve an image.
type found struct {
	row
	repository *string // none for one that the image's own columns name
	raw        bool    // it holds the value of the environment variable that it is named for
}

// Find returns the secret that an image needs for a registry; see [secrets.Images].
func (s *Store) Find(ctx context.Context, workspace, id string, r helpers.Registry) (secrets.Secret, error) {
	image := secrets.Image{Workspace: workspace, ID: id}
	if err := image.Check(); err != nil {
		return secrets.Secret{}, err
	}
	workspace, err := checkWorkspace(workspace)
	if err != nil {
		return secrets.Secret{}, err
	}
	var all []found
	read := func(statement string, args ...any) (chosen row, err error) {
		if all, err = s.query(ctx, workspace, statement, append([]any{workspace, id}, args...)...); err != nil {
			return row{}, err
		}
		return s.choose(ctx, image, r, all)
	}
	again := func() (row, error) {
		chosen, err := read(attachedStatement, r.Identity())
		if helpers.IsNotFound(err) {
			err = s.withColumns(ctx, func(named string) error {
				chosen, err = read(named, r.Identity(), string(r.Scope()))
				return err
			})
		}
		if err != nil {
			return row{}, unavailable(image, err)
		}
		return chosen, nil
	}
	chosen, err := again()
	if helpers.IsNotFound(err) {
		if one, raw := s.fromValues(image.Workspace, r, all); !helpers.IsNotFound(raw) {
			return one, raw
		}
	}
	if err != nil {
		return secrets.Secret{}, err
	}
	found, err := s.open(ctx, chosen, again)
	found.Workspace = image.Workspace
	return found, err
}

func (s *Store) query(ctx context.Context, workspace, statement string, args ...any) ([]found, error) {
	rows, err := s.pool.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(one pgx.CollectableRow) (found, error) {
		f := found{row: row{place: secrets.Place{Workspace: workspace}}}
		return f, one.Scan(append([]any{&f.repository, &f.raw}, f.targets()...)...)
	})
}

// choose returns the row that answers for the registry.
func (s *Store) choose(ctx context.Context, image secrets.Image, r helpers.Registry, all []found) (row, error) {
	var candidates []secrets.Candidate
	byName := make(map[string]row)
	for _, f := range all {
		if f.raw {
			continue
		}
		c := secrets.Candidate{Place: f.place}
		if !ours(f.place.Name) {
			// An older release's secret is bound to what it says itself.
			m, err := s.material(ctx, f.row)
			switch {
			case err == nil:
				c.Place.Registry, c.Place.Scope = m.Registry().Identity(), m.Scope()
			case !errors.Is(err, secrets.ErrSealed):
				return row{}, err
			case strings.HasPrefix(f.place.Name, OldPrefix) && f.place.Name != oldName(r):
				continue // whatever it is for, it is for another registry
			default:
				c.Place.Registry = r.Identity() // nobody knows better: where there is no other, it is the one, and does not open
			}
		}
		switch {
		case f.repository != nil:
			c.Repository = helpers.Scope(*f.repository)
		case r.Scope() != "":
			c.Repository = r.Scope()
		default:
			c.Repository = c.Place.Scope
		}
		candidates = append(candidates, c)
		byName[c.Place.Name] = f.row
	}
	chosen, err := image.Choose(r, candidates)
	return byName[chosen.Name], err
}

// fromValues makes the secret of an image whose column names one secret per environment variable: by the rules of an
// environment, in which the type follows from the registry, and a user and a password count only beside the name of
// their registry.
func (s *Store) fromValues(workspace string, r helpers.Registry, all []found) (secrets.Secret, error) {
	values := make(map[string]string)
	for _, f := range all {
		if !f.raw {
			continue
		}
		key, err := f.key()
		if err != nil {
			return secrets.Secret{}, err
		}
		plain, err := open(key, f.place, f.value)
		if err != nil {
			return secrets.Secret{}, err
		}
		values[f.place.Name] = string(plain)
	}
	return secrets.FromEnvironmentFor(workspace, r, func(name string) string { return values[name] })
}
