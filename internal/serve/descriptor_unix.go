//go:build unix

package serve

import "syscall"

// handedDown tells whether a descriptor may have come from the caller: a file, a pipe, a socket or a device. What Go's
// runtime opens for itself is none of these, and a process in which that is read or closed breaks down.
func handedDown(n uintptr) bool {
	var stat syscall.Stat_t
	if syscall.Fstat(int(n), &stat) != nil {
		return false
	}
	switch stat.Mode & syscall.S_IFMT {
	case syscall.S_IFREG, syscall.S_IFIFO, syscall.S_IFSOCK, syscall.S_IFCHR:
		return true
	}
	return false
}
