package clients

import (
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/island"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
	"github.com/beam-cloud/docker-credential-beta9/internal/testca"
)

// hub are the names of Docker Hub's registry, and what clients store its credentials under.
var (
	hub     = []string{"registry-1.docker.io", "index.docker.io", "docker.io"}
	hubKeys = []string{"https://index.docker.io/v1/", "docker.io", "registry-1.docker.io"}
)

// machineRoot is what skopeo, buildah and podman need on an island: they take root there for the machine's, and use folders
// under /var that are that one's.
func machineRoot(t *testing.T, c Client) {
	t.Helper()
	if c.kind.variable == containersSettings.variable {
		needs.Root(t)
	}
}

func TestPullByRealNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		host     string
		names    []string // of the registry, its own first; default: host
		keys     []string // in the configuration; default: host
		token    string   // the token server's name, when it has one of its own
		user     string
		auth     registrytest.Auth
		software registrytest.Software
	}{
		{
			host: "docker.io", names: hub, token: "auth.docker.io", keys: hubKeys,
			user: "alice", auth: registrytest.Bearer,
		},
		{host: "ghcr.io", user: "alice", auth: registrytest.Bearer, software: registrytest.Distribution},
		{host: "nvcr.io", user: "$oauthtoken", auth: registrytest.Bearer},
		{host: "registry.example.com", user: "alice", auth: registrytest.Basic, software: registrytest.Distribution},
		{host: "123456789012.dkr.ecr.us-east-1.amazonaws.com", user: "AWS", auth: registrytest.Basic},
	}
	for _, tt := range tests {
		if tt.names == nil {
			tt.names, tt.keys = []string{tt.host}, []string{tt.host}
		}
		t.Run(tt.host, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, c Client, _ Home) {
				names := slices.DeleteFunc(slices.Concat(tt.names, []string{tt.token}), func(n string) bool { return n == "" })
				machineRoot(t, c)
				island.Run(t, island.Config{Names: names}, func(t *testing.T, isle *island.Island) {
					o := standIn(isle, tt.names, tt.token, tt.user)
					o.Auth, o.Software = tt.auth, tt.software
					reg := registrytest.Start(t, o)
					reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
					home := TempHome(t)
					configure(t, home, c, Auths(tt.user, password, tt.keys...))
					pull := c.Pull(t.Context(), home, tt.host+"/acme/app:1", false)
					pull.Env = append(pull.Env, "SSL_CERT_FILE=") // the system's certificates do
					if out, err := pull.CombinedOutput(); err != nil {
						t.Fatalf("%v: %s", err, out)
					}
					if manifests, blobs := pulled(reg, tt.user); manifests == 0 || blobs == 0 && c.Name != "docker" {
						t.Errorf("handed out %d manifests and %d blobs: %+v", manifests, blobs, reg.Requests())
					}
				})
			})
		})
	}
}

// standIn is a registry with one account under all the names that one of the world has.
func standIn(isle *island.Island, names []string, token, user string) registrytest.Options {
	o := registrytest.Options{
		Name:     names[0],
		TLS:      isle.Authority.ServerConfig(),
		Auth:     registrytest.Bearer,
		Accounts: map[string]string{user: password},
	}
	for _, name := range names {
		o.Listen = append(o.Listen, name+":443")
	}
	if token != "" {
		o.TokenListen = []string{token + ":443"}
	}
	return o
}

func TestClientsTrustNobodyElse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c Client, _ Home) {
		island.Run(t, island.Config{Names: []string{"ghcr.io"}}, func(t *testing.T, isle *island.Island) {
			other, err := testca.New()
			if err != nil {
				t.Fatal(err)
			}
			reg := registrytest.Start(t, registrytest.Options{
				Listen: []string{"ghcr.io:443"}, TLS: other.ServerConfig(),
				Auth: registrytest.Basic, Accounts: map[string]string{"alice": password},
			})
			ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
			home := TempHome(t)
			configure(t, home, c, Auths("alice", password, "ghcr.io"))
			if out, err := c.Pull(t.Context(), home, ref, false).CombinedOutput(); err == nil {
				t.Errorf("pulled from an impostor: %s", out)
			}
			if reg.Saw(password) {
				t.Error("an impostor was sent the password")
			}
		})
	})
}

func TestLoginToDockerHub(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c Client, _ Home) {
		machineRoot(t, c)
		island.Run(t, island.Config{Names: slices.Concat(hub, []string{"auth.docker.io"})}, func(t *testing.T, isle *island.Island) {
			reg := registrytest.Start(t, standIn(isle, hub, "auth.docker.io", "alice"))
			reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
			home := TempHome(t)
			if out, err := c.Login(t.Context(), home, "docker.io", "alice", password, false).CombinedOutput(); err != nil {
				t.Fatalf("login: %v: %s", err, out)
			}
			if out, err := c.Pull(t.Context(), home, "docker.io/acme/app:1", false).CombinedOutput(); err != nil {
				t.Fatalf("pull: %v: %s", err, out)
			}
			if out, err := c.Logout(t.Context(), home, "docker.io", false).CombinedOutput(); err != nil {
				t.Fatalf("logout: %v: %s", err, out)
			}
			out, err := c.Pull(t.Context(), home, "docker.io/acme/app:1", false).CombinedOutput()
			if err == nil {
				t.Fatalf("pulled after logging out: %s", out)
			}
			if strings.Contains(string(out), password) {
				t.Errorf("the password is in what it printed: %s", out)
			}
		})
	})
}
