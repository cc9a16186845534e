//go:build unix

package execute

import (
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// aboveStandard is the first number after those of standard input, output and
// error.
const aboveStandard = 3

// pipe makes a pipe whose ends have numbers above standard error. A process may
// have been started without the three, and Go ends one that writes to 1 or 2
// when nobody reads there any more.
func pipe() (r, w *os.File, err error) {
	if r, w, err = os.Pipe(); err != nil {
		return nil, nil, err
	}
	if r, err = raise(r); err == nil {
		w, err = raise(w)
	}
	if err != nil {
		r.Close()
		w.Close()
		return nil, nil, err
	}
	return r, w, nil
}

// raise gives a file a number above standard error. Unlike [os.File.Fd] it does
// not make it block.
func raise(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return f, err
	}
	raised := -1
	failure := raw.Control(func(fd uintptr) {
		if fd < aboveStandard {
			raised, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, aboveStandard)
		}
	})
	if failure != nil {
		return f, failure
	}
	if err != nil {
		return f, os.NewSyscallError("fcntl", err)
	}
	if raised < 0 {
		return f, nil
	}
	defer f.Close()
	return os.NewFile(uintptr(raised), f.Name()), nil
}

// maxPipe is the most that the buffer of a pipe holds where no administrator has
// said otherwise, in bytes.
const maxPipe = 1 << 20

// drain takes what lies in a pipe and waits for nobody. The error says that
// there may be more.
func drain(r *os.File, to io.Writer) error {
	raw, err := r.SyscallConn()
	if err != nil {
		return err
	}
	failure := raw.Control(func(fd uintptr) {
		block := make([]byte, 64<<10)
		for left := maxPipe; left > 0; {
			n, failure := syscall.Read(int(fd), block)
			switch {
			case failure == syscall.EINTR:
				continue
			case failure == syscall.EAGAIN, failure == nil && n == 0:
				return
			case failure != nil:
				err = failure
				return
			}
			if _, err = to.Write(block[:n]); err != nil {
				return
			}
			left -= n
		}
	})
	if failure != nil {
		return failure
	}
	return err
}

// handDown makes r the child's descriptor 3 and returns that number.
func handDown(cmd *exec.Cmd, r *os.File) (string, error) {
	cmd.ExtraFiles = []*os.File{r}
	return "3", nil
}
