package matrix_test

import (
	"slices"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/clients"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/internal/island"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

// A place is a registry of the world, with one account, and what an environment says of it.
type place struct {
	host     string
	names    []string // of the registry's servers, its own first
	token    string   // the name of the token server, where it has one of its own
	auth     registrytest.Auth
	user     string
	secret   string
	environ  []string
	software registrytest.Software
}

var places = []place{
	{
		host: "docker.io", names: []string{"registry-1.docker.io", "index.docker.io", "docker.io"}, token: "auth.docker.io",
		auth: registrytest.Bearer, user: "user-of-hub", secret: "dckr_pat_notARealToken",
		environ: []string{"DOCKERHUB_USERNAME=user-of-hub", "DOCKERHUB_TOKEN=dckr_pat_notARealToken"},
	},
	{
		host: "ghcr.io", names: []string{"ghcr.io"}, software: registrytest.Distribution,
		auth: registrytest.Bearer, user: "octocat", secret: "ghp_notARealToken",
		environ: []string{"GITHUB_ACTOR=octocat", "GITHUB_TOKEN=ghp_notARealToken"},
	},
	{
		host: "nvcr.io", names: []string{"nvcr.io"},
		auth: registrytest.Bearer, user: "$oauthtoken", secret: "nvapi-notARealKey",
		environ: []string{"NGC_API_KEY=nvapi-notARealKey"},
	},
	{
		host: "registry.example.com", names: []string{"registry.example.com"}, software: registrytest.Distribution,
		auth: registrytest.Basic, user: "alice", secret: password,
		environ: []string{"REGISTRY=registry.example.com", "REGISTRY_USERNAME=alice", "REGISTRY_PASSWORD=" + password},
	},
}

// The names of impostors, whom everybody trusts to be what they are called: one that only looks like a registry of the world,
// and one that is as good as any other.
const lookalike, stranger = "ghcr.io.example.com", "registry.example.net"

// start starts a registry at such a place.
func (p place) start(t *testing.T, isle *island.Island) *registrytest.Registry {
	t.Helper()
	o := registrytest.Options{
		Software: p.software, Auth: p.auth, Name: p.names[0], TLS: isle.Authority.ServerConfig(),
		Accounts: map[string]string{p.user: p.secret},
	}
	for _, name := range p.names {
		o.Listen = append(o.Listen, name+":443")
	}
	if p.token != "" {
		o.TokenListen = []string{p.token + ":443"}
	}
	reg := registrytest.Start(t, o)
	// An image of its own: what a client has already got from one registry, it does not fetch from another.
	img, err := registrytest.Image(nil, []registrytest.File{{Path: "etc/motd", Mode: 0o644, Data: []byte(p.names[0] + "\n")}})
	if err != nil {
		t.Fatal(err)
	}
	reg.MustPush(t, "acme/app:1", img)
	return reg
}

// knowsOnly fails the test if the registry was shown a secret of another place than its own, "" for none of them.
func knowsOnly(t *testing.T, reg *registrytest.Registry, own string) {
	t.Helper()
	for _, p := range places {
		if p.host != own && reg.Saw(p.secret) {
			t.Errorf("%s was shown the secret for %s", reg.Name(), p.host)
		}
	}
}

func TestR7_RealNames(t *testing.T) {
	t.Parallel()
	names := []string{lookalike, stranger}
	for _, p := range places {
		names = append(names, p.names...)
		if p.token != "" {
			names = append(names, p.token)
		}
	}
	for _, source := range []string{"environment", "login"} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			for _, name := range clients.Names() {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					client := clients.Need(t, name)
					owned(t)
					island.Run(t, island.Config{Names: names, Environ: commands.Environ()}, func(t *testing.T, isle *island.Island) {
						w := newWorld(t, client)
						for _, p := range places { // all of them at once
							if source == "environment" {
								w.environ = append(w.environ, p.environ...)
							} else {
								w.person(t, p.secret, "login", p.host, "-u", p.user, "--password-stdin")
							}
						}
						pullByName(t, w, isle)
						pullFromImpostors(t, w, isle)
					})
				})
			}
		})
	}
}

// pullByName pulls from all the places, each of which is to see its own user alone.
func pullByName(t *testing.T, w *world, isle *island.Island) {
	t.Helper()
	regs := map[string]*registrytest.Registry{}
	for _, p := range places {
		regs[p.host] = p.start(t, isle)
		w.configure(t, p.host)
	}
	for _, p := range places {
		w.pull(t, p.host+"/acme/app:1", false)
		w.called(t, false, true)
	}
	for _, p := range places {
		pulledBy(t, regs[p.host], p.user, w)
		knowsOnly(t, regs[p.host], p.host)
	}
}

// pullFromImpostors pulls with a configuration in which a helper is asked for the impostors too.
func pullFromImpostors(t *testing.T, w *world, isle *island.Island) {
	t.Helper()
	config := map[string]any{"credHelpers": map[string]string{lookalike: "beta9-ghcr", stranger: "beta9-generic"}}
	if slices.Contains(dockers, w.client.Name) {
		config = map[string]any{"credHelpers": map[string]string{lookalike: "beta9-ghcr"}, "credsStore": "beta9"}
	}
	if err := w.home.Configure(w.client, config); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{lookalike, stranger} {
		impostor := place{names: []string{name}, auth: registrytest.Basic, user: "mallory", secret: "unknown"}
		reg := impostor.start(t, isle)
		w.refused(t, name+"/acme/app:1", false)
		if len(w.calls(t)) == 0 {
			t.Errorf("no helper was asked for %s", name)
		}
		knowsOnly(t, reg, "")
		for _, q := range reg.Requests() {
			if q.User != "" { // skopeo, buildah and podman present an empty one
				t.Errorf("%s was presented a user: %+v", name, q)
			}
		}
	}
}
