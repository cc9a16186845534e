//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/clients"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

func TestMain(m *testing.M) { os.Exit(commands.Main(m, ".")) }

// A performance is one run of the command.
type performance struct {
	stdout, stderr string
	code           int
	left           []string // of files in the folder for temporary ones
}

// perform runs the demonstration with the commands in bin, in a folder.
func perform(t *testing.T, folder, bin string) performance {
	t.Helper()
	tmp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), filepath.Join(commands.Folder(t), "demo"), "-bin", bin)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "TMPDIR="+tmp)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	p := performance{stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode()}
	for _, entry := range entries {
		p.left = append(p.left, entry.Name())
	}
	return p
}

// line returns what a step said, "" if it said nothing.
func (p performance) line(step string) string {
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(step) + ` +(.*)$`).FindStringSubmatch(p.stdout)
	if m == nil {
		return ""
	}
	return m[1]
}

// whole fails the test unless every step told of itself in one line, and nothing is left.
func (p performance) whole(t *testing.T) {
	t.Helper()
	if p.code != 0 || len(p.left) > 0 {
		t.Errorf("exit code %d, %q left behind:\n%s%s", p.code, p.left, p.stdout, p.stderr)
	}
	for _, step := range steps {
		if p.line(step.name) == "" {
			t.Errorf("nothing was said of %s:\n%s%s", step.name, p.stdout, p.stderr)
		}
	}
	if lines, want := strings.Count(p.stdout, "\n"), len(steps)+4; lines != want { // four things are cleaned up
		t.Errorf("%d lines, want %d:\n%s", lines, want, p.stdout)
	}
	if n := strings.Count(p.stdout, "stopped the registry"); n != 2 {
		t.Errorf("%d registries were stopped, want 2:\n%s", n, p.stdout)
	}
}

func TestDemo(t *testing.T) {
	clients.Need(t, "crane")
	p := perform(t, "../..", commands.Folder(t))
	p.whole(t)
	for step, want := range map[string]string{
		"refusal": "crane pull without a credential: the registry answers 401",
		"pull":    "crane pull localhost:",
		"run":     "docker-credential-beta9-generic (",
		"logout":  "refused again",
	} {
		if got := p.line(step); !strings.Contains(got, want) {
			t.Errorf("%s said %q, want %q in it", step, got, want)
		}
	}
}

func TestWithoutCrane(t *testing.T) {
	p := perform(t, t.TempDir(), commands.Folder(t)) // outside the project's tree there is nothing to build it from
	p.whole(t)
	if got := p.line("client"); !strings.HasPrefix(got, "go-containerregistry pulls") || !strings.Contains(got, "testdata/clients") {
		t.Errorf("client said %q", got)
	}
}

func TestFailureIsToldAndCleanedUp(t *testing.T) {
	p := perform(t, t.TempDir(), t.TempDir())
	if p.code != exitFailed || len(p.left) > 0 || !strings.HasPrefix(p.line("push"), "failed: ") || !strings.Contains(p.stderr, "hint: run make demo") {
		t.Errorf("%+v", p)
	}
	if p.line("client") != "" {
		t.Errorf("it went on: %s", p.stdout)
	}
}

func TestInterruptIsCleanedUp(t *testing.T) {
	if runtime.GOOS == "windows" {
		needs.Missing(t, "no signals: run the test on another system")
	}
	// Whoever starts this command is interrupted while it hangs.
	bin := t.TempDir()
	script := []byte("#!/bin/sh\nkill -INT $PPID\nexec sleep 1000\n")
	if err := os.WriteFile(filepath.Join(bin, "beta9-credentials"), script, 0o755); err != nil {
		t.Fatal(err)
	}
	helper, err := os.ReadFile(filepath.Join(commands.Folder(t), program))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, program), helper, 0o755); err != nil {
		t.Fatal(err)
	}
	p := perform(t, t.TempDir(), bin)
	if p.code != exitInterrupted || len(p.left) > 0 || p.line("configure") != "interrupted" || p.line(lastStep) == "" {
		t.Errorf("%+v", p)
	}
}

func TestUsage(t *testing.T) {
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"-unknown"}, &stderr, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "-bin") {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
}
