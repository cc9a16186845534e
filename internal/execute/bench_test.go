//go:build unix

package execute

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// BenchmarkRun executes a trivial helper through a Folder and by plain os/exec,
// turn by turn, and reports the medians of both and their ratio. Both give the
// child the same environment and request; the Folder gives it material too.
func BenchmarkRun(b *testing.B) {
	tool := needs.Tool(b, "go")
	dir := b.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	helper := filepath.Join(dir, Prefix+"trivial")
	build := exec.Command(tool, "build", "-trimpath", "-ldflags=-s -w", "-o", helper, "./testdata/trivial")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	folder, err := OpenFolder(dir, Options{Types: []string{"trivial"}})
	if err != nil {
		b.Fatal(err)
	}
	request := []byte("ghcr.io")
	run := func() {
		if _, err := folder.Run(context.Background(), Call{Type: "trivial", Verb: "get", Stdin: request, Material: []byte("{}")}); err != nil {
			b.Fatal(err)
		}
	}
	plain := func() {
		cmd := exec.Command(helper, "get")
		cmd.Env = []string{"GOMAXPROCS=2"}
		cmd.Stdin = bytes.NewReader(request)
		if _, err := cmd.Output(); err != nil {
			b.Fatal(err)
		}
	}
	timed := func(f func()) time.Duration {
		start := time.Now()
		f()
		return time.Since(start)
	}
	run()
	plain()
	var ours, theirs []time.Duration
	for i := 0; b.Loop(); i++ {
		// Whoever goes first finds colder caches.
		if i%2 == 0 {
			ours = append(ours, timed(run))
			theirs = append(theirs, timed(plain))
		} else {
			theirs = append(theirs, timed(plain))
			ours = append(ours, timed(run))
		}
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2].Microseconds())
	}
	b.ReportMetric(median(ours), "run-us")
	b.ReportMetric(median(theirs), "os/exec-us")
	b.ReportMetric(median(ours)/median(theirs), "x-os/exec")
}
