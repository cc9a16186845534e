//go:build unix

package serve

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// wasClosed tells whether standard output was closed when this process began. The Go runtime opens the null device in its
// place, for reading and writing, and whatever is written there seems to arrive. A shell and os/exec open the null device
// for writing alone when somebody wants to get rid of output.
func wasClosed() bool {
	flags, err := unix.FcntlInt(uintptr(syscall.Stdout), unix.F_GETFL, 0)
	if err != nil || flags&syscall.O_ACCMODE != syscall.O_RDWR {
		return false // the usual case: a pipe
	}
	info, err := os.Stdout.Stat()
	if err != nil {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}
