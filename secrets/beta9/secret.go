package beta9

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// OldPrefix starts the names that older releases gave to secrets. What follows is the host with dots, colons and
// slashes turned into hyphens, so that several hosts share a name.
const OldPrefix = "oci-registry-"

// oldName is what older releases called the secret of a registry.
func oldName(r helpers.Registry) string {
	return OldPrefix + strings.NewReplacer(".", "-", ":", "-", "/", "-").Replace(r.Identity())
}

// Names returns the names of the secrets that can serve a repository of the registry, which is the registry's scope:
// those of [secrets.Names], and as the last the one that older releases gave to the secret of the registry. Whether that
// one is bound to this registry is seen in the secret.
func Names(r helpers.Registry) []string {
	names := secrets.Names(r)
	if old := oldName(r); secrets.CheckName("name", old) == nil { // one of a longer host's did not fit into their column
		names = append(names, old)
	}
	return names
}

// row is a secret as it lies in the tables.
type row struct {
	signingKey       string        // empty when the workspace has none
	place            secrets.Place // without registry, scope and version for a secret that has no MAC
	value            string
	mac              []byte
	created, updated time.Time
}

// columns of a row, of the tables w, s and c.
const columns = `coalesce(w.signing_key, ''), s.name, s.value, s.created_at, s.updated_at,
	coalesce(c.registry, ''), coalesce(c.scope, ''), coalesce(c.version, 0), c.mac`

// tables joins a workspace's secrets to what stands beside them.
const tables = `workspace w JOIN workspace_secret s ON s.workspace_id = w.id
	LEFT JOIN cred_beta9_secret c ON c.workspace_id = w.id AND c.name = s.name AND c.mac IS NOT NULL`

func (r *row) targets() []any {
	p := &r.place
	return []any{&r.signingKey, &p.Name, &r.value, &r.created, &r.updated, &p.Registry, &p.Scope, &p.Version, &r.mac}
}

// ours tells whether the name is one that this project makes.
func ours(name string) bool { return strings.HasPrefix(name, secrets.NamePrefix) }

// open checks and opens a row. When the keyring lacks the key of the MAC, the key may have been retired after the row
// was read: again reads the row once more, as often as it has changed since.
func (s *Store) open(ctx context.Context, r row, again func() (row, error)) (secrets.Secret, error) {
	m, err := s.material(ctx, r)
	for errors.Is(err, secrets.ErrNoKey) {
		next, lost := again()
		if lost != nil {
			return secrets.Secret{}, lost
		}
		if bytes.Equal(next.mac, r.mac) {
			break
		}
		r = next
		m, err = s.material(ctx, r)
	}
	found := secrets.Secret{Workspace: r.place.Workspace, Name: r.place.Name, Version: r.place.Version}
	if err != nil {
		return found, err
	}
	found.Material, found.Created, found.Updated = m, r.created.UTC(), r.updated.UTC()
	return found, nil
}

// material returns what is in a row.
func (s *Store) material(ctx context.Context, r row) (helpers.Material, error) {
	record := slices.Concat(r.mac, []byte(r.signingKey), []byte{0}, []byte(r.value))
	if m, ok := s.memory.Recall(r.place, record); ok {
		return m, nil
	}
	var bound helpers.Registry // none is known for a secret of an older release
	if ours(r.place.Name) {
		if r.mac == nil {
			return helpers.Material{}, secrets.Sealed(r.place, "nothing vouches for it", restore)
		}
		if err := s.keyring.Verify(ctx, r.place, []byte(r.value), r.mac); err != nil {
			return helpers.Material{}, err
		}
		var err error
		if bound, err = helpers.ParseServerURL(r.place.Registry); err != nil {
			return helpers.Material{}, secrets.Sealed(r.place, "it is bound to something that is not a registry", restore)
		}
	}
	m, err := r.open(bound)
	if err != nil {
		return helpers.Material{}, err
	}
	s.memory.Remember(r.place, record, m)
	return m, nil
}

// open opens a row with the workspace's key.
func (r row) open(bound helpers.Registry) (helpers.Material, error) {
	key, err := r.key()
	if err != nil {
		return helpers.Material{}, err
	}
	plain, err := open(key, r.place, r.value)
	if err != nil {
		return helpers.Material{}, err
	}
	defer clear(plain)
	m, err := secrets.ParseBlob(plain, bound)
	if err != nil {
		return helpers.Material{}, secrets.Sealed(r.place, "it holds no material that can be used", restore)
	}
	if ours(r.place.Name) && m.Scope() != r.place.Scope {
		return helpers.Material{}, secrets.Sealed(r.place, "its material is bound to another scope", restore)
	}
	return m, nil
}

// Get returns the secret of a name; see [secrets.Store]. Secrets that users made for other purposes are none.
func (s *Store) Get(ctx context.Context, workspace, name string) (secrets.Secret, error) {
	if err := secrets.CheckKey(workspace, name); err != nil {
		return secrets.Secret{}, err
	}
	id, err := checkWorkspace(workspace)
	if err != nil {
		return secrets.Secret{}, err
	}
	read := func() (row, error) { return s.read(ctx, id, name) }
	r, err := read()
	if err != nil {
		return secrets.Secret{}, err
	}
	found, err := s.open(ctx, r, read)
	found.Workspace = workspace
	return found, err
}

func (s *Store) read(ctx context.Context, workspace, name string) (row, error) {
	r := row{place: secrets.Place{Workspace: workspace, Name: name}}
	if !ours(name) && !strings.HasPrefix(name, OldPrefix) {
		return r, secrets.NotFound(r.place)
	}
	err := s.pool.QueryRow(ctx, `SELECT `+columns+` FROM `+tables+` WHERE w.external_id = $1 AND s.name = $2`, workspace, name).Scan(r.targets()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, secrets.NotFound(r.place)
	}
	if err != nil {
		return r, unavailable(r.place, err)
	}
	return r, nil
}

// List returns the secrets for registries; see [secrets.Store].
func (s *Store) List(ctx context.Context, workspace string) ([]secrets.Secret, error) {
	id, err := checkWorkspace(workspace)
	if err != nil {
		return nil, err
	}
	found, err := s.pool.Query(ctx, `SELECT `+columns+` FROM `+tables+`
WHERE w.external_id = $1 AND (s.name LIKE 'oci-creds-%' OR s.name LIKE 'oci-registry-%') ORDER BY s.name COLLATE "C"`, id)
	if err != nil {
		return nil, unavailable(whole{}, err)
	}
	all, err := pgx.CollectRows(found, func(one pgx.CollectableRow) (row, error) {
		r := row{place: secrets.Place{Workspace: id}}
		return r, one.Scan(r.targets()...)
	})
	if err == nil && len(all) == 0 {
		err = s.knows(ctx, id)
	}
	if err != nil {
		return nil, unavailable(whole{}, err)
	}
	var list []secrets.Secret
	var broken []error
	for _, r := range all {
		one, err := s.open(ctx, r, func() (row, error) { return s.read(ctx, id, r.place.Name) })
		switch {
		case err == nil:
			one.Workspace = workspace
			list = append(list, one)
		case errors.Is(err, secrets.ErrSealed):
			broken = append(broken, err)
		case !helpers.IsNotFound(err): // deleted since
			return nil, err
		}
	}
	return list, errors.Join(broken...)
}

// knows fails when there is no such workspace: to whoever mistyped it, "no secrets" would say something else.
func (s *Store) knows(ctx context.Context, workspace string) error {
	var there bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM workspace WHERE external_id = $1)`, workspace).Scan(&there)
	if err == nil && !there {
		return secrets.NotFound(named("workspace " + workspace))
	}
	return err
}
