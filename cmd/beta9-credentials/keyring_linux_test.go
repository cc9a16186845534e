package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
)

// TestKeyringOnAReadOnlyDisk has a store or a keyring lie where nothing can be written: what to do is said of the flag that
// put it there.
func TestKeyringOnAReadOnlyDisk(t *testing.T) {
	folder := filetest.SmallDisk(t)
	filetest.ReadOnly(t, folder)
	environ := []string{"BETA9_CREDENTIAL_HOME=" + t.TempDir(), "GITHUB_TOKEN=ghp_notASecret"}
	store := "--store=sqlite:" + filepath.Join(folder, "s.db")
	for _, args := range [][]string{
		{"key", "new", store},
		{"key", "new", "--keys", filepath.Join(folder, "s.keys")},
		{"secret", "put", store, "--workspace", "w1", "--registry", "ghcr.io", "--env", "GITHUB_TOKEN"},
	} {
		code, stderr := runWith(t.Context(), environ, args)
		if code != exitFailed || strings.Contains(stderr, "BETA9_CREDENTIAL_HOME") || !strings.Contains(stderr, "name another place with --keys or --store") {
			t.Errorf("%q: exit code %d, %s", args, code, stderr)
		}
	}
}
