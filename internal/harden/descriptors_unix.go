//go:build unix

package harden

import (
	"os"
	"strconv"
	"syscall"
)

// firstKept is the lowest descriptor that is not standard input, output or
// error.
const firstKept = 3

// Descriptors marks all descriptors above standard error as close-on-exec, so
// that programs started from now on inherit only what they are explicitly
// given. Go marks those it opens itself; left are the ones that this process
// inherited, material's among them, and the ones that foreign code opened. It
// may be called any number of times and by any number of goroutines.
func Descriptors() error {
	if markRange() {
		return nil
	}
	return markEach()
}

// markEach marks one descriptor after the other.
func markEach() error {
	folder, err := os.Open("/proc/self/fd")
	if err != nil { // systems other than Linux have none
		folder, err = os.Open("/dev/fd")
	}
	if err != nil {
		return err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil && n >= firstKept {
			syscall.CloseOnExec(n)
		}
	}
	return nil
}
