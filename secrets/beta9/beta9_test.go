package beta9_test

import (
	"context"
	"database/sql"
	_ "embed"
	"os"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/beta9"
	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
)

var harness = secretstest.Harness{
	Fresh: fresh, Open: migrateAndOpen, Prepare: prepare, Load: load, Save: save, Change: change,
}

func TestMain(m *testing.M) { os.Exit(secretstest.Main(m, harness)) }

func TestStore(t *testing.T) { secretstest.Run(t, harness) }

func TestOutage(t *testing.T) {
	secretstest.Outage(t, harness, "workspace_secret", func(t testing.TB, address string) { execute(t, address, schema) })
}

func TestTurns(t *testing.T) { secretstest.Turns(t, harness, "cred_beta9_") }

func migrateAndOpen(ctx context.Context, address string, k *secrets.Keyring) (secretstest.Store, error) {
	if err := beta9.Migrate(ctx, address); err != nil {
		return nil, err
	}
	return beta9.Open(ctx, address, k)
}

//go:embed testdata/schema.sql
var schema string

// fresh makes a database as Beta9 leaves it.
func fresh(t testing.TB) string {
	t.Helper()
	address := secretstest.Postgres(t)
	execute(t, address, schema)
	return address
}

// signingKey is the published example of a workspace's key.
const signingKey = "sk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

func prepare(t testing.TB, address string, workspaces, images []string) {
	t.Helper()
	for _, w := range workspaces {
		execute(t, address, `INSERT INTO workspace (external_id, name, signing_key) VALUES ($1::text::uuid, $1, $2)`, w, signingKey)
	}
	for _, i := range images {
		execute(t, address, `INSERT INTO image (image_id, clip_version) VALUES ($1, 2)`, i)
	}
}

func load(t testing.TB, address, workspace, name string) []byte {
	t.Helper()
	return []byte(ask[string](t, address, `SELECT s.value FROM workspace_secret s JOIN workspace w ON w.id = s.workspace_id
WHERE w.external_id = $1 AND s.name = $2`, workspace, name))
}

func save(t testing.TB, address, workspace, name string, value []byte) {
	t.Helper()
	execute(t, address, `UPDATE workspace_secret s SET value = $3 FROM workspace w
WHERE w.id = s.workspace_id AND w.external_id = $1 AND s.name = $2`, workspace, name, string(value))
}

func change(t testing.TB, address, workspace, name, assignments string) {
	t.Helper()
	execute(t, address, `UPDATE cred_beta9_secret c SET `+assignments+` FROM workspace w
WHERE w.id = c.workspace_id AND w.external_id = $1 AND c.name = $2`, workspace, name)
}

func execute(t testing.TB, address, statement string, args ...any) {
	t.Helper()
	db := connect(t, address)
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// ask returns the one value that a query has.
func ask[T any](t testing.TB, address, query string, args ...any) (v T) {
	t.Helper()
	db := connect(t, address)
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func connect(t testing.TB, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	return db
}
