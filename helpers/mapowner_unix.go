//go:build unix

package helpers

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// noWait keeps the opening of a pipe from waiting for somebody who writes to it.
const noWait = syscall.O_NONBLOCK

// distrust says what lets somebody else decide what stands in the file, or nothing.
func distrust(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || stat.Uid != 0 && int64(stat.Uid) != int64(os.Geteuid()):
		return "belongs to neither root nor the user who runs this"
	case info.Mode().Perm()&0o022 != 0:
		return "can be changed by others than its owner (mode 0" + strconv.FormatUint(uint64(info.Mode().Perm()), 8) + ")"
	}
	return ""
}
