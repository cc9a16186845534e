package clients

import (
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/island"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
	"github.com/beam-cloud/docker-credential-beta9/internal/testca"
)

// hub are the names of Docker Hub's registry, and what clients store its credentials under.
var (
	hub     = []string{"registry-1.docker.io", "index.docker.io", "docker.io"}
	hubKeys = []string{"https://index.docker.io/v1/", "docker.io", "registry-1.docker.io"}
)

func TestPullByRealNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		host  string
		names []string // of the registry; the first is its own
		token string   // the token server's name, when it has one of its own
		keys  []string // in the configuration
		user  string
		auth  registrytest.Auth
	}{
		{host: "docker.io", names: hub, token: "auth.docker.io", keys: hubKeys, user: "alice", auth: registrytest.Bearer},
		{host: "ghcr.io", names: []string{"ghcr.io"}, keys: []string{"ghcr.io"}, user: "alice", auth: registrytest.Bearer},
		{host: "nvcr.io", names: []string{"nvcr.io"}, keys: []string{"nvcr.io"}, user: "$oauthtoken", auth: registrytest.Bearer},
		{host: "registry.example.com", names: []string{"registry.example.com"}, keys: []string{"registry.example.com"}, user: "alice", auth: registrytest.Basic},
		{
			host:  "123456789012.dkr.ecr.us-east-1.amazonaws.com",
			names: []string{"123456789012.dkr.ecr.us-east-1.amazonaws.com"},
			keys:  []string{"123456789012.dkr.ecr.us-east-1.amazonaws.com"},
			user:  "AWS", auth: registrytest.Basic,
		},
	}
	for _, tt := range tests {
		t.Run(tt.host, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, c Client, _ Home) {
				config := island.Config{Names: tt.names}
				if tt.token != "" {
					config.Names = append(config.Names[:len(config.Names):len(config.Names)], tt.token)
				}
				island.Run(t, config, func(t *testing.T, isle *island.Island) {
					reg := registrytest.Start(t, realRegistry(isle, tt.names, tt.token, tt.auth, tt.user))
					reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
					home := TempHome(t)
					configure(t, home, c, Auths(tt.user, password, tt.keys...))
					if out, err := c.Pull(t.Context(), home, tt.host+"/acme/app:1", false).CombinedOutput(); err != nil {
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

// realRegistry stands in for a registry of the world under all of its names.
func realRegistry(isle *island.Island, names []string, token string, auth registrytest.Auth, user string) registrytest.Options {
	o := registrytest.Options{
		Name:     names[0],
		TLS:      isle.Authority.ServerConfig(),
		Auth:     auth,
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
		island.Run(t, island.Config{Names: append(hub[:len(hub):len(hub)], "auth.docker.io")}, func(t *testing.T, isle *island.Island) {
			reg := registrytest.Start(t, realRegistry(isle, hub, "auth.docker.io", registrytest.Bearer, "alice"))
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
