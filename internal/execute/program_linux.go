package execute

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// firstFree is the lowest number a descriptor of our own may have while a child
// is made: 0 to 2 and the material's 3 become the child's before the helper is
// executed.
const firstFree = 4

// errLoader explains a file that is there and is not found.
var errLoader = errors.New("no such file or directory: /proc is not mounted, or the helper's loader is missing")

// target names the opened file itself, so that what was checked is what runs,
// whatever its path leads to by then. The descriptor closes itself on exec,
// which leaves nothing for the interpreter of a script to read, so a script is
// refused here instead of failing there.
func (p *program) target() (string, error) {
	var magic [2]byte
	if n, _ := p.file.ReadAt(magic[:], 0); n == 2 && magic == [2]byte{'#', '!'} {
		return "", &TrustError{Path: p.path, Rule: RuleScript}
	}
	if p.file.Fd() < firstFree {
		raised, err := duplicate(p.file, firstFree)
		if err != nil {
			return "", err
		}
		p.file.Close()
		p.file = raised
	}
	return "/proc/self/fd/" + strconv.Itoa(int(p.file.Fd())), nil
}

// clear gives the child's end of the pipe a higher number than the opened
// helper has. Between fork and exec the child's descriptors are moved out of
// each other's way, to the numbers above the highest of them; the helper's
// number must not be among those, or something else would be executed.
func (p *program) clear(f *feed) error {
	if f.r.Fd() > p.file.Fd() {
		return nil
	}
	raised, err := duplicate(f.r, int(p.file.Fd())+1)
	if err != nil {
		return err
	}
	f.r.Close()
	f.r = raised
	return nil
}

// duplicate copies a descriptor to a number of at least lowest.
func duplicate(f *os.File, lowest int) (*os.File, error) {
	// Fd also makes the descriptor block, as a child expects of its own.
	n, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, lowest)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(n), f.Name()), nil
}

// startFailure takes the descriptor's path out of an error, which would tell a
// reader nothing.
func startFailure(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	if err == syscall.ENOENT {
		return errLoader
	}
	return err
}
