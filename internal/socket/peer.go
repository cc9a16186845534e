package socket

import (
	"errors"
	"os"
	"syscall"
)

var (
	errPeer        = errors.New("the other end of the credential socket runs as another user")
	errUnsupported = errors.New("credential sockets are not supported on this system")
)

// CheckPeer returns nil when the other end of a connected unix socket runs as the same user as this process, by the
// kernel's word. Root is no exception: a helper that runs as somebody else is not part of the build.
func CheckPeer(conn syscall.RawConn) error {
	var uid int
	var err error
	if ctl := conn.Control(func(fd uintptr) { uid, err = peerUID(int(fd)) }); ctl != nil {
		return ctl
	}
	if err != nil {
		return err
	}
	if uid != os.Geteuid() {
		return errPeer
	}
	return nil
}
