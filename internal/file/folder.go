// Package file reads and writes files that only their owner may see, so that what is written is whole or not there at
// all, whoever kills the writer, and so that nothing is read from or written to a place that somebody else chose.
//
// A [Folder] is opened once and everything in it is reached through that open folder: replacing the folder by another
// one meanwhile changes nothing. A file that is a link, belongs to another user or is open to others is refused.
// On Windows the permissions that a folder inherits from the user's profile keep others out; owners, modes and second
// names of files are not looked at there.
//
// Nothing here is safe to be used as root on folders of other users, and nothing tries to be.
package file

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Modes of everything that is created here: for the owner alone.
const (
	folderMode fs.FileMode = 0o700
	fileMode   fs.FileMode = 0o600
)

// A Folder is an open folder. Its methods are safe for concurrent use until Close.
//
// The names that its methods take are names of files directly in it.
type Folder struct {
	path string
	root *os.Root
}

// Open opens a private folder that exists: one that is no link and belongs to this user. When others have access to it,
// that access is taken away, unless they use it. The error is fs.ErrNotExist when there is none.
func Open(path string) (*Folder, error) {
	before, err := os.Lstat(path)
	if err != nil {
		return nil, wrong(path, err)
	}
	switch {
	case before.Mode()&fs.ModeSymlink != 0:
		return nil, &Error{Path: path, Err: ErrLink}
	case !before.IsDir():
		return nil, &Error{Path: path, Err: ErrNotFolder}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, wrong(path, err)
	}
	d := &Folder{path: path, root: root}
	if err := d.claim(before); err != nil {
		root.Close()
		return nil, err
	}
	return d, nil
}

// claim checks that d is the folder seen before it was opened and belongs to this user, and closes it to others.
func (d *Folder) claim(before fs.FileInfo) error {
	info, err := d.root.Stat(".")
	switch {
	case err != nil:
		return wrong(d.path, err)
	case !os.SameFile(before, info):
		return &Error{Path: d.path, Err: ErrLink}
	case foreign(info):
		return &Error{Path: d.path, Err: ErrForeign}
	case !loose(info):
		return nil
	}
	self, err := d.root.Open(".")
	if err != nil {
		return wrong(d.path, err)
	}
	defer self.Close()
	switch shared, err := shared(d.root, self, info); {
	case err != nil:
		return wrong(d.path, err)
	case shared:
		return &Error{Path: d.path, Err: ErrShared}
	}
	if err := self.Chmod(info.Mode().Perm() & folderMode); err != nil {
		return &Error{Path: d.path, Err: ErrMode}
	}
	return nil
}

// shared reports whether an open folder serves others as well, so that closing it would do harm: somebody names /tmp, a
// home, or / by way of a variable that is empty. It is a folder with the sticky bit, or with a folder in it that belongs to
// somebody else or that others can enter.
func shared(root *os.Root, self *os.File, info fs.FileInfo) (bool, error) {
	if info.Mode()&fs.ModeSticky != 0 {
		return true, nil
	}
	names, err := self.Readdirnames(-1)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		info, err := root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		if info.IsDir() && (foreign(info) || loose(info)) {
			return true, nil
		}
	}
	return false, nil
}

// Make opens a private folder and creates it, with the folders above it, when it is not there.
func Make(path string) (*Folder, error) {
	d, err := Open(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	if err := makeAll(path); err != nil {
		return nil, err
	}
	return Open(path)
}

// makeAll creates path and what is missing above it. Another process may do the same at the same time.
func makeAll(path string) error {
	err := os.Mkdir(path, folderMode)
	if errors.Is(err, fs.ErrNotExist) {
		parent := filepath.Dir(path)
		if parent == path {
			return wrong(path, err)
		}
		if err := makeAll(parent); err != nil {
			return err
		}
		err = os.Mkdir(path, folderMode)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return wrong(path, err)
	}
	// A umask can have taken more than others' access away.
	if err := os.Chmod(path, folderMode); err != nil {
		return wrong(path, err)
	}
	return nil
}

// OpenShared opens a folder that a person named, which may be reached through a link, belong to somebody else and be
// open to others. What is in it is checked file by file, as everywhere.
func OpenShared(path string) (*Folder, error) {
	info, err := os.Stat(path) // before opening it: opening a pipe would wait for a writer
	if err != nil {
		return nil, wrong(path, err)
	}
	if !info.IsDir() {
		return nil, &Error{Path: path, Err: ErrNotFolder}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, wrong(path, err)
	}
	return &Folder{path: path, root: root}, nil
}

// IsPrivate reports whether path is a folder that belongs to this user and that nobody else can enter.
func IsPrivate(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir() && !foreign(info) && info.Mode().Perm() == folderMode
}

// Close closes the folder. It does not release locks.
func (d *Folder) Close() error { return d.root.Close() }

// Path returns the path of the file name in this folder, for messages.
func (d *Folder) Path(name string) string { return filepath.Join(d.path, name) }

// Names returns the names of everything in the folder, in no order.
func (d *Folder) Names() ([]string, error) {
	self, err := d.root.Open(".")
	if err != nil {
		return nil, wrong(d.path, err)
	}
	defer self.Close()
	names, err := self.Readdirnames(-1)
	if err != nil {
		return nil, wrong(d.path, err)
	}
	return names, nil
}

// Read returns the content of a file of at most limit bytes. The error is fs.ErrNotExist when there is none.
func (d *Folder) Read(name string, limit int) ([]byte, error) {
	f, size, err := d.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > int64(limit) {
		return nil, &Error{Path: d.Path(name), Err: ErrTooLarge}
	}
	return d.read(f, name, int(size))
}

// ReadStart returns the first bytes of a file: limit of them, or as many as there are.
func (d *Folder) ReadStart(name string, limit int) ([]byte, error) {
	f, size, err := d.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return d.read(f, name, int(min(size, int64(limit))))
}

// read reads size bytes. Files are replaced and never changed, so that the size seen when opening stays true.
func (d *Folder) read(f *os.File, name string, size int) ([]byte, error) {
	content := make([]byte, size)
	if _, err := io.ReadFull(f, content); err != nil {
		return nil, wrong(d.Path(name), err)
	}
	return content, nil
}

// open opens a file for reading and returns its size.
//
// The file is looked at before it is opened, because opening a pipe would wait for a writer and because an [os.Root]
// follows links inside its folder. When a writer replaced the file in between, the new one is looked at again.
func (d *Folder) open(name string) (*os.File, int64, error) {
	const tries = 100 // a writer needs a fsync per replacement: losing this often means that something else is wrong
	for range tries {
		before, err := d.root.Lstat(name)
		if err != nil {
			return nil, 0, wrong(d.Path(name), err)
		}
		if err := check(before); err != nil {
			return nil, 0, wrong(d.Path(name), err)
		}
		f, err := d.root.Open(name)
		if err != nil {
			return nil, 0, wrong(d.Path(name), err)
		}
		info, err := f.Stat()
		switch {
		case err != nil:
			f.Close()
			return nil, 0, wrong(d.Path(name), err)
		case os.SameFile(before, info):
			return f, info.Size(), nil
		}
		f.Close()
	}
	return nil, 0, wrong(d.Path(name), ErrBusy)
}

// check says why a file cannot be trusted.
func check(info fs.FileInfo) error {
	switch {
	case info.Mode()&fs.ModeSymlink != 0, links(info) > 1:
		return ErrLink
	case !info.Mode().IsRegular():
		return ErrNotFile
	case foreign(info):
		return ErrForeign
	case loose(info):
		return ErrMode
	}
	return nil
}
