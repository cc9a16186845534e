//go:build unix

package dispatch_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// That whoever read what is said besides has gone changes nothing about an answer, which the dispatcher writes as every
// helper does.
func TestNobodyIsLeftToReadStderr(t *testing.T) {
	t.Parallel()
	reader, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	defer stderr.Close()
	cmd := exec.Command(filepath.Join(folder(t), "docker-credential-beta9-ghcr"), "get")
	cmd.Stdin, cmd.Stderr = strings.NewReader("ghcr.io"), stderr
	cmd.Env = []string{home(t), "GITHUB_TOKEN=t", "BETA9_CREDENTIAL_DEBUG=1"}
	out, err := cmd.Output()
	if want := `{"ServerURL":"ghcr.io","Username":"x-access-token","Secret":"t"}` + "\n"; err != nil || string(out) != want {
		t.Errorf("got %q, %v; want %q", out, err, want)
	}
}
