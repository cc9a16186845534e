//go:build linux

package workertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/clients"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// built runs a command of a build in its environment and returns what it printed.
func built(t *testing.T, b *provider.BuildEnvironment, cmd *exec.Cmd) (string, error) {
	t.Helper()
	cmd.Env = b.Environ(cmd.Env)
	for _, entry := range cmd.Env {
		if strings.Contains(entry, "canary") {
			t.Errorf("the environment of the build holds a secret: %s", entry)
		}
	}
	for _, arg := range cmd.Args {
		if strings.Contains(arg, "canary") {
			t.Errorf("the arguments of the build hold a secret: %s", arg)
		}
	}
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "canary") {
		t.Errorf("the build printed a secret: %s", out)
	}
	return string(out), err
}

// Every client pulls a private image through the environment, and the login that lies in the home beside it is never used.
func TestClientsPullThroughTheBuildEnvironment(t *testing.T) {
	for _, name := range clients.Names() {
		t.Run(name, func(t *testing.T) {
			client := clients.Need(t, name)
			home := clients.TempHome(t)
			reg := private(t, registrytest.Basic)
			ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
			must(t, home.Configure(client, clients.Auths(account, password, reg.Name())))
			if out, err := client.Pull(t.Context(), home, ref, true).CombinedOutput(); err != nil {
				t.Fatalf("with a login of its own: %v\n%s", err, out)
			}

			reg.Forget()
			tenant := worker(t, material(t, reg.Name(), "bob", other))
			b, err := tenant.BuildEnvironment(t.Context(), ref)
			must(t, err)
			defer b.Close()
			if out, err := built(t, b, client.Pull(t.Context(), home, ref, true)); err == nil {
				t.Errorf("another tenant pulled the image\n%s", out)
			}
			if reg.Saw(password) || authenticated(reg) > 0 || !reg.Saw(other) {
				t.Error("another tenant's pull did not go with that tenant's secret alone")
			}

			reg.Forget()
			nobody, err := worker(t).BuildEnvironment(t.Context(), ref)
			must(t, err)
			defer nobody.Close()
			if out, err := built(t, nobody, client.Pull(t.Context(), home, ref, true)); err == nil {
				t.Errorf("a tenant without a secret pulled the image\n%s", out)
			}
			if reg.Saw(password) || reg.Saw(other) {
				t.Error("a pull without a secret used one")
			}

			reg.Forget()
			owner, err := worker(t, material(t, reg.Name(), account, password)).BuildEnvironment(t.Context(), ref)
			must(t, err)
			defer owner.Close()
			must(t, home.Configure(client, map[string]any{}))
			if out, err := built(t, owner, client.Pull(t.Context(), home, ref, true)); err != nil {
				t.Errorf("the owner: %v\n%s", err, out)
			}
			if authenticated(reg) == 0 {
				t.Error("the owner's pull was not authenticated")
			}
		})
	}
}

// A build that takes from two registries shows to each of them its own credential only.
func TestDockerfileWithTwoRegistries(t *testing.T) {
	buildah := clients.Need(t, "buildah")
	home := clients.TempHome(t)
	one := registrytest.Start(t, registrytest.Options{Auth: registrytest.Basic, Accounts: map[string]string{account: password}})
	two := registrytest.Start(t, registrytest.Options{Auth: registrytest.Bearer, Accounts: map[string]string{"bob": other}})
	open := registrytest.Start(t, registrytest.Options{})
	base := one.MustPush(t, "acme/base:1", image(t))
	tool := two.MustPush(t, "tools/tool:1", registrytest.SmallImage(t))
	extra := open.MustPush(t, "extra:1", registrytest.SmallImage(t)) // not named to the provider

	p := worker(t, material(t, one.Name(), account, password), material(t, two.Name(), "bob", other))
	b, err := p.BuildEnvironment(t.Context(), base, tool)
	must(t, err)
	defer b.Close()

	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(strings.Join([]string{
		"FROM " + base, "COPY --from=" + tool + " /srv/data /srv/tool", "COPY --from=" + extra + " /srv/data /srv/extra", "",
	}, "\n")), 0o600))
	command := func(args ...string) *exec.Cmd {
		global := []string{"--root", filepath.Join(home.Dir(), "storage"), "--runroot", filepath.Join(home.Dir(), "run", "storage"), "--storage-driver", "vfs"}
		return home.Command(t.Context(), buildah.Path, append(global, args...)...)
	}
	if out, err := built(t, b, command("bud", "--isolation", "chroot", "--tls-verify=false", "-t", "built", dir)); err != nil {
		t.Fatalf("buildah bud: %v\n%s", err, out)
	}
	for _, tt := range []struct {
		reg       *registrytest.Registry
		mine, not string
	}{{one, password, other}, {two, other, password}} {
		if !tt.reg.Saw(tt.mine) || tt.reg.Saw(tt.not) {
			t.Errorf("%s saw its own credential: %t, the other one: %t", tt.reg.Name(), tt.reg.Saw(tt.mine), tt.reg.Saw(tt.not))
		}
	}
	if open.Saw(password) || open.Saw(other) {
		t.Error("the third registry saw a credential")
	}

	// The image's configuration, which holds its history, tells nothing of how the layers were got.
	archive := filepath.Join(dir, "built")
	if out, err := built(t, b, command("push", "built", "dir:"+archive)); err != nil {
		t.Fatalf("buildah push: %v\n%s", err, out)
	}
	must(t, filepath.WalkDir(archive, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), "canary") {
			t.Errorf("%s of the image holds a secret", d.Name())
		}
		return err
	}))
}

// With the real helpers a crash of the worker leaves nothing behind that a reader could use.
func TestFolderOfABuildIsNoUseByItself(t *testing.T) {
	client := clients.Need(t, "skopeo")
	home := clients.TempHome(t)
	reg := private(t, registrytest.Basic)
	ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
	p := with(t, provider.Options{
		Folder: commands.Folder(t), Source: provider.Materials{material(t, reg.Name(), account, password)},
	})
	b, err := p.BuildEnvironment(t.Context(), ref)
	must(t, err)
	kept := filepath.Join(t.TempDir(), "config.json")
	data, err := os.ReadFile(b.AuthFile())
	must(t, err)
	must(t, os.WriteFile(kept, data, 0o600))
	cmd := client.Pull(t.Context(), home, ref, true)
	cmd.Env = append(b.Environ(cmd.Env), "REGISTRY_AUTH_FILE="+kept)
	must(t, b.Close())
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("the image was pulled\n%s", out)
	}
	if authenticated(reg) > 0 || reg.Saw(password) {
		t.Error("the registry saw the credential")
	}
}

// A machine may name a helper in registries.conf for whatever it pulls. It is not asked for what a tenant pulls.
func TestHelperOfTheMachineIsOutOfReach(t *testing.T) {
	for _, name := range []string{"buildah", "podman"} {
		t.Run(name, func(t *testing.T) {
			client := clients.Need(t, name)
			home := clients.TempHome(t)
			reg := private(t, registrytest.Basic)
			ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))
			dir := t.TempDir()
			file := func(name, text string) string {
				path := filepath.Join(dir, name)
				must(t, os.WriteFile(path+".text", []byte(text), 0o600))
				must(t, copyFile(path+".text", path))
				return path
			}
			file("docker-credential-machine",
				"#!/bin/sh\nprintf '{\"ServerURL\":\"%s\",\"Username\":\""+account+"\",\"Secret\":\""+password+"\"}' \"$(cat)\"\n")
			settings := file("registries.conf", "credential-helpers = [\"machine\"]\n")
			pull := func() *exec.Cmd {
				cmd := client.Pull(t.Context(), home, ref, true)
				cmd.Env = append(cmd.Environ(), "CONTAINERS_REGISTRIES_CONF="+settings, "PATH="+dir+":"+os.Getenv("PATH"))
				return cmd
			}
			if out, err := pull().CombinedOutput(); err != nil {
				t.Fatalf("with the machine's helper: %v\n%s", err, out)
			}
			for what, tenant := range map[string]*provider.Provider{
				"nothing": worker(t), "a secret of its own": worker(t, material(t, reg.Name(), "bob", other)),
			} {
				reg.Forget()
				b, err := tenant.BuildEnvironment(t.Context(), ref)
				must(t, err)
				defer b.Close()
				if out, err := built(t, b, pull()); err == nil || reg.Saw(password) || authenticated(reg) > 0 {
					t.Errorf("a tenant with %s pulled with the machine's helper: %v\n%s", what, err, out)
				}
			}
		})
	}
}
