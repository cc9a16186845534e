package filetest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// SmallDisk returns a folder on a disk of its own, of 128 KiB.
func SmallDisk(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	mount(t, "tmpfs", folder, "tmpfs", 0, "size=128k,mode=0700")
	return folder
}

// Fill writes to the folder's disk until it is full, and returns how to make room again.
func Fill(t testing.TB, folder string) (free func()) {
	t.Helper()
	path := filepath.Join(folder, "filling")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// ReadOnly makes a folder, with all that is in it, a read-only disk for the rest of the test.
func ReadOnly(t testing.TB, folder string) {
	t.Helper()
	mount(t, folder, folder, "", syscall.MS_BIND, "")
	if err := syscall.Mount("", folder, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}

func mount(t testing.TB, source, target, kind string, flags uintptr, options string) {
	t.Helper()
	needs.Root(t)
	if err := syscall.Mount(source, target, kind, flags, options); err != nil {
		needs.Missing(t, "cannot mount a disk (%v): give the container CAP_SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(target, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}
