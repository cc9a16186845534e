//go:build unix

package workertest

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/clip/pkg/clip"
	"github.com/beam-cloud/clip/pkg/storage"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// index makes CLIP's index of an image.
func index(t *testing.T, p *provider.Provider, ref string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.clip")
	return path, clip.CreateFromOCIImage(t.Context(), clip.CreateFromOCIImageOptions{
		ImageRef: ref, OutputPath: path, CredProvider: p,
	})
}

func TestIndexAndRead(t *testing.T) {
	for way, auth := range ways {
		t.Run(way, func(t *testing.T) {
			reg := private(t, auth)
			ref := reg.MustPush(t, "acme/app:1", image(t))
			p := worker(t, material(t, reg.Name(), account, password))
			path, err := index(t, p, ref)
			must(t, err)
			if got := read(t, p, path, "/etc/motd"); got != motd {
				t.Errorf("/etc/motd holds %q", got)
			}
			want, err := os.ReadFile(filepath.Join(commands.Folder(t), helpers.ExecutablePrefix+"generic"))
			must(t, err)
			if got := read(t, p, path, "/usr/bin/helper"); got != string(want) {
				t.Errorf("/usr/bin/helper has %d bytes, which are not the %d of the program", len(got), len(want))
			}
			for _, q := range reg.Requests() {
				if q.Status < 300 && q.Repository != "" && q.User != account {
					t.Errorf("%s %s was answered to %q", q.Method, q.Path, q.User)
				}
			}
			data, err := os.ReadFile(path)
			must(t, err)
			if bytes.Contains(data, []byte(password)) {
				t.Error("the index holds the password")
			}
			if strings.Contains(said.String(), password) {
				t.Error("CLIP has logged the password")
			}
		})
	}
}

// read reads a file of an image through CLIP's storage, as its file system does, without FUSE.
func read(t *testing.T, p *provider.Provider, archive, path string) string {
	t.Helper()
	metadata, err := clip.NewClipArchiver().ExtractMetadata(archive)
	must(t, err)
	s, err := storage.NewClipStorage(storage.ClipStorageOpts{
		ArchivePath: archive, CachePath: t.TempDir(), Metadata: metadata, RegistryCredProvider: p,
	})
	must(t, err)
	t.Cleanup(func() { must(t, s.Cleanup()) })
	node := metadata.Get(path)
	if node == nil {
		t.Fatalf("no %s in the index", path)
	}
	data := make([]byte, node.Attr.Size)
	n, err := s.ReadFile(node, data, 0)
	must(t, err)
	return string(data[:n])
}

func TestMountAndRun(t *testing.T) {
	needs.FUSE(t)
	for way, auth := range ways {
		t.Run(way, func(t *testing.T) {
			reg := private(t, auth)
			ref := reg.MustPush(t, "acme/app:1", image(t))
			p := worker(t, material(t, reg.Name(), account, password))
			path, err := index(t, p, ref)
			must(t, err)
			dir := mount(t, p, path)
			data, err := os.ReadFile(filepath.Join(dir, "etc/motd"))
			if err != nil || string(data) != motd {
				t.Errorf("/etc/motd holds %q, %v", data, err)
			}
			// By way of a shell: this process serves the mount, and Go's fork and exec of a program in it would wait for
			// this very process while the thread that forked keeps the runtime from stopping the world.
			out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", `exec "$0" version`, filepath.Join(dir, "usr/bin/helper")).CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("docker-credential-beta9-generic")) {
				t.Errorf("the program of the image: %s, %v", out, err)
			}
			if !reg.Saw(password) {
				t.Error("the registry was not asked with the password")
			}
		})
	}
}

// mount mounts an index and returns the folder. It is unmounted at the end of the test.
func mount(t *testing.T, p *provider.Provider, archive string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mnt")
	start, failed, server, err := clip.MountArchive(clip.MountOptions{
		ArchivePath: archive, MountPoint: dir, CachePath: t.TempDir(), RegistryCredProvider: p,
	})
	must(t, err)
	must(t, start())
	must(t, server.WaitMount())
	t.Cleanup(func() {
		// Not server.Unmount, which writes a field that CLIP's goroutine has read without a lock.
		out, err := exec.Command(needs.Tool(t, "fusermount3"), "-u", dir).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for err := range failed { // closed once the server has ended
			t.Error(err)
		}
	})
	return dir
}

func TestAnotherTenantIsRefused(t *testing.T) {
	for way, auth := range ways {
		t.Run(way, func(t *testing.T) {
			reg := private(t, auth)
			ref := reg.MustPush(t, "acme/app:1", image(t))
			owner := worker(t, material(t, reg.Name(), account, password))
			path, err := index(t, owner, ref)
			must(t, err)
			reg.Forget()
			for name, ms := range map[string]provider.Materials{
				"no secret":                {},
				"a wrong one":              {material(t, reg.Name(), "bob", other)},
				"one for another registry": {material(t, "localhost:1", account, password)},
			} {
				tenant, err := owner.For(ms)
				must(t, err)
				t.Cleanup(func() { must(t, tenant.Close()) })
				if _, err := index(t, tenant, ref); err == nil {
					t.Errorf("%s: indexed the image", name)
				}
				// The index is in the tenant's hands, say; its layers are not.
				metadata, err := clip.NewClipArchiver().ExtractMetadata(path)
				must(t, err)
				if _, err := storage.NewClipStorage(storage.ClipStorageOpts{
					ArchivePath: path, CachePath: t.TempDir(), Metadata: metadata, RegistryCredProvider: tenant,
				}); err == nil {
					t.Errorf("%s: opened the image", name)
				}
			}
			if n := authenticated(reg); n != 0 || reg.Saw(password) {
				t.Errorf("%d authenticated requests", n)
			}
		})
	}
}

// ambient gives this process a login for the registry, as a developer or a careless operator would have it.
func ambient(t *testing.T, host string) {
	t.Helper()
	home := t.TempDir()
	config := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte(account+":"+password)))
	for _, dir := range []string{".docker", ".config/containers"} {
		must(t, os.MkdirAll(filepath.Join(home, dir), 0o700))
	}
	must(t, os.WriteFile(filepath.Join(home, ".docker/config.json"), []byte(config), 0o600))
	must(t, os.WriteFile(filepath.Join(home, ".config/containers/auth.json"), []byte(config), 0o600))
	t.Setenv("HOME", home)
	t.Setenv("DOCKER_CONFIG", filepath.Join(home, ".docker"))
	t.Setenv("REGISTRY_AUTH_FILE", filepath.Join(home, ".config/containers/auth.json"))
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("XDG_RUNTIME_DIR", "")
	// Keys that the generic helper takes from the environment of a person.
	t.Setenv("REGISTRY", host)
	t.Setenv("REGISTRY_USERNAME", account)
	t.Setenv("REGISTRY_PASSWORD", password)
}

// With a valid login beside it, CLIP has no way to the machine's own credentials, whatever the helper does.
func TestMachinesOwnCredentialsAreOutOfReach(t *testing.T) {
	for way, auth := range ways {
		t.Run(way, func(t *testing.T) {
			reg := private(t, auth)
			ref := reg.MustPush(t, "acme/app:1", image(t))
			ambient(t, reg.Name())

			// What CLIP does by itself, so that the zeroes below mean something.
			path := filepath.Join(t.TempDir(), "image.clip")
			err := clip.CreateFromOCIImage(t.Context(), clip.CreateFromOCIImageOptions{ImageRef: ref, OutputPath: path})
			if err != nil || authenticated(reg) == 0 {
				t.Fatalf("without a provider: %v, %d authenticated requests", err, authenticated(reg))
			}
			none := worker(t)
			mine := provider.Materials{material(t, reg.Name(), "bob", other)}
			providers := map[string]*provider.Provider{"no material": none}
			for _, behaviour := range []string{"none", "failed", "hung", "lying", "silent", "garbage"} {
				providers[behaviour] = with(t, provider.Options{
					Folder: badHelpers(t, behaviour), Source: mine, Deadline: time.Second,
				})
			}
			providers["no helper"] = with(t, provider.Options{Folder: emptyFolder(t), Source: mine})
			providers["broken source"] = with(t, provider.Options{Folder: commands.Folder(t), Source: broken{}})
			closed, err := none.For(mine)
			must(t, err)
			must(t, closed.Close())
			providers["closed"] = closed

			for name, p := range providers {
				reg.Forget()
				if _, err := index(t, p, ref); err == nil {
					t.Errorf("%s: indexed", name)
				}
				metadata, err := clip.NewClipArchiver().ExtractMetadata(path)
				must(t, err)
				if _, err := storage.NewClipStorage(storage.ClipStorageOpts{
					ArchivePath: path, CachePath: t.TempDir(), Metadata: metadata, RegistryCredProvider: p,
				}); err == nil {
					t.Errorf("%s: opened", name)
				}
				if n := authenticated(reg); n != 0 || reg.Saw(password) {
					t.Errorf("%s: %d authenticated requests", name, n)
				}
				if len(reg.Requests()) == 0 {
					t.Errorf("%s: the registry was not asked at all", name)
				}
			}
		})
	}
}

func emptyFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "empty")
	must(t, os.Mkdir(dir, fs.FileMode(0o755)))
	return dir
}

// broken is a Source that fails.
type broken struct{}

func (broken) Material(context.Context, helpers.Registry) (helpers.Material, error) {
	return helpers.Material{}, helpers.Fail(helpers.Unavailable, "the store is away", "")
}

// A public image next to a tenant with secrets: it is indexed, and nobody's secret goes there.
func TestPublicImageIsAnonymous(t *testing.T) {
	reg := registrytest.Start(t, registrytest.Options{
		Auth: registrytest.Bearer, Accounts: map[string]string{account: password}, Public: []string{"public"},
	})
	ref := reg.MustPush(t, "public/app:1", registrytest.SmallImage(t))
	p := worker(t, material(t, reg.Name(), account, password).WithScope("acme"))
	if _, err := index(t, p, ref); err != nil {
		t.Error(err)
	}
	if authenticatedAs(reg, account) || reg.Saw(password) {
		t.Error("the secret of another repository was used")
	}
}

func authenticatedAs(reg *registrytest.Registry, user string) bool {
	for _, q := range reg.Requests() {
		if q.User == user {
			return true
		}
	}
	return false
}
