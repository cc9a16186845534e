//go:build unix

package ecr

import (
	"context"
	"os/exec"
	"syscall"
)

// shell returns the command as the shell runs it.
func shell(ctx context.Context, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "/bin/sh", "-c", command)
}

// group puts the program into a process group of its own, which dies with it when the context ends.
func group(c *exec.Cmd) {
	c.SysProcAttr = groupAttributes()
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}
