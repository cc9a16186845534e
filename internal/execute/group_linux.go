package execute

import (
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"

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
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
	for err == unix.EINTR {
		err = unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	if err == nil { // or else somebody has reaped it, and the number may be another's
		killGroup(pid)
	}
}

// reap reaps the leader. In a process that is the first of its container, or
// that asked to be a subreaper, orphans become its children: there it reaps the
// members that were killed as well, and waits for them until late at most.
// Those that take longer, on a busy machine or because they cannot be killed
// since they have become somebody else, are reaped when they end.
func (g *group) reap(late <-chan time.Time) error {
	if !adopts() {
		return g.cmd.Wait()
	}
	// The number of the leader is free from now on, unless members are left. A
	// child that this process makes just now must not get it and be taken for
	// one of them.
	syscall.ForkLock.RLock()
	err := g.cmd.Wait()
	left := g.bury()
	syscall.ForkLock.RUnlock()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for left {
		select {
		case <-again.C:
			left = g.buryApart()
		case <-late:
			buryLater(g)
			return err
		}
	}
	return err
}

// adopts tells whether orphans become children of this process.
func adopts() bool {
	if os.Getpid() == 1 {
		return true
	}
	var is int32
	_, _, failure := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0, 0, 0, 0)
	return failure == 0 && is != 0
}

// leftovers are the groups whose members had not all ended in time.
var leftovers struct {
	mu     sync.Mutex
	groups []*group
}

// buryLater has a group's members reaped when they end.
func buryLater(g *group) {
	leftovers.mu.Lock()
	defer leftovers.mu.Unlock()
	leftovers.groups = append(leftovers.groups, g)
	if len(leftovers.groups) == 1 {
		go buryLeftovers()
	}
}

// buryLeftovers looks at the groups again and again, until none is left.
func buryLeftovers() {
	const first, last = 10 * time.Millisecond, time.Second
	for wait, left := first, true; left; wait = min(2*wait, last) {
		time.Sleep(wait)
		leftovers.mu.Lock()
		leftovers.groups = slices.DeleteFunc(leftovers.groups, func(g *group) bool { return !g.buryApart() })
		left = len(leftovers.groups) > 0
		leftovers.mu.Unlock()
	}
}

// buryApart is bury when the leader was reaped before: the last member may go
// here, and its number to a child that this process makes just now.
func (g *group) buryApart() bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return g.bury()
}

// bury reaps the members that have ended and reports whether others are left.
func (g *group) bury() bool {
	for {
		pid, err := unix.Wait4(-g.cmd.Process.Pid, nil, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR, err == nil && pid > 0:
		default:
			return err == nil
		}
	}
}
