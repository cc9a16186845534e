//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

const (
	// detachedFlag tells a mount that it is the process which stays behind.
	detachedFlag = "detached"
	// readyDescriptor is where that process says that the image is mounted, by closing it after one byte.
	readyDescriptor = 3
)

// detach mounts the image in a process of its own session and returns once it is mounted. Until then that process shows
// its progress and its errors here.
func (m *mount) detach(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command(self, m.arguments()...)
	cmd.Env = m.app.environ
	cmd.Stdin, cmd.Stderr = m.app.stdin, m.app.stderr
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return err
	}
	unheard := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	n, _ := r.Read(make([]byte, 1)) // ends when it is said, or when nobody is left to say it
	if unheard() && n == 1 {
		fmt.Fprintf(m.app.stdout, "Mounted %s on %s in the background (process %d).\n", m.reference, m.dir, cmd.Process.Pid)
		return cmd.Process.Release()
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return interrupted("")
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return &exitError{code: exit.ExitCode()} // it has said why
	}
	return helpers.Fail(helpers.Internal, "the process that mounts the image has ended", "")
}

// arguments are the command line of the process that stays behind.
func (m *mount) arguments() []string {
	args := []string{"mount", "--" + detachedFlag}
	if m.app.helpersFolder != "" {
		args = append(args, "--helpers="+m.app.helpersFolder)
	}
	if m.cache != "" {
		args = append(args, "--cache="+m.cache)
	}
	for _, file := range m.material.files {
		args = append(args, "--material="+file)
	}
	return append(args, "--", m.reference, m.dir)
}

// becomeDaemon lets go of the terminal and the working folder, and says that all is well.
func becomeDaemon() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for _, stream := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if err := redirect(null, stream); err != nil {
			return err
		}
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	ready := os.NewFile(readyDescriptor, "ready")
	_, err = ready.Write([]byte{1})
	return errors.Join(err, ready.Close())
}

// redirect has a descriptor stand for another file.
func redirect(to, from *os.File) error {
	return os.NewSyscallError("dup2", unix.Dup2(int(to.Fd()), int(from.Fd())))
}
