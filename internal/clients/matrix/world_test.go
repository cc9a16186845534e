// Package matrix_test pulls images with every client that people use, through the helpers of this project, as they are
// installed: nothing here knows more of a helper than its name.
//
// The cases:
//
//	R1  pull through credHelpers
//	R2  pull through credsStore, with the dispatcher
//	R3  identity tokens, which clients store under the user name "<token>"
//	R4  log in, pull, log out
//	R5  a helper that has nothing: public images can be pulled
//	R6  how often a client runs a helper for one pull
//	R7  the real names of registries, in a network of the test
package matrix_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/clients"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

func TestMain(m *testing.M) { os.Exit(commands.Main(m, "./testdata/counter")) }

const password = "not-a-real-password"

// dockers are the clients that read docker's configuration, and containers those that read podman's.
var (
	dockers    = []string{"crane", "regctl", "oras", "docker"}
	containers = []string{"skopeo", "buildah", "podman"}
)

// A world is a client with a home of its own and with the helpers on its PATH, each behind a counter.
type world struct {
	client  clients.Client
	home    clients.Home
	family  string   // docker or podman: what configure is told
	store   bool     // configured with credsStore
	environ []string // for whatever runs in this world
	log     string   // of the counters
}

func newWorld(t *testing.T, client clients.Client) *world {
	t.Helper()
	home, folder := clients.TempHome(t), commands.Folder(t)
	w := &world{client: client, home: home, family: "podman", log: filepath.Join(home.Dir(), "calls")}
	if slices.Contains(dockers, client.Name) {
		w.family = "docker"
	}
	counting := filepath.Join(home.Dir(), "bin")
	if err := os.Mkdir(counting, 0o700); err != nil {
		t.Fatal(err)
	}
	helpers, err := filepath.Glob(filepath.Join(folder, "docker-credential-beta9*"))
	if err != nil || len(helpers) == 0 {
		t.Fatalf("no helpers in %s: %v", folder, err)
	}
	for _, helper := range helpers {
		if err := os.Symlink(filepath.Join(folder, "counter"), filepath.Join(counting, filepath.Base(helper))); err != nil {
			t.Fatal(err)
		}
	}
	w.environ = []string{
		fmt.Sprintf("PATH=%s%c%s", counting, filepath.ListSeparator, os.Getenv("PATH")),
		"BETA9_TEST_CALLS=" + w.log,
		"BETA9_TEST_HELPERS=" + folder,
	}
	return w
}

// run runs a command in this world and returns what it printed.
func (w *world) run(cmd *exec.Cmd) (string, error) {
	cmd.Env = append(cmd.Env, w.environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// person runs beta9-credentials as the person whose world this is. Its calls of helpers are not counted.
func (w *world) person(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := w.home.Command(t.Context(), filepath.Join(commands.Folder(t), "beta9-credentials"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := w.run(cmd); err != nil {
		t.Fatalf("beta9-credentials %q: %v: %s", args, err, out)
	}
}

// configure names the helpers in the client's configuration.
func (w *world) configure(t *testing.T, args ...string) {
	t.Helper()
	w.person(t, "", append([]string{"configure", w.family}, args...)...)
}

// configureStore names the dispatcher in the client's configuration, for every registry.
func (w *world) configureStore(t *testing.T) {
	t.Helper()
	w.configure(t, "--creds-store")
	w.store = true
}

// pull pulls an image and fails the test when that fails.
func (w *world) pull(t *testing.T, ref string, plain bool) {
	t.Helper()
	if out, err := w.run(w.client.Pull(t.Context(), w.home, ref, plain)); err != nil {
		t.Fatalf("pull of %s: %v: %s", ref, err, out)
	}
}

// refused pulls an image, fails the test when that succeeds, and returns what the client printed.
func (w *world) refused(t *testing.T, ref string, plain bool) string {
	t.Helper()
	out, err := w.run(w.client.Pull(t.Context(), w.home, ref, plain))
	if err == nil {
		t.Fatalf("pulled %s: %s", ref, out)
	}
	return out
}

// owned is what a test on an island needs in which a command runs a helper: on the island of a user who is not root, the folders
// above the helper belong to nobody that the user's namespace knows, and a helper below such a folder is not run.
func owned(t *testing.T) {
	t.Helper()
	commands.Folder(t) // built before, once for all
	needs.Root(t)
}

// each runs the test for each of the clients, each in a world of its own.
func each(t *testing.T, names []string, test func(t *testing.T, w *world)) {
	t.Helper()
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, clients.Need(t, name)))
		})
	}
}

// A ground is a kind of registry to pull from.
type ground struct {
	name     string
	software registrytest.Software
	auth     registrytest.Auth
}

var grounds = []ground{
	{"docker-registry with Basic", registrytest.Distribution, registrytest.Basic},
	{"docker-registry with tokens", registrytest.Distribution, registrytest.Bearer},
	{"go-containerregistry with Basic", registrytest.InProcess, registrytest.Basic},
	{"go-containerregistry with tokens", registrytest.InProcess, registrytest.Bearer},
}

// tokenGrounds are those with a token server.
var tokenGrounds = []ground{grounds[1], grounds[3]}

// start starts such a registry, with alice's account.
func (g ground) start(t *testing.T, more ...func(*registrytest.Options)) *registrytest.Registry {
	t.Helper()
	o := registrytest.Options{Software: g.software, Auth: g.auth, Accounts: map[string]string{"alice": password}}
	for _, change := range more {
		change(&o)
	}
	return registrytest.Start(t, o)
}

// onEach runs the test on each of the grounds.
func onEach(t *testing.T, grounds []ground, test func(t *testing.T, g ground)) {
	t.Helper()
	for _, g := range grounds {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			test(t, g)
		})
	}
}

// pulledBy fails the test unless the registry handed an image out to the user, "" for anybody, and saw no other user. docker's
// own command fetches the manifest alone.
func pulledBy(t *testing.T, reg *registrytest.Registry, user string, w *world) {
	t.Helper()
	manifests, blobs := 0, 0
	for _, q := range reg.Requests() {
		if q.User != user && q.User != "" {
			t.Errorf("%q presented itself: %+v", q.User, q)
		}
		if q.Method != "GET" || q.Status >= 400 || q.User != user || user != "" && !q.Authenticated {
			continue
		}
		switch {
		case strings.Contains(q.Path, "/manifests/"):
			manifests++
		case strings.Contains(q.Path, "/blobs/"):
			blobs++
		}
	}
	if manifests == 0 || blobs == 0 && w.client.Name != "docker" {
		t.Errorf("handed out %d manifests and %d blobs to %q: %+v", manifests, blobs, user, reg.Requests())
	}
}
