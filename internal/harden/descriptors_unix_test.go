//go:build unix

package harden

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDescriptors(t *testing.T) {
	for name, mark := range map[string]func() error{"whichever": Descriptors, "each": markEach} {
		t.Run(name, func(t *testing.T) {
			file, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			foreign, err := syscall.Dup(int(file.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Close(foreign)
			standard := flags(t, 0)
			if flags(t, foreign)&unix.FD_CLOEXEC != 0 {
				t.Fatal("it was marked before")
			}
			if err := mark(); err != nil {
				t.Fatal(err)
			}
			if flags(t, foreign)&unix.FD_CLOEXEC == 0 {
				t.Error("it is not marked")
			}
			if flags(t, 0) != standard {
				t.Error("standard input was marked")
			}
		})
	}
}

func flags(t *testing.T, fd int) int {
	t.Helper()
	f, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
