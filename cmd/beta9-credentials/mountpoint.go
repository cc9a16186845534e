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
// mount begins on a folder that another one is about to remove. A file system that cannot lock a folder does without.
type mountPoint struct {
	path string
	file *os.File
	made bool // by this process, which therefore removes it
}

// takeMountPoint sees to it that there is an empty folder, and takes its lock.
func takeMountPoint(path string) (*mountPoint, error) {
	var err error
	for range 10 { // each time the one before has removed it meanwhile
		var p *mountPoint
		if p, err = openMountPoint(path); err == nil {
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

func openMountPoint(path string) (*mountPoint, error) {
	p := &mountPoint{path: path}
	switch err := os.Mkdir(path, 0o755); {
	case err == nil:
		p.made = true
	case !errors.Is(err, fs.ErrExist):
		return nil, err
	}
	var err error
	if p.file, err = os.Open(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = &fs.PathError{Op: "open", Path: path, Err: errReplaced}
		}
		return nil, err
	}
	_ = flock(p.file, unix.LOCK_SH) // it is held alone for moments only
	if err := p.check(); err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
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
	if !p.made || errors.Is(flock(p.file, unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) {
		return nil
	}
	return os.Remove(p.path)
}

// lastWait is how long unmount waits for the process that has served an image. It has a few files to remove.
const lastWait = 10 * time.Second

// awaitLeft returns when the processes that have served what was mounted on the folder have removed what they had made, or
// have ended. The error is the context's, or that of lastWait.
func awaitLeft(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return nil // they have removed the folder, which is the last thing they do
	}
	ctx, cancel := context.WithTimeout(ctx, lastWait)
	defer cancel()
	left := make(chan error, 1)
	go func() {
		defer f.Close()
		left <- flock(f, unix.LOCK_EX)
	}()
	select {
	case <-left: // or nobody can tell
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flock calls flock(2), which waits unless how says otherwise.
func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); err != unix.EINTR {
			return err
		}
	}
}
