//go:build unix

package helpers_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// mapFile writes a map that gives a role to a registry.
func mapFile(t *testing.T, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registries.json")
	content := `{"registries":[{"host":"*.dkr.ecr.*.amazonaws.com","role":"arn:aws:iam::123456789012:role/pull"}]}`
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// refused checks that a map file is refused with one sentence that says why, and a hint.
func refused(t *testing.T, path, why string) {
	t.Helper()
	m, err := helpers.ReadMap(path)
	if m != nil || helpers.ReasonOf(err) != helpers.BadMaterial || helpers.HintOf(err) == "" {
		t.Fatalf("%v, hint %q", err, helpers.HintOf(err))
	}
	if text := err.Error(); !strings.Contains(text, path) || !strings.Contains(text, why) || strings.Contains(text, "\n") {
		t.Errorf("%q does not say %q", text, why)
	}
}

func TestMapFileOfOthers(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o600, 0o644, 0o400, 0o444, 0o755} {
		if m, err := helpers.ReadMap(mapFile(t, mode)); err != nil || m == nil {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o620, 0o602, 0o664, 0o666, 0o777} {
		refused(t, mapFile(t, mode), "can be changed by others than its owner")
	}
	linked := filepath.Join(t.TempDir(), "registries.json")
	if err := os.Symlink(mapFile(t, 0o666), linked); err != nil {
		t.Fatal(err)
	}
	refused(t, linked, "can be changed by others")
	t.Run("owner", func(t *testing.T) {
		needs.Root(t)
		path := mapFile(t, 0o600)
		if err := os.Chown(path, 65534, -1); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "belongs to neither root nor the user who runs this")
	})
}

func TestMapFileThatIsNone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, pipe, os.DevNull, filepath.Join(folder, "missing")} {
		refused(t, path, "cannot be read")
	}
	large := mapFile(t, 0o600)
	if err := os.Truncate(large, 1<<40); err != nil {
		t.Skip("no sparse files here: run the tests on a file system that has them")
	}
	if _, err := helpers.ReadMap(large); helpers.ReasonOf(err) != helpers.BadMaterial || !strings.Contains(err.Error(), "2 MiB") {
		t.Errorf("a map of 1 TiB: %v", err)
	}
}
