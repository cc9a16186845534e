package dispatch_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/dispatch"
)

// withHung returns a folder with the dispatcher, the helper for ghcr.io, and one for nvcr.io that never ends.
func withHung(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, path := range map[string]string{
		dispatch.Name:                  module + "cmd/" + dispatch.Name,
		"docker-credential-beta9-ghcr": module + "cmd/docker-credential-beta9-ghcr",
		"docker-credential-beta9-ngc":  module + "internal/dispatch/testdata/hung",
	} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), path)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return dir
}

// A list that one of the helpers does not end is the list of the others.
func TestListWithoutTheHelperThatHangs(t *testing.T) {
	t.Parallel()
	dir, h := withHung(t), home(t)
	if got := run(dir, "store", login("ghcr.io"), h); got.code != 0 {
		t.Fatalf("store: %+v", got)
	}
	// The key has the helper that hangs run: it may have something to list.
	got := run(dir, "list", "", h, "BETA9_CREDENTIAL_TIMEOUT=500ms", "NGC_API_KEY=not-a-secret")
	if got.stdout != `{"ghcr.io":"u"}`+"\n" || got.code != 0 {
		t.Errorf("list: %+v", got)
	}
	if got := run(dir, "get", "nvcr.io", h, "BETA9_CREDENTIAL_TIMEOUT=500ms"); !strings.HasPrefix(got.stdout, "timeout: ") || got.code != 1 {
		t.Errorf("get: %+v", got)
	}
}
