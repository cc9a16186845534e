package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

func TestMain(m *testing.M) {
	var err error
	built, err = os.MkdirTemp("", "conformance-helpers-")
	if err == nil {
		err = os.Chmod(built, 0o755) // some cases run a helper as another user
	}
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(built)
	os.Exit(code)
}

// built is the folder of the helpers that were built for the tests.
var built string

// build builds commands into the folder.
func build(t *testing.T, packages ...string) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"build", "-trimpath", "-o", built + string(filepath.Separator)}, packages...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %q: %v\n%s", packages, err, out)
	}
}

func executable(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(built, name)
}

// ours are the helpers of this project.
var ours = []struct {
	name string
	Helper
}{
	{"docker-credential-beta9-dockerhub", Helper{
		Host: "docker.io", OtherHost: "ghcr.io", Static: true,
		Hosts: []string{"https://index.docker.io/v1/access-token", "https://index.docker.io/v1/refresh-token"},
		Spellings: []string{
			"https://index.docker.io/v1/", "http://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com",
		},
	}},
	{"docker-credential-beta9-ghcr", Helper{Host: "ghcr.io", Hosts: []string{"docker.pkg.github.com"}, OtherHost: "docker.io", Static: true}},
	{"docker-credential-beta9-ngc", Helper{
		Host: "nvcr.io", Hosts: []string{"stg.nvcr.io", "canary.nvcr.io"}, OtherHost: "ghcr.io", Static: true, Username: "$oauthtoken",
		Secret: "nvapi-not-a-key",
	}},
	{"docker-credential-beta9-generic", Helper{
		Host: "registry.example.com", OtherHost: "ghcr.io", Static: true,
		Hosts: []string{"registry.example.com:5000", "localhost:5000", "[::1]:5003", "quay.io", "127.0.0.1:5000", "rg.fr-par.scw.cloud", "xn--bcher-kva.example"},
	}},
	{"docker-credential-beta9-generic", Helper{Host: "localhost:5000", Hosts: []string{"localhost", "localhost:5001"}, OtherHost: "registry.k8s.io", Static: true}},
	{"docker-credential-beta9", Helper{
		Host: "ghcr.io", OtherHost: "registry.k8s.io", Static: true, Descriptors: 32,
		Hosts: []string{"docker.io", "nvcr.io", "registry.example.com", "localhost:5000", "https://index.docker.io/v1/access-token"},
	}},
	{"docker-credential-beta9-ecr", Helper{
		Host: "123456789012.dkr.ecr.us-east-1.amazonaws.com", Hosts: []string{"public.ecr.aws"}, OtherHost: "ghcr.io", Username: "AWS",
	}},
	{"docker-credential-beta9-gcr", Helper{Host: "us-docker.pkg.dev", Hosts: []string{"gcr.io"}, OtherHost: "ghcr.io", Username: "oauth2accesstoken"}},
	{"docker-credential-beta9-acr", Helper{
		Host: "myregistry.azurecr.io", OtherHost: "ghcr.io", Username: "00000000-0000-0000-0000-000000000000",
	}},
}

func TestOurHelpers(t *testing.T) {
	build(t, "../cmd/docker-credential-...")
	for _, h := range ours {
		h.Path = executable(h.name)
		if _, err := os.Stat(h.Path); err != nil {
			continue // not a command of this project yet
		}
		t.Run(h.name+" for "+h.Host, func(t *testing.T) { Run(t, h.Helper) })
	}
}
