package file

// sync does nothing: Windows has no call that brings a folder's list of names to the disk, NTFS keeps a journal of it.
func (d *Folder) sync() error { return nil }
