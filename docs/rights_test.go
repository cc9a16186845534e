package docs_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/beta9"
	"github.com/beam-cloud/docker-credential-beta9/secrets/postgres"
	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
)

// grantsOf returns the block of sql with the rights that the page of operators gives on a table.
func grantsOf(t *testing.T, table string) string {
	t.Helper()
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if p.name == "docs/operator.md" && b.language == "sql" && strings.Contains(b.text, "ON "+table) {
				return b.text
			}
		}
	}
	t.Fatalf("the page gives no rights on %s", table)
	return ""
}

// TestRights has the tables of the stores made by the owner of the database, and uses them with every command, and as a
// worker does, as a user who has the rights that the page of operators gives, and no other.
func TestRights(t *testing.T) {
	t.Parallel()
	program := filepath.Join(commands.Folder(t), "beta9-credentials")
	cluster := secretstest.NewCluster(t)
	secretstest.Execute(t, cluster.Address("postgres"), "CREATE ROLE owner LOGIN; CREATE ROLE credentials LOGIN")
	const workspace, image = "7d444840-9dc0-41d1-b245-5ffdce74fad2", "3f2a9c1e"
	tables, err := os.ReadFile(filepath.Join(root, "secrets", "beta9", "testdata", "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	type store interface {
		secrets.Images
		Close() error
	}
	for name, tt := range map[string]struct {
		scheme, schema, grants string
		open                   func(context.Context, string, *secrets.Keyring) (store, error)
	}{
		"own": {
			"", "", grantsOf(t, "cred_secret"),
			func(ctx context.Context, address string, k *secrets.Keyring) (store, error) {
				return postgres.Open(ctx, address, k)
			},
		},
		"beta9": {
			"beta9+", string(tables) + `;
INSERT INTO workspace (external_id, name, signing_key) VALUES ('` + workspace + `', 'acme', 'sk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=');
INSERT INTO image (image_id, clip_version) VALUES ('` + image + `', 2)`, grantsOf(t, "workspace_secret"),
			func(ctx context.Context, address string, k *secrets.Keyring) (store, error) {
				return beta9.Open(ctx, address, k)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secretstest.Execute(t, cluster.Address("postgres"), "CREATE DATABASE "+name+" OWNER owner")
			as := func(user string) string {
				return strings.Replace(cluster.Address(name), "user=postgres", "user="+user, 1)
			}
			secretstest.Execute(t, as("owner"), tt.schema)
			home := t.TempDir()
			if err := os.Chmod(home, 0o700); err != nil {
				t.Fatal(err)
			}
			keys := filepath.Join(home, "keys")
			run := func(user, line string) {
				t.Helper()
				cmd := exec.Command(program, strings.Fields(line)...)
				cmd.Env = []string{
					"HOME=" + home, "BETA9_CREDENTIAL_STORE=" + tt.scheme + as(user), "BETA9_CREDENTIAL_KEYS=" + keys,
					"GITHUB_TOKEN=ghp_notASecret", "CR_PAT=notASecretEither",
				}
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", line, err, out)
				}
			}
			of := " --workspace " + workspace
			run("owner", "key new")
			run("owner", "migrate")
			secretstest.Execute(t, as("owner"), tt.grants)
			for _, line := range []string{
				"secret put --registry ghcr.io --env GITHUB_TOKEN" + of, "secret put --registry ghcr.io --env CR_PAT" + of,
				"secret list" + of, "secret show ghcr.io" + of, "image attach " + image + " ghcr.io/acme/app:1 quay.io/public/tool" + of,
				"image show " + image + of, "key new", "key rotate", "key list",
			} {
				run("credentials", line)
			}
			ctx := t.Context()
			ring, err := secrets.LoadKeyring(ctx, func(context.Context) ([]byte, error) { return os.ReadFile(keys) }, nil)
			if err != nil {
				t.Fatal(err)
			}
			s, err := tt.open(ctx, as("credentials"), ring)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			r, err := helpers.ParseServerURL("ghcr.io/acme/app")
			if err != nil {
				t.Fatal(err)
			}
			m, err := secrets.NewSource(s, workspace, image).Material(ctx, r)
			if err != nil || !slices.Equal(m.Keys(), []string{"GITHUB_TOKEN"}) {
				t.Errorf("a worker has %v, %v", m.Keys(), err)
			}
			for _, line := range []string{
				"image attach " + image + " quay.io/public/tool" + of, "image detach " + image + of, "secret rm ghcr.io" + of,
				"image attach " + image + " quay.io/public/tool" + of,
			} {
				run("credentials", line)
			}
		})
	}
}
