//go:build unix && !linux

package execute

import (
	"syscall"
	"time"
)

func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// wait does nothing: there is no dependable way here to wait for a child
// without reaping it.
func (g *group) wait() {}

// reap reaps the leader and kills what it left behind. While anything is left,
// the group's number is not given to another process; when nothing is left, the
// number was free only since the leader was reaped just now.
func (g *group) reap(<-chan time.Time) error {
	err := g.cmd.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	killGroup(g.cmd.Process.Pid)
	return err
}
