// Package needs is where a test says what it cannot do without: a program, a kernel feature, a privilege. What is missing
// skips the test with a sentence telling how to get it:
//
//	skopeo := needs.Tool(t, "skopeo")
//
// With REQUIRE_ALL=1 in the environment, as continuous integration sets it, every such skip is a failure. With SKIPPED=file
// the sentences are also appended to that file, because go test shows nothing of the skips in a package that passes.
package needs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// packages names, for a command, the Debian package that brings it where the two differ.
var packages = map[string]string{
	"docker":      "docker.io or docker-cli",
	"fusermount3": "fuse3",
	"ip":          "iproute2",
	"newuidmap":   "uidmap",
	"postgres":    "postgresql",
	"unshare":     "util-linux",
}

// systemDirs hold programs that Debian leaves out of an ordinary user's PATH.
var systemDirs = []string{"/usr/sbin", "/sbin"}

// Required reports whether whatever a test needs has to be there.
func Required() bool { return os.Getenv("REQUIRE_ALL") == "1" }

// Missing ends the test: what it needs is not here. The text says what is missing and how to get it. The test is skipped,
// or fails when [Required].
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if Required() {
		t.Fatalf("REQUIRE_ALL=1: "+format, args...)
	}
	if err := note(os.Getenv("SKIPPED"), fmt.Sprintf(format, args...)); err != nil {
		t.Errorf("SKIPPED: %v", err)
	}
	t.Skipf(format, args...)
}

// note appends a line to the file, if there is to be one. One short write is not torn by that of another process.
func note(path, line string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.ReplaceAll(line, "\n", " ") + "\n")
	return errors.Join(err, f.Close())
}

// Find returns the path of the named program, on PATH or among the system's own. Its error tells how to get it.
func Find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range systemDirs {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	from, ok := packages[name]
	if !ok {
		from = name
	}
	return "", fmt.Errorf("%s is not installed: run make deps, or install the package %s", name, from)
}

// Tool returns the path of the named program.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := Find(name)
	if err != nil {
		Missing(t, "%v", err)
	}
	return path
}

// Root needs the test to run as root.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "not root: run the test with sudo, or as root in a container")
	}
}
