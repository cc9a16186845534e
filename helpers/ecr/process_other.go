//go:build unix && !linux

package ecr

import "syscall"

// groupAttributes cannot let the program die with this process: it goes on after SIGKILL, which cannot be caught.
func groupAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
