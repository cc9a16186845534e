//go:build unix

package clientconfig_test

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/clientconfig"
	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// A pipe would be waited for.
func TestPipeIsLeftAlone(t *testing.T) {
	t.Parallel()
	p := person(t, "-")
	if err := syscall.Mkfifo(p.File, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Set(context.Background()); !errors.Is(err, file.ErrNotFile) {
		t.Errorf("%v", err)
	}
	if _, err := clientconfig.Configured(p.File); !errors.Is(err, file.ErrNotFile) {
		t.Errorf("%v", err)
	}
}

func TestModeAndOwnerStay(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o600, 0o640, 0o644, 0o400} {
		p := person(t, `{}`)
		if err := os.Chmod(p.File, mode); err != nil {
			t.Fatal(err)
		}
		set(t, p)
		unset(t, all(p))
		if info, err := os.Stat(p.File); err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode %v is now %v, %v", mode, info.Mode(), err)
		}
	}
	p := person(t, "-")
	set(t, p)
	if info, err := os.Stat(p.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a new file: %v, %v", info.Mode(), err)
	}
	t.Run("owner", func(t *testing.T) {
		needs.Root(t)
		const nobody = 65534
		p := person(t, `{}`)
		if err := os.Chown(p.File, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		set(t, p)
		info, err := os.Stat(p.File)
		if err != nil {
			t.Fatal(err)
		}
		if at := info.Sys().(*syscall.Stat_t); at.Uid != nobody || at.Gid != nobody {
			t.Errorf("the file belongs to %d:%d now", at.Uid, at.Gid)
		}
	})
}
