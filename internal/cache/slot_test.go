//go:build unix

package cache

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file"
)

// only returns the path of the one file in the cache.
func (r *rig) only() string {
	r.t.Helper()
	files := r.files()
	if len(files) != 1 {
		r.t.Fatalf("in the cache: %v", files)
	}
	return filepath.Join(r.home, "tokens", files[0])
}

func TestBrokenEntryIsAMissAndStaysUntilItIsReplaced(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, path string)
		stays bool // it cannot be replaced either
	}{
		{"empty", func(t *testing.T, path string) { do(t, os.Truncate(path, 0)) }, false},
		{"cut", func(t *testing.T, path string) { do(t, os.Truncate(path, 60)) }, false},
		{"nonsense", func(t *testing.T, path string) { do(t, os.WriteFile(path, []byte("nonsense"), 0o600)) }, false},
		{"flipped", func(t *testing.T, path string) {
			content, err := os.ReadFile(path)
			do(t, err)
			content[len(content)-1] ^= 1
			do(t, os.WriteFile(path, content, 0o600))
		}, false},
		{"huge", func(t *testing.T, path string) { do(t, os.Truncate(path, 1<<30)) }, false},
		{"open to others", func(t *testing.T, path string) { do(t, os.Chmod(path, 0o644)) }, false},
		{"link", func(t *testing.T, path string) {
			do(t, os.Rename(path, filepath.Dir(path)+".moved"))
			do(t, os.Symlink(filepath.Dir(path)+".moved", path))
		}, false},
		{"folder", func(t *testing.T, path string) {
			do(t, os.Remove(path))
			do(t, os.MkdirAll(filepath.Join(path, "inside"), 0o700))
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			with(t, time.Hour, func(t *testing.T, r *rig) {
				r.want("the first time", 1)
				path := r.only()
				tt.spoil(t, path)
				before, err := os.Lstat(path)
				do(t, err)

				r.up.set(hangs)
				if c, err := r.get(); err == nil || !c.IsZero() {
					t.Error("it was used")
				}
				after, err := os.Lstat(path)
				if err != nil || !os.SameFile(before, after) {
					t.Errorf("it is gone: %v", err)
				}

				r.up.set(lives(time.Hour))
				r.want("spoiled", 1)
				again := 0
				if tt.stays {
					again = 1
				}
				r.want("and again", again)
			})
		})
	}
}

func TestEntryInAnothersPlaceIsAMiss(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		r.want("one", 1)
		one := r.only()
		do(t, os.Rename(one, one+".kept"))
		r.up.key.Token = "another"
		r.want("another", 1)
		files := r.files()
		other := filepath.Join(r.home, "tokens", files[slices.IndexFunc(files, func(n string) bool { return !strings.HasSuffix(n, ".kept") })])
		do(t, os.Rename(one+".kept", other))
		r.want("with the entry of the first in its place", 1)
	})
}

func TestFolderThatCannotBeTrustedIsNotUsed(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		r.want("the first time", 1)
		tokens := filepath.Join(r.home, "tokens")
		do(t, os.Rename(tokens, tokens+".moved"))
		do(t, os.Symlink(tokens+".moved", tokens))
		r.want("a link in its place", 1)
		r.want("and again", 1)
		if err := r.cache().Forget(t.Context(), r.up.key); helpers.ReasonOf(err) != helpers.StoreFailed || helpers.HintOf(err) == "" {
			t.Errorf("forget: %v", err)
		}
	})
}

func TestForget(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		forget := func() {
			t.Helper()
			do(t, r.cache().Forget(t.Context(), r.up.key))
		}
		forget() // there is no cache
		if entries, err := os.ReadDir(r.home); err != nil || len(entries) != 0 {
			t.Errorf("there is %v, %v", entries, err)
		}
		r.want("the first time", 1)
		r.up.key.Token = "another"
		forget()
		r.want("another", 1)
		for range 4 {
			forget()
		}
		r.want("after it was forgotten", 1)
		r.up.key.Token = "token key"
		r.want("the first is still there", 0)
		do(t, r.cache().Forget(t.Context(), helpers.Key{}))

		// What a killed writer left of it goes, too.
		path := filepath.Join(r.home, "tokens", r.files()[0])
		for _, name := range r.files() {
			left := filepath.Join(r.home, "tokens", name+"."+strings.Repeat("A", 26)+".new")
			do(t, os.WriteFile(left, nil, 0o600))
		}
		for _, key := range []string{"token key", "another"} {
			r.up.key.Token = key
			forget()
		}
		if files := r.files(); len(files) != 0 {
			t.Errorf("left: %v of %s", files, path)
		}
	})
}

func TestForgetWaitsForWhoeverIsAsking(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		r.up.set(slowly(lives(time.Hour)))
		done := make(chan struct{})
		go func() { r.must(); close(done) }()
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := r.cache().Forget(short, r.up.key); helpers.ReasonOf(err) != helpers.Timeout {
			t.Errorf("%v", err)
		}
		do(t, r.cache().Forget(t.Context(), r.up.key))
		<-done
		if files := r.files(); len(files) != 0 {
			t.Errorf("kept after it was forgotten: %v", files)
		}
	})
}

func TestExpiredEntriesAreSweptOnWrite(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		const many = 100
		for i := range many {
			r.up.key.Token = fmt.Sprint("soon expired ", i)
			r.want("many", 1)
		}
		pass(30 * time.Minute)
		r.up.key.Token = "valid for long"
		r.want("valid for long", 1)
		tokens := filepath.Join(r.home, "tokens")
		broken := filepath.Join(tokens, "broken")
		do(t, os.WriteFile(broken, []byte("nonsense"), 0o600))

		// What killed processes left, and what a living one is at.
		random := "." + strings.Repeat("A", 26) + ".new"
		for _, left := range []string{"dead.lock", "dead" + random, "alive" + random} {
			do(t, os.WriteFile(filepath.Join(tokens, left), nil, 0o600))
		}
		d, err := file.Open(tokens)
		do(t, err)
		defer d.Close()
		lock, err := d.Lock(t.Context(), "alive.lock")
		do(t, err)
		defer lock.Release()

		pass(29 * time.Minute)
		r.up.key.Token = "just before"
		r.want("just before", 1)
		if n := len(r.files()); n < many {
			t.Errorf("%d left a minute before they expire", n)
		}
		pass(time.Minute)
		for i := range 40 { // each looks at some of them
			r.up.key.Token = fmt.Sprint("new ", i)
			r.want("new", 1)
		}
		files := r.files()
		if want := 40 + 2 + 3; len(files) != want {
			t.Errorf("%d files, want %d: %v", len(files), want, files)
		}
		for _, name := range []string{"broken", "alive" + random, "alive.lock"} {
			if !slices.Contains(files, name) {
				t.Errorf("%s was swept", name)
			}
		}
		r.up.key.Token = "valid for long"
		r.up.set(fails(throttled))
		r.must()
	})
}

// Whoever logs out in a session does not want the token to go on outside of it.
func TestForgetOutsideOfTheSession(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		session := filepath.Join(r.home, "session")
		do(t, os.Mkdir(session, 0o700))
		in := func(session string) *Cache {
			env := map[string]string{"HOME": r.home, "XDG_RUNTIME_DIR": session}
			return Open("test", func(name string) string { return env[name] }, time.Now)
		}
		ask := func(session string) int {
			_, err := in(session).Source(r.up).Token(t.Context(), helpers.Registry{})
			do(t, err)
			return r.up.asked()
		}
		for _, where := range []string{"", session} {
			if n := ask(where); n != 1 {
				t.Errorf("%q: %d calls upstream at first", where, n)
			}
			if n := ask(where); n != 0 {
				t.Errorf("%q: %d calls upstream later", where, n)
			}
		}
		do(t, in(session).Forget(t.Context(), r.up.key))
		for _, where := range []string{"", session} {
			if n := ask(where); n != 1 {
				t.Errorf("%q: %d calls upstream after it was forgotten", where, n)
			}
		}
	})
}
