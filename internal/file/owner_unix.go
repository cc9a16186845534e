//go:build unix

package file

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// foreign reports whether somebody else owns the file.
func foreign(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int64(stat.Uid) != int64(os.Geteuid())
}

// giveTo gives f to the owner and the group of another file. Who may not do that keeps f.
func giveTo(f *os.File, like fs.FileInfo) error {
	stat, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	err := f.Chown(int(stat.Uid), int(stat.Gid))
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// loose reports whether others have any access.
func loose(info fs.FileInfo) bool { return info.Mode().Perm()&^folderMode != 0 }

// links returns the number of names that a file has. A folder has more than one by nature.
func links(info fs.FileInfo) uint64 {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.IsDir() {
		return 1
	}
	return uint64(stat.Nlink)
}
