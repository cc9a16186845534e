//go:build unix

package provider

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// BenchmarkHit is GetCredentials answered from memory.
func BenchmarkHit(b *testing.B) {
	p := newFolder(b, "honest").isolated(here, "swordfish")
	secretOf(b, p, here, "acme/app")
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if config, err := p.GetCredentials(ctx, here, "acme/app"); err != nil || config.Password == "" {
			b.Fatal(err)
		}
	}
}

// BenchmarkHitParallel is the same from as many goroutines as there are processors: the time for each must not grow with
// their number (-cpu 1,2).
func BenchmarkHitParallel(b *testing.B) {
	p := newFolder(b, "honest").isolated(here, "swordfish")
	secretOf(b, p, here, "acme/app")
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if config, err := p.GetCredentials(ctx, here, "acme/app"); err != nil || config.Password == "" {
				b.Error(err)
				return
			}
		}
	})
}

// trivial builds a helper that does nothing but answer, and returns the folder it lies in.
func trivial(b *testing.B) string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "helpers")
	must(b, os.Mkdir(dir, 0o755))
	build := exec.Command(needs.Tool(b, "go"), "build", "-trimpath", "-ldflags=-s -w",
		"-o", filepath.Join(dir, "docker-credential-beta9-generic"), "./testdata/trivial")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return dir
}

// BenchmarkExec is what a look-up costs that memory does not answer, in two parts of the same run: package provider with
// a helper that does nothing but answer, and os/exec with the same. The ratio is the price of the checks, the caps and
// the group.
func BenchmarkExec(b *testing.B) {
	dir := trivial(b)
	b.Run("provider", func(b *testing.B) {
		p := folder{b, dir}.isolated(here, "swordfish")
		for b.Loop() {
			p.Invalidate(here)
			secretOf(b, p, here, "")
		}
	})
	b.Run("os/exec", func(b *testing.B) {
		for b.Loop() {
			cmd := exec.CommandContext(b.Context(), filepath.Join(dir, "docker-credential-beta9-generic"), "get")
			cmd.Env = []string{"GOMAXPROCS=2"}
			cmd.Stdin = bytes.NewReader([]byte(here))
			if out, err := cmd.Output(); err != nil || len(out) == 0 {
				b.Fatal(err)
			}
		}
	})
}
