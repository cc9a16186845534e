//go:build unix

package clientconfig_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/clientconfig"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// asked returns the helpers that docker runs to log out of ghcr.io with this configuration. Each helper is a script that
// notes its name.
func asked(t *testing.T, docker, content string, helpers ...string) []string {
	t.Helper()
	home := t.TempDir()
	put(t, filepath.Join(home, "config.json"), content)
	for _, name := range helpers {
		script := "#!/bin/sh\ncat >/dev/null\nbasename \"$0\" >>'" + home + "/asked'\n"
		if err := os.WriteFile(filepath.Join(home, "docker-credential-"+name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(docker, "logout", "ghcr.io")
	cmd.Env = []string{"HOME=" + home, "DOCKER_CONFIG=" + home, "PATH=" + home + ":" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docker logout: %v\n%s", err, out)
	}
	var names []string
	for _, line := range strings.Fields(strings.TrimPrefix(got(t, filepath.Join(home, "asked")), "-")) {
		if name := strings.TrimPrefix(line, "docker-credential-"); len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}

// The real docker asks the helper that Set refuses to replace, and ours once it was replaced.
func TestDockerReadsNamesInAnySpelling(t *testing.T) {
	docker := needs.Tool(t, "docker")
	for name, tt := range spellings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := person(t, tt.content)
			theirs, ours := "gh", "beta9-ghcr"
			if tt.store {
				p.Helpers, p.Store = nil, "beta9"
				theirs, ours = "desktop", "beta9"
			}
			all := []string{"gh", "desktop", "beta9-ghcr", "beta9", "x", "first"}
			if found := asked(t, docker, tt.content, all...); len(found) != 1 || found[0] != theirs {
				t.Errorf("with %s docker asks %q, want %s", tt.content, found, theirs)
			}
			now, err := clientconfig.Configured(p.File)
			if err != nil || now["ghcr.io"] != theirs && now[""] != theirs {
				t.Errorf("configured is %q, %v", now, err)
			}
			p.Overwrite = true
			set(t, p)
			if found := asked(t, docker, got(t, p.File), all...); len(found) != 1 || found[0] != ours {
				t.Errorf("with %s docker asks %q, want %s", got(t, p.File), found, ours)
			}
		})
	}
}
