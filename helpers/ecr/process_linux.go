package ecr

import "syscall"

// groupAttributes let the program die with this process, too: a signal that ends a helper does not reach the group of the
// program, and nobody would wait for it any more. SIGKILL cannot be caught: then the program dies, and what it has started
// goes on.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
