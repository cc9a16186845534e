package execute

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// wait waits for the leader to end and kills what is left of the group while
// the leader, not yet reaped, keeps the group's number from being given away.
// The kernel signals a group as a whole, so not even members that are just
// being forked are missed.
func (g *group) wait() {
	pid := g.cmd.Process.Pid
	var info unix.Siginfo
	for unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	killGroup(pid)
}

// sweep reaps the members that were killed when they are ours to reap: in a
// process that is the first of its container, or that asked to be a subreaper,
// orphans become its children. Anywhere else there are none, and this returns
// at once.
func (g *group) sweep() {
	for {
		_, err := unix.Wait4(-g.cmd.Process.Pid, nil, 0, nil)
		if err != nil && err != unix.EINTR {
			return
		}
	}
}
