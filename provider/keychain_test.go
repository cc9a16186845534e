//go:build unix

package provider

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

// resource parses what go-containerregistry asks its keychains for.
func resource(t *testing.T, s string) authn.Resource {
	t.Helper()
	if !strings.Contains(s, "/") {
		r, err := name.NewRegistry(s)
		must(t, err)
		return r
	}
	r, err := name.ParseReference(s)
	must(t, err)
	if !strings.ContainsAny(s, ":@") {
		return r.Context()
	}
	return r.(authn.Resource)
}

func TestKeychainResolves(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	hub, _ := helpers.TypeNamed("dockerhub")
	login, err := helpers.NewMaterial(hub, registry(t, "docker.io"), map[string]string{
		"DOCKERHUB_USERNAME": "user", "DOCKERHUB_PASSWORD": "x",
	})
	must(t, err)
	p := f.provider(Options{Source: Materials{material(t, here+"/acme", "swordfish"), login.WithScope("acme")}})
	tests := map[string]bool{
		here: true, here + "/acme/app": true, here + "/other/app": false, "none.example.com/acme/app": false,
		"acme/app": true, "ubuntu/app": false, "index.docker.io": true, // Docker Hub as go-containerregistry has it
		here + "/acme/app:1": true, here + "/other/app:1": false, "acme/app:1": true, "ubuntu/app:1": false,
		here + "/acme/app@sha256:" + strings.Repeat("a", 64): true,
	}
	for target, have := range tests {
		auth, err := authn.Resolve(t.Context(), p, resource(t, target))
		if err != nil || (auth != authn.Anonymous) != have {
			t.Errorf("%s: %v, %v", target, auth != authn.Anonymous, err)
		}
		if auth, err = p.Resolve(resource(t, target)); err != nil || (auth != authn.Anonymous) != have {
			t.Errorf("%s without context: %v, %v", target, auth != authn.Anonymous, err)
		}
	}
	// In a chain, a registry for which there is nothing is left to the next.
	chain := authn.NewMultiKeychain(p, f.isolated("none.example.com", "next"))
	auth, err := authn.Resolve(t.Context(), chain, resource(t, "none.example.com/acme/app"))
	must(t, err)
	if config, err := auth.Authorization(); err != nil || !strings.HasPrefix(config.Password, "next/") {
		t.Errorf("the next in the chain: %v", err)
	}
}

func TestKeychainFails(t *testing.T) {
	t.Parallel()
	p := newFolder(t, "throttled").isolated(here, "swordfish")
	if auth, err := p.Resolve(resource(t, here)); auth != nil || !errors.Is(err, helpers.Throttled) {
		t.Errorf("got %v, %v", auth, err)
	}
	if config, err := p.Authenticator(here, "").Authorization(); config == nil || !errors.Is(err, helpers.Throttled) {
		t.Errorf("got %v", err)
	}
}

// A client that was made once goes on after its credential has expired and the registry no longer takes it.
func TestAuthenticatorSurvivesExpiry(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	f.write("life", "1h")
	c := newClock(f)
	reg := registrytest.Start(t, registrytest.Options{
		Auth:     registrytest.Basic,
		Accounts: map[string]string{"user": "swordfish/2"},
	})
	first, second := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t)), reg.Name()+"/acme/app"
	p := f.provider(Options{Source: Materials{material(t, reg.Name(), "swordfish")}, Now: c.Now})

	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	repository, err := name.NewRepository(second, name.Insecure)
	must(t, err)
	puller, err := remote.NewPuller(remote.WithAuth(p.Authenticator(reg.Name(), "acme/app")), remote.WithTransport(transport))
	must(t, err)
	tag, err := name.NewTag(first, name.Insecure)
	must(t, err)
	if _, err := puller.Head(t.Context(), tag); err == nil {
		t.Fatal("the registry took swordfish/1")
	}
	c.Advance(time.Hour) // past the expiry of swordfish/1
	if _, err := puller.Head(t.Context(), tag); err != nil {
		t.Errorf("with the next credential: %v", err)
	}
	if _, err := puller.List(t.Context(), repository); err != nil {
		t.Errorf("with the next credential: %v", err)
	}
	f.wantRuns(2)
}
