//go:build unix

package store

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

func TestP5ManyProcessesLoseAndTearNothing(t *testing.T) {
	t.Parallel()
	const clients = 32
	home := filepath.Join(t.TempDir(), "b9") // they also race for creating it, and for the key
	filetest.RunMany(t, clients, "client", []string{"BETA9_CREDENTIAL_HOME=" + home})
	s := at(home)
	for i := range clients {
		l, err := s.Get(t.Context(), "generic", registry(t, fmt.Sprintf("own-%d.example", i)))
		if err != nil {
			t.Errorf("client %d: %v", i, err)
			continue
		}
		if n, whole := numberOf(l); !whole || n != 100*i+9 {
			t.Errorf("client %d: number %d, whole: %v", i, n, whole)
		}
	}
	heads, err := s.List(t.Context(), "generic")
	if n := len(records(t, home)); err != nil || n != len(heads) || n < clients || n > clients+1 {
		t.Errorf("%d records, %d listed, %v", n, len(heads), err)
	}
}

func TestP2KilledWriterLeavesOldOrNew(t *testing.T) {
	t.Parallel()
	s, home := inHome(t)
	env := []string{"BETA9_CREDENTIAL_HOME=" + home}
	last, interrupted := 0, 0 // the version that must be there, or the one after it
	for range 200 {
		cmd := filetest.Process(t, "versions", env, strconv.Itoa(last+1))
		stdout, err := cmd.StdoutPipe()
		do(t, err)
		do(t, cmd.Start())
		lines := bufio.NewScanner(stdout)
		read := func() {
			last, err = strconv.Atoi(lines.Text())
			do(t, err)
		}
		for range rand.N(3) {
			lines.Scan()
			read()
		}
		// The random point: storing takes about as long.
		<-time.After(rand.N(3 * time.Millisecond))
		cmd.Process.Kill()
		for lines.Scan() {
			read()
		}
		cmd.Wait()

		l, err := s.Get(t.Context(), "ghcr", registry(t, "ghcr.io"))
		if helpers.IsNotFound(err) && last == 0 {
			continue
		}
		do(t, err)
		n, whole := numberOf(l)
		if !whole || n != last && n != last+1 {
			t.Fatalf("%d was stored last; there is %d, whole: %v", last, n, whole)
		}
		last = n
		entries, err := os.ReadDir(filepath.Join(home, "logins"))
		do(t, err)
		for _, entry := range entries {
			if _, ok := file.Temporary(entry.Name()); ok {
				interrupted++
			}
		}
	}
	t.Logf("%d times a half-written record was there; %d versions", interrupted, last)
	if interrupted == 0 {
		t.Error("nobody was killed while writing: the test shows nothing")
	}
	l, err := number("ghcr.io", last+1) // the lock is free, and what the killed left is swept
	do(t, err)
	do(t, s.Put(t.Context(), "ghcr", l))
	if n := len(records(t, home)); n != 1 {
		t.Errorf("%d records", n)
	}
}

func TestEraseAlsoRemovesWhatAKilledWriterLeft(t *testing.T) {
	t.Parallel()
	s, home := inHome(t)
	l := login(t, "ghcr.io", "user", "not-a-secret")
	do(t, s.Put(t.Context(), "ghcr", l))
	left := records(t, home)[0]
	do(t, os.Rename(left, left+"."+strings.Repeat("A", 26)+".new"))
	if _, err := s.Get(t.Context(), "ghcr", l.Registry()); !helpers.IsNotFound(err) {
		t.Errorf("get: %v", err)
	}
	do(t, s.Delete(t.Context(), "ghcr", l.Registry()))
	if n := len(records(t, home)); n != 0 { // records also fails the test for what else is there
		t.Errorf("%d records", n)
	}
}

func TestP8P9LittleToLiveOn(t *testing.T) {
	t.Parallel()
	for _, setup := range []string{"usual", "umask=0", "nofile=16"} {
		home := filepath.Join(t.TempDir(), "b9")
		for _, step := range [][2]string{{"put", "<nil>"}, {"get", "<nil>"}, {"list", "listed 1"}, {"delete", "<nil>"}, {"list", "listed 0"}} {
			got := filetest.Run(t, "do", []string{"BETA9_CREDENTIAL_HOME=" + home}, setup, step[0])
			if got != step[1] {
				t.Errorf("%s, %s: %s", setup, step[0], got)
			}
		}
		err := filepath.Walk(home, func(path string, info os.FileInfo, err error) error {
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %s has mode %v", setup, path, info.Mode())
			}
			return err
		})
		do(t, err)
	}
	// Without anything in the environment there is no home; the failure says which variable is missing.
	for _, what := range []string{"put", "get", "delete", "list"} {
		if got := filetest.Run(t, "do", nil, "usual", what); !strings.Contains(got, "HOME is not set") {
			t.Errorf("no environment, %s: %s", what, got)
		}
	}
}

func TestP9FilesMayNotGrow(t *testing.T) {
	t.Parallel()
	s, home := inHome(t)
	env := []string{"BETA9_CREDENTIAL_HOME=" + home}
	if got := filetest.Run(t, "do", env, "fsize=0", "put"); !strings.Contains(got, "file too large") {
		t.Errorf("put into nothing: %s", got)
	}
	if _, err := os.Stat(filepath.Join(home, "key")); err == nil {
		t.Error("a key without its bytes is there")
	}
	do(t, s.Put(t.Context(), "ghcr", login(t, "ghcr.io", "user", "not-a-secret")))
	for _, step := range [][2]string{{"put", "file too large"}, {"get", "<nil>"}, {"list", "listed 1"}, {"delete", "<nil>"}} {
		if got := filetest.Run(t, "do", env, "fsize=0", step[0]); !strings.Contains(got, step[1]) {
			t.Errorf("%s: %s", step[0], got)
		}
	}
}

func TestP6WithoutRights(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	const denied, foreign = "permission denied", "owned by another user"
	tests := []struct {
		name string
		make func(t *testing.T, home, logins, record string)
		want map[string]string
	}{
		{"read-only", func(t *testing.T, home, logins, record string) {
			do(t, os.Chmod(home, 0o500))
			do(t, os.Chmod(logins, 0o500))
		}, map[string]string{"get": "<nil>", "list": "listed 1", "put": denied, "delete": denied}},
		{"unreadable record", func(t *testing.T, home, logins, record string) {
			do(t, os.Chmod(record, 0))
		}, map[string]string{"get": denied, "list": denied}},
		{"unreadable key", func(t *testing.T, home, logins, record string) {
			do(t, os.Chmod(filepath.Join(home, "key"), 0))
		}, map[string]string{"get": denied, "list": denied, "put": denied, "delete": denied}},
		{"unreadable folder", func(t *testing.T, home, logins, record string) {
			do(t, os.Chmod(logins, 0))
		}, map[string]string{"get": denied, "list": denied, "put": denied, "delete": denied}},
		{"record of somebody else", func(t *testing.T, home, logins, record string) {
			do(t, os.Chown(record, 0, 0))
		}, map[string]string{"get": foreign, "list": foreign}},
		{"folder of somebody else", func(t *testing.T, home, logins, record string) {
			do(t, os.Chmod(logins, 0o755))
			do(t, os.Chown(logins, 0, 0))
		}, map[string]string{"get": foreign, "list": foreign, "put": foreign, "delete": foreign}},
		{"key of somebody else", func(t *testing.T, home, logins, record string) {
			do(t, os.Chown(filepath.Join(home, "key"), 0, 0))
		}, map[string]string{"get": foreign, "list": foreign, "put": foreign, "delete": foreign}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			top, err := os.MkdirTemp("", "nobody") // the folder of t.TempDir cannot be entered by others
			do(t, err)
			t.Cleanup(func() { os.RemoveAll(top) })
			do(t, os.Chmod(top, 0o755))
			home := filepath.Join(top, "b9")
			do(t, at(home).Put(t.Context(), "ghcr", login(t, "ghcr.io", "user", "not-a-secret")))
			do(t, filepath.Walk(home, func(path string, _ os.FileInfo, err error) error {
				if err != nil {
					return err
				}
				return os.Chown(path, 65534, 65534)
			}))
			record := records(t, home)[0]
			tt.make(t, home, filepath.Dir(record), record)
			for what, want := range tt.want {
				got := filetest.Run(t, "do", []string{"BETA9_CREDENTIAL_HOME=" + home}, "nobody", what)
				if !strings.HasSuffix(got, want) {
					t.Errorf("%s: %s, want %s", what, got, want)
				}
			}
			if n := len(records(t, home)); n != 1 {
				t.Errorf("%d records", n)
			}
		})
	}
}
