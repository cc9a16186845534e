package matrix_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/clients"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
	"github.com/beam-cloud/docker-credential-beta9/internal/island"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

// storing are the clients that hand a login to the helper which their configuration names. regctl is not among them: it
// keeps logins in a file of its own.
var storing = []string{"crane", "oras", "docker", "skopeo", "buildah", "podman"}

// verb reports whether a helper was called with a verb.
func verb(calls []string, name string) bool {
	return slices.ContainsFunc(calls, func(call string) bool { return strings.HasSuffix(call, " "+name) })
}

func TestR4_LoginPullLogout(t *testing.T) {
	t.Parallel()
	cycle := func(t *testing.T, g ground, w *world, configure func(*testing.T, *world, string)) {
		reg := g.start(t)
		ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
		configure(t, w, reg.Name())
		if out, err := w.run(w.client.Login(t.Context(), w.home, reg.Name(), "alice", password, true)); err != nil {
			t.Fatalf("login: %v: %s", err, out)
		}
		if calls := w.calls(t); !verb(calls, "store") {
			t.Errorf("login called %q", calls)
		}
		filetest.NoTrace(t, w.home.Dir(), password)

		w.pull(t, ref, true)
		pulledBy(t, reg, "alice", w)
		w.called(t, true, true)

		if out, err := w.run(w.client.Logout(t.Context(), w.home, reg.Name(), true)); err != nil {
			t.Fatalf("logout: %v: %s", err, out)
		}
		if calls := w.calls(t); !verb(calls, "erase") {
			t.Errorf("logout called %q", calls)
		}
		w.refused(t, ref, true)
	}
	onEach(t, grounds, func(t *testing.T, g ground) {
		each(t, storing, func(t *testing.T, w *world) {
			cycle(t, g, w, func(t *testing.T, w *world, host string) { w.configure(t, host) })
		})
	})
	t.Run("credsStore", func(t *testing.T) {
		t.Parallel()
		each(t, []string{"crane", "oras", "docker"}, func(t *testing.T, w *world) {
			cycle(t, grounds[0], w, func(t *testing.T, w *world, _ string) { w.configureStore(t) })
		})
	})
}

// docker is given an identity token for the password by some registries, and has the helper keep that in its place.
func TestR3R4_LoginYieldsAnIdentityToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, clients.Need(t, "docker"))
	reg := tokenGrounds[0].start(t, func(o *registrytest.Options) { o.OfferIdentityTokens = true })
	ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
	w.configure(t, reg.Name())
	if out, err := w.run(w.client.Login(t.Context(), w.home, reg.Name(), "alice", password, true)); err != nil {
		t.Fatalf("login: %v: %s", err, out)
	}
	reg.Forget()
	w.pull(t, ref, true)
	pulledBy(t, reg, "alice", w)
	if reg.Saw(password) {
		t.Error("the password was kept")
	}
}

// regctl keeps its logins in clear in a file of its own and looks there first: a login through a helper cannot be had with it,
// and what is in its file hides what a helper has.
func TestR4_RegctlKeepsItsOwnLogins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, clients.Need(t, "regctl"))
	reg := grounds[0].start(t)
	ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
	w.configure(t, reg.Name())
	if out, err := w.run(w.client.Login(t.Context(), w.home, reg.Name(), "alice", password, true)); err != nil {
		t.Fatalf("login: %v: %s", err, out)
	}
	w.pull(t, ref, true)
	if calls := w.calls(t); len(calls) > 0 {
		t.Errorf("called %q", calls)
	}
}

// skopeo, buildah and podman log in to a file in the folder of the session, where no helper is named, unless they are told the
// file. They pull with the helper that the other file names all the same.
func TestR4_WithoutTheFileNamed(t *testing.T) {
	t.Parallel()
	each(t, containers, func(t *testing.T, w *world) {
		reg := grounds[0].start(t)
		ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
		w.environ = append(w.environ, "REGISTRY_AUTH_FILE=")
		w.configure(t, reg.Name())
		w.person(t, password, "login", reg.Name(), "-u", "alice", "--password-stdin")
		w.pull(t, ref, true)
		w.called(t, true, true)

		if out, err := w.run(w.client.Login(t.Context(), w.home, reg.Name(), "alice", password, true)); err != nil {
			t.Fatalf("login: %v: %s", err, out)
		}
		if calls := w.calls(t); verb(calls, "store") {
			t.Errorf("called %q: the pages for developers say that this does not happen", calls)
		}
	})
}

// Logins in clear overwrite each other when they come at once.
func TestR4_ThirtyTwoAtOnce(t *testing.T) {
	t.Parallel()
	docker := clients.Need(t, "docker")
	names := make([]string, 32)
	for i := range names {
		names[i] = fmt.Sprintf("r%02d.example.com", i)
	}
	for what, configure := range map[string]func(*testing.T, *world){
		"credHelpers": func(t *testing.T, w *world) { w.configure(t, names...) },
		"credsStore":  func(t *testing.T, w *world) { w.configureStore(t) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			owned(t)
			island.Run(t, island.Config{Names: names, Environ: commands.Environ()}, func(t *testing.T, isle *island.Island) {
				o := registrytest.Options{TLS: isle.Authority.ServerConfig(), Auth: registrytest.Basic, Accounts: map[string]string{}}
				for _, name := range names {
					o.Listen = append(o.Listen, name+":443")
					o.Accounts["user-of-"+name] = password
				}
				reg := registrytest.Start(t, o)
				reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
				w := newWorld(t, docker)
				configure(t, w)

				logins := make([]*exec.Cmd, len(names))
				for i, name := range names {
					logins[i] = docker.Login(t.Context(), w.home, name, "user-of-"+name, password, false)
					logins[i].Env = append(logins[i].Env, w.environ...)
					if err := logins[i].Start(); err != nil {
						t.Fatal(err)
					}
				}
				for i, name := range names {
					if err := logins[i].Wait(); err != nil {
						t.Errorf("login to %s: %v", name, err)
					}
				}

				out, err := w.home.Command(t.Context(), filepath.Join(commands.Folder(t), "docker-credential-beta9"), "list").Output()
				if err != nil {
					t.Fatal(err)
				}
				reg.Forget()
				for _, name := range names {
					if !strings.Contains(string(out), fmt.Sprintf("%q:%q", name, "user-of-"+name)) {
						t.Errorf("the login to %s is lost: %s", name, out)
					}
					w.pull(t, name+"/acme/app:1", false)
				}
				for _, q := range reg.Requests() {
					if q.User != "" && (!q.Authenticated || q.User != "user-of-"+q.Host) {
						t.Errorf("%s was shown the login of another: %+v", q.Host, q)
					}
				}
			})
		})
	}
}
