//go:build unix

package sqlite

import (
	"io/fs"
	"os"
	"syscall"
)

// loose tells whether others than the owner may read or write the file.
func loose(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// planted tells whether the file is somebody else's, or has a second name by which it is something else.
func planted(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int64(stat.Uid) != int64(os.Geteuid()) || stat.Nlink > 1
}
