package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// module writes one with a tool named hello, which prints the word.
func module(t *testing.T, word string) string {
	t.Helper()
	needs.Tool(t, "go")
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":         "module tools.example\n\ngo 1.26.0\n\ntool tools.example/hello\n",
		"go.sum":         "",
		"hello/hello.go": "package main\n\nfunc main() { print(\"" + word + "\") }\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestToolsAreBuiltOnceForAll(t *testing.T) {
	t.Parallel()
	dir, cache := module(t, "hello"), t.TempDir()
	programs := make([]string, 4)
	infos := make([]os.FileInfo, len(programs))
	var all sync.WaitGroup
	for i := range programs {
		all.Go(func() {
			var err error
			if programs[i], err = build(t.Context(), dir, cache, "hello"); err != nil {
				t.Error(err)
				return
			}
			if infos[i], err = os.Stat(programs[i]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	for i := range programs {
		if programs[i] != programs[0] || !os.SameFile(infos[i], infos[0]) {
			t.Errorf("built more than once: %v", programs)
		}
	}
	if out, err := exec.Command(programs[0]).CombinedOutput(); err != nil || string(out) != "hello" {
		t.Errorf("the program: %q, %v", out, err)
	}
	left, err := filepath.Glob(filepath.Join(cache, "*.partial"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestWhatCannotBeBuiltSaysWhyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	dir, cache := module(t, `" + nonsense + "`), t.TempDir()
	if _, err := build(t.Context(), dir, cache, "hello"); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("got %v, want the compiler's reason", err)
	}
	id, err := fingerprint(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(cache, id)); !os.IsNotExist(err) {
		t.Errorf("a failed build left a folder: %v", err)
	}
}

func TestUnknownClient(t *testing.T) {
	t.Parallel()
	if _, err := Find(t.Context(), "curl"); err == nil || !strings.Contains(err.Error(), "crane, regctl, oras, docker, skopeo, buildah, podman") {
		t.Errorf("got %v, want the list of those there are", err)
	}
}
