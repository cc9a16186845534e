package matrix_test

import (
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/clients"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

// sources are the ways in which a credential for a registry gets to its helper.
var sources = []struct {
	name string
	give func(t *testing.T, w *world, host, user, secret string)
}{
	{"environment", func(t *testing.T, w *world, host, user, secret string) {
		w.environ = append(w.environ, "REGISTRY="+host, "REGISTRY_USERNAME="+user, "REGISTRY_PASSWORD="+secret)
	}},
	{"login", func(t *testing.T, w *world, host, user, secret string) {
		w.person(t, secret, "login", host, "-u", user, "--password-stdin")
	}},
}

// given pulls with each source of credentials on each of the grounds: first without a credential, which has to be refused,
// then with one.
func given(t *testing.T, names []string, configure func(t *testing.T, w *world, host string)) {
	t.Helper()
	for _, source := range sources {
		t.Run(source.name, func(t *testing.T) {
			t.Parallel()
			onEach(t, grounds, func(t *testing.T, g ground) {
				each(t, names, func(t *testing.T, w *world) {
					reg := g.start(t)
					ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
					configure(t, w, reg.Name())
					w.refused(t, ref, true)
					if len(w.calls(t)) == 0 {
						t.Error("no helper was asked before the pull was refused")
					}
					reg.Forget()

					source.give(t, w, reg.Name(), "alice", password)
					w.calls(t)
					w.pull(t, ref, true)
					pulledBy(t, reg, "alice", w)
					w.called(t, true, true)
				})
			})
		})
	}
}

func TestR1R6_CredHelpers(t *testing.T) {
	t.Parallel()
	given(t, clients.Names(), func(t *testing.T, w *world, host string) { w.configure(t, host) })
}

func TestR2R6_CredsStore(t *testing.T) {
	t.Parallel()
	given(t, dockers, func(t *testing.T, w *world, _ string) { w.configureStore(t) })
}

// skopeo, buildah and podman pass over credsStore: they ask nobody.
func TestR2_CredsStoreIsNotForAll(t *testing.T) {
	t.Parallel()
	each(t, containers, func(t *testing.T, w *world) {
		reg := grounds[0].start(t)
		ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
		w.person(t, password, "login", reg.Name(), "-u", "alice", "--password-stdin")
		if err := w.home.Configure(w.client, map[string]any{"credsStore": "beta9"}); err != nil {
			t.Fatal(err)
		}
		w.refused(t, ref, true)
		if calls := w.calls(t); len(calls) > 0 {
			t.Errorf("asked: %q", calls)
		}
	})
}

func TestR3_IdentityTokens(t *testing.T) {
	t.Parallel()
	const token = "not-a-real-identity-token"
	onEach(t, tokenGrounds, func(t *testing.T, g ground) {
		each(t, clients.Names(), func(t *testing.T, w *world) {
			reg := g.start(t, func(o *registrytest.Options) { o.IdentityTokens = map[string]string{token: "alice"} })
			ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
			w.configure(t, reg.Name())
			w.person(t, token, "login", reg.Name(), "-u", "<token>", "--password-stdin")
			w.pull(t, ref, true)
			pulledBy(t, reg, "alice", w)
			for _, q := range reg.Requests() {
				if q.Path == "/token" && (q.Scheme != "refresh_token" || !q.Authenticated) {
					t.Errorf("a token that is no password was used as one: %+v", q)
				}
			}
		})
	})
}

func TestR5_NotFoundLeadsToAPublicPull(t *testing.T) {
	t.Parallel()
	onEach(t, tokenGrounds, func(t *testing.T, g ground) { // with Basic, what is public is not asked for with a challenge
		each(t, clients.Names(), func(t *testing.T, w *world) {
			reg := g.start(t, func(o *registrytest.Options) { o.Public = []string{"library"} })
			ref := reg.MustPush(t, "library/hello:1", registrytest.SmallImage(t))
			w.configure(t, reg.Name())
			w.pull(t, ref, true)
			pulledBy(t, reg, "", w)
			w.called(t, true, false)
		})
	})
}

// A helper that fails is not one that has nothing. crane, oras, skopeo, buildah and podman stop and show its words; docker and
// regctl show the hint and go on without a credential, whatever a helper says.
func TestR5_FailureIsNotNotFound(t *testing.T) {
	t.Parallel()
	each(t, clients.Names(), func(t *testing.T, w *world) {
		reg := tokenGrounds[0].start(t, func(o *registrytest.Options) { o.Public = []string{"library"} })
		ref := reg.MustPush(t, "library/hello:1", registrytest.SmallImage(t))
		w.configure(t, reg.Name())
		w.environ = append(w.environ, "REGISTRY="+reg.Name(), "REGISTRY_PASSWORD="+password)
		var out string
		if w.client.Name == "docker" || w.client.Name == "regctl" {
			var err error
			if out, err = w.run(w.client.Pull(t.Context(), w.home, ref, true)); err != nil {
				t.Fatalf("stopped, which the pages for developers deny: %v: %s", err, out)
			}
		} else if out = w.refused(t, ref, true); !strings.Contains(out, "REGISTRY_PASSWORD is there without REGISTRY_USERNAME") {
			t.Errorf("it does not say why: %s", out)
		}
		if !strings.Contains(out, "hint: set REGISTRY_USERNAME beside REGISTRY_PASSWORD") {
			t.Errorf("it does not say what to do: %s", out)
		}
		if strings.Contains(out, password) || reg.Saw(password) {
			t.Errorf("the password got out: %s", out)
		}
	})
}
