//go:build linux || darwin

package socket

import (
	"context"
	"os"
	"syscall"
	"time"
)

// Supported tells whether this system has credential sockets.
const Supported = true

// dial connects to the socket and returns the connection in the runtime's poller, so that it has deadlines. A listener
// whose queue is full makes connect wait; the time for that is what is left of the context's, which has a deadline.
func dial(ctx context.Context, path string) (*os.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := connect(ctx, fd, path); err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("connect", err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

func connect(ctx context.Context, fd int, path string) error {
	left := askDeadline
	if end, ok := ctx.Deadline(); ok {
		left = max(time.Until(end), time.Millisecond) // zero would mean no limit
	}
	wait := syscall.NsecToTimeval(left.Nanoseconds())
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &wait); err != nil {
		return err
	}
	for {
		err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: path})
		if err == nil {
			return syscall.SetNonblock(fd, true)
		}
		if err != syscall.EINTR || ctx.Err() != nil {
			return err
		}
	}
}
