package beta9_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/ratio"
	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
)

// BenchmarkFind compares Find, which is one join, with the three queries that Beta9 makes for the same: the image, the
// workspace's key, the secret. Either way ends with the material. The database is asked over TCP, as Beta9's is.
func BenchmarkFind(b *testing.B) {
	address := secretstest.PostgresOverTCP(b)
	execute(b, address, schema)
	prepare(b, address, []string{workspace}, []string{image})
	s, err := migrateAndOpen(b.Context(), address, ring(b))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	execute(b, address, `INSERT INTO workspace (name, signing_key) SELECT 'w' || n, 'sk_' FROM generate_series(1, 2000) n`)
	execute(b, address, `INSERT INTO workspace_secret (workspace_id, name, value)
SELECT w.id, 'SECRET_' || n, 'x' FROM workspace w, generate_series(1, 5) n`)
	execute(b, address, `INSERT INTO image (image_id, clip_version) SELECT md5(n::text), 2 FROM generate_series(1, 10000) n`)
	attach(b, s, []secrets.Secret{github(b, "t", "")}, "ghcr.io/acme/app:1")
	// Every image is attached by some other workspace, to whom every secret is ours.
	execute(b, address, `INSERT INTO cred_beta9_image (workspace_id, image_id, reference, registry, repository, name)
SELECT 2 + id % 2000, image_id, 'ghcr.io/acme/app:1', 'ghcr.io', 'acme/app', n::text FROM image, generate_series(1, 3) n`)
	execute(b, address, `INSERT INTO cred_beta9_secret (workspace_id, name, registry, scope, version, mac)
SELECT workspace_id, name, 'ghcr.io', '', 1, '\x01' FROM workspace_secret ON CONFLICT DO NOTHING`)
	execute(b, address, `VACUUM ANALYZE`)
	r := registry(b, "ghcr.io/acme/app")

	pool, err := pgxpool.New(b.Context(), address)
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	three := func() error {
		var name, key, value string
		var id int
		if err := pool.QueryRow(b.Context(), `SELECT credential_secret_name FROM image WHERE image_id = $1`, image).Scan(&name); err != nil {
			return err
		}
		if err := pool.QueryRow(b.Context(), `SELECT id, signing_key FROM workspace WHERE external_id = $1`, workspace).Scan(&id, &key); err != nil {
			return err
		}
		if err := pool.QueryRow(b.Context(), `SELECT value FROM workspace_secret WHERE workspace_id = $1 AND name = $2`, id, name).Scan(&value); err != nil {
			return err
		}
		_, err := secrets.ParseBlob([]byte(beta9Opens(b, value)), r)
		return err
	}
	join := func() error {
		_, err := s.Find(b.Context(), workspace, image, r)
		return err
	}
	ratio.Compare(b, "join", join, "three", three)
}
