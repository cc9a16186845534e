package ecr

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// shell returns the command as the command interpreter runs it, which does its own quoting.
func shell(ctx context.Context, command string) *exec.Cmd {
	interpreter := filepath.Join(os.Getenv("SystemRoot"), "System32", "cmd.exe")
	c := exec.CommandContext(ctx, interpreter)
	c.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd.exe /C "` + command + `"`}
	return c
}

// group leaves the program as it is: its children end with their pipes.
func group(*exec.Cmd) {}
