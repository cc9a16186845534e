//go:build unix

package provider

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// folder is a folder of helpers that behave as it says.
type folder struct {
	t    testing.TB
	path string
}

// newFolder makes a folder with a helper of each type that has the behaviour.
func newFolder(t testing.TB, behaviour string) folder {
	t.Helper()
	f := folder{t, filepath.Join(t.TempDir(), "helpers")}
	must(t, os.Mkdir(f.path, 0o755))
	must(t, os.Chmod(f.path, 0o755))
	for _, row := range helpers.Types() {
		must(t, os.Link(program, filepath.Join(f.path, row.Executable())))
	}
	f.write("behaviour", behaviour)
	return f
}

// write puts a file into the folder, whole.
func (f folder) write(name, data string) {
	f.t.Helper()
	path := filepath.Join(f.path, name)
	must(f.t, os.WriteFile(path+".new", []byte(data), 0o600))
	must(f.t, os.Rename(path+".new", path))
}

// run is one run of a helper, as the helper saw it.
type run struct {
	args    string // with the server URL from stdin
	wd      string
	environ []string
}

// runs returns the runs of the folder's helpers so far.
func (f folder) runs() []run {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.path, "runs"))
	if err != nil && !os.IsNotExist(err) {
		f.t.Fatal(err)
	}
	var runs []run
	for line := range bytes.Lines(data) {
		parts := strings.Split(strings.TrimSuffix(string(line), "\n"), "\x00")
		runs = append(runs, run{parts[0], parts[1], parts[2:]})
	}
	return runs
}

// wantRuns checks how often the folder's helpers were run.
func (f folder) wantRuns(n int) {
	f.t.Helper()
	if got := len(f.runs()); got != n {
		f.t.Errorf("helpers were run %d times, want %d", got, n)
	}
}

// pipe makes a named pipe in the folder.
func (f folder) pipe(name string) string {
	f.t.Helper()
	path := filepath.Join(f.path, name)
	must(f.t, syscall.Mkfifo(path, 0o600))
	return path
}

// provider makes a provider with these helpers, closed at the end of the test.
func (f folder) provider(o Options) *Provider {
	f.t.Helper()
	o.Folder = f.path
	p, err := New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { must(f.t, p.Close()) })
	return p
}

// isolated makes a provider whose tenant has the password for one registry.
func (f folder) isolated(registry, password string) *Provider {
	f.t.Helper()
	return f.provider(Options{Source: Materials{material(f.t, registry, password)}})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func registry(t testing.TB, s string) helpers.Registry {
	t.Helper()
	r, err := helpers.ParseServerURL(s)
	must(t, err)
	return r
}

// material makes generic material, bound to what the registry says, its path included.
func material(t testing.TB, s, password string) helpers.Material {
	t.Helper()
	r := registry(t, s)
	row, _ := helpers.TypeNamed("generic")
	m, err := helpers.NewMaterial(row, r, map[string]string{"USERNAME": "user", "PASSWORD": password})
	must(t, err)
	return m.WithScope(r.Scope())
}

// source is a Source made of a function.
type source func(ctx context.Context, r helpers.Registry) (helpers.Material, error)

func (f source) Material(ctx context.Context, r helpers.Registry) (helpers.Material, error) {
	return f(ctx, r)
}

// clock is a clock that a test sets, for the provider and for the helpers of a folder.
type clock struct {
	folder folder
	mu     sync.Mutex
	now    time.Time
}

func newClock(f folder) *clock {
	c := &clock{folder: f, now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	c.Advance(0)
	return c
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.folder.write("clock", c.now.Format(time.RFC3339Nano))
}

// secretOf asks for a credential that is there and returns its password.
func secretOf(t testing.TB, p *Provider, registry, scope string) string {
	t.Helper()
	config, err := p.GetCredentials(t.Context(), registry, scope)
	if err != nil || config == nil || config.Password == "" {
		t.Fatalf("%s: no credential, %v", registry, err)
	}
	return config.Password
}
