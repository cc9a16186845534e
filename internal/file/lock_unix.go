//go:build unix

package file

import (
	"errors"
	"os"
	"syscall"
)

// lockFile locks an open file for this opening of it, and returns ErrBusy when another one has it locked.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrBusy
	}
	return err
}
