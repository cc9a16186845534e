package needs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// verdict is a testing.TB that keeps how a test was ended. Ending one stops the goroutine, so it is run in its own.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Helper() {}

func (v *verdict) Skipf(format string, args ...any) {
	v.skipped = fmt.Sprintf(format, args...)
	panic(v)
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.failed = fmt.Sprintf(format, args...)
	panic(v)
}

// judge runs a test's body and returns how it was ended.
func judge(body func(testing.TB)) (v *verdict) {
	v = &verdict{}
	defer func() {
		if r := recover(); r != nil && r != any(v) {
			panic(r)
		}
	}()
	body(v)
	return v
}

func TestMissingToolSkipsAndSaysHowToGetIt(t *testing.T) {
	t.Setenv("REQUIRE_ALL", "")
	t.Setenv("SKIPPED", "") // nothing is missing in truth
	t.Setenv("PATH", t.TempDir())
	for name, want := range map[string]string{
		"no-such-program": "install the package no-such-program",
		"postgres":        "install the package postgresql",
	} {
		v := judge(func(t testing.TB) { Tool(t, name) })
		if v.failed != "" || !strings.Contains(v.skipped, want) || !strings.Contains(v.skipped, "make deps") {
			t.Errorf("Tool(%q): skipped %q, failed %q; want a skip saying %q", name, v.skipped, v.failed, want)
		}
	}
}

func TestRequireAllTurnsASkipIntoAFailure(t *testing.T) {
	t.Setenv("REQUIRE_ALL", "1")
	v := judge(func(t testing.TB) { Tool(t, "no-such-program") })
	if v.skipped != "" || !strings.Contains(v.failed, "no-such-program is not installed") {
		t.Errorf("skipped %q, failed %q; want a failure that names the program", v.skipped, v.failed)
	}
}

func TestSkipsAreNoted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "skipped")
	t.Setenv("REQUIRE_ALL", "")
	t.Setenv("SKIPPED", path)
	for _, what := range []string{"one\nthing", "another"} {
		if v := judge(func(t testing.TB) { Missing(t, "no %s", what) }); v.skipped == "" {
			t.Errorf("not skipped: %+v", v)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "no one thing\nno another\n" {
		t.Errorf("noted %q, %v", got, err)
	}
}

func TestToolReturnsThePath(t *testing.T) {
	dir := t.TempDir()
	program(t, dir, "present")
	t.Setenv("PATH", dir)
	v := judge(func(tb testing.TB) {
		if got, want := Tool(tb, "present"), filepath.Join(dir, "present"); got != want {
			t.Errorf("Tool = %q, want %q", got, want)
		}
	})
	if v.skipped != "" || v.failed != "" {
		t.Errorf("skipped %q, failed %q", v.skipped, v.failed)
	}
}

func TestPostgresNeedsBothProgramsInOneFolder(t *testing.T) {
	tests := []struct {
		name     string
		packaged []string // below the root of Debian's versions
		onPath   []string
		want     string // relative to the test's folder, "" for none
	}{
		{name: "nothing"},
		{name: "initdb alone on PATH", onPath: []string{"initdb"}},
		{name: "both on PATH", onPath: []string{"initdb", "postgres"}, want: "path"},
		{name: "a version", packaged: []string{"15/bin/initdb", "15/bin/postgres"}, want: "root/15/bin"},
		{name: "the newest by number", packaged: []string{"9/bin/initdb", "9/bin/postgres", "15/bin/initdb", "15/bin/postgres"}, want: "root/15/bin"},
		{name: "client alone in the newest", packaged: []string{"15/bin/initdb", "15/bin/postgres", "16/bin/initdb"}, want: "root/15/bin"},
		{name: "a version before PATH", packaged: []string{"15/bin/initdb", "15/bin/postgres"}, onPath: []string{"initdb", "postgres"}, want: "root/15/bin"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, p := range tt.packaged {
				program(t, filepath.Join(dir, "root", filepath.Dir(p)), filepath.Base(p))
			}
			for _, p := range tt.onPath {
				program(t, filepath.Join(dir, "path"), p)
			}
			t.Setenv("PATH", filepath.Join(dir, "path"))
			want := ""
			if tt.want != "" {
				want = filepath.Join(dir, tt.want)
			}
			if got := postgresIn(filepath.Join(dir, "root")); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// program puts something executable there.
func program(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}
