//go:build linux || darwin

package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/socket"
)

// shortTemp is a folder whose path leaves room for that of a socket.
func shortTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "b")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// of returns the value of a variable, the last one if there are several.
func of(env []string, name string) string {
	for _, entry := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestBuildEnvironment(t *testing.T) {
	t.Parallel()
	temp := shortTemp(t)
	f := newFolder(t, "honest")
	p := f.provider(Options{
		Source:  Materials{material(t, here+"/acme", canary), material(t, "localhost:5000", canary), material(t, "third.example.com", canary)},
		Network: Network{HTTPSProxy: "http://proxy:1"}, TempFolder: temp,
	})
	b, err := p.BuildEnvironment(t.Context(), here+"/acme/base:1", "localhost:5000/tool", "ubuntu", "mcr.microsoft.com/dotnet/sdk:9.0", here+"/acme/other")
	must(t, err)
	base := []string{
		"PATH=/usr/bin:/bin", "HOME=/home/me", "LANG=C", "DOCKER_CONFIG=/home/me/.docker", "REGISTRY_AUTH_FILE=/home/me/auth.json",
		"DOCKER_AUTH_CONFIG={}", "BETA9_CREDENTIAL_FILE=/home/me/material", "XDG_CONFIG_HOME=/home/me/.config",
	}
	env := b.Environ(base)
	folder := of(env, "DOCKER_CONFIG")

	for name, want := range map[string]string{
		"PATH": f.path + ":/usr/bin:/bin", "LANG": "C", "REGISTRY_AUTH_FILE": filepath.Join(folder, "config.json"),
		"DOCKER_AUTH_CONFIG": "", "BETA9_CREDENTIAL_FILE": "", "BETA9_CREDENTIAL_AMBIENT": "off", "BETA9_CREDENTIAL_CACHE": "off",
		"HOME": folder, "XDG_CONFIG_HOME": filepath.Join(folder, ".config"), "XDG_DATA_HOME": "/home/me/.local/share",
	} {
		if got := of(env, name); got != want {
			t.Errorf("%s=%s, want %s", name, got, want)
		}
	}
	seen := map[string]int{}
	for _, entry := range env {
		key, _, _ := strings.Cut(entry, "=")
		seen[key]++
		if seen[key] > 1 {
			t.Errorf("%s is there twice", key)
		}
	}

	var config struct {
		CredHelpers map[string]string          `json:"credHelpers"`
		Auths       map[string]json.RawMessage `json:"auths"`
	}
	data, err := os.ReadFile(b.AuthFile())
	must(t, err)
	must(t, json.Unmarshal(data, &config))
	want := map[string]string{
		here: "beta9-generic", "localhost:5000": "beta9-generic",
		"docker.io": "beta9-dockerhub", "https://index.docker.io/v1/": "beta9-dockerhub", "registry-1.docker.io": "beta9-dockerhub",
	}
	if !maps.Equal(config.CredHelpers, want) || len(config.Auths) != 0 {
		t.Errorf("auth file: %v", config)
	}

	// Nothing secret lies in the folder or in the environment, and nobody else may look.
	must(t, filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			must(t, err)
			if strings.Contains(string(data), canary) {
				t.Errorf("%s holds a secret", path)
			}
		}
		return nil
	}))
	if strings.Contains(strings.Join(env, "\n"), canary) {
		t.Error("the environment holds a secret")
	}

	path := of(env, "BETA9_CREDENTIAL_SOCKET")
	for name, have := range map[string]bool{
		here: true, "localhost:5000": true, here + "/acme/base": true, here + "/other": false,
		"docker.io": false, "third.example.com": false, // the tenant has something for it, but the build does not name it
	} {
		m, err := socket.Ask(t.Context(), path, registry(t, name))
		if have && (err != nil || m.Value("PASSWORD") != canary) || !have && !helpers.IsNotFound(err) {
			t.Errorf("asked for %s: %v", name, err)
		}
	}

	must(t, b.Close())
	must(t, b.Close())
	empty(t, temp)
	if _, err := socket.Ask(t.Context(), path, registry(t, here)); !errors.Is(err, helpers.Unreachable) {
		t.Errorf("after Close: %v", err)
	}
	f.wantRuns(0)
}

// helpersOf reads what the auth file of a build names.
func helpersOf(t *testing.T, b *BuildEnvironment) map[string]string {
	t.Helper()
	var config struct {
		CredHelpers map[string]string `json:"credHelpers"`
	}
	data, err := os.ReadFile(b.AuthFile())
	must(t, err)
	must(t, json.Unmarshal(data, &config))
	return config.CredHelpers
}

// The clients look a host up as the reference spells it.
func TestBuildEnvironmentNamesHostsAsTyped(t *testing.T) {
	t.Parallel()
	p := newFolder(t, "honest").provider(Options{TempFolder: shortTemp(t), Source: Materials{
		material(t, here, canary), material(t, "localhost:5000", canary),
	}})
	b, err := p.BuildEnvironment(t.Context(), here+":443/app", "LOCALHOST:5000/app", "library/ubuntu", "ghcr.io/app@sha256:"+strings.Repeat("a", 64))
	must(t, err)
	defer b.Close()
	want := map[string]string{
		here: "beta9-generic", here + ":443": "beta9-generic",
		"localhost:5000": "beta9-generic", "LOCALHOST:5000": "beta9-generic", "ghcr.io": "beta9-ghcr",
		"docker.io": "beta9-dockerhub", "https://index.docker.io/v1/": "beta9-dockerhub", "registry-1.docker.io": "beta9-dockerhub",
	}
	if got := helpersOf(t, b); !maps.Equal(got, want) {
		t.Errorf("auth file: %v", got)
	}
	for _, name := range []string{here + ":443", "LOCALHOST:5000"} {
		if m, err := socket.Ask(t.Context(), b.socketPath(), registry(t, name)); err != nil || m.Value("PASSWORD") != canary {
			t.Errorf("asked for %s: %v", name, err)
		}
	}
}

// With neither logins nor helpers in its configuration, docker turns to the machine's key store.
func TestBuildEnvironmentOfPublicImagesNamesAHelper(t *testing.T) {
	t.Parallel()
	p := newFolder(t, "honest").provider(Options{TempFolder: shortTemp(t), Source: Materials{}})
	for _, references := range [][]string{nil, {"mcr.microsoft.com/dotnet/sdk:9.0"}} {
		b, err := p.BuildEnvironment(t.Context(), references...)
		must(t, err)
		defer b.Close()
		if got := helpersOf(t, b); !maps.Equal(got, map[string]string{nowhere: "beta9-generic"}) {
			t.Errorf("%v: auth file: %v", references, got)
		}
		if _, err := socket.Ask(t.Context(), b.socketPath(), registry(t, nowhere)); !helpers.IsNotFound(err) {
			t.Errorf("%v: %v", references, err)
		}
	}
}

// Another part of a registry may be guarded by another secret of the tenant, which the build was not made for.
func TestBuildEnvironmentKeepsToItsScope(t *testing.T) {
	t.Parallel()
	p := newFolder(t, "honest").provider(Options{TempFolder: shortTemp(t), Source: Materials{
		material(t, here+"/acme", canary), material(t, here+"/vault", "other"),
	}})
	b, err := p.BuildEnvironment(t.Context(), here+"/acme/app")
	must(t, err)
	defer b.Close()
	for name, have := range map[string]bool{here: true, here + "/acme/other": true, here + "/vault": false, here + "/vault/app": false} {
		m, err := socket.Ask(t.Context(), b.socketPath(), registry(t, name))
		if have && (err != nil || m.Value("PASSWORD") != canary) || !have && !helpers.IsNotFound(err) {
			t.Errorf("asked for %s: %v", name, err)
		}
	}
}

func TestBuildEnvironmentFollowsTheSource(t *testing.T) {
	t.Parallel()
	s := &tenant{material: material(t, here, "first")}
	p := newFolder(t, "honest").provider(Options{Source: s, TempFolder: shortTemp(t)})
	b, err := p.BuildEnvironment(t.Context(), here+"/app")
	must(t, err)
	defer b.Close()
	path := of(b.Environ(nil), "BETA9_CREDENTIAL_SOCKET")
	s.set(material(t, here, "second"), nil)
	if m, err := socket.Ask(t.Context(), path, registry(t, here)); err != nil || m.Value("PASSWORD") != "second" {
		t.Errorf("after rotation: %v", err)
	}
	s.set(helpers.Material{}, helpers.Fail(helpers.Unavailable, "the store is away", ""))
	if _, err := socket.Ask(t.Context(), path, registry(t, here)); !errors.Is(err, helpers.Unavailable) {
		t.Errorf("while the store is away: %v", err)
	}
}

func TestBuildEnvironmentRefuses(t *testing.T) {
	t.Parallel()
	temp := shortTemp(t)
	f := newFolder(t, "honest")
	p := f.provider(Options{TempFolder: temp, Source: source(func(ctx context.Context, r helpers.Registry) (helpers.Material, error) {
		if r.Host() == "away.example.com" {
			return helpers.Material{}, helpers.Fail(helpers.Unavailable, "the store is away", "")
		}
		return Materials{material(t, here+"/acme", "a"), material(t, here+"/other", "b")}.Material(ctx, r)
	})})
	tests := map[string]struct {
		references []string
		want       helpers.Reason
	}{
		"not a reference":      {[]string{here + "/app", "https://" + here + "/app"}, helpers.BadRequest},
		"a store that is away": {[]string{here + "/acme/app", "away.example.com/app"}, helpers.Unavailable},
		"two for one registry": {[]string{here + "/acme/app", here + "/other/app"}, helpers.BadRequest},
		"one and none":         {[]string{here + "/acme/app", here + "/third/app"}, helpers.BadRequest},
	}
	for name, tt := range tests {
		b, err := p.BuildEnvironment(t.Context(), tt.references...)
		if err == nil {
			b.Close()
		}
		if helpers.ReasonOf(err) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	nowhere := f.provider(Options{Source: Materials{}, TempFolder: filepath.Join(temp, "missing")})
	if _, err := nowhere.BuildEnvironment(t.Context(), here+"/app"); !errors.Is(err, helpers.StoreFailed) {
		t.Errorf("without a folder for temporary files: %v", err)
	}
	deep := filepath.Join(temp, strings.Repeat("d", 100))
	must(t, os.Mkdir(deep, 0o700))
	far := f.provider(Options{Source: Materials{}, TempFolder: deep})
	if _, err := far.BuildEnvironment(t.Context(), here+"/app"); !errors.Is(err, helpers.BadRequest) {
		t.Errorf("with a path that is too long for a socket: %v", err)
	}
	empty(t, deep)
	must(t, os.Remove(deep))
	anybodys := filepath.Join(temp, "a")
	must(t, os.Mkdir(anybodys, 0o700))
	must(t, os.Chmod(anybodys, 0o777))
	open := f.provider(Options{Source: Materials{}, TempFolder: anybodys})
	if _, err := open.BuildEnvironment(t.Context(), here+"/app"); !errors.Is(err, helpers.BadRequest) {
		t.Errorf("where anybody can replace it: %v", err)
	}
	empty(t, anybodys)
	must(t, os.Remove(anybodys))
	empty(t, temp)
}

// The clients of a build find the helpers on PATH and look at nothing but the name.
func TestBuildEnvironmentNeedsItsHelpers(t *testing.T) {
	t.Parallel()
	temp := shortTemp(t)
	f := newFolder(t, "honest")
	p := f.provider(Options{TempFolder: temp, Source: Materials{material(t, here, "swordfish")}})
	generic := filepath.Join(f.path, helpers.ExecutablePrefix+"generic")
	refused := func(what string) {
		t.Helper()
		b, err := p.BuildEnvironment(t.Context(), here+"/acme/app")
		if err == nil {
			b.Close()
		}
		if helpers.ReasonOf(err) != helpers.Internal || helpers.HintOf(err) == "" {
			t.Errorf("%s: %v", what, err)
		}
		empty(t, temp)
	}
	must(t, os.Remove(generic))
	refused("without the helper")
	must(t, os.Symlink(program, generic))
	refused("a link")
	must(t, os.Remove(generic))
	must(t, os.WriteFile(generic, nil, 0o755))
	must(t, os.Chmod(generic, 0o777))
	refused("writable by others")
	b, err := p.BuildEnvironment(t.Context(), "mcr.microsoft.com/dotnet/runtime:9.0") // needs no helper
	must(t, err)
	must(t, b.Close())
}

func TestBuildEnvironmentEnds(t *testing.T) {
	t.Parallel()
	make := func(t *testing.T, ctx context.Context) (*Provider, *BuildEnvironment, string) {
		t.Helper()
		temp := shortTemp(t)
		p := newFolder(t, "honest").provider(Options{Source: Materials{material(t, here, canary)}, TempFolder: temp})
		b, err := p.BuildEnvironment(ctx, here+"/app")
		must(t, err)
		return p, b, temp
	}
	t.Run("with the context", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		_, b, temp := make(t, ctx)
		cancel()
		must(t, b.Close()) // waits for what the end of the context has begun
		empty(t, temp)
	})
	t.Run("with the provider", func(t *testing.T) {
		t.Parallel()
		p, _, temp := make(t, t.Context())
		must(t, p.Close())
		empty(t, temp)
		if _, err := p.BuildEnvironment(t.Context(), here+"/app"); !errors.Is(err, helpers.Canceled) {
			t.Errorf("after Close: %v", err)
		}
		empty(t, temp)
	})
	t.Run("with a panic", func(t *testing.T) {
		t.Parallel()
		_, b, temp := make(t, t.Context())
		func() {
			defer func() { recover() }()
			defer b.Close()
			panic("a build went wrong")
		}()
		empty(t, temp)
	})
}

// crashKey tells this test binary, executed once more, to be a worker that crashes, and where its folders go.
const crashKey = "PROVIDER_TEST_CRASH"

// crash makes a build environment, says where its socket is, and is killed.
func crash(temp string) {
	r, err := helpers.ParseServerURL(here)
	if err != nil {
		panic(err)
	}
	row, _ := helpers.TypeNamed("generic")
	m, err := helpers.NewMaterial(row, r, map[string]string{"USERNAME": canary, "PASSWORD": canary})
	if err != nil {
		panic(err)
	}
	folder := filepath.Join(temp, "helpers")
	if err := os.Mkdir(folder, 0o700); err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(folder, row.Executable()), nil, 0o700); err != nil {
		panic(err)
	}
	p, err := New(Options{Folder: folder, Source: Materials{m}, TempFolder: temp})
	if err != nil {
		panic(err)
	}
	b, err := p.BuildEnvironment(context.Background(), here+"/app")
	if err != nil {
		panic(err)
	}
	if _, err := socket.Ask(context.Background(), b.socketPath(), r); err != nil {
		panic(err)
	}
	fmt.Print(b.socketPath())
	die()
}

func TestCrashLeavesNothingOfUse(t *testing.T) {
	t.Parallel()
	temp := shortTemp(t)
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = []string{crashKey + "=" + temp}
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != -1 {
		t.Fatalf("the worker was not killed: %v", err)
	}
	if _, err := os.Lstat(string(out)); err != nil {
		t.Fatal(err)
	}
	if _, err := socket.Ask(t.Context(), string(out), registry(t, here)); !errors.Is(err, helpers.Unreachable) {
		t.Errorf("the socket of a dead process: %v", err)
	}
	must(t, filepath.WalkDir(temp, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), canary) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	}))
}

func TestAmbientBuildEnvironmentHasNoSocket(t *testing.T) {
	t.Parallel()
	temp := shortTemp(t)
	p := newFolder(t, "honest").provider(Options{Policy: Ambient, TempFolder: temp})
	b, err := p.BuildEnvironment(t.Context(), here+"/app")
	must(t, err)
	env := b.Environ([]string{"HOME=/home/me", "BETA9_CREDENTIAL_HOME=/elsewhere"})
	for name, want := range map[string]string{
		"HOME": "/home/me", "BETA9_CREDENTIAL_SOCKET": "", "BETA9_CREDENTIAL_AMBIENT": "", "BETA9_CREDENTIAL_HOME": "/elsewhere",
	} {
		if got := of(env, name); got != want {
			t.Errorf("%s=%s, want %s", name, got, want)
		}
	}
	must(t, b.Close())
	empty(t, temp)
}
