package clients

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

const password = "not-a-real-password"

func configure(t *testing.T, home Home, c Client, config map[string]any) {
	t.Helper()
	if err := home.Configure(c, config); err != nil {
		t.Fatal(err)
	}
}

// each runs the test for every client, each in a home of its own.
func each(t *testing.T, test func(t *testing.T, c Client, home Home)) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := Need(t, name)
			test(t, c, TempHome(t))
		})
	}
}

// pulled are the blobs and manifests that were handed out to the user.
func pulled(reg *registrytest.Registry, user string) (manifests, blobs int) {
	for _, q := range reg.Requests() {
		if q.Method != "GET" || q.Status >= 400 || q.User != user || q.Authenticated != (user != "") {
			continue
		}
		switch {
		case strings.Contains(q.Path, "/manifests/"):
			manifests++
		case strings.Contains(q.Path, "/blobs/"):
			blobs++
		}
	}
	return manifests, blobs
}

func TestPullWithCredentialsInTheConfiguration(t *testing.T) {
	t.Parallel()
	accounts := map[string]string{"alice": password}
	for _, o := range []registrytest.Options{
		{Software: registrytest.Distribution, Auth: registrytest.Basic, Accounts: accounts},
		{Software: registrytest.Distribution, Auth: registrytest.Bearer, Accounts: accounts},
		{Software: registrytest.InProcess, Auth: registrytest.Basic, Accounts: accounts},
		{Software: registrytest.InProcess, Auth: registrytest.Bearer, Accounts: accounts},
	} {
		t.Run(fmt.Sprintf("software %d auth %d", o.Software, o.Auth), func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, c Client, home Home) {
				reg := registrytest.Start(t, o)
				ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))

				if out, err := c.Pull(t.Context(), home, ref, true).CombinedOutput(); err == nil {
					t.Errorf("pulled without credentials: %s", out)
				}
				if manifests, blobs := pulled(reg, ""); manifests+blobs != 0 {
					t.Errorf("handed out %d manifests and %d blobs to nobody", manifests, blobs)
				}

				configure(t, home, c, Auths("alice", password, reg.Name()))
				if out, err := c.Pull(t.Context(), home, ref, true).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				manifests, blobs := pulled(reg, "alice")
				if manifests == 0 || blobs == 0 && c.Name != "docker" {
					t.Errorf("handed out %d manifests and %d blobs to alice: %+v", manifests, blobs, reg.Requests())
				}
			})
		})
	}
}

func TestPullWithAnIdentityToken(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c Client, home Home) {
		reg := registrytest.Start(t, registrytest.Options{
			Auth:           registrytest.Bearer,
			Accounts:       map[string]string{"alice": password},
			IdentityTokens: map[string]string{"false-identity-token": "alice"},
		})
		ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
		configure(t, home, c, map[string]any{"auths": map[string]any{
			reg.Name(): map[string]string{"auth": "PHRva2VuPjo=", "identitytoken": "false-identity-token"}, // "<token>:"
		}})
		if out, err := c.Pull(t.Context(), home, ref, true).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if !slices.ContainsFunc(reg.Requests(), func(q registrytest.Request) bool {
			return q.Scheme == "refresh_token" && q.User == "alice" && q.Authenticated
		}) {
			t.Errorf("no refresh_token grant in %+v", reg.Requests())
		}
	})
}

func TestLoginPullLogout(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c Client, home Home) {
		reg := registrytest.Start(t, registrytest.Options{
			Software: registrytest.Distribution,
			Auth:     registrytest.Basic,
			Accounts: map[string]string{"alice": password},
		})
		ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
		if out, err := c.Login(t.Context(), home, reg.Name(), "alice", password, true).CombinedOutput(); err != nil {
			t.Fatalf("login: %v: %s", err, out)
		}
		if out, err := c.Pull(t.Context(), home, ref, true).CombinedOutput(); err != nil {
			t.Fatalf("pull: %v: %s", err, out)
		}
		if out, err := c.Logout(t.Context(), home, reg.Name(), true).CombinedOutput(); err != nil {
			t.Fatalf("logout: %v: %s", err, out)
		}
		if out, err := c.Pull(t.Context(), home, ref, true).CombinedOutput(); err == nil {
			t.Fatalf("pulled after logging out: %s", out)
		}
	})
}

func TestNothingOfTheMachineReachesAClient(t *testing.T) {
	reg := registrytest.Start(t, registrytest.Options{Auth: registrytest.Basic, Accounts: map[string]string{"alice": password}})
	ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
	home := TempHome(t)

	// Somebody's own home, with credentials wherever a client might find them.
	machine := TempHome(t)
	for _, k := range []kind{docker, skopeo} {
		configure(t, machine, Client{kind: k}, Auths("alice", password, reg.Name()))
	}
	t.Setenv("HOME", machine.dir)
	t.Setenv("XDG_CONFIG_HOME", machine.path(".config"))
	t.Setenv("DOCKER_CONFIG", machine.path(dockerSettings.value))
	t.Setenv("REGISTRY_AUTH_FILE", machine.path(containersSettings.value))
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			c := Need(t, name)
			if out, err := c.Pull(t.Context(), home, ref, true).CombinedOutput(); err == nil {
				t.Errorf("found credentials of the machine: %s", out)
			}
		})
	}
	if reg.Saw(password) {
		t.Error("the password of the machine's configuration was sent")
	}
}

func TestPublicPullNeedsNoCredentials(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c Client, home Home) {
		reg := registrytest.Start(t, registrytest.Options{
			Auth:     registrytest.Bearer,
			Accounts: map[string]string{"alice": password},
			Public:   []string{"library"},
		})
		ref := reg.MustPush(t, "library/hello:1", registrytest.SmallImage(t))
		if out, err := c.Pull(t.Context(), home, ref, true).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	})
}
