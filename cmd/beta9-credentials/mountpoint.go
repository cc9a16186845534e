//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// A mountPoint is the folder that an image comes to be mounted on, as it is below the image. Its lock (flock(2)) is shared
// by all that mount something there, until nothing that they have made is left: by it unmount knows when that is, and no
// mount begins on a folder that another one is about to remove. Who cannot have it does without: there are file systems that
// cannot lock a folder, and whoever may read a folder can keep its lock.
type mountPoint struct {
	path string
	file *os.File
	made bool // by this process, which therefore removes it
}

// takeMountPoint sees to it that there is an empty folder, and takes its lock.
func takeMountPoint(ctx context.Context, path string) (*mountPoint, error) {
	var err error
	for range 10 { // each time the one before has removed it meanwhile
		var p *mountPoint
		if p, err = openMountPoint(ctx, path); err == nil {
			return p, nil
		}
		if !errors.Is(err, errReplaced) {
			return nil, err
		}
	}
	return nil, err
}

// errReplaced says that a folder is no longer, or not yet, what its path leads to.
var errReplaced = errors.New("it is a link that leads nowhere, or is made and removed by others all the time")

func openMountPoint(ctx context.Context, path string) (*mountPoint, error) {
	p := &mountPoint{path: path}
	switch err := os.Mkdir(path, 0o755); {
	case err == nil:
		p.made = true
	case !errors.Is(err, fs.ErrExist):
		return nil, err
	}
	var err error
	if p.file, err = openFolder(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = &fs.PathError{Op: "open", Path: path, Err: errReplaced}
		}
		return nil, err
	}
	p.lock(ctx)
	if err := p.check(); err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

// lock takes the lock, which others hold alone for moments, if it can.
func (p *mountPoint) lock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = flock(ctx, p.file, unix.LOCK_SH)
}

// check sees to it that the folder is still there, and empty.
func (p *mountPoint) check() error {
	opened, err := p.file.Stat()
	if err != nil {
		return err
	}
	if named, err := os.Stat(p.path); err != nil || !os.SameFile(named, opened) {
		return &fs.PathError{Op: "open", Path: p.path, Err: errReplaced}
	}
	_, err = p.file.Readdirnames(1)
	switch err {
	case io.EOF:
		return nil
	case nil:
		return helpers.Fail(helpers.BadRequest, p.path+" is not empty", "give an empty folder, or one that is not there yet")
	}
	return err
}

// leave removes the folder if this process has made it and no other one mounts something on it, and gives the lock back.
func (p *mountPoint) leave() error {
	defer p.file.Close()
	if !p.made || errors.Is(tryLock(p.file, unix.LOCK_EX), unix.EWOULDBLOCK) {
		return nil
	}
	return os.Remove(p.path)
}

// lastWait is how long unmount waits for the process that has served an image. It has a few files to remove.
const lastWait = 10 * time.Second

// awaitLeft returns when the processes that have served what was mounted on the folder have removed what they had made, or
// have ended. The error says that one of them has not in time: of an image that was unmounted by force and is still in use,
// it may be.
func awaitLeft(ctx context.Context, path string) error {
	f, err := openFolder(path)
	if err != nil {
		return nil // they have removed the folder, which is the last thing they do
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(ctx, lastWait)
	defer cancel()
	return flock(ctx, f, unix.LOCK_EX)
}

// openFolder opens a folder, and nothing else: to open a pipe would wait for somebody.
func openFolder(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
}

// flock takes the lock of a folder. A call that waits in the kernel could not be ended, so it tries again and again. The
// error is the context's; where there is no lock to be had, nobody holds it.
func flock(ctx context.Context, f *os.File, how int) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for errors.Is(tryLock(f, how), unix.EWOULDBLOCK) {
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// tryLock calls flock(2), which does not wait.
func tryLock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != unix.EINTR {
			return err
		}
	}
}
