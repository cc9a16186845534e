package ecr

import "syscall"

// groupAttributes let the program die with this process, too: a signal that ends a helper does not reach the group of the
// program, and nobody would wait for it any more.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
