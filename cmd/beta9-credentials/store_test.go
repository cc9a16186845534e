package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
)

// runStoreScripts runs the scripts of a folder with these variables.
func runStoreScripts(t *testing.T, dir string, variables map[string]string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Setenv("HOME", home)
			for name, value := range maps.All(variables) {
				env.Setenv(name, value)
			}
			return os.Mkdir(home, 0o700)
		},
		RequireExplicitExec: true,
	})
}

// TestCheck attaches images of two registries that ask who is there: BEARER and BASIC have what the scripts attach, and
// accept the account robot for a part of it. OPEN does not ask, and GONE is not up. Behind PROXY, whose certificates are
// vouched for by BUNDLE, are two registries that serve public images only.
func TestCheck(t *testing.T) {
	bin := genericHelper(t)
	options := registrytest.Options{
		Auth:     registrytest.Bearer,
		Accounts: map[string]string{"robot": "not-a-password", "pusher": "nor-this"},
		Reach:    map[string][]string{"robot": {"acme"}},
	}
	bearer := registrytest.Start(t, options)
	options.Auth = registrytest.Basic
	basic := registrytest.Start(t, options)
	open := registrytest.Start(t, registrytest.Options{})
	for _, reg := range []*registrytest.Registry{bearer, basic, open} {
		for _, repository := range []string{"acme/app:1", "other/app:1"} {
			if _, err := reg.Push(repository, registrytest.SmallImage(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	gone := registrytest.Start(t, registrytest.Options{})
	gone.Close()
	proxy := cloudtest.NewProxy(t)
	for _, host := range []string{"registry.k8s.io", "mcr.microsoft.com"} {
		proxy.Serve(host, http.HandlerFunc(servePublic))
	}
	runStoreScripts(t, "testdata/check", map[string]string{
		"BIN": bin, "BEARER": bearer.Name(), "BASIC": basic.Name(), "OPEN": open.Name(), "GONE": gone.Name(),
		"PROXY": proxy.Getenv("HTTPS_PROXY"), "BUNDLE": proxy.Getenv("SSL_CERT_FILE"),
	})
}

// servePublic is a registry that has the image app:1 for everybody, wants a credential for private:1, and has no other.
func servePublic(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/v2/":
	case "/v2/app/manifests/1":
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("a", 64))
		w.Header().Set("Content-Length", "2")
	case "/v2/private/manifests/1":
		w.WriteHeader(http.StatusUnauthorized)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// TestInterrupted ends commands while they use a store: nothing is wrong with the store.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	home := filepath.Join(t.TempDir(), "home")
	environ, keys := []string{"BETA9_CREDENTIAL_HOME=" + home, "GITHUB_TOKEN=ghp_notASecret"}, filepath.Join(home, storeFile+keysSuffix)
	again := "hint: to go on where it stopped: beta9-credentials key rotate"
	for _, c := range []struct{ args, hint string }{
		{"secret put --workspace w1 --registry ghcr.io --env GITHUB_TOKEN", ""},
		{"secret list --workspace w1", ""},
		{"image attach --workspace w1 3f2a9c1e ghcr.io/acme/app:1", ""},
		{"key list", ""},
		{"key rotate", again + "\n"},
		{"key rotate --keep --keys " + keys, again + " --keep --keys " + keys + "\n"},
	} {
		args := strings.Fields(c.args)
		if code, stderr := runWith(t.Context(), environ, args); code != exitOK {
			t.Fatalf("%s: exit code %d, %s", c.args, code, stderr)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		code, stderr := runWith(ctx, environ, args)
		if want := "error: canceled: the command was interrupted\n" + c.hint; code != exitFailed || stderr != want {
			t.Errorf("%s: exit code %d, %q; want %q", c.args, code, stderr, want)
		}
	}
}

// TestDatabaseOfAnotherProgram names it as the store of every command: it stays as it is, and no keyring is made for it.
func TestDatabaseOfAnotherProgram(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "other.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err == nil {
		_, err = db.ExecContext(t.Context(), `CREATE TABLE bookmarks (a)`)
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	environ := []string{storeVariable + "=sqlite:" + path, "GITHUB_TOKEN=ghp_notASecret"}
	want := "error: bad_request: what is in " + path + " is no store, but the database of another program\nhint: name the file of a store, or one that is not there yet\n"
	for _, line := range []string{
		"secret list --workspace w", "secret show --workspace w ghcr.io", "secret rm --workspace w ghcr.io",
		"secret put --workspace w --registry ghcr.io --env GITHUB_TOKEN", "image show --workspace w i", "image detach --workspace w i",
		"image attach --workspace w i ghcr.io/acme/app:1", "migrate", "key list", "key rotate", "key new",
	} {
		if code, stderr := runWith(t.Context(), environ, strings.Fields(line)); code != exitFailed || stderr != want {
			t.Errorf("%s: exit code %d, %s", line, code, stderr)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed: %v", err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("beside it there are %v, %v", entries, err)
	}
}

// deleted is a store of which somebody else removes a secret as soon as it was looked at.
type deleted struct{ workspaceStore }

func (s deleted) Get(ctx context.Context, workspace, name string) (secrets.Secret, error) {
	found, err := s.workspaceStore.Get(ctx, workspace, name)
	if err == nil {
		err = s.Delete(ctx, workspace, name, found.Version)
	}
	return found, err
}

// TestRemovedMeanwhile has somebody else remove a secret while a command does: then there is none, and Beta9, whose store it
// is not, has nothing to do with it.
func TestRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	environ := []string{"GITHUB_TOKEN=ghp_notASecret"}
	put := "secret put --workspace w --registry ghcr.io --env GITHUB_TOKEN --store sqlite:" + path
	if code, stderr := runWith(t.Context(), environ, strings.Fields(put)); code != exitOK {
		t.Fatal(stderr)
	}
	var said strings.Builder
	a, flag := &app{console: console{stdout: io.Discard, stderr: &said}}, storeFlag{store: "sqlite:" + path}
	within := func(do func(context.Context, workspaceStore) error) {
		t.Helper()
		said.Reset()
		if code := report(a.console, a.workspace(t.Context(), nil, flag, "w", do)); code != exitNone || strings.Contains(said.String(), "Beta9") {
			t.Errorf("exit code %d, %s", code, said.String())
		}
	}
	within(func(ctx context.Context, s workspaceStore) error {
		return flag.find("w", "ghcr.io", func(name string) error { return a.remove(ctx, deleted{s}, "w", name) })
	})
	want := "error: the workspace w has no secret of ghcr.io\nhint: see what it has: beta9-credentials secret list --workspace w --store sqlite:" + path + "\n"
	if said.String() != want {
		t.Errorf("%s, want %s", said.String(), want)
	}
	within(func(context.Context, workspaceStore) error {
		return secrets.NotFound(secrets.Place{Workspace: "w", Name: "oci-creds-0fd460f0568e29c1"})
	})
}

// runWith carries out a command line, and returns the exit code and what was written to stderr.
func runWith(ctx context.Context, environ, args []string) (code int, stderr string) {
	var said strings.Builder
	code = run(ctx, args, console{strings.NewReader(""), io.Discard, &said, environ, new(atomic.Bool)})
	return code, said.String()
}

// TestDatabases uses the stores in PostgreSQL: STORE, an empty database, and BETA9, one of Beta9's with an image and two
// workspaces in it, one of which has a secret of an older release.
func TestDatabases(t *testing.T) {
	cluster := secretstest.NewCluster(t)
	tables, err := os.ReadFile("../../secrets/beta9/testdata/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	address := cluster.Database(t)
	secretstest.Execute(t, address, string(tables)+`;
INSERT INTO workspace (external_id, name, signing_key)
VALUES ('7d444840-9dc0-41d1-b245-5ffdce74fad2', 'acme', 'sk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=');
INSERT INTO workspace (external_id, name, signing_key) SELECT '6ba7b810-9dad-41d1-80b4-00c04fd430c8', 'old', signing_key FROM workspace;
INSERT INTO workspace_secret (workspace_id, name, value) VALUES (2, 'oci-registry-ghcr-io', 'gJmHX9Oy+wxb0tbRiQ/4wMdWXUPx1MXGaOyn6T0+oAKaoBDNJt5eeZACdzT/kbdWPy+hmx+qyfKArXAxX6WvcRAmGYoD/0rwGa4w6Lx8+nods3Panja1nXoRqk7R7LMlS6TaE8NVgZKr2akANV8Cgq8Id7QZQkEUWLOCei09feqeNHh8Tw==');
INSERT INTO image (image_id, clip_version) VALUES ('3f2a9c1e', 2);`)
	runStoreScripts(t, "testdata/database", map[string]string{
		"STORE": cluster.Database(t), "BETA9": fmt.Sprint("beta9+", address), "NEITHER": fmt.Sprint("beta9+", cluster.Database(t)),
	})
}
