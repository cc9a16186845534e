package clients

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// What this process was started with. A test may have changed it for itself by the time it wants a client.
var (
	startEnviron            = os.Environ()
	startDir, errStartDir   = os.Getwd()
	cacheDir, errNoCacheDir = os.UserCacheDir()
)

// built returns the path of the named command of the module testdata/clients, in a folder of the user's cache. Once the
// module cache has the sources, no network is needed.
func built(ctx context.Context, name string) (string, error) {
	if err := errors.Join(errStartDir, errNoCacheDir); err != nil {
		return "", fmt.Errorf("%s: no place to build it in: %w", name, err)
	}
	module, err := clientsModule(startDir)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	program, err := build(ctx, module, filepath.Join(cacheDir, "beta9-credentials-test"), name)
	if err != nil {
		return "", fmt.Errorf("%s cannot be built: %w", name, err)
	}
	return program, nil
}

// build makes the module's tools, all of them at once, in a folder of the cache that is named for what they are built from,
// and returns the path of one. One process does it while others wait.
func build(ctx context.Context, module, cache, name string) (string, error) {
	id, err := fingerprint(module)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, id)
	program := filepath.Join(dir, name)
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(cache, "lock")).Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(program); err == nil { // while this one waited
		return program, nil
	}
	if err := buildAll(ctx, module, dir); err != nil {
		return "", err
	}
	return program, nil
}

// buildAll has dir appear with everything in it, or not at all.
func buildAll(ctx context.Context, module, dir string) error {
	partial := dir + ".partial" // whoever left one behind has lost the lock
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", partial+string(filepath.Separator), "tool")
	cmd.Dir = module
	cmd.Env = append(startEnviron[:len(startEnviron):len(startEnviron)],
		"CGO_ENABLED=0", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("go build in %s: %w: %s", module, err, lines[len(lines)-1])
	}
	return os.Rename(partial, dir)
}

// clientsModule finds the module from any folder of the tree.
func clientsModule(dir string) (string, error) {
	for {
		module := filepath.Join(dir, "testdata", "clients")
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			return module, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no testdata/clients here: run it in the project's tree")
		}
		dir = parent
	}
}

// fingerprint names what a build depends on.
func fingerprint(module string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%d\n%s", len(data), data)
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}
