package conformance

import (
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
)

func TestMain(m *testing.M) {
	os.Exit(commands.Main(m, "./testdata/docker-credential-reference", "./testdata/docker-credential-faulty"))
}

// executable is the path of a command that was built for the tests.
func executable(t *testing.T, name string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(commands.Folder(t), name)
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
	for _, h := range ours {
		h.Path = executable(t, h.name)
		t.Run(h.name+" for "+h.Host, func(t *testing.T) { Run(t, h.Helper) })
	}
}

// TestAnotherHelper runs the suite on a helper that the environment names:
//
//	BETA9_CONFORMANCE_HELPER=/usr/bin/docker-credential-pass BETA9_CONFORMANCE_HELPER_HOST=registry.example.com \
//		go test -run AnotherHelper ./conformance
//
// It is taken for one that stores logins of every host.
func TestAnotherHelper(t *testing.T) {
	path := os.Getenv("BETA9_CONFORMANCE_HELPER")
	if path == "" {
		return // there is nothing to be had that would make this test run: it is for whoever wants to know
	}
	host := cmp.Or(os.Getenv("BETA9_CONFORMANCE_HELPER_HOST"), "registry.example.com")
	Run(t, Helper{Path: path, Host: host, Static: true})
}
