//go:build unix

package file

import (
	"errors"
	"syscall"
)

// sync brings the folder's list of names to the disk. Some file systems keep it there at all times and refuse.
func (d *Folder) sync() error {
	self, err := d.root.Open(".")
	if err != nil {
		return wrong(d.path, err)
	}
	defer self.Close()
	if err := self.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return wrong(d.path, err)
	}
	return nil
}
