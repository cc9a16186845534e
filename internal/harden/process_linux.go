package harden

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func hide() error {
	// Without this, /proc/<pid>/environ, mem, maps and fd open to whoever has
	// the same user id, and so does ptrace.
	err := os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
	// A process that is not dumpable leaves no core. The limit says the same
	// to the programs it starts, which are dumpable again.
	return errors.Join(err, os.NewSyscallError("setrlimit", unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})))
}
