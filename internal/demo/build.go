//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// build runs a Dockerfile that takes from both registries, in the environment that the provider makes for a build.
func build(ctx context.Context, s *show) (string, error) {
	t := &s.tenant
	buildah, err := exec.LookPath("buildah")
	if err != nil {
		return "no buildah here: make deps installs it, and then a build from both registries is shown", nil
	}
	environment, err := t.worker.BuildEnvironment(ctx, t.base, t.tools)
	if err != nil {
		return "", err
	}
	defer environment.Close()
	dir, err := os.MkdirTemp(s.home.Dir(), "build-")
	if err != nil {
		return "", err
	}
	dockerfile := "FROM " + t.base + "\nCOPY --from=" + t.tools + " /etc/motd /etc/motd.tools\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
		return "", err
	}
	s.registry.Forget()
	t.tokens.Forget()
	cmd := s.home.Command(ctx, buildah, "--root", filepath.Join(dir, "storage"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs",
		"bud", "--isolation", "chroot", "--tls-verify=false", "--tag", "built", dir)
	cmd.Env = environment.Environ(cmd.Env)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("buildah bud: %w: %s", err, lastLine(out))
	}
	if !s.registry.Saw(s.password) || !t.tokens.Saw(*t.secret.Load()) {
		return "", errors.New("buildah pulled without the credentials")
	}
	if s.registry.Saw(*t.secret.Load()) || t.tokens.Saw(s.password) {
		return "", errors.New("a registry saw the other one's credential")
	}
	return "buildah bud, FROM one registry and COPY --from the other: each saw its own credential only", nil
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
