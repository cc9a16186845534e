//go:build unix && !linux

package execute

import "syscall"

func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// wait does nothing: there is no dependable way here to wait for a child
// without reaping it.
func (g *group) wait() {}

// sweep kills what the leader left behind. While anything is left, the group's
// number is not given to another process; when nothing is left, the number was
// free only since the leader was reaped just now.
func (g *group) sweep() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	killGroup(g.cmd.Process.Pid)
}
