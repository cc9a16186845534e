package file

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"
)

// Waiting for a lock is a series of tries, because a call that waits in the kernel cannot be ended by a context.
const (
	// firstWait is about what writing a small file takes.
	firstWait = time.Millisecond
	// lastWait bounds what a waiter loses after the lock came free, and keeps a hundred waiters from using a core.
	lastWait = 20 * time.Millisecond
)

// A Lock excludes other processes, and other callers in this one, from the same lock. The operating system releases it
// when the process ends, however it ends; programs started meanwhile do not inherit it.
type Lock struct {
	folder *Folder
	name   string
	f      *os.File
}

// Lock takes the lock called name, which is an empty file in the folder. It waits until ctx ends; the error then is
// ErrBusy and the context's.
func (d *Folder) Lock(ctx context.Context, name string) (*Lock, error) {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		if err := ctx.Err(); err != nil {
			return nil, &Error{Path: d.Path(name), Err: ErrBusy, ended: err}
		}
		l, err := d.TryLock(name)
		if !errors.Is(err, ErrBusy) {
			return l, err
		}
		timer := time.NewTimer(wait/2 + rand.N(wait)) // apart from each other, so that waiters do not try in step
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// TryLock takes the lock called name, or returns ErrBusy at once when another process holds it.
func (d *Folder) TryLock(name string) (*Lock, error) {
	f, err := d.openLock(name)
	if err != nil {
		return nil, wrong(d.Path(name), err)
	}
	err = lockFile(f)
	if err == nil {
		err = d.checkLock(name, f)
	}
	if err != nil {
		f.Close()
		return nil, wrong(d.Path(name), err)
	}
	return &Lock{folder: d, name: name, f: f}, nil
}

// openLock opens the lock's file, or creates it. It never creates what a link stands for.
func (d *Folder) openLock(name string) (*os.File, error) {
	named, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
		if errors.Is(err, fs.ErrExist) {
			return nil, ErrBusy
		}
		return f, err
	}
	if err != nil {
		return nil, err
	}
	if err := check(named); err != nil {
		return nil, err
	}
	f, err := d.root.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrBusy
	}
	return f, err
}

// checkLock checks that the locked file f is the one that others find under name. The holder before may have discarded
// it after it was opened here: then somebody else can hold the lock of that name now.
func (d *Folder) checkLock(name string, f *os.File) error {
	named, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrBusy
	}
	if err != nil {
		return err
	}
	opened, err := f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(named, opened) {
		return ErrBusy
	}
	if opened.Mode().Perm() != fileMode {
		return f.Chmod(fileMode)
	}
	return nil
}

// Release lets the next one have the lock.
func (l *Lock) Release() { l.f.Close() }

// Discard removes the lock's file and lets the next one have the lock, under a new file.
func (l *Lock) Discard() {
	l.folder.root.Remove(l.name)
	l.f.Close()
}
