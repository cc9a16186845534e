//go:build unix

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
)

func TestMain(m *testing.M) {
	os.Exit(filetest.Main(m, map[string]filetest.Role{
		"client":   client,
		"versions": versions,
		"do":       doOne,
	}))
}

// inHome returns the store of one folder, and that folder.
func inHome(t testing.TB) (*Store, string) {
	t.Helper()
	home := t.TempDir()
	return at(home), home
}

// at returns the store in a folder.
func at(home string) *Store {
	return with(map[string]string{"BETA9_CREDENTIAL_HOME": home})
}

// with returns the store of an environment.
func with(env map[string]string) *Store {
	return Open(folders.New(func(name string) string { return env[name] }))
}

func do(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// registry returns the registry of a server URL.
func registry(t testing.TB, serverURL string) helpers.Registry {
	t.Helper()
	r, err := helpers.ParseServerURL(serverURL)
	do(t, err)
	return r
}

// login makes a login.
func login(t testing.TB, serverURL, username, secret string) helpers.Login {
	t.Helper()
	l, err := helpers.NewLogin(serverURL, username, secret)
	do(t, err)
	return l
}

// same reports whether two logins hold the same.
func same(a, b helpers.Login) bool {
	return a.ServerURL() == b.ServerURL() && a.Username() == b.Username() && a.Secret() == b.Secret()
}

// number makes a login that says of itself whether it is whole.
func number(serverURL string, n int) (helpers.Login, error) {
	who := strconv.Itoa(n)
	return helpers.NewLogin(serverURL, who, strings.Repeat("not-a-secret-"+who+" ", 5000))
}

// numberOf returns the number of such a login, and whether it is whole.
func numberOf(l helpers.Login) (int, bool) {
	n, err := strconv.Atoi(l.Username())
	if err != nil {
		return 0, false
	}
	want, err := number(l.ServerURL(), n)
	return n, err == nil && same(l, want)
}

// client stores, gets and erases on a registry of its own and on one that all clients share.
func client(args []string) error {
	ctx, s := context.Background(), Open(folders.New(os.Getenv))
	me, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	const shared = "shared.example"
	own := fmt.Sprintf("own-%d.example", me)
	for round := range 10 {
		for _, host := range []string{own, shared} {
			l, err := number(host, 100*me+round)
			if err != nil {
				return err
			}
			if err := s.Put(ctx, "generic", l); err != nil {
				return fmt.Errorf("store %s: %w", host, err)
			}
			got, err := s.Get(ctx, "generic", l.Registry())
			n, whole := 0, false
			if err == nil {
				n, whole = numberOf(got)
			}
			switch {
			case host == shared && helpers.IsNotFound(err): // another client erased it
			case err != nil:
				return fmt.Errorf("get %s: %w", host, err)
			case !whole, host == own && n != 100*me+round:
				return fmt.Errorf("get %s: number %d, whole: %v", host, n, whole)
			}
			if round%4 == 3 {
				if err := s.Delete(ctx, "generic", l.Registry()); err != nil {
					return fmt.Errorf("erase %s: %w", host, err)
				}
				if _, err := s.Get(ctx, "generic", l.Registry()); host == own && !helpers.IsNotFound(err) {
					return fmt.Errorf("get after erase: %w", err)
				}
			}
		}
		if _, err := s.List(ctx, "generic"); err != nil {
			return fmt.Errorf("list: %w", err)
		}
	}
	return nil
}

// versions stores one login after the other for the same registry until it is killed, and prints a line after each.
func versions(args []string) error {
	s := Open(folders.New(os.Getenv))
	first, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	for n := first; ; n++ {
		l, err := number("ghcr.io", n)
		if err != nil {
			return err
		}
		if err := s.Put(context.Background(), "ghcr", l); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// doOne does one thing to the store, as a process that is set up as its first argument says, and prints the error.
func doOne(args []string) error {
	set := map[string]func() error{
		"usual":   func() error { return nil },
		"umask=0": func() error { syscall.Umask(0); return nil },
		"nobody":  func() error { return syscall.Setuid(65534) },
		"nofile=16": func() error {
			return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 16, Max: 16})
		},
		"fsize=0": func() error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{}) },
	}[args[0]]
	if err := set(); err != nil {
		return err
	}
	ctx, s := context.Background(), Open(folders.New(os.Getenv))
	l, err := helpers.NewLogin("ghcr.io", "user", "not-a-secret")
	if err != nil {
		return err
	}
	switch args[1] {
	case "put":
		err = s.Put(ctx, "ghcr", l)
	case "get":
		var got helpers.Login
		if got, err = s.Get(ctx, "ghcr", l.Registry()); err == nil && !same(got, l) {
			err = errors.New("got another login")
		}
	case "delete":
		err = s.Delete(ctx, "ghcr", l.Registry())
	case "list":
		var heads []Head
		if heads, err = s.List(ctx, "ghcr"); err == nil {
			err = fmt.Errorf("listed %d", len(heads))
		}
	}
	fmt.Print(err)
	return nil
}
