// Package peers has the helpers that others make for the same registries, built from the module testdata/peers, so that they
// can be run beside ours: by the same hosts, in the same environment, against the same stand-ins. Its tests say where
// the two differ, who is right, and why.
package peers

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// The programs, by their packages.
const (
	ECR = "github.com/awslabs/amazon-ecr-credential-helper/ecr-login/cli/docker-credential-ecr-login"
	GCR = "github.com/GoogleCloudPlatform/docker-credential-gcr/v2"
)

// folder is where the programs of this process are.
var (
	folder  string
	failure error
	once    sync.Once
)

// Remove removes what was built. It is for the end of TestMain.
func Remove() {
	if folder != "" {
		_ = os.RemoveAll(folder) // what stays behind is in the folder of temporary files
	}
}

// Program returns the path of a program, which is built first. The test is skipped where the sources are not to be had.
func Program(t testing.TB, pkg string) string {
	t.Helper()
	needs.Tool(t, "go")
	once.Do(func() { folder, failure = build(ECR, GCR) })
	if failure != nil {
		needs.Missing(t, "no helpers to compare with (%v): run go mod download in testdata/peers", failure)
	}
	return filepath.Join(folder, name(pkg))
}

// name returns what go build calls the program of a package.
func name(pkg string) string { return filepath.Base(strings.TrimSuffix(pkg, "/v2")) }

func build(packages ...string) (string, error) {
	module, err := find()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "peers-")
	if err != nil {
		return "", err
	}
	args := append([]string{"build", "-C", module, "-trimpath", "-ldflags=-s -w", "-o", dir + string(filepath.Separator)}, packages...)
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return dir, errors.New(lines[len(lines)-1])
	}
	return dir, nil
}

// find looks for the module in the folders above.
func find() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		module := filepath.Join(dir, "testdata", "peers")
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			return module, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no testdata/peers above the working directory")
		}
		dir = parent
	}
}
