package file

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// temporaryEnd ends the name of a file that is being written: the name of the file that it will be, a dot, the random
// text of crypto/rand, and this.
const (
	temporaryEnd = ".new"
	randomLen    = 26 // of rand.Text
)

// Temporary reports whether file is the name of a file that a writer had not finished, and of which file. A writer
// removes its temporary file unless it is killed. Whoever holds the lock that every writer of name takes knows that
// the writer is dead, and may remove it.
func Temporary(file string) (name string, ok bool) {
	head, ok := strings.CutSuffix(file, temporaryEnd)
	if !ok || len(head) < randomLen+2 {
		return "", false
	}
	name, random := head[:len(head)-randomLen-1], head[len(head)-randomLen-1:]
	if random[0] != '.' || strings.Trim(random[1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", false
	}
	return name, true
}

// Write puts a file of this content in the place of name, whatever name is now unless it is a folder. Readers see the
// old file or the new one. When Write returns nil, the new one is on the disk; when it returns an error, either may be
// there, whole.
func (d *Folder) Write(name string, content []byte) error { return d.put(name, content, nil) }

// Replace is Write for a file that a person or another program made. The new file has the permissions of the one in whose
// place it comes and, as far as the system allows it, the owner.
func (d *Folder) Replace(name string, content []byte) error {
	before, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return d.put(name, content, nil)
	}
	if err != nil {
		return wrong(d.Path(name), err)
	}
	return d.put(name, content, before)
}

// put writes a file like the one before it, or a private one.
func (d *Folder) put(name string, content []byte, before fs.FileInfo) error {
	temporary := name + "." + rand.Text() + temporaryEnd
	if err := d.create(temporary, content, before); err != nil {
		return wrong(d.Path(name), err)
	}
	if err := d.root.Rename(temporary, name); err != nil {
		d.root.Remove(temporary)
		return wrong(d.Path(name), err)
	}
	return d.sync()
}

// create writes a file that was not there before, down to the disk, or leaves none. It is private until all of it is
// written, and stays so unless it is to be like another file.
func (d *Folder) create(name string, content []byte, like fs.FileInfo) (err error) {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	defer func() {
		if end := f.Close(); err == nil {
			err = end
		}
		if err != nil {
			d.root.Remove(name)
		}
	}()
	if err := f.Chmod(fileMode); err != nil { // a umask can take the owner's access away, too
		return err
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	if like != nil {
		if err := giveTo(f, like); err != nil {
			return err
		}
		if err := f.Chmod(like.Mode().Perm()); err != nil {
			return err
		}
	}
	return f.Sync()
}

// Sweep removes what killed writers of name left behind. The caller holds the lock that every writer of it takes.
func (d *Folder) Sweep(name string) error {
	names, err := d.Names()
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(n string) bool {
		of, ok := Temporary(n)
		return !ok || of != name
	})
	return d.Remove(names...)
}

// Remove removes files, down to the disk. A file that is not there is no error.
func (d *Folder) Remove(names ...string) error {
	removed := false
	for _, name := range names {
		err := d.root.Remove(name)
		switch {
		case err == nil:
			removed = true
		case !errors.Is(err, fs.ErrNotExist):
			return wrong(d.Path(name), err)
		}
	}
	if !removed {
		return nil
	}
	return d.sync()
}
