package execute

import (
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/windows"
)

func pipe() (r, w *os.File, err error) { return os.Pipe() }

// drain is not called here: reading from a pipe has no deadline.
func drain(*os.File, io.Writer) error { return os.ErrNoDeadline }

// handDown lets the child inherit r and returns the number it has there, which
// is the handle's own. Go starts every process with a list of the handles it
// inherits, so no other child gets this one.
func handDown(cmd *exec.Cmd, r *os.File) (string, error) {
	handle := windows.Handle(r.Fd())
	if err := windows.SetHandleInformation(handle, windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
		return "", os.NewSyscallError("SetHandleInformation", err)
	}
	cmd.SysProcAttr.AdditionalInheritedHandles = append(cmd.SysProcAttr.AdditionalInheritedHandles, syscall.Handle(handle))
	return strconv.FormatUint(uint64(handle), 10), nil
}
